"""Which stored values are computed by one kernel, and in which order the kernels run.

A value joins an earlier group if it fits there and shares an operand; otherwise it starts a group
of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from fxla.compile.fusion.graph import Graph, Node, Value, iteration_shape, size_of
from fxla.compile.fusion.group import (
    Group,
    add_member,
    inner_extents,
    split_outer,
    vector_over_outer,
)
from fxla.compile.fusion.partial import cuts_into_blocks
from fxla.loops.view import (
    Contract,
    Reduce,
    View,
    fresh_index,
)

__all__ = ["Item", "last_readers", "schedule", "stored_dependencies"]

LOOK_BACK = 12
"""How many earlier groups a value tries to join."""
SMALL_SIZE = 4096
"""Groups of at most this many elements are joined even if they share no operand."""

ALIKE = 8
"""Values alike that a kernel computes of different arrays. What is left of them are further calls
of that kernel, which cost less than a larger kernel costs to compile."""

MUCH_WORK = 8
"""Operations for each result of a row from which on a kernel of their own is thought of;"""
WORTH_A_LAUNCH = 1024
"""it is worth its launch if they are so many for all of the rows,"""
ROW_FOR_WORK = 16
"""and a row has fewer elements than so many for each of the operations that follow it."""

Item = Group | Node


def schedule(graph: Graph, cached: bool = True) -> list[Item]:
    """Groups, and the nodes that are not pull arrays or reductions, in an order that runs.

    Args:
        graph: with its storage planned.
        cached: whether a thread should do all it can with what it has read, as on a CPU.
    """
    items: list[Item] = []
    position: dict[Value, int] = dict.fromkeys(graph.inputs, -1)
    needed = {
        value: stored_dependencies(value)
        for node in graph.nodes
        if isinstance(node.form, (View, Reduce))
        for value in node.outputs
        if value.stored
    }
    inside = _read_inside_rows(needed)
    for node in graph.nodes:
        if not isinstance(node.form, (View, Reduce)):
            items.append(node)
            for out in node.outputs:
                position[out] = len(items) - 1
            continue
        (value,) = node.outputs
        if not value.stored:
            continue
        needs = needed[value]
        earliest = max((position.get(d, -1) for d in needs), default=-1)
        alone = isinstance(node.form, Contract)
        lone = cached and value not in inside
        at = None if alone else _join(items, value, earliest, needs, cached, lone)
        if at is None:
            outer = node.form.shape
            group = Group(graph, outer, tuple([fresh_index() for _ in outer]))
            if not add_member(group, value):
                raise AssertionError("a value alone in its group always fits")
            items.append(group)
            at = len(items) - 1
        position[value] = at
    return items


def stored_dependencies(value: Value) -> set[Value]:
    """The stored values that an expression of `value` reaches."""
    found: set[Value] = set()
    seen: set[Value] = set()
    stack = list(value.reads)
    while stack:
        v = stack.pop()
        if v in seen:
            continue
        seen.add(v)
        if v.stored:
            found.add(v)
        else:
            stack.extend(v.reads)
    return found


def _join(
    items: list[Item], value: Value, earliest: int, needs: set[Value], cached: bool, lone: bool
) -> int | None:
    """The position of a group that `value` was added to, or None.

    Args:
        items: so far.
        value: stored.
        earliest: the first position where all that it needs is there.
        needs: the stored values that it reads.
        cached: see `schedule`.
        lone: whether no pass over its rows reads it.
    """
    form = value.form
    assert isinstance(form, (View, Reduce))
    first = max(earliest, len(items) - LOOK_BACK, 0)
    for at in range(first, len(items)):
        group = items[at]
        if not isinstance(group, Group) or group.is_full() or _far_apart(group, value):
            continue
        if group.is_product and (isinstance(form, Reduce) or form.shape != group.outer):
            continue
        small = size_of(form.shape) <= SMALL_SIZE
        if not (small or group.reads_any(needs)):
            continue
        many = cached and form.shape and group.alike(value) >= ALIKE
        if many and not group.reads_any(v for v in needs if v.aval.shape):
            continue
        if isinstance(form, Reduce):
            if size_of(form.shape) == 0 or (0 in form.extents):
                continue
            if group.outer != form.shape:
                split = (
                    split_outer(group, len(form.shape))
                    if group.outer == (*form.shape, *form.extents)
                    and (form.shape or (cached and cuts_into_blocks(form.extents)))
                    else None
                )
                if split is None or not group.reads_any(needs):
                    continue
                if add_member(split, value):
                    items[at] = split
                    return at
                continue
            if not form.shape and not group.reads_any(needs):
                continue
        else:
            rank = len(group.outer)
            if form.shape[:rank] != group.outer or 0 in form.shape:
                continue
            one_a_row = size_of(form.shape) == size_of(group.outer)
            if lone and one_a_row and _is_better_in_lanes(group, value):
                continue
            if inner_extents(form.shape, rank) and not _has_rows(group, form.shape, cached):
                continue
        if add_member(group, value):
            return at
    return None


def _read_inside_rows(needed: Mapping[Value, set[Value]]) -> set[Value]:
    """Values of which one element is read for many of a value that needs them."""
    found: set[Value] = set()
    for value, needs in needed.items():
        assert isinstance(value.form, (View, Reduce))
        shape = iteration_shape(value.form)
        found |= {v for v in needs if v.aval.shape == shape[: v.aval.ndim] != shape}
    return found


def _is_better_in_lanes(group: Group, value: Value) -> bool:
    """Whether what follows a pass over short rows takes longer than a pass of its own would.

    There lanes compute many rows at once. In the rows' kernel it is computed row by row.
    """
    rows = [size_of(lp.extents) for lp in group.loops if lp.reduces and lp.extents]
    if not rows or vector_over_outer(group):
        return False
    work = value.inline_cost
    worth = work >= MUCH_WORK and size_of(group.outer) * work >= WORTH_A_LAUNCH
    return worth and max(rows) <= ROW_FOR_WORK * work


def _far_apart(group: Group, value: Value) -> bool:
    """Whether a value belongs to another segment of a long program than a group."""
    first = group.loops[0].members[0].value
    assert value.form is not None and isinstance(first.form, (View, Reduce))
    alike = iteration_shape(first.form) == iteration_shape(value.form)
    return alike and first.segment != value.segment


def _has_rows(group: Group, shape: tuple[int, ...], cached: bool) -> bool:
    """Whether a group reduces along rows, so that maps over the rows can be computed inside.

    If it reduces all there is, only a map of the same elements can be.
    """
    if not group.outer:
        return cached and cuts_into_blocks(shape) and any(lp.extents == shape for lp in group.loops)
    return bool(
        group.outer and any(lp.reduces for lp in group.loops) and not vector_over_outer(group)
    )


def last_readers(graph: Graph, items: list[Item]) -> dict[Value, int]:
    """The values that some other item, or the caller, reads: the ones that must be written.

    With the position of the last item that reads each; it is behind all items, if the caller does.
    """
    found: dict[Value, int] = {}
    for k, item in enumerate(items):
        if isinstance(item, Group):
            found.update(dict.fromkeys(item.inputs, k))
        else:
            for v in item.inputs:
                found.update(dict.fromkeys([v] if v.stored else stored_dependencies(v), k))
    return found | dict.fromkeys(graph.outputs, len(items))
