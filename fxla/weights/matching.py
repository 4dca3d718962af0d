"""A file beside a template: what is missing, what is extra, what has another shape."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree

from fxla.core.pytree import NAMESPACE, tree_flatten
from fxla.core.trace import typeof, where_am_i
from fxla.weights.files import TensorFile
from fxla.weights.structure import joined
from fxla.weights.tensors import decoded, described, dtype_named

__all__ = ["leaf_names", "load_like"]


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A leaf that a file has.

    Attributes:
        name: of its place in the tree.
        kind: its shape and dtype; "" for what is no array nor number.
        value: makes it.
        counts: whether a template without it does not match.
    """

    name: str
    kind: str
    value: Callable[[], Any]
    counts: bool


def load_like(file: TensorFile, like: Any, tensor: Callable[[str], Any]) -> Any:
    """The tree `like` with the leaves of a file; see `load`.

    Args:
        file: the open file.
        like: the template.
        tensor: gives the array of a name.

    Raises:
        ValueError: if they do not match.
    """
    leaves, treedef = tree_flatten(like)
    names = leaf_names(like)
    found = {leaf.name: leaf for leaf in _leaves(file, tensor)}
    there = {name: leaf.kind for name, leaf in found.items()}
    if file.structure is None and not set(names) & set(there):
        names = [name.replace("/", ".") for name in names]  # the custom of other libraries
    expected = set(names)
    missing = [f"{n}: {_kind(leaf)}" for n, leaf in zip(names, leaves) if n not in there]
    extra = [f"{n}: {there[n]}" for n, leaf in found.items() if leaf.counts and n not in expected]
    differing = [
        f"{n}: {there[n]} in the file, {_kind(leaf)} expected"
        for n, leaf in zip(names, leaves)
        if n in there and there[n] != _kind(leaf)
    ]
    if missing or extra or differing:
        parts = [
            f"{word}:\n    " + "\n    ".join(lines)
            for word, lines in (("missing", missing), ("extra", extra), ("different", differing))
            if lines
        ]
        raise ValueError(
            f"fxla.load: {file.path!r} does not match `like`{where_am_i()}\n  " + "\n  ".join(parts)
        )
    return treedef.unflatten([found[name].value() for name in names])


def leaf_names(tree: Any) -> list[str]:
    """The name of each leaf as a file of `fxla.save` has it.

    Example:
        >>> leaf_names({"layers": [1, (2, None)]})
        ['layers/0', 'layers/1/0']
    """
    found = []
    for accessor in optree.tree_accessors(tree, namespace=NAMESPACE):
        steps: list[str] = []
        for entry in accessor:
            name = entry.field if isinstance(entry, optree.NamedTupleEntry) else entry.entry
            is_key = isinstance(entry, optree.MappingEntry | optree.SequenceEntry)
            steps.extend([str(name)] if is_key else _steps(str(name)))
        found.append(joined(tuple(steps)))
    return found


def _steps(path: str) -> list[str]:
    """The steps of a path such as ``layers[0].weight``."""
    return [a or b or c for a, b, c in re.findall(r"\['([^']*)'\]|\[([^\]]*)\]|([^.\[\]]+)", path)]


def _kind(leaf: Any) -> str:
    aval = typeof(leaf)
    return described(aval.shape, aval.dtype)


def _leaves(file: TensorFile, tensor: Callable[[str], Any]) -> Iterator[_Leaf]:
    if file.structure is None:
        for name in file:
            yield _Leaf(name, file.described(name), functools.partial(tensor, name), True)
    else:
        yield from _Walk(file, tensor).leaves(file.structure, (), True)


_CHILDREN = ("list", "tuple", "set", "frozenset", "deque", "children")


class _Walk:
    """The leaves of a structure, without its classes."""

    def __init__(self, file: TensorFile, tensor: Callable[[str], Any]) -> None:
        self.file = file
        self.tensor = tensor
        self.objects: dict[int, Any] = {}
        self.seen: set[str] = set()

    def leaves(self, text: Any, path: tuple[str, ...], counts: bool) -> Iterator[_Leaf]:
        """Args: a part of the structure, its place, and whether its numbers count as leaves."""
        name = joined(path)
        if isinstance(text, bool | int | float):
            yield _Leaf(name, _kind(text), lambda: text, counts)
        if not isinstance(text, dict):
            return
        if "number" in text:
            self.objects[text["number"]] = text
        if "array" in text:
            first = text["array"] not in self.seen  # later ones are tied to it
            self.seen.add(text["array"])
            yield _Leaf(name, self.kind(text), lambda: self.array(text), first)
        elif "float" in text:
            yield _Leaf(name, "f64[]", lambda: float(text["float"]), counts)
        elif "same" in text:
            for leaf in self.leaves(self.objects[text["same"]], path, False):
                yield _Leaf(leaf.name, leaf.kind, leaf.value, False)
        elif "fields" in text:
            within = counts and "namedtuple" in text
            for key, part in text["fields"].items():
                yield from self.leaves(part, (*path, key), within)
        for kind in ("dict", "OrderedDict", "defaultdict"):
            for key, part in text.get(kind, ()):
                yield from self.leaves(part, (*path, str(key)), counts)
        for kind in _CHILDREN:
            for k, part in enumerate(text.get(kind, ())):
                yield from self.leaves(part, (*path, str(k)), counts and kind != "children")

    def kind(self, text: dict[str, Any]) -> str:
        if text.get("dtype") is None:
            return self.file.described(text["array"])
        return described(self.file.shape(text["array"])[:-1], dtype_named(text["dtype"]))

    def array(self, text: dict[str, Any]) -> Any:
        found = decoded(self.tensor(text["array"]), text.get("dtype"))
        return np.asarray(found)[()] if text.get("scalar") else found
