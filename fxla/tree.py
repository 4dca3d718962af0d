"""Pytrees: nested containers of arrays.

None, dict, list, tuple, namedtuple, OrderedDict and defaultdict are pytrees; other classes are
leaves until they are registered. The names are those of ``jax.tree`` and ``jax.tree_util``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import optree

from fxla.core.pytree import (
    NAMESPACE,
    TreeDef,
    leaf_paths,
    register_dataclass,
    register_node,
    tree_flatten,
    tree_map,
    tree_structure,
    tree_unflatten,
)

__all__ = [
    "all",
    "flatten",
    "flatten_with_path",
    "keystr",
    "leaf_paths",
    "leaves",
    "leaves_with_path",
    "map",
    "map_with_path",
    "reduce",
    "register_dataclass",
    "register_pytree_node",
    "register_pytree_node_class",
    "structure",
    "transpose",
    "unflatten",
]

IsLeaf = Callable[[Any], bool] | None


def flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], TreeDef]:
    """The leaves in order, and the structure. None is a structure without leaves.

    Example:
        >>> leaves, treedef = flatten({"a": 1, "b": (2, None)})
        >>> leaves
        [1, 2]
    """
    return tree_flatten(tree, is_leaf)


def unflatten(treedef: TreeDef, leaves: Iterable[Any]) -> Any:
    """The tree of a structure and leaves: the inverse of `flatten`.

    Example:
        >>> unflatten(structure([0, (0,)]), [1, 2])
        [1, (2,)]
    """
    return tree_unflatten(treedef, leaves)


def leaves(tree: Any, is_leaf: IsLeaf = None) -> list[Any]:
    """The leaves in order.

    Example:
        >>> leaves([1, (2, 3)])
        [1, 2, 3]
    """
    return tree_flatten(tree, is_leaf)[0]


def structure(tree: Any, is_leaf: IsLeaf = None) -> TreeDef:
    """The structure without leaves; two trees can be mapped over together if theirs are equal.

    Example:
        >>> structure([1, 2]) == structure([3, 4])
        True
    """
    return tree_structure(tree, is_leaf)


def map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None) -> Any:  # noqa: A001
    """Apply `f` to corresponding leaves.

    Args:
        f: takes a leaf of `tree` and of each of `rest`.
        tree: gives the structure of the result.
        *rest: trees of the same structure, or with subtrees where `tree` has leaves.
        is_leaf: true for subtrees that count as leaves.

    Raises:
        ValueError: if the structures differ.

    Example:
        >>> map(lambda x, y: x + y, {"a": 1}, {"a": 10})
        {'a': 11}
    """
    return tree_map(f, tree, *rest, is_leaf=is_leaf)


def reduce(f: Callable[[Any, Any], Any], tree: Any, *initial: Any, is_leaf: IsLeaf = None) -> Any:
    """Combine all leaves from left to right.

    Example:
        >>> reduce(lambda total, x: total + x, [1, (2, 3)])
        6
    """
    return optree.tree_reduce(f, tree, *initial, is_leaf=is_leaf, namespace=NAMESPACE)


def all(tree: Any, *, is_leaf: IsLeaf = None) -> bool:  # noqa: A001 - JAX's name
    """Whether all leaves are true.

    Example:
        >>> all({"a": True, "b": False})
        False
    """
    return bool(optree.tree_all(tree, is_leaf=is_leaf, namespace=NAMESPACE))


def transpose(outer: TreeDef, inner: TreeDef | None, tree: Any) -> Any:
    """Turn an outer tree of inner trees inside out.

    Example:
        >>> transpose(structure([0, 0]), structure({"a": 0}), [{"a": 1}, {"a": 2}])
        {'a': [1, 2]}
    """
    if inner is None:
        inner = tree_structure(outer.flatten_up_to(tree)[0])
    return optree.tree_transpose(outer, inner, tree)


def leaves_with_path(tree: Any, is_leaf: IsLeaf = None) -> list[tuple[Any, Any]]:
    """Pairs of a path and a leaf; `keystr` prints a path.

    Example:
        >>> [(keystr(path), leaf) for path, leaf in leaves_with_path({"a": [5]})]
        [("['a'][0]", 5)]
    """
    return list(
        zip(
            optree.tree_accessors(tree, is_leaf, namespace=NAMESPACE),
            leaves(tree, is_leaf),
            strict=True,
        )
    )


def flatten_with_path(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[tuple[Any, Any]], TreeDef]:
    """`leaves_with_path`, and the structure.

    Example:
        >>> pairs, treedef = flatten_with_path({"a": [5, 6]})
        >>> unflatten(treedef, [leaf + 1 for _, leaf in pairs])
        {'a': [6, 7]}
    """
    return leaves_with_path(tree, is_leaf), structure(tree, is_leaf)


def map_with_path(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None) -> Any:
    """Apply ``f(path, leaf, ...)`` to corresponding leaves.

    Example:
        >>> map_with_path(lambda path, x: f"{keystr(path)}={x}", {"a": 1})
        {'a': "['a']=1"}
    """
    return optree.tree_map_with_accessor(f, tree, *rest, is_leaf=is_leaf, namespace=NAMESPACE)


def keystr(path: Any) -> str:
    """A path as Python would index it.

    Example:
        >>> [keystr(path) for path, _ in leaves_with_path({"layers": [1, 2]})]
        ["['layers'][0]", "['layers'][1]"]
    """
    return str(path.codify("*"))[1:]


def register_pytree_node(
    cls: type[Any],
    flatten_func: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten_func: Callable[[Any, Sequence[Any]], Any],
) -> None:
    """Make a class a pytree node.

    Args:
        cls: the class.
        flatten_func: gives the children, and hashable data that is not traced.
        unflatten_func: takes that data and the children, gives an instance.

    Example:
        >>> class Pair:
        ...     def __init__(self, a, b):
        ...         self.a, self.b = a, b
        >>> register_pytree_node(Pair, lambda p: ((p.a, p.b), None), lambda _, ab: Pair(*ab))
        >>> leaves(Pair(1, 2))
        [1, 2]
    """
    register_node(cls, flatten_func, unflatten_func)


def register_pytree_node_class(cls: type[Any]) -> type[Any]:
    """Decorator: make a class with ``tree_flatten`` and ``tree_unflatten`` methods a node.

    Example:
        >>> @register_pytree_node_class
        ... class Interval:
        ...     def __init__(self, low, high):
        ...         self.low, self.high = low, high
        ...
        ...     def tree_flatten(self):
        ...         return (self.low, self.high), None
        ...
        ...     @classmethod
        ...     def tree_unflatten(cls, _, ends):
        ...         return cls(*ends)
        >>> map(lambda x: 2 * x, Interval(1.0, 2.0)).high
        4.0
    """
    register_node(cls, lambda x: x.tree_flatten(), cls.tree_unflatten)
    return cls
