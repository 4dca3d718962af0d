"""Pytrees under the names of ``jax.tree_util``; see `fxla.tree`."""

from __future__ import annotations

from fxla.core.pytree import TreeDef as PyTreeDef
from fxla.core.tree_paths import (
    DictKey,
    FlattenedIndexKey,
    GetAttrKey,
    KeyEntry,
    KeyPath,
    SequenceKey,
)
from fxla.tree import (
    Partial,
    all_leaves,
    keystr,
    register_dataclass,
    register_pytree_node,
    register_pytree_node_class,
    register_pytree_with_keys,
    register_pytree_with_keys_class,
    register_static,
    treedef_children,
    treedef_is_leaf,
    treedef_tuple,
)
from fxla.tree import (
    all as tree_all,
)
from fxla.tree import (
    broadcast as tree_broadcast,
)
from fxla.tree import (
    flatten as tree_flatten,
)
from fxla.tree import (
    flatten_with_path as tree_flatten_with_path,
)
from fxla.tree import (
    leaves as tree_leaves,
)
from fxla.tree import (
    leaves_with_path as tree_leaves_with_path,
)
from fxla.tree import (
    map as tree_map,
)
from fxla.tree import (
    map_with_path as tree_map_with_path,
)
from fxla.tree import (
    reduce as tree_reduce,
)
from fxla.tree import (
    structure as tree_structure,
)
from fxla.tree import (
    transpose as tree_transpose,
)
from fxla.tree import (
    unflatten as tree_unflatten,
)

__all__ = [
    "DictKey",
    "FlattenedIndexKey",
    "GetAttrKey",
    "KeyEntry",
    "KeyPath",
    "Partial",
    "PyTreeDef",
    "SequenceKey",
    "all_leaves",
    "keystr",
    "register_dataclass",
    "register_pytree_node",
    "register_pytree_node_class",
    "register_pytree_with_keys",
    "register_pytree_with_keys_class",
    "register_static",
    "tree_all",
    "tree_broadcast",
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_leaves",
    "tree_leaves_with_path",
    "tree_map",
    "tree_map_with_path",
    "tree_reduce",
    "tree_structure",
    "tree_transpose",
    "tree_unflatten",
    "treedef_children",
    "treedef_is_leaf",
    "treedef_tuple",
]
