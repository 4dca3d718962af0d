"""The trace of reverse mode: it notes, for every operation that varies, its rule and residuals.

linearize : (a -> b) -> a -> (b, T a -o T b)

A *tape* is the derivative of a function at a point: steps in the order they happened. Read
forward it maps tangents, read backward cotangents. Each step is either a rule that was derived
once for its program (`fxla.transforms.linear_rules`) or, for an operation that is not met often,
the linear program that its jvp rule recorded this time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from numpy import ndarray

from fxla.core.array import Array, as_array
from fxla.core.aval import Aval
from fxla.core.dtypes import is_inexact
from fxla.core.jaxpr import Jaxpr
from fxla.core.primitive import Linear, Primitive, Zero, is_zero
from fxla.core.records import dataclass
from fxla.core.trace import (
    Trace,
    Tracer,
    Value,
    current_trace,
    eval_trace,
    is_same,
    program_evaluation,
    running,
    state,
    typeof,
    where_am_i,
)
from fxla.errors import NotDifferentiableError
from fxla.ops.elementwise import add_p
from fxla.transforms.linear_rules import LinearRule, known_rule, one_equation_program
from fxla.transforms.masks import either
from fxla.transforms.partial_eval import PartialTrace, dce_closed
from fxla.transforms.straight_line import READY, Ending, in_silence, is_silent, line, straight_line
from fxla.transforms.transpose import add_cotangents, masked_backward
from fxla.transforms.whole_pull import WholePull, usual_pull

__all__ = ["Tape", "TapeTrace", "TapeTracer", "record"]


_MANY = 1 << 12
"""Steps above which a tape is never pulled as one program, which would be long in the making."""


class TapeTracer(Tracer):
    """A value that varies with an input. Its tangent has the number `slot` on the tape.

    The slot is None if it does not vary, as an array that the function made and may yet write to.
    """

    __slots__ = ("aval", "primal", "slot")
    aval: Aval

    def __init__(self, trace: Trace, primal: Value, aval: Aval, slot: int | None) -> None:
        self.owner = trace
        self.primal = primal
        self.aval = aval
        self.slot = slot

    def concrete(self) -> Value | None:
        known = self.primal
        return known.concrete() if isinstance(known, Tracer) else known

    def known(self) -> Value | None:
        if self.slot is not None:
            return None
        x = self.primal
        return x.known() if isinstance(x, Tracer) else x

    def assume(self, other: Any) -> None:
        self.primal, self.aval, self.slot = other.primal, other.aval, other.slot

    def clone(self) -> TapeTracer:
        return TapeTracer(self.owner, self.primal, self.aval, self.slot)


class Recorded:
    """The linear program of one operation, recorded for this once.

    Attributes:
        linear: from (*residuals, *tangents of the varying inputs) to nonzero tangents of results.
    """

    __slots__ = ("linear",)

    def __init__(self, linear: Jaxpr) -> None:
        self.linear = linear

    @property
    def n_tangents(self) -> int:
        """How many results have a tangent."""
        return len(self.linear.outs)


Step = tuple[LinearRule | Recorded, Sequence[Value], Sequence[int]]
"""One operation on a tape: its derivative, the residuals of that, and slots of its varying inputs.

