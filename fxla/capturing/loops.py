"""Loops that were rewritten: Python's where it can run them, `while` and `scan` where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fxla.capturing.branches import if_
from fxla.capturing.iterables import Enumerated, TracedRange, Zipped
from fxla.capturing.regions import State, is_traced, run_region
from fxla.capturing.traced_loops import Range, StepError, traced_scan, traced_while
from fxla.core.staging import JaxprTrace
from fxla.core.trace import Tracer
from fxla.core.trace import state as thread
from fxla.errors import ConcretizationError

__all__ = ["for_", "while_"]


def while_(test: Callable[[], Any], body: Callable[[], None], state: State) -> None:
    """``while test(): body()``."""
    going = test()
    if not is_traced(going) and going and _becomes_traced(body, state):
        traced_while(test, body, state, certain=True)
        return
    while True:
        if is_traced(going):
            traced_while(test, body, state)
            return
        if not going:
            return
        body()
        going = test()


def _becomes_traced(body: Callable[[], None], state: State) -> bool:
    """Whether a step of a loop makes a flag that ends it depend on traced values.

    The step is traced for that alone. Under `grad` without `jit` values are known, and it is not.
    """
    flags = [k for k, n in enumerate(state.names) if n.startswith(("fx_break", "fx_returned"))]
    if not flags or not isinstance(thread.trace, JaxprTrace):
        return False
    entry = state.get()

    def step(*_: Any) -> Sequence[Any]:
        body()
        return state.get()

    try:
        region = run_region(step)
    finally:
        state.set(entry)
    region.trace.alive = False
    return any(is_traced(region.values[k]) for k in flags)


def for_(
    iterable: Any, body: Callable[[Any], None], more: Callable[[], Any] | None, state: State
) -> None:
    """``for item in iterable: body(item)``, as long as `more` says so."""
    if isinstance(iterable, TracedRange):
        _for_range(iterable, body, more, state)
        return
    columns = _columns(iterable)
    if columns is not None and len(columns[0]) and _wants_scan(iterable, columns, body, state):
        entry = state.get()
        try:
            _scan(iterable, columns, body, more, state)
            return
        except (StepError, ConcretizationError):
            state.set(entry)  # then step by step, each in the program
    _for_python(iterable, body, more, state)


def _for_python(
    iterable: Iterable[Any], body: Callable[[Any], None], more: Callable[[], Any] | None,
    state: State,
) -> None:  # fmt: skip
    for item in iterable:
        going = more() if more is not None else True
        if is_traced(going):
            if_(going, lambda item=item: body(item), None, state)  # type: ignore[misc]
        elif going:
            body(item)
        else:
            return


def _for_range(
    steps: TracedRange, body: Callable[[Any], None], more: Callable[[], Any] | None, state: State
) -> None:
    """A loop of so many steps, counted in a variable of its own."""
    counter: list[Any] = [np.int64(0)]

    def give(values: Sequence[Any]) -> None:
        counter[0] = values[0]
        state.set(values[1:])

    names = ("the index of the loop", *state.names)
    whole = State(names, lambda: (counter[0], *state.get()), give)

    def test() -> Any:
        left = counter[0] < steps.count
        going = more() if more is not None else True
        return left & going if is_traced(going) else left if going else False

    def step() -> None:
        item = steps.start + counter[0] * steps.step
        counter[0] = counter[0] + 1
        body(item)

    traced_while(test, step, whole)


def _columns(iterable: Any) -> list[Any] | None:
    """Arrays whose elements along their first axes are the items; None if there are none."""
    if isinstance(iterable, range):
        return [Range(iterable)]
    if isinstance(iterable, Tracer):
        return [iterable] if iterable.shape and is_traced(iterable) else None
    if isinstance(iterable, Enumerated):
        inner = _columns(iterable.iterable)
        if inner is None or len(inner) != 1:
            return None
        return [Range(range(iterable.start, iterable.start + len(inner[0]))), inner[0]]
    if isinstance(iterable, Zipped):
        found = [_columns(x) for x in iterable.iterables]
        if any(f is None or len(f) != 1 for f in found) or not found:
            return None
        singles = [f[0] for f in found if f is not None]
        n = min(len(x) for x in singles)
        return [x[:n] for x in singles]
    return None


def _wants_scan(
    iterable: Any, columns: list[Any], body: Callable[[Any], None], state: State
) -> bool:
    """Arrays are looped over in the program; ranges if it is traced when the loop ends."""
    if not isinstance(thread.trace, JaxprTrace):
        return False
    if any(isinstance(c, Tracer) for c in columns):
        return True
    first = next(iter(iterable))
    return _becomes_traced(lambda: body(first), state)


def _scan(
    iterable: Any, columns: list[Any], body: Callable[[Any], None],
    more: Callable[[], Any] | None, state: State,
) -> None:  # fmt: skip
    single = isinstance(iterable, (range, Tracer))

    def step(items: Sequence[Any]) -> None:
        item = items[0] if single else tuple(items)
        if more is None:
            body(item)
        else:
            if_(more(), lambda: body(item), None, state, fills=True)

    traced_scan(columns, step, state, more is not None)
