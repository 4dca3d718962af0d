"""Trees under JAX's names: fxla's, with the keywords that JAX gives arguments."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from fxla import tree as fxla_tree
from fxla import tree_util as fxla_tree_util

__all__ = ["tree_names", "tree_util_names"]


def reduce(function: Any, tree: Any, *args: Any, is_leaf: Any = None, **kwargs: Any) -> Any:
    """All leaves combined from left to right."""
    initial = (*args, *kwargs.values())
    return fxla_tree.reduce(function, tree, *initial, is_leaf=is_leaf)


def reduce_associative(
    function: Callable[[Any, Any], Any], tree: Any, *, identity: Any, is_leaf: Any = None
) -> Any:
    """All leaves combined, in any order."""
    return reduce(function, tree, identity, is_leaf=is_leaf)


def transpose(outer_treedef: Any, inner_treedef: Any, pytree_to_transpose: Any) -> Any:
    """A tree of trees, turned inside out."""
    return fxla_tree.transpose(outer_treedef, inner_treedef, pytree_to_transpose)


def _of(module: ModuleType) -> dict[str, Any]:
    return {name: getattr(module, name) for name in module.__all__}


def tree_names() -> dict[str, Any]:
    """The names of ``jax.tree``."""
    return _of(fxla_tree) | {
        "reduce": reduce,
        "reduce_associative": reduce_associative,
        "transpose": transpose,
    }


def tree_util_names() -> dict[str, Any]:
    """The names of ``jax.tree_util``."""
    return _of(fxla_tree_util) | {
        "tree_reduce": reduce,
        "tree_reduce_associative": reduce_associative,
        "tree_transpose": transpose,
        "treedef_is_strict_leaf": fxla_tree.treedef_is_leaf,
    }
