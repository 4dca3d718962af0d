"""Rules of reverse mode, derived once for each program and kept on it.

linear_rule : (a -> b), which inputs vary -> (a -> (b, r)), (r, T a -o T b)

An operation that meets the same types again is differentiated by a rule that is made already: its
jvp was taken, split into what is known and what is linear, and transposed, all as programs. The
one fact is still the primitive's `jvp` and `transpose`; a rule is what follows from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any

from fxla.core.aval import Aval
from fxla.core.check import checked
from fxla.core.dtypes import bool_
from fxla.core.jaxpr import Jaxpr
from fxla.core.patience import make_room, once_worth
from fxla.core.primitive import Linear, Primitive, is_zero
from fxla.core.records import dataclass
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import Value, scope_key, state, where_am_i
from fxla.errors import NotDifferentiableError
from fxla.transforms.dce import dce_jaxpr
from fxla.transforms.jvp import jvp_jaxpr
from fxla.transforms.partial_eval import partial_eval_jaxpr
from fxla.transforms.transpose import masked_backward

__all__ = ["LinearRule", "Pullback", "known_rule", "one_equation_program"]

_WORTH = 3
"""A rule costs as much as some plain applications of the primitives: it is made at this one."""


@dataclass(frozen=True, slots=True)
class Pullback:
    """A transposed program.

    Attributes:
        program: from (*residuals, *cotangents, *masks) to cotangents and masks of linear inputs.
        results: for each linear input with a cotangent its number, the position of that among the
            results, and the position of its mask or None, see `fxla.transforms.masks`.
    """

    program: Jaxpr
    results: tuple[tuple[int, int, int | None], ...]


@dataclass(frozen=True, eq=False, slots=True)
class LinearRule:
    """A program at a point where some inputs vary.

    A place is a position among the results of `known` if it is not negative, else ``~place`` is a
    position among the program's inputs.

    Attributes:
        known: from the inputs to results and residuals.
        linear: from (*residuals, *tangents of the varying inputs) to nonzero tangents of results.
        results: for each result of the program its place, its type, and the position of its
            tangent among those of `linear`, or None.
        residuals: their places.
        n_tangents: how many results have a tangent.
    """

    known: Jaxpr
    linear: Jaxpr
    results: tuple[tuple[int, Aval, int | None], ...]
    residuals: tuple[int, ...]
    n_tangents: int
    pullbacks: dict[tuple[int, ...], Pullback] = field(default_factory=dict)

    @property
    def tangent_avals(self) -> tuple[Aval, ...]:
        """Types of the linear inputs."""
        return self.linear.in_avals[len(self.residuals) :]

    def pullback(self, given: tuple[int, ...]) -> Pullback:
        """The transposed program.

        Args:
            given: for each result of `linear` 1 if it has a cotangent, else 0; then for each 1 if
                that has a mask of its shape, 2 if it has one of rank 0, else 0.
        """
        found = self.pullbacks.get(given)
        if found is None:
            found = self.pullbacks[given] = _transposed(self, given)
        return found


def known_rule(program: Jaxpr, varying: tuple[int, ...], now: bool = False) -> LinearRule | None:
    """The rule for a program whose inputs at `varying` vary; None the first times, unless `now`."""
    key = (varying, scope_key()) if state.axes else varying
    found = program.derived.get(key)
    if type(found) is LinearRule:
        return found
    requests = 0 if now else _WORTH
    return once_worth(program.derived, key, lambda: _linear_rule(program, varying), requests)


def _linear_rule(program: Jaxpr, varying: tuple[int, ...]) -> LinearRule:
    n, m = len(program.invars), len(program.outs)
    both, nonzero = jvp_jaxpr(program, [k in varying for k in range(n)])
    n_tangents = sum(nonzero)
    split = partial_eval_jaxpr(
        both, [False] * n + [True] * len(varying), [False] * m + [True] * n_tangents
    )
    if any(split.out_unknown[:m]):
        raise NotDifferentiableError(
            "the value of a function depends on the tangent of its argument: a custom_jvp rule "
            f"must compute its primal output from the primals only{where_am_i()}"
        )
    place: dict[Any, int] = {v: ~k for k, v in enumerate(split.known.invars)}
    outs: list[Any] = []
    places = []
    for atom in split.known.outs:
        if atom not in place:
            place[atom] = len(outs)
            outs.append(atom)
        places.append(place[atom])
    known = Jaxpr(split.known.invars, split.known.eqns, tuple(outs))
    known, _ = dce_jaxpr(known, [True] * len(outs), True)
    tangents = iter(range(n_tangents))
    results = tuple(
        (p, a.aval, next(tangents) if nz else None)
        for p, a, nz in zip(places[:m], program.outs, nonzero, strict=True)
    )
    return LinearRule(
        checked(known, "linearisation"), split.unknown, results, tuple(places[m:]), n_tangents
    )


def _transposed(rule: LinearRule, given: tuple[int, ...]) -> Pullback:
    linear, r = rule.linear, len(rule.residuals)
    has_ct, has_mask = given[: rule.n_tangents], given[rule.n_tangents :]
    places: list[list[int | None]] = [[], []]

    def run(*args: Value) -> list[Value]:
        values = iter(args[r:])
        cts = [next(values) if g else None for g in has_ct]
        masks = [next(values) if g else None for g in has_mask]
        operands = [*args[:r], *(Linear(a) for a in rule.tangent_avals)]
        found = masked_backward(linear, operands, cts, masks)
        outs: list[Value] = []
        for place, column in zip(places, found, strict=True):
            for x in column[r:]:
                place.append(None if x is None or is_zero(x) else len(outs))
                if place[-1] is not None:
                    outs.append(x)
        return outs

    avals = list(linear.in_avals[:r])
    avals += [a.tangent() for a, g in zip(linear.out_avals, has_ct, strict=True) if g]
    avals += [
        Aval(a.shape if g == 1 else (), bool_)
        for a, g in zip(linear.out_avals, has_mask, strict=True)
        if g
    ]
    closed = trace_to_jaxpr(run, avals, "transpose")
    assert not closed.consts
    program, _ = dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outs), True)
    results = tuple(
        (k, ct, mask) for k, (ct, mask) in enumerate(zip(*places, strict=True)) if ct is not None
    )
    return Pullback(checked(program, "transposition"), results)


_CAPACITY = 2048
_programs: dict[Any, Any] = {}
"""Programs of one equation, and how often one was asked for that is not made yet."""


def one_equation_program(
    primitive: Primitive, avals: Sequence[Aval], params: dict[str, Any]
) -> Jaxpr | None:
    """The program that applies a primitive to operands of these types.

    None the first times, for params that cannot be told apart by value, and for those that are
    functions, such as a user's rule: they may do another thing each time. A program that holds a
    program is kept on that one, and goes with it.
    """
    table = _programs
    for value in params.values():
        if isinstance(value, Jaxpr):
            table = value.derived
        elif callable(value):
            return None
    key = (primitive, *avals, *params.values())
    try:
        hash(key)
    except TypeError:
        return None
    make_room(_programs, _CAPACITY)

    def make() -> Jaxpr:
        closed = trace_to_jaxpr(lambda *xs: primitive.bind(*xs, **params), avals, primitive.name)
        return closed.jaxpr

    return once_worth(table, key, make, _WORTH)
