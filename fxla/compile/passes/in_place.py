"""Which equations may write over an operand instead of copying it.

An update of a value (a scatter, a slice replaced, a carry of a loop) may take its memory if nothing
reads the value afterwards and the program owns the memory: a temporary, or a carry of the loop
whose body it is, never an argument. A loop that writes one element in each iteration then costs
that, not a copy of the array.
"""

from __future__ import annotations

from collections.abc import Iterable

from fxla.compile.passes.simplify import simplify
from fxla.compile.regions import BranchRegion, Region, ScanRegion, WhileRegion
from fxla.core.jaxpr import Eqn, Jaxpr, Literal, Var, sub_jaxprs
from fxla.core.records import dataclass

__all__ = ["InPlace", "find_in_place", "kept_carries"]


@dataclass(frozen=True, slots=True)
class InPlace:
    """What a program writes in place.

    Attributes:
        pairs: for the id of an equation: (operand, result) positions that share memory.
        source: for each such result the value whose memory it takes.
    """

    pairs: dict[int, tuple[tuple[int, int], ...]]
    source: dict[Var, Var]

    def root(self, value: Var) -> Var:
        """The value at the start of a chain of updates."""
        while value in self.source:
            value = self.source[value]
        return value


def find_in_place(jaxpr: Jaxpr, owned: Iterable[int] = ()) -> InPlace:
    """Choose the equations of a program that write in place.

    Args:
        jaxpr: simplified.
        owned: positions of inputs whose memory may be written over.
    """
    last: dict[Var, int] = {}
    for k, eqn in enumerate(jaxpr.eqns):
        for a in eqn.inputs:
            if isinstance(a, Var):
                last[a] = k
    for a in jaxpr.outs:
        if isinstance(a, Var):
            last[a] = len(jaxpr.eqns)
    updated = {jaxpr.invars[k] for k in owned}  # memory that is stored and may be written
    made: set[Var] = set(updated)
    pairs: dict[int, tuple[tuple[int, int], ...]] = {}
    source: dict[Var, Var] = {}
    for k, eqn in enumerate(jaxpr.eqns):
        region = region_of(eqn)
        possible = made if region is not None else updated
        chosen: list[tuple[int, int]] = []
        for i, o in candidates(eqn, region):
            x = eqn.inputs[i]
            if isinstance(x, Literal) or x not in possible or last[x] != k:
                continue
            if sum(a is x for a in eqn.inputs) == 1:
                chosen.append((i, o))
                source[eqn.outputs[o]] = x
        if chosen:
            pairs[id(eqn)] = tuple(chosen)
        made.update(eqn.outputs)
        if region is not None or eqn.primitive.updates:
            updated.update(eqn.outputs)
    return InPlace(pairs, source)


def region_of(eqn: Eqn) -> Region | None:
    """What a loop or branch lowers to; None for other equations."""
    if not sub_jaxprs(eqn.params):
        return None
    form = eqn.primitive.lower(**eqn.params)
    return form if isinstance(form, Region) else None


def candidates(eqn: Eqn, region: Region | None) -> list[tuple[int, int]]:
    """Operands that an equation could write its results over."""
    match region:
        case None:
            return [(0, 0)] if eqn.primitive.updates else []
        case ScanRegion(body=body, n_consts=k, n_carry=c):
            return [(k + j, j) for j in kept_carries(body, k, c)]
        case WhileRegion(body=body, n_condition_consts=kc, n_body_consts=kb):
            kept = kept_carries(body, kb, len(body.outs))
            return [(kc + kb + j, j) for j in kept]
        case BranchRegion(branches=branches):
            passed = [_passed_on(b) for b in branches]
            return [(p + 1, o) for o, p in passed[0].items() if all(q.get(o) == p for q in passed)]
    return []


def kept_carries(body: Jaxpr, n_consts: int, n_carry: int) -> list[int]:
    """The carries that every iteration leaves where they are, changed in place or not at all."""
    key = ("kept carries", n_consts, n_carry)
    if key not in body.derived:
        small = simplify(body)
        found = find_in_place(small, range(n_consts, n_consts + n_carry))
        body.derived[key] = [
            j
            for j in range(n_carry)
            if isinstance(out := small.outs[j], Var)
            and found.root(out) is small.invars[n_consts + j]
        ]
    kept: list[int] = body.derived[key]
    return kept


def _passed_on(branch: Jaxpr) -> dict[int, int]:
    """For each result that is an operand, changed in place or not at all, which operand it is."""
    if "passed on" not in branch.derived:
        small = simplify(branch)
        found = find_in_place(small, range(len(small.invars)))
        position = {v: k for k, v in enumerate(small.invars)}
        roots = {o: found.root(a) for o, a in enumerate(small.outs) if isinstance(a, Var)}
        once = [r for r in roots.values() if sum(q is r for q in roots.values()) == 1]
        branch.derived["passed on"] = {
            o: position[r] for o, r in roots.items() if r in position and r in once
        }
    passed: dict[int, int] = branch.derived["passed on"]
    return passed
