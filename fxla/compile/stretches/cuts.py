"""How a stretch of a program through large arrays is cut, or why it is not.

A stretch (`wide`) can be cut along an axis of its first product if all its equations
compute slice by slice along it (`axes`). What they read from outside either has the
axis, and a block reads a part of it, or every block reads all of it; what is read of them has the
axis, or is a sum over it.

What a cut saves is the memory of the stretch's large arrays, less that of a block, and the passes
over them. It costs the products that are computed again, and that every block reads what has no
axis: that must stay in a cache, and serve `MIN_ROWS` of a block, for a product of few rows is slow.
"""

from __future__ import annotations

from collections.abc import Sequence

from fxla.compile.stretches.axes import RESULT, links
from fxla.compile.stretches.wide import Stretch, Wide, is_wide_product, variables
from fxla.core.jaxpr import Eqn, Jaxpr, Literal, Var
from fxla.core.records import dataclass
from fxla.ops.dot import dot_general_p
from fxla.ops.shape import iota_p

__all__ = ["BLOCK_BYTES", "MAX_SHARED", "MIN_ROWS", "Cut", "largest", "plan_cuts"]

BLOCK_BYTES = 1 << 20
"""Bytes of the largest array of a block, about."""
MIN_ROWS = 64
"""Rows of a block, at least, where every block reads all of an operand."""
MAX_SHARED = 1 << 23
"""Bytes of operands that every block reads, at most: they must stay in a cache."""

MIN_SUM_BYTES = 4
"""Bytes of a number, at least, that blocks add to: half precision would round each time."""


@dataclass(frozen=True, eq=False, slots=True)
class Cut:
    """How a stretch is cut.

    Attributes:
        stretch: what is cut.
        eqns: its equations.
        at: the position of the axis in each value that has it.
        size: of the axis.
        block: how much of it a block has.
        exits: what is read outside, and is cut; or else is summed.
        sums: those that are summed.
        seed: the product that the axis was taken of.
    """

    stretch: Stretch
    eqns: list[Eqn]
    at: dict[Var, int]
    size: int
    block: int
    exits: tuple[Var, ...]
    sums: frozenset[Var]
    seed: Var


def plan_cuts(jaxpr: Jaxpr, wide: Wide, notes: list[str]) -> list[Cut]:
    """How each stretch that can be cut is; the others' large values are stored, and read."""
    stretches = wide.stretches()
    while True:
        wide.recompute(stretches)
        plans: list[Cut] = []
        refused: list[tuple[Stretch, str]] = []
        for s in stretches:
            plan = _cut(jaxpr, s, stretches)
            if isinstance(plan, str):
                refused.append((s, plan))
            else:
                plans.append(plan)
        notes += [f"dot_general {largest(s).aval}: kept whole, {why}" for s, why in refused]
        if not refused:
            return plans
        stretches = [p.stretch for p in plans]


def largest(s: Stretch) -> Var:
    """The largest value of a stretch."""
    return max(s.wide, key=lambda v: v.aval.size * v.aval.dtype.itemsize)


