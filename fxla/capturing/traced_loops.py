"""A loop over traced values as one equation: its step traced, its variables carried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fxla.capturing.branches import VIEW
from fxla.capturing.regions import (
    Region,
    RegionTrace,
    State,
    frozen_like,
    is_own,
    is_traced,
    run_region,
)
from fxla.capturing.undefined import Undefined
from fxla.capturing.values import (
    describe,
    into_container,
    is_array,
    joined_type,
    line_of_user,
    own_containers,
    truth,
    unlike,
)
from fxla.control.scan_primitive import scan_p
from fxla.control.while_loop import while_p
from fxla.core.aliasing import freeze, write
from fxla.core.aval import Aval
from fxla.core.pytree import tree_flatten, tree_unflatten
from fxla.core.staging import JaxprTracer
from fxla.core.trace import Value, typeof
from fxla.core.trace import state as thread
from fxla.errors import ControlFlowError
from fxla.ops.casts import convert
from fxla.ops.structure import zeros_of

__all__ = ["Range", "StepError", "traced_scan", "traced_while"]


class StepError(ControlFlowError):
    """A step that no loop of a program can repeat; the same steps can be written out."""


class Range:
    """A range as an array of its numbers."""

    def __init__(self, steps: range) -> None:
        self.steps = steps

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: slice) -> Range:
        return Range(self.steps[index])

    def array(self) -> Any:
        """The numbers."""
        return np.arange(self.steps.start, self.steps.stop, self.steps.step)


@dataclass
class _Carried:
    """A variable before the loop, in a tree of leaves.

    Attributes:
        types: of each leaf that the loop carries; None for one that it does not.
        late: whether it has no value before the loop.
    """

    name: str
    entry: Any
    leaves: list[Any]
    tree: Any
    types: list[Aval | None]
    late: bool = False


@dataclass
class _Loop:
    """What a loop carries, found by tracing its step until nothing changes."""

    state: State
    variables: list[_Carried]
    guarded: bool
    roots: list[Any] = field(default_factory=list)

    def init(self) -> list[Value]:
        """The first values of what is carried."""
        found: list[Value] = []
        for v in self.variables:
            for x, aval in zip(v.leaves, v.types, strict=True):
                if aval is not None:
                    found.append(zeros_of(aval) if v.late else convert(x, aval.dtype))
        return [*found, *self.roots]

    def avals(self) -> list[Aval]:
        found = [a for v in self.variables for a in v.types if a is not None]
        return [*found, *(typeof(x) for x in self.roots)]

    def enter(self, trace: RegionTrace, arguments: Sequence[JaxprTracer]) -> None:
        """Let the variables be what a step begins with."""
        given = iter(arguments)
        values = []
        taken: set[int] = set()
        for v in self.variables:
            leaves = []
            for x, aval in zip(v.leaves, v.types, strict=True):
                if aval is None:
                    leaves.append(x)
                    continue
                argument = next(given)
                own = not v.late and is_own(x, trace.parent) and aval.matches(x.aval)
                if own and id(x) not in taken:
                    taken.add(id(x))
                    trace.adopt_as(x, argument)
                    leaves.append(x)
                else:
                    leaves.append(argument if v.late else frozen_like(argument, x))
            unset = v.tree is None or (v.late and not self.guarded)
            values.append(v.entry if unset else tree_unflatten(v.tree, leaves))
        for root in self.roots:
            trace.adopt_as(root, next(given))
        self.state.set(own_containers(values))


def _before(state: State, guarded: bool) -> _Loop:
    variables = []
    for name, entry in zip(state.names, state.get(), strict=True):
        if isinstance(entry, Undefined):
            variables.append(_Carried(name, entry, [], None, []))
            continue
        leaves, tree = tree_flatten(entry, lambda x: x is None)
        types = [typeof(x) if is_array(x) and not _is_view(x) else None for x in leaves]
        variables.append(_Carried(name, entry, leaves, tree, types))
    return _Loop(state, variables, guarded)


def _is_view(x: Any) -> bool:
    alias = getattr(x, "alias", None)
    return alias is not None and alias.base is not None and not alias.frozen


def _settle(
    loop: _Loop, step: Callable[[Sequence[Any]], None], x_avals: Sequence[Aval], kind: str
) -> tuple[Region, list[Any]]:
    """Trace the step until it ends with the types that it began with."""
    while True:
        avals = loop.avals()
        n = len(avals)

        def run(trace: RegionTrace, arguments: list[JaxprTracer], n: int = n) -> Sequence[Any]:
            loop.enter(trace, arguments[:n])
            items = arguments[n:]
            kept = [x.variable for x in items]
            step(items)
            if any(x.variable is not v for x, v in zip(items, kept, strict=True)):
                raise StepError("a step writes into the item that it is given")
            return loop.state.get()

        entry = loop.state.get()
        try:
            region = run_region(run, [*avals, *x_avals])
        finally:
            loop.state.set(entry)
        grown = [
            _compare(v, out, region, kind)
            for v, out in zip(loop.variables, region.values, strict=True)
        ]
        carried = {id(x) for v in loop.variables for x in v.leaves} | {id(x) for x in loop.roots}
        missing = [x for x in region.trace.changed() if id(x) not in carried]
        loop.roots += missing
        if not any(grown) and not missing:
            return region, list(region.values)
        region.trace.alive = False


def _compare(v: _Carried, out: Any, region: Region, kind: str) -> bool:
    """Whether the variable is to be carried with other types than it was."""
    if isinstance(v.entry, Undefined):
        if isinstance(out, Undefined) or v.late:
            return False
        v.leaves, v.tree = tree_flatten(out, lambda x: x is None)
        v.types = [typeof(x).strong() if is_array(x) else None for x in v.leaves]
        v.late = True
        return any(t is not None for t in v.types)
    leaves, tree = tree_flatten(out, lambda x: x is None)
    if tree != v.tree:
        raise _changes(v, out, kind)
    grown = False
    for k, (x, before, aval) in enumerate(zip(leaves, v.leaves, v.types, strict=True)):
        if aval is None:
            if x is before or (not is_array(before) and type(x) is type(before) and x == before):
                continue
            if not (is_array(x) and is_array(before)) or typeof(x).shape != typeof(before).shape:
                raise _changes(v, out, kind)
            v.types[k], grown = typeof(before), True  # a view that becomes another array
            continue
        joined = joined_type(aval, typeof(x)) if is_array(x) else None
        if joined is None:
            raise _changes(v, out, kind)
        if joined != aval:
            v.types[k], grown = joined, True
    return grown


def _changes(v: _Carried, out: Any, kind: str) -> Exception:
    error = unlike(
        v.name,
        f"{describe(v.entry)} before a {kind} whose end depends on traced values",
        f"{describe(out)} after its first step",
        "The loop of a program carries it with one type: give it its final shape before, or write "
        "into an array of the full size, `a[i] = x`, instead of growing it.",
    )
    return StepError(str(error))


def _close(loop: _Loop, region: Region, values: Sequence[Any]) -> Any:
    """The step as a program that ends with what is carried."""

    def outs() -> list[Value]:
        found = []
        for v, out in zip(loop.variables, values, strict=True):
            leaves = tree_flatten(out, lambda x: x is None)[0] if v.tree is not None else []
            for x, aval in zip(leaves, v.types, strict=True):
                if aval is not None:
                    found.append(convert(region.trace.now(x), aval.dtype))
        return [*found, *(region.trace.now(x) for x in loop.roots)]

    return region.close(outs)


def _leave(loop: _Loop, values: Sequence[Any], results: Sequence[Value], certain: bool) -> None:
    """Give the variables, and the arrays that were written to, their values after the loop."""
    given = iter(results)
    found = []
    for v, out in zip(loop.variables, values, strict=True):
        if v.tree is None:
            found.append(v.entry)
            continue
        leaves = []
        ends = tree_flatten(out, lambda x: x is None)[0]
        for before, end, aval in zip(v.leaves, ends, v.types, strict=True):
            if aval is None:
                leaves.append(before if not v.late else end)
                continue
            x = next(given)
            if end is before and is_own(before, thread.trace) and not v.late:
                write(before, x)  # the same array as before the loop, written to
                x = before
            elif _is_view(end):
                freeze(x, VIEW)
            leaves.append(x)
        if v.late and not certain and not v.name.startswith("fx_"):
            why = f"is bound only in the loop in {line_of_user()}, which may end at once"
            found.append(Undefined(v.name, why))
            continue
        found.append(into_container(v.entry, tree_unflatten(v.tree, leaves)))
    for root in loop.roots:
        write(root, next(given))
    loop.state.set(found)


def traced_while(
    test: Callable[[], Any], body: Callable[[], None], state: State, certain: bool = False
) -> None:
    """``while test(): body()``, where the test is traced.

    Args:
        test: the condition.
        body: the step.
        state: the variables that the step binds.
        certain: whether there is a first step.
    """
    loop = _before(state, False)
    try:
        region, values = _settle(loop, lambda _: body(), (), "loop")
    except StepError as error:
        raise ControlFlowError(str(error)) from None
    step = _close(loop, region, values)
    entry = state.get()

    def check(trace: RegionTrace, arguments: list[JaxprTracer]) -> Sequence[Any]:
        loop.enter(trace, arguments)
        going = test()
        return [truth(going, "a `while`") if is_traced(going) else np.bool_(going)]

    try:
        tested = run_region(check, loop.avals())
    finally:
        state.set(entry)
    condition = tested.close(lambda: tested.values)
    results = while_p.bind(
        *condition.consts, *step.consts, *loop.init(), condition=condition.jaxpr, body=step.jaxpr,
        n_condition_consts=len(condition.consts), n_body_consts=len(step.consts),
    )  # fmt: skip
    _leave(loop, values, results, certain)


def traced_scan(
    columns: Sequence[Any], step: Callable[[Sequence[Any]], None], state: State, guarded: bool
) -> None:
    """A loop over the elements of arrays of one length, which is not 0.

    Guarded: a step may do nothing, since the loop has ended; then variables keep their values.
    """
    arrays = [c.array() if isinstance(c, Range) else c for c in columns]
    x_avals = [Aval(typeof(a).shape[1:], typeof(a).dtype) for a in arrays]
    loop = _before(state, guarded)
    region, values = _settle(loop, step, x_avals, "loop")
    closed = _close(loop, region, values)
    init = loop.init()
    results = scan_p.bind(
        *closed.consts, *init, *arrays, body=closed.jaxpr, n_consts=len(closed.consts),
        n_carry=len(init), length=len(columns[0]), reverse=False,
    )  # fmt: skip
    _leave(loop, values, results, True)
