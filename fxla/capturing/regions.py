"""A piece of a function, traced into a program of its own.

What the piece reads from around it is captured. An array from around it that the piece writes to is
*adopted*: while the piece is traced, the very object that the user holds belongs to the piece's
trace, with its views, so that everything that refers to it sees the write. Afterwards it is given
back, and what was written is a result of the piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fxla.core.aliasing import freeze, live_views, reread
from fxla.core.jaxpr import Atom, ClosedJaxpr
from fxla.core.staging import JaxprTrace, JaxprTracer
from fxla.core.trace import Trace, Tracer, Value, running, state, where_am_i
from fxla.errors import ControlFlowError

__all__ = [
    "Region",
    "RegionTrace",
    "State",
    "frozen_like",
    "is_own",
    "is_traced",
    "run_region",
]


_DEEPEST = 48


def is_traced(x: Any) -> bool:
    """Whether a value is not known while tracing."""
    return isinstance(x, Tracer) and x.concrete() is None


@dataclass(frozen=True)
class State:
    """Variables that a piece of a function binds.

    Attributes:
        names: as the user wrote them; those that begin with ``fx_`` were made by the rewriting.
        get: their values.
        set: gives them values.
    """

    names: tuple[str, ...] = ()
    get: Callable[[], tuple[Any, ...]] = tuple
    set: Callable[[Sequence[Any]], None] = lambda values: None


@dataclass
class _Adopted:
    """A tracer, what it was, and the variable that it had at first in the piece."""

    tracer: Any
    owner: JaxprTrace
    variable: Atom
    first: Atom
    last: Atom


class RegionTrace(JaxprTrace):
    """Records a piece of a function; may write to the arrays of the traces around it."""

    def __init__(self, parent: Trace) -> None:
        super().__init__(parent)
        self.depth: int = getattr(parent, "depth", 0) + 1
        if self.depth > _DEEPEST:
            raise ControlFlowError(
                f"branches and loops on traced values are nested more than {_DEEPEST} deep"
                f"{where_am_i()}. A function that calls itself until a traced value says that it "
                "is enough never ends while it is traced: write it as a loop."
            )
        self.adopted: dict[int, _Adopted] = {}

    def adopt(self, x: Any) -> bool:
        if not _adoptable(x, self.parent):
            return False
        root = _root(x)
        for member in (root, *live_views(root)):
            self._take(member, self.atom(member.clone()))
        return True

    def adopt_as(self, root: Any, argument: JaxprTracer) -> None:
        """Let an array and its views be, in this piece, what one of its arguments holds."""
        views = live_views(root)
        self._take(root, argument.variable)
        for view in views:
            self._take(view, self.atom(view.clone()))
        if views:
            reread(root, root.alias, {id(root)})

    def _take(self, x: Any, variable: Atom) -> None:
        self.adopted[id(x)] = _Adopted(x, x.owner, x.variable, variable, variable)
        x.owner, x.variable = self, variable

    def give_back(self) -> None:
        """Let the adopted arrays be again what they were."""
        for a in self.adopted.values():
            a.last = a.tracer.variable
            a.tracer.owner, a.tracer.variable = a.owner, a.variable
        for a in self.adopted.values():
            alias = getattr(a.tracer, "alias", None)
            if alias is not None and alias.views:
                alive = [(r, r()) for r in alias.views]
                alias.views = [r for r, v in alive if v is not None and v.owner is not self]

    def now(self, x: Value) -> Value:
        """A value at the end of this piece: of an adopted array, what it was there."""
        a = self.adopted.get(id(x))
        return x if a is None else JaxprTracer(self, a.last)

    def changed(self) -> list[Any]:
        """Arrays from around the piece that it wrote to, views aside."""
        return [
            a.tracer for a in self.adopted.values()
            if a.first is not a.last and _root(a.tracer) is a.tracer
        ]  # fmt: skip


def _root(x: Any) -> Any:
    alias = getattr(x, "alias", None)
    while alias is not None and alias.base is not None:
        x = alias.base
        alias = getattr(x, "alias", None)
    return x


def _adoptable(x: Any, parent: Trace | None) -> bool:
    """Whether the trace of a piece may take over an array: if the one around it owns it, or can."""
    alias = getattr(x, "alias", None)
    if not isinstance(x, JaxprTracer) or (alias is not None and alias.frozen):
        return False
    return x.owner is parent or (parent is not None and parent.adopt(x))


def is_own(x: Any, trace: Trace | None) -> bool:
    """Whether a value is an array of a trace that may be written to, and no view."""
    alias = getattr(x, "alias", None)
    plain = alias is None or (not alias.frozen and alias.base is None)
    return isinstance(x, JaxprTracer) and x.owner is trace and bool(x.shape) and plain


@dataclass
class Region:
    """A piece that was traced.

    Attributes:
        trace: which recorded it; it can still record conversions of its results.
        values: that it gave.
        arguments: its own inputs.
    """

    trace: RegionTrace
    values: tuple[Any, ...]
    arguments: list[JaxprTracer] = field(default_factory=list)

    def close(self, outs: Callable[[], Sequence[Value]]) -> ClosedJaxpr:
        """The program with these results, which are computed within the piece."""
        with running(self.trace, ends=True):
            found = list(outs())
            return self.trace.close(self.arguments, found)


def run_region(
    run: Callable[[RegionTrace, list[JaxprTracer]], Sequence[Any]], avals: Sequence[Any] = ()
) -> Region:
    """Trace a piece of a function.

    Args:
        run: takes the trace and arguments of the types `avals`; gives values.
        avals: types of the arguments.
    """
    trace = RegionTrace(state.trace)
    arguments = [trace.argument(a) for a in avals]
    try:
        with running(trace):
            values = tuple(run(trace, [a.clone() for a in arguments]))
    except BaseException:
        trace.alive = False
        raise
    finally:
        trace.give_back()
    return Region(trace, values, arguments)


def frozen_like(argument: JaxprTracer, original: Any) -> JaxprTracer:
    """An argument that may be written to if the value that it stands for may."""
    alias = getattr(original, "alias", None)
    if alias is not None and alias.frozen:
        freeze(argument, alias)
    return argument