Its results that have a tangent have the slots that follow those of the step before.
"""


class TapeTrace(Trace):
    """Evaluates in the parent, and notes the derivative of what varies."""

    def __init__(self, parent: Trace, label: str, function: str) -> None:
        self.parent: Trace = parent
        self.label = label
        self.function = function
        self.evaluates = parent is eval_trace
        self.steps: list[Step] = []
        self.slots = 0
        self.by_rules = True

    def same(self, x: TapeTracer, y: TapeTracer) -> bool:
        return is_same(x.primal, y.primal)

    def varying(self, primal: Value, aval: Aval) -> TapeTracer:
        """A new input, or a result with a tangent of its own."""
        self.slots += 1
        return TapeTracer(self, primal, aval, self.slots - 1)

    def run(self, program: Jaxpr, args: Sequence[Value]) -> tuple[Value, ...]:
        primals, at, slots = [], [], []
        plain = self.evaluates
        for k, x in enumerate(args):
            if type(x) is TapeTracer and x.owner is self:
                if x.slot is not None:
                    at.append(k)
                    slots.append(x.slot)
                x = x.primal
            if plain and type(x) not in READY:
                if type(x) is Array:
                    x = x.view(ndarray)
                else:
                    plain = False
            primals.append(x)
        if not at:
            return tuple([self.lift(o) for o in self.parent.run(program, primals)])
        varying = tuple(at)
        rule = None if state.axes else program.derived.get(varying)  # as `known_rule`, sooner
        if type(rule) is not LinearRule:
            rule = known_rule(program, varying)
            if rule is None:
                return super().run(program, args)
        if plain:
            noting = rule.known.derived.get("noting") or _noting(rule)
            if noting is not _SPEAKS:
                return in_silence(noting, self, args, slots, *primals)  # type: ignore[no-any-return]
        found = self.parent.run(rule.known, primals)
        first = self.slots
        if rule.n_tangents:
            self.slots = first + rule.n_tangents
            residuals = [found[p] if p >= 0 else primals[~p] for p in rule.residuals]
            self.steps.append((rule, residuals, slots))
        outs: list[Value] = []
        for place, aval, tangent in rule.results:
            if tangent is None:
                outs.append(self.lift(found[place]) if place >= 0 else args[~place])
            elif place >= 0:
                outs.append(TapeTracer(self, found[place], aval, first + tangent))
            else:
                outs.append(args[~place])
        return tuple(outs)

    def _mine(self, x: Value) -> bool:
        return type(x) is TapeTracer and x.owner is self and x.slot is not None

    def lift(self, x: Value) -> Value:
        if isinstance(x, Tracer) and x.owner is self:
            return x
        aval = typeof(x)
        return TapeTracer(self, x, aval, None)

    def process(
        self, primitive: Primitive, args: Sequence[Value], params: dict[str, Any]
    ) -> tuple[Value, ...]:
        if not any(self._mine(x) for x in args):
            values = [x.primal if type(x) is TapeTracer and x.owner is self else x for x in args]
            return tuple([self.lift(o) for o in self.parent.process(primitive, values, params)])
        program = one_equation_program(primitive, [typeof(x) for x in args], params)
        if program is not None:
            known_rule(program, tuple([k for k, x in enumerate(args) if self._mine(x)]), now=True)
            return tuple([as_array(x) for x in self.run(program, args)])
        return self._recorded(primitive, args, params)

    def _recorded(
        self, primitive: Primitive, args: Sequence[Value], params: dict[str, Any]
    ) -> tuple[Value, ...]:
        """Apply the jvp rule now, on unknown tangents, and keep the linear program it gives."""
        inner = PartialTrace(self.parent, self.label, self.function)
        primals: list[Value] = []
        tangents: list[Any] = []
        unknowns, slots = [], []
        weak = bool(params.get("weak"))  # of a conversion that makes its result weak
        for x in args:
            mine = type(x) is TapeTracer and x.owner is self
            primals.append(x.primal if mine else x)
            if mine and x.slot is not None:
                unknowns.append(inner.argument(x.aval.tangent()))
                slots.append(x.slot)
                weak = weak or x.aval.weak_type
                tangents.append(unknowns[-1])
            else:
                tangents.append(Zero(typeof(x).tangent()))
        with running(inner, ends=True):
            outs, found = primitive.jvp(tuple(primals), tuple(tangents), **params)
            nonzero = [inner.unknown(t) for t in found]
            if any(inner.unknown(o) for o in outs):
                raise NotDifferentiableError(
                    "the value of a function depends on the tangent of its argument: a custom_jvp "
                    f"rule must compute its primal output from the primals only{where_am_i()}"
                )
            closed = inner.close(unknowns, [t for t, nz in zip(found, nonzero, strict=True) if nz])
        closed = dce_closed(closed)
        if closed.jaxpr.outs:
            self.steps.append((Recorded(closed.jaxpr), closed.consts, slots))
            self.by_rules = False
        avals = (
            primitive.abstract_eval(*[typeof(x) for x in args], **params)
            if weak
            else [typeof(o) for o in outs]
        )
        return tuple(
            [
                self.varying(o, a) if nz else self.lift(o)
                for o, a, nz in zip(outs, avals, nonzero, strict=True)
            ]
        )


_SPEAKS = object()


def _noting(rule: LinearRule) -> Any:
    """What `TapeTrace.run` does by a rule on NumPy's arrays, as one line of code after another.

    Returns:
        A function from (trace, arguments, slots of the varying ones, *primals) to the results, kept
        with the rule; or `_SPEAKS` if it may run code that is not NumPy's.
    """
    known = rule.known

    def text(found: Sequence[str]) -> list[str]:
        residuals = [found[p] if p >= 0 else f"x{~p}" for p in rule.residuals]
        outs = [
            f"args[{~place}], "
            if place < 0
            else f"trace.lift({found[place]}), "
            if tangent is None
            else f"Tracer(trace, {found[place]}, aval{k}, first + {tangent}), "
            for k, (place, _, tangent) in enumerate(rule.results)
        ]
        lines = [
            "first = trace.slots",
            f"trace.slots = first + {rule.n_tangents}",
            f"trace.steps.append((rule, ({''.join(f'{r}, ' for r in residuals)}), slots))",
        ]
        return [*(lines if rule.n_tangents else ()), f"return ({''.join(outs)})"]

    avals = {f"aval{k}": aval for k, (_, aval, _) in enumerate(rule.results)}
    ending = Ending(("trace", "args", "slots"), text, {"rule": rule, "Tracer": TapeTracer, **avals})
    made = known.derived["noting"] = line(known, ending) if is_silent(known) else _SPEAKS
    return made


@dataclass(frozen=True, slots=True)
class Tape:
    """The derivative of a function at a point.

    Attributes:
        steps: operations in order.
        slots: how many slots there are.
        inputs: for each input its slot, or None if it has no tangent.
        results: for each result its slot, or None if its tangent is zero.
        by_rules: whether no step was recorded for this once.
    """

    steps: tuple[Step, ...]
    slots: int
    inputs: tuple[int | None, ...]
    results: tuple[int | None, ...]
    by_rules: bool

    def pull(self, cts: Sequence[Any]) -> list[Any]:
        """Cotangents of the inputs, None for zero, from those of the results (maybe `Zero`)."""
        residuals = [s[1] for s in self.steps]
        if state.trace is not eval_trace or len(self.steps) > _MANY or not self.by_rules:
            return self._pull_by_steps(residuals, cts)
        given = [None if is_zero(c) else c for c in cts]
        values = [*chain.from_iterable(residuals), *[c for c in given if c is not None]]
        whole = self._whole(residuals, given, values)
        if whole is None:
            return self._pull_by_steps(residuals, cts)
        found = eval_trace.run(whole.program, [*whole.consts, *values])
        return [None if place is None else found[place] for place in whole.results]

    def _whole(
        self, residuals: Sequence[Sequence[Value]], cts: Sequence[Any], values: Sequence[Value]
    ) -> WholePull | None:
        """The pull as one program, from the time on at which tapes like this one are usual."""
        rules = [s[0] for s in self.steps]
        types = [None if c is None else typeof(c) for c in cts]

        def pull(args: Sequence[Value]) -> list[Any]:
            rest = iter(args)
            split = [[next(rest) for _ in some] for some in residuals]
            return self._pull_by_steps(split, [None if c is None else next(rest) for c in cts])

        slots = chain.from_iterable([s[2] for s in self.steps])
        links = (*slots, *self.inputs, *self.results, *types)
        return usual_pull(rules, links, pull, lambda: [typeof(x) for x in values])

    def _pull_by_steps(self, residuals: Sequence[Sequence[Value]], cts: Sequence[Any]) -> list[Any]:
        """As `pull`, operation by operation."""
        sums = _Sums()
        for slot, ct in zip(self.results, cts, strict=True):
            if not (slot is None or ct is None or is_zero(ct)):
                sums.add(slot, ct, None)
        known, run = sums.cts, state.trace.run
        first = self.slots
        for (rule, _, slots), given in zip(reversed(self.steps), reversed(residuals), strict=True):
            first -= rule.n_tangents
            if isinstance(rule, Recorded):
                _pull_recorded(rule.linear, given, slots, first, sums)
            elif rule.n_tangents != 1 or sums.masks:
                _pull_rule(rule, given, slots, first, sums)
            elif first in known:  # as above, for the usual case: one result and no masks
                pullback = rule.pullbacks.get((1, 0)) or rule.pullback((1, 0))
                found = run(pullback.program, [*given, known.pop(first)])
                for k, place, mask in pullback.results:
                    slot = slots[k]
                    if slot in known or mask is not None:
                        sums.add(slot, found[place], None if mask is None else found[mask])
                    else:
                        known[slot] = found[place]
        return [None if slot is None else known.get(slot) for slot in self.inputs]

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """Tangents of the results, None for zero, from those of the inputs."""
        known = {s: t for s, t in zip(self.inputs, tangents, strict=True) if s is not None}
        run = state.trace.run
        for (rule, residuals, slots), first in self._needed():
            found = run(rule.linear, (*residuals, *[known[s] for s in slots]))
            known.update(zip(range(first, first + len(found)), found, strict=True))
        return [None if slot is None else known[slot] for slot in self.results]

    def _needed(self) -> list[tuple[Step, int]]:
        """The steps that a result depends on, and the slot of the first result of each."""
        live = {slot for slot in self.results if slot is not None}
        kept = []
        stop = self.slots
        for step in reversed(self.steps):
            first = stop - step[0].n_tangents
            if any(slot in live for slot in range(first, stop)):
                live.update(step[2])
                kept.append((step, first))
            stop = first
        return kept[::-1]


class _Sums:
    """Cotangents by slot, and where each may be other than zero."""

    __slots__ = ("cts", "masks")

    def __init__(self) -> None:
        self.cts: dict[int, Any] = {}
        self.masks: dict[int, Value] = {}

    def add(self, slot: int, ct: Any, mask: Value | None) -> None:
        """Add a cotangent."""
        before = self.cts.get(slot)
        if before is None:
            self.cts[slot] = ct
            if mask is not None:
                self.masks[slot] = mask
            return
        if slot in self.masks:
            mask = either(self.masks.pop(slot), mask)
            if mask is not None:
                self.masks[slot] = mask
        self.cts[slot] = _added(before, ct)


def _added(a: Value, b: Value) -> Value:
    program = one_equation_program(add_p, (typeof(a), typeof(b)), {})
    return add_cotangents(a, b) if program is None else state.trace.run(program, (a, b))[0]


def _pull_rule(
    rule: LinearRule, residuals: Sequence[Value], inputs: Sequence[int], first: int, sums: _Sums
) -> None:
    """Cotangents of a step's inputs by its rule's transposed program."""
    cts, masks = sums.cts, sums.masks
    slots = range(first, first + rule.n_tangents)
    has_ct = [int(s in cts) for s in slots]
    if 1 not in has_ct:
        return
    has_mask = [
        0 if s not in masks else 1 if typeof(masks[s]).shape == typeof(cts[s]).shape else 2
        for s in slots
    ]
    given = (*has_ct, *has_mask)
    operands = [
        *residuals,
        *[cts.pop(s) for s in slots if s in cts],
        *[masks.pop(s) for s in slots if s in masks],
    ]
    pullback = rule.pullbacks.get(given) or rule.pullback(given)
    found = state.trace.run(pullback.program, operands)
    for k, place, mask in pullback.results:
        sums.add(inputs[k], found[place], None if mask is None else found[mask])


def _pull_recorded(
    linear: Jaxpr, residuals: Sequence[Value], inputs: Sequence[int], first: int, sums: _Sums
) -> None:
    """Cotangents of a step's inputs by transposing its linear program, equation by equation."""
    slots = range(first, first + len(linear.outs))
    cts = [sums.cts.pop(s, None) for s in slots]
    if all(ct is None for ct in cts):
        return
    masks = [sums.masks.pop(s, None) for s in slots]
    r = len(residuals)
    operands = [*residuals, *(Linear(a) for a in linear.in_avals[r:])]
    found, found_masks = masked_backward(linear, operands, cts, masks)
    for slot, ct, mask in zip(inputs, found[r:], found_masks[r:], strict=True):
        if not is_zero(ct):
            sums.add(slot, ct, mask)


