"""Paths in trees as JAX has them: tuples of keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import optree

from fxla import tree as fxla_tree
from fxla import tree_util as fxla_tree_util
from fxla.core.pytree import tree_flatten

__all__ = ["tree_names", "tree_util_names"]


@dataclass(frozen=True)
class SequenceKey:
    """The place in a list or tuple."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx}]"


@dataclass(frozen=True)
class DictKey:
    """The key in a dict."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"


@dataclass(frozen=True)
class GetAttrKey:
    """The name of a field."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


@dataclass(frozen=True)
class FlattenedIndexKey:
    """The number of a child, of a node that does not name its children."""

    key: int

    def __str__(self) -> str:
        return f"[<flat index {self.key}>]"


def _key(entry: Any) -> Any:
    if isinstance(entry, optree.MappingEntry):
        return DictKey(entry.entry)
    if isinstance(entry, optree.NamedTupleEntry):
        return GetAttrKey(entry.field)
    if isinstance(entry, optree.GetAttrEntry):
        return GetAttrKey(entry.entry)
    if isinstance(entry, optree.SequenceEntry):
        return SequenceKey(entry.entry)
    return FlattenedIndexKey(entry.entry)


def _keys(accessor: Any) -> tuple[Any, ...]:
    return tuple([_key(entry) for entry in accessor])


def keystr(keys: Any, *, simple: bool = False, separator: str = "") -> str:
    """A path as text."""
    if simple:
        parts = [str(next(iter(vars(k).values()))) for k in keys]
        return separator.join(parts)
    return separator.join([str(k) for k in keys])


def leaves_with_path(tree: Any, is_leaf: Any = None, **_: Any) -> list[tuple[Any, Any]]:
    """Pairs of a path and a leaf."""
    return [(_keys(path), leaf) for path, leaf in fxla_tree.leaves_with_path(tree, is_leaf)]


def flatten_with_path(tree: Any, is_leaf: Any = None, **_: Any) -> tuple[list[Any], Any]:
    """`leaves_with_path`, and the structure."""
    return leaves_with_path(tree, is_leaf), fxla_tree.structure(tree, is_leaf)


def map_with_path(
    f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: Any = None, **_: Any
) -> Any:
    """``f(path, leaf, ...)`` of corresponding leaves."""
    return fxla_tree.map_with_path(
        lambda path, *xs: f(_keys(path), *xs), tree, *rest, is_leaf=is_leaf
    )


def reduce(function: Any, tree: Any, *args: Any, is_leaf: Any = None, **kwargs: Any) -> Any:
    """All leaves combined from left to right."""
    initial = (*args, *kwargs.values())
    return fxla_tree.reduce(function, tree, *initial, is_leaf=is_leaf)


def transpose(outer_treedef: Any, inner_treedef: Any, pytree_to_transpose: Any) -> Any:
    """A tree of trees, turned inside out."""
    return fxla_tree.transpose(outer_treedef, inner_treedef, pytree_to_transpose)


def treedef_is_strict_leaf(treedef: Any) -> bool:
    """Whether a structure is a single leaf."""
    return fxla_tree.treedef_is_leaf(treedef)


def _of(module: ModuleType) -> dict[str, Any]:
    return {name: getattr(module, name) for name in module.__all__}


def tree_names() -> dict[str, Any]:
    """The names of ``jax.tree``."""
    return _of(fxla_tree) | {
        "leaves_with_path": leaves_with_path,
        "flatten_with_path": flatten_with_path,
        "map_with_path": map_with_path,
        "reduce": reduce,
        "reduce_associative": lambda f, tree, *, identity, is_leaf=None: reduce(
            f, tree, identity, is_leaf=is_leaf
        ),
        "transpose": transpose,
    }


def tree_util_names() -> dict[str, Any]:
    """The names of ``jax.tree_util``."""
    return _of(fxla_tree_util) | {
        "DictKey": DictKey,
        "FlattenedIndexKey": FlattenedIndexKey,
        "GetAttrKey": GetAttrKey,
        "KeyPath": tuple,
        "SequenceKey": SequenceKey,
        "keystr": keystr,
        "tree_leaves_with_path": leaves_with_path,
        "tree_flatten_with_path": flatten_with_path,
        "tree_map_with_path": map_with_path,
        "tree_reduce": reduce,
        "tree_transpose": transpose,
        "treedef_is_strict_leaf": treedef_is_strict_leaf,
        "tree_leaves": lambda tree, is_leaf=None: tree_flatten(tree, is_leaf)[0],
    }
