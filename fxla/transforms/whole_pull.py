"""The pull of a whole tape as one program, for tapes that come again and again.

whole_pull : (r, CT b -o CT a) by steps -> jaxpr (*r, *CT b) -> *CT a

An eager training loop records the same operations in every turn, on other arrays. Pulled step by
step, each operation's transposed program is looked up, entered and left. From some turn on all of
them are one straight line of NumPy: what is traced here is the pull by steps itself, so the line
does the very same operations in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from fxla.core.aval import Aval
from fxla.core.jaxpr import Jaxpr
from fxla.core.patience import make_room, once_worth
from fxla.core.records import dataclass
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import Value
from fxla.transforms.dce import dce_jaxpr
from fxla.transforms.straight_line import is_silent

__all__ = ["WholePull", "usual_pull"]

_USUAL = 64
"""A whole pull costs as much as what it saves in some dozens of turns: it is made at this one."""

_CAPACITY = 256
_wholes: dict[Any, Any] = {}
"""By the identities of a tape's rules and how its steps hang together: its `WholePull`, None if it
has none, or how often such a tape was met. Only a `WholePull` keeps its rules alive: a rule that
is gone was met for the last time, and another that has its identity may be counted as it."""


@dataclass(frozen=True, eq=False, slots=True)
class WholePull:
    """Cotangents of a function's inputs as one program.

    Attributes:
        program: from (*consts, *residuals, *cotangents of results) to cotangents of inputs.
        consts: arrays that the steps made.
        results: for each input the place of its cotangent among the results, None for zero.
        rules: of the tape, whose identities stay theirs.
    """

    program: Jaxpr
    consts: tuple[Value, ...]
    results: tuple[int | None, ...]
    rules: tuple[object, ...]


def usual_pull(
    rules: Sequence[object],
    links: tuple[Hashable, ...],
    pull: Callable[[Sequence[Value]], Sequence[Value | None]],
    avals: Callable[[], Sequence[Aval]],
) -> WholePull | None:
    """The whole pull of a tape that was met often, None the first times.

    Args:
        rules: of its steps.
        links: tells apart tapes of these rules whose pulls differ in more than values.
        pull: by steps, from (*residuals, *cotangents) to a cotangent of each input or None.
        avals: types of these residuals and cotangents.
    """
    make_room(_wholes, _CAPACITY)
    key = (*map(id, rules), *links)
    return once_worth(_wholes, key, lambda: _traced(rules, pull, avals()), _USUAL)


def _traced(
    rules: Sequence[object],
    pull: Callable[[Sequence[Value]], Sequence[Value | None]],
    avals: Sequence[Aval],
) -> WholePull | None:
    places: list[int | None] = []

    def flat(*args: Value) -> list[Value]:
        outs: list[Value] = []
        for ct in pull(args):
            places.append(None if ct is None else len(outs))
            if ct is not None:
                outs.append(ct)
        return outs

    closed = trace_to_jaxpr(flat, avals, "transpose")
    program, _ = dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outs), True)
    if not is_silent(program):
        return None
    return WholePull(program, closed.consts, tuple(places), tuple(rules))
