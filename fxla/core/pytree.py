"""Pytrees, by `optree`: nested None, dict, list, tuple, namedtuple and registered classes."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import optree

from fxla.core.source import at_user_line

__all__ = [
    "TreeDef",
    "is_named_tuple",
    "key_path",
    "leaf_paths",
    "node_functions",
    "register_dataclass",
    "register_node",
    "register_node_as",
    "register_paths",
    "structure_text",
    "tree_accessors",
    "tree_flatten",
    "tree_map",
    "tree_structure",
    "tree_unflatten",
]

NAMESPACE = "fxla"
_MANY, _LONG = 3, 200
"""Paths, and characters of a structure, that a message holds."""
TreeDef = optree.PyTreeSpec
_Flatten = Callable[[Any], tuple[Any, ...]]
_Unflatten = Callable[[Any, Any], Any]
_nodes: dict[type[Any], tuple[_Flatten, _Unflatten]] = {}


def tree_flatten(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[Any], TreeDef]:
    """Leaves in order, and the structure. None is a structure without leaves."""
    return optree.tree_flatten(tree, is_leaf, namespace=NAMESPACE)


def tree_unflatten(treedef: TreeDef, leaves: Iterable[Any]) -> Any:
    """The inverse of `tree_flatten`."""
    return optree.tree_unflatten(treedef, leaves)


def tree_structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> TreeDef:
    """The structure of a tree, without its leaves."""
    return optree.tree_structure(tree, is_leaf, namespace=NAMESPACE)


def tree_map(
    f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """Apply `f` to corresponding leaves; `rest` may have subtrees where `tree` has leaves.

    Raises:
        ValueError: one of `rest` does not have the structure of `tree`.
    """
    try:
        return optree.tree_map(f, tree, *rest, is_leaf=is_leaf, namespace=NAMESPACE)
    except (ValueError, TypeError) as error:
        for k, other in enumerate(rest):
            difference = _difference(tree, other, is_leaf)
            if difference:
                raise ValueError(
                    f"trees do not fit: {difference} (the first tree, and that after it number "
                    f"{k + 1}){at_user_line()}. Give trees of one structure; gradients, updates "
                    "and the state of an optimiser have that of the parameters `init` was given."
                ) from error
        differ = _shapes_that_differ(tree, rest, is_leaf)
        if differ:
            error.add_note(f"The shapes differ at {differ}.")
        raise  # from `f`


def _shapes_that_differ(tree: Any, rest: Any, is_leaf: Callable[[Any], bool] | None) -> str:
    """The leaves, by path, that have other shapes in one tree than in another."""
    structure = tree_structure(tree, is_leaf)
    columns = [structure.flatten_up_to(other) for other in (tree, *rest)]
    paths = [key_path(a, "tree") for a in tree_accessors(tree, is_leaf)]
    found = [
        f"{path}: {', '.join(str(getattr(x, 'shape', '-')) for x in leaves)}"
        for path, *leaves in zip(paths, *columns, strict=True)
        if len({getattr(x, "shape", None) for x in leaves}) > 1
    ]
    return "; ".join(found[:_MANY]) + (" ..." if found[_MANY:] else "")


def _difference(tree: Any, other: Any, is_leaf: Callable[[Any], bool] | None) -> str:
    """What a tree has that another one lacks, or ``""`` if that may be mapped beside it."""
    structure = tree_structure(tree, is_leaf)
    try:
        structure.flatten_up_to(other)
    except (ValueError, TypeError):
        ours, theirs = [dict.fromkeys(leaf_paths(x, "tree")) for x in (tree, other)]
        lacks, has = [[p for p in a if p not in b] for a, b in ((ours, theirs), (theirs, ours))]
        if not (lacks or has) or max(len(lacks), len(has)) > _MANY:
            texts = structure_text(structure), structure_text(tree_structure(other))
            if max(map(len, texts)) <= _LONG:
                return f"{texts[0]} and {texts[1]}"
        only = [
            f"only the {which} has {', '.join(paths[:_MANY])}{' ...' if paths[_MANY:] else ''}"
            for which, paths in (("first", lacks), ("second", has))
            if paths
        ]
        return ", ".join(only) or "their containers are of other classes"
    return ""


def tree_accessors(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """For each leaf, a function from trees of this structure to it."""
    return list(optree.tree_accessors(tree, is_leaf, namespace=NAMESPACE))


def structure_text(treedef: TreeDef | None) -> str:
    """A structure for messages, with ``*`` for each leaf.

    Example:
        >>> structure_text(tree_structure({"w": [1, 2], "b": None}))
        "{'b': None, 'w': [*, *]}"
    """
    text = str(treedef).removeprefix("PyTreeSpec(").removesuffix(")")
    return text.removesuffix(f", namespace={NAMESPACE!r}")


def key_path(accessor: Any, root: str = "") -> str:
    """A path in a tree as the user would write it, e.g. ``params['w'][0]``."""
    return str(accessor.codify(root or "*"))


def leaf_paths(tree: Any, root: str = "") -> list[str]:
    """The path of every leaf of `tree`, as the user would write it.

    Example:
        >>> leaf_paths({"w": [1, 2]}, "params")
        ["params['w'][0]", "params['w'][1]"]
    """
    accessors = optree.tree_accessors(tree, namespace=NAMESPACE)
    return [key_path(a, root) for a in accessors]


def register_node(
    cls: type[Any],
    flatten: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten: Callable[[Any, Any], Any],
) -> None:
    """Make a class a pytree node.

    Args:
        cls: the class.
        flatten: gives the children, and hashable data that is not traced.
        unflatten: takes that data and the children, gives an instance.
    """
    optree.register_pytree_node(cls, flatten, unflatten, namespace=NAMESPACE)
    _nodes[cls] = flatten, unflatten


def register_node_as(cls: type[Any], flatten: _Flatten, unflatten: _Unflatten) -> None:
    """Note how a class that `optree` knows already is taken apart and put together."""
    _nodes[cls] = flatten, unflatten


class PathEntry(optree.PyTreeEntry):
    """A step of a key path that says how it is written after the node: ``layers[0].weight``."""

    def __call__(self, node: Any) -> Any:
        """The child of `node` at this path."""
        found = node
        for name, index in _STEPS.findall(str(self.entry)):
            found = getattr(found, name) if name else found[ast.literal_eval(index)]
        return found

    def codify(self, /, node: str = "") -> str:
        """The path as the user would write it."""
        return f"{node}.{self.entry}"

    def steps(self) -> list[tuple[str | None, Any]]:
        """For each attribute its name and None, for each item None and its key."""
        found = _STEPS.findall(str(self.entry))
        return [(n, None) if n else (None, ast.literal_eval(i)) for n, i in found]


_STEPS = re.compile(r"([^.\[\]]+)|\[('(?:[^'\\]|\\.)*'|[^\]]*)\]")


def register_paths(cls: type[Any], flatten: _Flatten, unflatten: _Unflatten) -> None:
    """Make a class a pytree node whose children have paths.

    Args:
        cls: the class.
        flatten: gives the children, hashable data, and for each child how it is written after the
            node, such as ``layers[0].weight``.
        unflatten: takes that data and the children, gives an instance.
    """
    optree.register_pytree_node(
        cls, flatten, unflatten, path_entry_type=PathEntry, namespace=NAMESPACE
    )
    _nodes[cls] = flatten, unflatten


def node_functions(cls: type[Any]) -> tuple[_Flatten, _Unflatten] | None:
    """How instances of a registered class come apart and together again; None for other classes."""
    return _nodes.get(cls)


def is_named_tuple(cls: type[Any]) -> bool:
    """Whether a class is a named tuple, whose fields are children."""
    return optree.is_namedtuple_class(cls)


def register_dataclass(
    cls: Any,
    data_fields: Sequence[str] | None = None,
    meta_fields: Sequence[str] | None = None,
) -> Any:
    """Make a dataclass a pytree node; usable as a decorator.

    Args:
        cls: the dataclass.
        data_fields: names of the fields that hold subtrees; default: all but `meta_fields`.
        meta_fields: names of the fields that are static; they must be hashable. A field declared
            with ``metadata={"static": True}`` is static too.

    Returns:
        `cls` itself.

    Raises:
        TypeError: if `cls` is not a dataclass.

    Example:
        >>> import fxla
        >>> @register_dataclass
        ... @dataclasses.dataclass
        ... class Line:
        ...     slope: float
        ...     offset: float
        >>> fxla.grad(lambda line: line.slope * 3.0 + line.offset)(Line(2.0, 1.0))
        Line(slope=Array(3.), offset=Array(1.))
    """
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"register_dataclass: {cls.__qualname__} is not a dataclass")
    node: Any = cls
    fields = [f for f in dataclasses.fields(node) if f.init]
    static = [f.name for f in fields if f.metadata.get("static", False)]
    meta = list(meta_fields) if meta_fields is not None else static
    data = (
        list(data_fields)
        if data_fields is not None
        else [f.name for f in fields if f.name not in meta]
    )

    def flatten(obj: Any) -> tuple[list[Any], Any, list[str]]:
        return [getattr(obj, n) for n in data], tuple(getattr(obj, n) for n in meta), data

    def unflatten(aux: Any, children: Any) -> Any:
        obj = object.__new__(node)
        for name, value in (*zip(data, children, strict=True), *zip(meta, aux, strict=True)):
            object.__setattr__(obj, name, value)
        return obj

    optree.register_pytree_node(
        node,
        flatten,
        unflatten,
        path_entry_type=optree.GetAttrEntry,
        namespace=NAMESPACE,
    )
    _nodes[node] = flatten, unflatten
    return cls
