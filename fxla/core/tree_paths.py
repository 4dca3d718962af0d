"""Steps of a path through a tree, as JAX names them; `str` of one is how Python would write it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import optree

from fxla.core.pytree import NAMESPACE, PathEntry, register_node_as
from fxla.core.records import dataclass

__all__ = [
    "DictKey",
    "FlattenedIndexKey",
    "GetAttrKey",
    "KeyEntry",
    "KeyPath",
    "SequenceKey",
    "path_of",
    "register_keyed",
]


@dataclass(frozen=True)
class SequenceKey:
    """The item of a list or tuple at a position.

    Example:
        >>> str(SequenceKey(2))
        '[2]'
    """

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"


@dataclass(frozen=True)
class DictKey:
    """The item of a dictionary under a key.

    Example:
        >>> str(DictKey("w"))
        "['w']"
    """

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"


@dataclass(frozen=True)
class GetAttrKey:
    """An attribute of an object.

    Example:
        >>> str(GetAttrKey("weight"))
        '.weight'
    """

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


@dataclass(frozen=True)
class FlattenedIndexKey:
    """A child of a node that gives no names, by its position.

    Example:
        >>> str(FlattenedIndexKey(0))
        '[<flat index 0>]'
    """

    key: int

    def __str__(self) -> str:
        return f"[<flat index {self.key}>]"


KeyEntry = Any
"""A step of a path: one of these classes, or whatever a registered class gives as a key."""
KeyPath = tuple[KeyEntry, ...]
"""Steps from the root of a tree to a leaf."""


class _UserKey(optree.PyTreeEntry):
    """A step whose key the node's class gave."""

    def codify(self, /, node: str = "") -> str:
        return f"{node}{self.entry}"


def _steps(entry: Any) -> list[KeyEntry]:
    """A step of optree's as ours."""
    match entry:
        case _UserKey():
            return [entry.entry]
        case PathEntry():
            return [_item(i) if n is None else GetAttrKey(n) for n, i in entry.steps()]
        case optree.NamedTupleEntry() | optree.StructSequenceEntry():
            return [GetAttrKey(entry.field)]
        case optree.SequenceEntry():
            return [SequenceKey(entry.index)]
        case optree.MappingEntry():
            return [DictKey(entry.key)]
        case optree.GetAttrEntry():
            return [GetAttrKey(entry.name)]
    return [FlattenedIndexKey(entry.entry)]


def _item(key: Any) -> KeyEntry:
    return SequenceKey(key) if isinstance(key, int) else DictKey(key)


def path_of(accessor: Iterable[Any]) -> KeyPath:
    """The path that an accessor of optree stands for."""
    return tuple([step for entry in accessor for step in _steps(entry)])


def register_keyed(
    cls: type[Any],
    flatten_with_keys: Callable[[Any], tuple[Iterable[Any], Any]],
    flatten: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten: Callable[[Any, Any], Any],
) -> None:
    """Make a class a pytree node whose children have keys.

    Args:
        cls: the class.
        flatten_with_keys: gives pairs of a key and a child, and hashable data.
        flatten: gives the children without keys, and the data.
        unflatten: takes that data and the children, gives an instance.
    """

    def with_entries(x: Any) -> tuple[list[Any], Any, list[Any]]:
        pairs, data = flatten_with_keys(x)
        keys, children = [], []
        for key, child in pairs:
            keys.append(key)
            children.append(child)
        return children, data, keys

    optree.register_pytree_node(
        cls, with_entries, unflatten, path_entry_type=_UserKey, namespace=NAMESPACE
    )
    register_node_as(cls, flatten, unflatten)
