"""Pytrees: nested containers of arrays.

None, dict, list, tuple, namedtuple, OrderedDict and defaultdict are pytrees; other classes are
leaves until they are registered. The names are those of ``jax.tree`` and ``jax.tree_util``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import optree

from fxla.core.deferred import public_names as _public_names
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
from fxla.core.tree_paths import KeyPath, path_of, register_keyed

__all__ = [
    "Partial",
    "all",
    "all_leaves",
    "broadcast",
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
    "register_pytree_with_keys",
    "register_pytree_with_keys_class",
    "register_static",
    "structure",
    "transpose",
    "treedef_children",
    "treedef_is_leaf",
    "treedef_tuple",
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


def leaves_with_path(tree: Any, is_leaf: IsLeaf = None) -> list[tuple[KeyPath, Any]]:
    """Pairs of a path and a leaf; `keystr` prints a path.

    A path is a tuple of steps: `fxla.tree_util.DictKey`, `SequenceKey`, `GetAttrKey`, or what a
    class registered with keys gives.

    Example:
        >>> [(keystr(path), leaf) for path, leaf in leaves_with_path({"a": [5]})]
        [("['a'][0]", 5)]
    """
    accessors = optree.tree_accessors(tree, is_leaf, namespace=NAMESPACE)
    return list(zip([path_of(a) for a in accessors], leaves(tree, is_leaf), strict=True))


def flatten_with_path(
    tree: Any, is_leaf: IsLeaf = None
) -> tuple[list[tuple[KeyPath, Any]], TreeDef]:
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

    def with_path(accessor: Any, *xs: Any) -> Any:
        return f(path_of(accessor), *xs)

    return optree.tree_map_with_accessor(
        with_path, tree, *rest, is_leaf=is_leaf, namespace=NAMESPACE
    )


def keystr(path: KeyPath, *, simple: bool = False, separator: str = "") -> str:
    """A path as Python would index it.

    Args:
        path: steps from the root.
        simple: write keys, positions and names alone.
        separator: between the steps.

    Example:
        >>> [(path, _)] = leaves_with_path({"w": [1]})
        >>> keystr(path, simple=True, separator="/")
        'w/0'
        >>> [keystr(path) for path, _ in leaves_with_path({"layers": [1, 2]})]
        ["['layers'][0]", "['layers'][1]"]
    """
    return separator.join([_simple(step) if simple else str(step) for step in path])


def _simple(step: Any) -> str:
    """A step without brackets and dots."""
    for name in ("key", "idx", "name"):
        if hasattr(step, name):
            return str(getattr(step, name))
    return str(step)


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


class Partial(functools.partial[Any]):
    """`functools.partial` that is a pytree: its arguments are subtrees, its function is static.

    Example:
        >>> import fxla
        >>> scaled = Partial(lambda a, x: a * x, 3.0)
        >>> float(fxla.jit(lambda f, x: f(x))(scaled, 2.0))
        6.0
    """


register_node(
    Partial,
    lambda f: ((f.args, f.keywords), f.func),
    lambda function, parts: Partial(function, *parts[0], **parts[1]),
)


def register_static(cls: type[Any]) -> type[Any]:
    """Decorator: make instances of a hashable class structure without leaves.

    Example:
        >>> @register_static
        ... class Mode(str):
        ...     pass
        >>> leaves([Mode("train"), 1.0])
        [1.0]
    """
    register_node(cls, lambda x: ((), x), lambda x, _: x)
    return cls


def register_pytree_with_keys(
    nodetype: type[Any],
    flatten_with_keys: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten_func: Callable[[Any, Sequence[Any]], Any],
    flatten_func: Callable[[Any], tuple[Iterable[Any], Any]] | None = None,
) -> None:
    """Make a class a pytree node, given pairs of a key and a child.

    Args:
        nodetype: the class.
        flatten_with_keys: gives pairs of a key and a child, and hashable data that is not traced.
        unflatten_func: takes that data and the children, gives an instance.
        flatten_func: gives the children without keys, and the data.

    Example:
        >>> class Box:
        ...     def __init__(self, inside):
        ...         self.inside = inside
        >>> register_pytree_with_keys(
        ...     Box, lambda b: ((("inside", b.inside),), None), lambda _, children: Box(*children)
        ... )
        >>> leaves(Box(7))
        [7]
    """

    def without_keys(x: Any) -> tuple[Iterable[Any], Any]:
        pairs, data = flatten_with_keys(x)
        return [child for _, child in pairs], data

    register_keyed(nodetype, flatten_with_keys, flatten_func or without_keys, unflatten_func)


def register_pytree_with_keys_class(cls: type[Any]) -> type[Any]:
    """Decorator: `register_pytree_with_keys` of the class's ``tree_flatten_with_keys``.

    Example:
        >>> @register_pytree_with_keys_class
        ... class Pair:
        ...     def __init__(self, *both):
        ...         self.both = both
        ...
        ...     def tree_flatten_with_keys(self):
        ...         return enumerate(self.both), None
        ...
        ...     @classmethod
        ...     def tree_unflatten(cls, _, both):
        ...         return cls(*both)
        >>> leaves(Pair(1, 2))
        [1, 2]
    """
    flatten = getattr(cls, "tree_flatten", None)
    register_pytree_with_keys(
        cls,
        lambda x: x.tree_flatten_with_keys(),
        cls.tree_unflatten,
        None if flatten is None else lambda x: x.tree_flatten(),
    )
    return cls


def broadcast(prefix_tree: Any, full_tree: Any, is_leaf: IsLeaf = None) -> Any:
    """The tree of the second argument's structure whose leaves are those of a prefix of it.

    Example:
        >>> broadcast({"a": 1, "b": 2}, {"a": [0, 0], "b": 0})
        {'a': [1, 1], 'b': 2}
    """
    made = optree.tree_broadcast_prefix(
        prefix_tree, full_tree, is_leaf=is_leaf, namespace=NAMESPACE
    )
    return made


def all_leaves(iterable: Iterable[Any], is_leaf: IsLeaf = None) -> bool:
    """Whether every item is a leaf.

    Example:
        >>> all_leaves([1, 2.0]), all_leaves([1, [2.0]])
        (True, False)
    """
    return optree.all_leaves(iterable, is_leaf, namespace=NAMESPACE)


def treedef_is_leaf(treedef: TreeDef) -> bool:
    """Whether a structure is a single leaf.

    Example:
        >>> treedef_is_leaf(structure(3.0)), treedef_is_leaf(structure([3.0]))
        (True, False)
    """
    return treedef.is_leaf()


def treedef_children(treedef: TreeDef) -> list[TreeDef]:
    """The structures one level below.

    Example:
        >>> len(treedef_children(structure([1, (2, 3)])))
        2
    """
    return treedef.children()


def treedef_tuple(treedefs: Iterable[TreeDef]) -> TreeDef:
    """The structure of a tuple of trees, of their structures.

    Example:
        >>> treedef_tuple([structure(1), structure([2])]) == structure((1, [2]))
        True
    """
    return tree_structure(tuple([tree_unflatten(t, [0] * t.num_leaves) for t in treedefs]))


def __dir__() -> list[str]:
    return _public_names(globals())
