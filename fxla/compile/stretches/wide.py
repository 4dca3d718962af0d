"""Stretches of a program that lead through arrays much larger than all that they are made of.

A product may have a result far larger than its operands: the scores of attention, one for each
query and key; the logits of each word at each place. What follows is computed from it element by
element and row by row, until another product or a sum makes something small again:

    scores = q k^T ;  weights = softmax(scores) ;  out = weights v

These equations are a *stretch*. What goes in and out of it is small, so that it may be computed a
block at a time (`in_blocks`), and the large arrays never exist.

A gradient reads large arrays of the forward pass again. Between the two stands what is computed
from the small result, so they are two stretches, of different *stages*; the later one computes what
it reads of the earlier one anew, from what is small (rows' maxima and sums are, too), as in Chen et
al., "Training deep nets with sublinear memory cost" (2016).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import field

from fxla.compile.stretches.axes import is_pointwise, passes_axes
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var, is_effectful
from fxla.core.records import dataclass
from fxla.ops.dot import DotDims, dot_general_p
from fxla.ops.shape import iota_p
from fxla.ops.structure import broadcast_in_dim_p, reshape_p, transpose_p

__all__ = ["MIN_BYTES", "Stretch", "Wide", "is_wide_product", "product_depth", "variables"]

MIN_BYTES = 1 << 22
"""Bytes of the result of a product from which on it leaves the caches."""
MIN_RATIO = 4
"""How many times as large as both operands it is, at least."""
MIN_DEPTH = 8
"""Terms of its sums, at least: with fewer a product is computed where it is read."""


@dataclass(eq=False, slots=True)
class Stretch:
    """Equations that are computed together, a block at a time.

    Attributes:
        own: positions of equations that nothing else computes.
        again: positions of equations of other stretches, or that cost nothing, computed anew.
        wide: its large values.
    """

    own: set[int]
    again: set[int] = field(default_factory=set)
    wide: set[Var] = field(default_factory=set)

    @property
    def positions(self) -> list[int]:
        """All its equations, in the order of the program."""
        return sorted(self.own | self.again)


def is_wide_product(eqn: Eqn) -> bool:
    """Whether an equation is a product whose result is large, and much larger than its operands."""
    if eqn.primitive is not dot_general_p:
        return False
    left, right = (a.aval for a in eqn.inputs)
    out = eqn.outputs[0].aval
    if not out.size * out.dtype.itemsize >= MIN_BYTES:
        return False
    return bool(
        product_depth(eqn) >= MIN_DEPTH and out.size >= MIN_RATIO * (left.size + right.size)
    )


def product_depth(eqn: Eqn) -> int:
    """Terms of the sums of a product."""
    dims: DotDims = eqn.params["dims"]
    return math.prod(eqn.inputs[0].aval.shape[a] for a in dims.lhs_contract)


class Wide:
    """The large values of a program, and the stretches that lead through them."""

    def __init__(self, jaxpr: Jaxpr) -> None:
        self.eqns = jaxpr.eqns
        self.made = {v: k for k, e in enumerate(jaxpr.eqns) for v in e.outputs}
        self.stage: dict[Var, int] = {}
        self.wide: dict[Var, int] = {}  # size of the product it comes from
        self.sown: dict[int, int] = {}  # stage of each equation that touches a wide value
        for k, eqn in enumerate(jaxpr.eqns):
            self._visit(k, eqn)

    def stretches(self) -> list[Stretch]:
        """The stretches of the program."""
        found = [self._closed(own) for own in self._components()]
        taken: set[int] = set()
        stretches: list[Stretch] = []
        for s in found:
            if s is not None and taken.isdisjoint(s.own):
                stretches.append(s)
                taken |= s.own
        return stretches

    def _visit(self, k: int, eqn: Eqn) -> None:
        """Give an equation's results their stage, and find those that are wide."""
        stage = max((self.stage.get(v, 0) for v in variables(eqn.inputs)), default=0)
        sizes = [self.wide[v] for v in variables(eqn.inputs) if v in self.wide]
        plain = len(eqn.outputs) == 1 and passes_axes(eqn) and not is_effectful(eqn)
        out = eqn.outputs[0] if eqn.outputs else None
        if out is not None and plain and (sizes or is_wide_product(eqn)):
            self.sown[k] = stage
            if not sizes:
                self.wide[out] = out.aval.size
            elif eqn.primitive is dot_general_p:
                stage += 1
            elif 2 * out.aval.size > max(sizes):
                self.wide[out] = max(sizes)
        self.stage.update(dict.fromkeys(eqn.outputs, stage))

    def _components(self) -> list[set[int]]:
        """Equations of one stage that share wide values, of whichever stage."""
        parent = {k: k for k in self.sown}
        first: dict[tuple[int, Var], int] = {}

        def root(k: int) -> int:
            while parent[k] != k:
                k = parent[k]
            return k

        for k, stage in self.sown.items():
            for v in (*variables(self.eqns[k].inputs), *self.eqns[k].outputs):
                if v in self.wide:
                    parent[root(k)] = root(first.setdefault((stage, v), k))
        groups: dict[int, set[int]] = {}
        for k in self.sown:
            groups.setdefault(root(k), set()).add(k)
        return list(groups.values())

    def _closed(self, own: set[int]) -> Stretch | None:
        """With what lies between its equations: nothing may be on a path out of it and back."""
        first, last = min(own), max(own)
        from_it = set(own)
        for k in range(first, last + 1):
            if any(self.made.get(v) in from_it for v in variables(self.eqns[k].inputs)):
                from_it.add(k)
        to_it = set(own)
        for k in range(last, first - 1, -1):
            if k in to_it:
                made = (self.made.get(v) for v in variables(self.eqns[k].inputs))
                to_it.update(m for m in made if m is not None and m >= first)
        both = from_it & to_it
        between = [self.eqns[k] for k in both - own]
        if not all(len(e.outputs) == 1 and passes_axes(e) for e in between):
            return None
        if any(e.primitive is dot_general_p for e in between):
            return None
        return Stretch(both)

    def recompute(self, stretches: Sequence[Stretch]) -> None:
        """Say of each stretch what it computes again.

        That is what it reads of the others' large values, and what is large but says little.
        """
        owned = {k for s in stretches for k in s.own}
        for s in stretches:
            s.again.clear()
            s.wide = {v for k in s.own for v in self.eqns[k].outputs if v in self.wide}
            waiting = [v for k in s.own for v in variables(self.eqns[k].inputs)]
            while waiting:
                v = waiting.pop()
                k = self.made.get(v, -1)
                if k < 0 or k in s.own or k in s.again:
                    continue
                if (v in self.wide and k in owned) or self._says_little(v):
                    s.again.add(k)
                    s.wide.update(w for w in self.eqns[k].outputs if w in self.wide)
                    waiting.extend(variables(self.eqns[k].inputs))

    def _says_little(self, v: Var) -> bool:
        """Whether a value is computed element by element from much less than its size."""
        k = self.made.get(v)
        if k is None:
            return False
        eqn = self.eqns[k]
        if eqn.primitive is iota_p:
            return True
        larger = v.aval.size > sum(a.aval.size for a in variables(eqn.inputs))
        if eqn.primitive is broadcast_in_dim_p and larger:
            return True
        if is_pointwise(eqn) or eqn.primitive in (broadcast_in_dim_p, reshape_p, transpose_p):
            return all(self._says_little(a) for a in variables(eqn.inputs))
        return False


def variables(atoms: Iterable[Atom]) -> list[Var]:
    """The atoms that are no literals."""
    return [a for a in atoms if not isinstance(a, Literal)]