def _cut(jaxpr: Jaxpr, s: Stretch, stretches: Sequence[Stretch]) -> Cut | str:
    """How to cut a stretch, or why not."""
    exits = _exits(jaxpr, s, stretches)
    kept = next((v for v in exits if v in s.wide), None)
    if kept is not None:
        return f"for {kept.aval} is read by what computes no slices, or is a result"
    eqns = _apart(jaxpr, s)
    products = [e.outputs[0] for e in eqns if is_wide_product(e)]
    if not products:
        return "for its operands are"
    seed = products[0]
    whole = seed.aval.size * seed.aval.dtype.itemsize
    reason = f"for {seed.aval} has no axis along which all is computed slice by slice"
    for axis, size in enumerate(seed.aval.shape):
        if size == 1:
            continue
        found = _places(eqns, seed, axis)
        if found is None:
            continue
        at, sums = found
        if any(v not in at and v not in sums for v in exits) or not sums.issubset(exits):
            continue
        if any(v not in at for v in products):
            continue
        if any(v.aval.dtype.itemsize < MIN_SUM_BYTES for v in sums):
            continue
        shared = _shared_bytes(eqns, at)
        block = max(MIN_ROWS if shared else 1, BLOCK_BYTES * size // whole)
        if block >= size:
            continue
        if shared > MAX_SHARED:
            reason = f"for each block would read {shared} bytes of operands again"
            continue
        count = -(-size // block)
        block = -(-size // count)
        return Cut(s, eqns, at, size, block, exits, frozenset(sums), seed)
    return reason


def _exits(jaxpr: Jaxpr, s: Stretch, stretches: Sequence[Stretch]) -> tuple[Var, ...]:
    """What a stretch computes for others."""
    mine = {v: None for k in sorted(s.own) for v in jaxpr.eqns[k].outputs}
    read: set[Var] = set(variables(jaxpr.outs))
    inside = s.own.union(*(t.own for t in stretches))
    for k, eqn in enumerate(jaxpr.eqns):
        if k not in inside:
            read.update(variables(eqn.inputs))
    for t in stretches:
        if t is not s:
            computed = {v for k in t.positions for v in jaxpr.eqns[k].outputs}
            read.update(
                v for k in t.positions for v in variables(jaxpr.eqns[k].inputs) if v not in computed
            )
    return tuple(v for v in mine if v in read)


def _apart(jaxpr: Jaxpr, s: Stretch) -> list[Eqn]:
    """The equations of a stretch, with one of each that counts for every reader of the numbers.

    Rows and columns may be numbered by one `iota`, of which only one is cut.
    """
    eqns: list[Eqn] = []
    copied: dict[Var, Eqn] = {}

    def copy(v: Var) -> Var:
        eqn = copied[v]
        inputs = tuple(copy(a) if a in copied else a for a in eqn.inputs)
        eqns.append(Eqn(eqn.primitive, inputs, eqn.params, (Var(v.aval),), eqn.source))
        return eqns[-1].outputs[0]

    for k in s.positions:
        eqn = jaxpr.eqns[k]
        counts = eqn.primitive is iota_p or any(a in copied for a in eqn.inputs)
        if k in s.again and counts and eqn.outputs[0].aval.ndim == 1:
            copied[eqn.outputs[0]] = eqn
            continue
        inputs = tuple(copy(a) if a in copied else a for a in eqn.inputs)
        eqns.append(Eqn(eqn.primitive, inputs, eqn.params, eqn.outputs, eqn.source))
    return eqns


def _places(eqns: Sequence[Eqn], seed: Var, axis: int) -> tuple[dict[Var, int], set[Var]] | None:
    """Where an axis is in all values, and what is summed over it; None if it cannot be cut."""
    at = {seed: axis}
    sums: set[Var] = set()
    touching: dict[Var, list[tuple[Eqn, int]]] = {}
    for eqn in eqns:
        for slot, v in ((RESULT, eqn.outputs[0]), *enumerate(eqn.inputs)):
            if not isinstance(v, Literal):
                touching.setdefault(v, []).append((eqn, slot))
    all_links = {id(e): links(e) for e in eqns}
    waiting = [seed]
    while waiting:
        v = waiting.pop()
        for eqn, slot in touching.get(v, ()):
            if eqn.primitive is iota_p:
                continue  # its numbers are counted on
            link = next((n for n in all_links[id(eqn)] if n.at.get(slot) == at[v]), None)
            if link is None or not (link.summed or RESULT in link.at):
                return None
            if link.summed:
                sums.add(eqn.outputs[0])
            for other, a in link.at.items():
                w = eqn.outputs[0] if other == RESULT else eqn.inputs[other]
                if isinstance(w, Literal):
                    continue
                if w not in at:
                    waiting.append(w)
                if at.setdefault(w, a) != a:
                    return None
    read = {v for e in eqns for v in variables(e.inputs)}
    return (at, sums) if sums.isdisjoint(at) and sums.isdisjoint(read) else None


def _shared_bytes(eqns: Sequence[Eqn], at: dict[Var, int]) -> int:
    """Bytes of what products read from outside and every block reads all of."""
    made = {v for e in eqns for v in e.outputs}
    shared = {
        v
        for e in eqns
        if e.primitive is dot_general_p
        for v in variables(e.inputs)
        if v not in made and v not in at
    }
    return sum(v.aval.size * v.aval.dtype.itemsize for v in shared)
