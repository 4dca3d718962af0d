"""The equations of a stretch for a block of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fxla.compile.stretches.cuts import Cut
from fxla.core.aval import Aval
from fxla.core.dtypes import int64
from fxla.core.jaxpr import Atom, Eqn, Literal, Var
from fxla.core.primitive import Primitive
from fxla.ops.casts import convert_p
from fxla.ops.shape import iota_p
from fxla.ops.structure import broadcast_in_dim_p

__all__ = ["Body", "added", "with_size"]


class Body:
    """The equations of a stretch, of so much of its axis.

    Attributes:
        eqns: what `run` appends to.
        env: what stands for each value of the stretch.
        counter: the numbers of the rows, if they are `counted`.
    """

    def __init__(self, old: Sequence[Eqn], plan: Cut, block: int, eqns: list[Eqn]) -> None:
        self.old = old
        self.plan = plan
        self.block = block
        self.eqns = eqns
        self.env: dict[Var, Var] = {}
        self.counter: Var | None = None
        self.counted = any(self._counts(e) for e in old)

    def _counts(self, eqn: Eqn) -> bool:
        out = eqn.outputs[0]
        return eqn.primitive is iota_p and self.plan.at.get(out) == eqn.params["dimension"]

    def shape_of(self, v: Var) -> tuple[int, ...]:
        """The shape of a value in a block."""
        p = self.plan.at.get(v)
        return v.aval.shape if p is None else with_size(v.aval.shape, p, self.block)

    def given(self, v: Var) -> Var:
        """A parameter that stands for a value."""
        self.env[v] = Var(Aval(self.shape_of(v), v.aval.dtype, v.aval.weak_type))
        return self.env[v]

    def add(self, primitive: Primitive, *inputs: Atom, **params: Any) -> Var:
        """Append an equation; returns its result."""
        return added(self.eqns, self.old[-1].source, primitive, *inputs, **params)

    def run(self) -> None:
        """Append all equations."""
        for eqn in self.old:
            self.env[eqn.outputs[0]] = self.computed(eqn)

    def computed(self, eqn: Eqn) -> Var:
        """Append an equation."""
        out, shape = eqn.outputs[0], self.shape_of(eqn.outputs[0])
        if self._counts(eqn):
            assert self.counter is not None
            counter = self.counter
            if out.aval.dtype != int64:
                counter = self.add(convert_p, counter, dtype=out.aval.dtype)
            return self.add(broadcast_in_dim_p, counter, shape=shape, dims=(self.plan.at[out],))
        inputs = [a if isinstance(a, Literal) else self.env[a] for a in eqn.inputs]
        return self.like(eqn, inputs, shape)

    def like(self, eqn: Eqn, inputs: Sequence[Atom], shape: tuple[int, ...]) -> Var:
        """Append an equation with other operands and another shape of its result."""
        params = dict(eqn.params)
        if "shape" in params:
            params["shape"] = shape
        return added(self.eqns, eqn.source, eqn.primitive, *inputs, **params)


def added(eqns: list[Eqn], source: Any, primitive: Primitive, *inputs: Atom, **params: Any) -> Var:
    """Append an equation with one result, which is returned."""
    (aval,) = primitive.abstract_eval(*[a.aval for a in inputs], **params)
    var = Var(aval)
    eqns.append(Eqn(primitive, inputs, params, (var,), source))
    return var


def with_size(shape: tuple[int, ...], at: int, n: int) -> tuple[int, ...]:
    """A shape with another size of an axis."""
    return (*shape[:at], n, *shape[at + 1 :])
