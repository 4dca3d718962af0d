"""Nodes of pytrees that may be updated in place, and children that are not differentiated.

A module of a neural network is one: its running statistics are attributes, and a call assigns new
ones. A transformation hands a copy with tracers to the user's function. What the function assigns
to the copy is an additional result, which is not differentiated; the transformation assigns it to
the caller's object when it is done. So the function stays pure, and code that updates attributes
means what it says.

What a node is made of, it says itself, in its `Layout`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import is_inexact
from fxla.core.pytree import (
    TreeDef,
    register_paths,
    tree_accessors,
    tree_flatten,
    tree_structure,
)
from fxla.core.records import dataclass
from fxla.core.trace import Tracer, Value, typeof, where_am_i

__all__ = [
    "Held",
    "Layout",
    "Stateful",
    "assign",
    "differentiable",
    "hold",
    "is_stateful",
    "path_of",
    "places",
    "refuse_updates",
    "register_stateful",
    "updates",
]


class Layout(ABC, Hashable):
    """What a stateful node consists of besides its children; equal for nodes of one structure.

    Attributes:
        paths: of each child from the node, e.g. ``layers[0].weight``.
        differentiable: for each child, whether derivatives are taken with respect to it.
    """

    __slots__ = ()
    paths: Sequence[str]
    differentiable: Sequence[bool]

    @abstractmethod
    def build(self, children: Sequence[Any]) -> Any:
        """A node of this structure."""

    @abstractmethod
    def assign(self, node: Any, values: Mapping[int, Any]) -> None:
        """Replace children, by number, in a node of this structure."""

    @abstractmethod
    def difference(self, other: Layout) -> str:
        """The first path at which another layout differs."""


class Stateful(ABC):
    """Base of classes whose instances are nodes that may be updated in place."""

    __slots__ = ()

    @abstractmethod
    def take_apart(self) -> tuple[Sequence[Any], Layout]:
        """The children, and the layout."""

    def is_plain(self) -> bool:
        """Whether the attributes in ``vars(self)`` alone say what the node is made of.

        They are compared by value then, and nodes in them likewise; everything else in them stays
        as it is.
        """
        return False

    def mark(self) -> tuple[str, Any]:
        """Name and value of the slot that a node gets beside its attributes when it is built."""
        raise NotImplementedError


_exists: list[type[Any]] = []
"""Classes of stateful nodes: while there are none, nobody looks for instances."""


def register_stateful(cls: type[Any]) -> None:
    """Make a class of stateful nodes a pytree node."""

    def flatten(node: Any) -> tuple[Sequence[Any], Layout, Sequence[str]]:
        children, layout = node.take_apart()
        return children, layout, layout.paths

    register_paths(cls, flatten, lambda layout, children: layout.build(children))
    _exists.append(cls)


_known: dict[TreeDef, bool] = {}
_CAPACITY = 4096


def is_stateful(tree: Any, structure: TreeDef | None = None) -> bool:
    """Whether there are stateful nodes in a tree.

    Args:
        tree: any tree.
        structure: of that tree, if it is known, under which the answer is remembered.
    """
    if not _exists:
        return False
    if structure is not None:
        found = _known.get(structure)
        if found is not None:
            return found
    answer = any(isinstance(x, Stateful) for x in tree_flatten(tree, _is_node)[0])
    if structure is not None:
        if len(_known) >= _CAPACITY:
            _known.clear()
        _known[structure] = answer
    return answer


def _is_node(x: Any) -> bool:
    return isinstance(x, Stateful)


@dataclass(frozen=True, slots=True)
class Held:
    """A stateful node as it was.

    Attributes:
        node: the object.
        children: what it consisted of.
        layout: its layout.
        starts: the number of each child's first leaf, among all leaves of the tree, and the end.
    """

    node: Any
    children: Sequence[Any]
    layout: Layout
    starts: Sequence[int]


def hold(tree: Any) -> list[Held]:
    """The outermost stateful nodes of a tree."""
    found = []
    start = 0
    for x in tree_flatten(tree, _is_node)[0]:
        if not isinstance(x, Stateful):
            start += 1
            continue
        children, layout = x.take_apart()
        starts = [start]
        for child in children:
            start += 1 if _is_leaf(child) else tree_structure(child).num_leaves
            starts.append(start)
        found.append(Held(x, children, layout, starts))
    return found


def _is_leaf(x: Any) -> bool:
    return isinstance(x, np.ndarray | Tracer)


def differentiable(tree: Any) -> list[bool]:
    """For each leaf of a tree, whether derivatives are taken with respect to it.

    What is no part of a stateful node is; so are the parameters of one.
    """
    found: list[bool] = []
    for x in tree_flatten(tree, _is_node)[0]:
        if not isinstance(x, Stateful):
            found.append(True)
            continue
        children, layout = x.take_apart()
        for child, wanted in zip(children, layout.differentiable, strict=True):
            if _is_leaf(child):
                found.append(wanted and _is_inexact(child))
            else:
                found.extend(wanted and _is_inexact(leaf) for leaf in tree_flatten(child)[0])
    return found


def _is_inexact(x: Any) -> bool:
    try:
        return is_inexact(typeof(x).dtype)
    except TypeError:
        return True


def updates(held: Iterable[Held], call: str) -> dict[int, Value]:
    """The leaves that were assigned since, by number.

    Args:
        held: the nodes as they were.
        call: the transformation, for messages.

    Raises:
        TypeError: if a node's structure has changed.
    """
    found: dict[int, Value] = {}
    for h in held:
        children, layout = h.node.take_apart()
        if layout != h.layout:
            raise TypeError(
                f"{call}: {h.layout.difference(layout)} was changed by the function"
                f"{where_am_i()}, and it is part of the structure, which stays as it is inside of "
                "a transformation. What calls update must hold an array from the beginning: "
                "assign `nn.Buffer(array)` where the module is made."
            )
        for k, (before, after) in enumerate(zip(h.children, children, strict=True)):
            if after is before:
                continue
            if not _is_leaf(before) or h.starts[k + 1] != h.starts[k] + 1:
                before_leaves, before_tree = tree_flatten(before)
                after_leaves, after_tree = tree_flatten(after)
                if before_tree != after_tree:
                    raise TypeError(
                        f"{call}: {h.layout.paths[k]} was assigned a value of another "
                        f"structure{where_am_i()}"
                    )
                for i, (a, b) in enumerate(zip(before_leaves, after_leaves, strict=True)):
                    if a is not b:
                        found[h.starts[k] + i] = b
                continue
            found[h.starts[k]] = after
    return found


def refuse_updates(held: Iterable[Held], call: str) -> None:
    """Reject a function that updates nodes where its updates could not reach the caller.

    Raises:
        TypeError: if something was assigned since.
    """
    held = list(held)
    for leaf in updates(held, call):
        raise TypeError(
            f"{call}: {path_of(held, leaf)} was assigned{where_am_i()}, which a function with a "
            "derivative of its own may not do: its rule would not. Return the new value, and "
            "assign it outside; or call the module with training=False."
        )


def path_of(held: Iterable[Held], leaf: int) -> str:
    """The path of a leaf, by its number, in the node that it belongs to."""
    for h in held:
        for k, start in enumerate(h.starts[:-1]):
            if start <= leaf < h.starts[k + 1]:
                return f"{type(h.node).__name__}.{h.layout.paths[k]}"
    return f"leaf {leaf}"


@dataclass(frozen=True, slots=True)
class Place:
    """A stateful node of a tree some of whose children are assigned.

    Attributes:
        reach: from a tree of that structure to the node.
        layout: of the node.
        children: numbers of children, and of the values that they get.
    """

    reach: Any
    layout: Layout
    children: tuple[tuple[int, int], ...]

    def fill(self, tree: Any, values: Sequence[Value]) -> None:
        """Assign values to the node in this tree."""
        self.layout.assign(self.reach(tree), {k: values[i] for k, i in self.children})


def places(tree: Any, leaves: Sequence[int]) -> list[Place] | None:
    """Where these leaves, by number, are in all trees of this structure.

    None if a child that is no array holds one of them.
    """
    found = []
    reached = zip(tree_accessors(tree, _is_node), tree_flatten(tree, _is_node)[0], strict=True)
    nodes = [reach for reach, x in reached if isinstance(x, Stateful)]
    for reach, h in zip(nodes, hold(tree), strict=True):
        mine = []
        for i, leaf in enumerate(leaves):
            if h.starts[0] <= leaf < h.starts[-1]:
                if leaf not in h.starts or not _is_leaf(h.children[h.starts.index(leaf)]):
                    return None
                mine.append((h.starts.index(leaf), i))
        if mine:
            found.append(Place(reach, h.layout, tuple(mine)))
    return found


def assign(tree: Any, values: Mapping[int, Value]) -> None:
    """Assign leaves of the stateful nodes of a tree, by number."""
    if not values:
        return
    for h in hold(tree):
        mine: dict[int, Value] = {}
        for k, child in enumerate(h.children):
            first, end = h.starts[k], h.starts[k + 1]
            new = [values.get(i) for i in range(first, end)]
            if all(x is None for x in new):
                continue
            if _is_leaf(child):
                mine[k] = new[0]
                continue
            leaves, structure = tree_flatten(child)
            mine[k] = structure.unflatten(
                [old if x is None else x for old, x in zip(leaves, new, strict=True)]
            )
        if mine:
            h.layout.assign(h.node, mine)