def record(
    f: Callable[..., Sequence[Value]],
    primals: Sequence[Value],
    label: str,
    function: str,
) -> tuple[list[Value], Tape]:
    """Values of a flat function and its derivative at `primals`."""
    trace = TapeTrace(current_trace(), label, function)
    inputs: list[Value] = []
    slots: list[int | None] = []
    n = 0
    for p in primals:
        aval = typeof(p)
        if aval.dtype.kind == "f" or is_inexact(aval.dtype):
            slots.append(n)
            inputs.append(TapeTracer(trace, p, aval, n))
            n += 1
        else:
            slots.append(None)
            inputs.append(p)
    trace.slots = n
    with running(trace, ends=True):
        outs = f(*inputs)
    values, results = [], []
    for o in outs:
        mine = type(o) is TapeTracer and o.owner is trace
        values.append(o.primal if mine else o)
        results.append(o.slot if mine else None)
    if trace.parent is not eval_trace:  # an array that was read here may be written to later
        trace.steps = [
            (rule, [x.clone() if isinstance(x, Tracer) else x for x in residuals], of)
            for rule, residuals, of in trace.steps
        ]
    return values, Tape(
        tuple(trace.steps), trace.slots, tuple(slots), tuple(results), trace.by_rules
    )


program_evaluation[:] = [straight_line]
