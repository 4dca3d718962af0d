"""A convolution of an operand with holes is several convolutions of the operand itself.

The derivative of a convolution with strides is one: between the elements of its operand lie zeros,
b - 1 of b in every dimension, and most of what it multiplies is zero. Results at positions with the
same remainder by b (a *phase*) meet the same elements of the kernel, every b-th, and no holes:

    out[b q + f] = sum over j of x[q + j + (f + k0 - low) / b] w[k0 + b j],  k0 = (low - f) mod b
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

from fxla.compile.passes.equations import Equations
from fxla.core.aval import Aval
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var
from fxla.core.records import dataclass
from fxla.ops.conv import conv_general_dilated_p
from fxla.ops.conv_dims import ConvParams
from fxla.ops.elementwise import add_p
from fxla.ops.shape import pad_p, slice_p

__all__ = ["without_holes"]

MAX_PHASES = 9
"""Convolutions in place of one, at most."""


def without_holes(jaxpr: Jaxpr) -> Jaxpr:
    """Replace convolutions of operands with holes, where each phase is a convolution."""
    eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        eqns += _phases(eqn) if _is_spread(eqn) else [eqn]
    return Jaxpr(jaxpr.invars, tuple(eqns), jaxpr.outs)


def _is_spread(eqn: Eqn) -> bool:
    if eqn.primitive is not conv_general_dilated_p:
        return False
    conv: ConvParams = eqn.params["conv"]
    spread = [k for k, b in enumerate(conv.lhs_dilation) if b > 1]
    plain = all(conv.strides[k] == conv.rhs_dilation[k] == 1 for k in spread)
    sizes = (*eqn.inputs[0].aval.shape, *eqn.outputs[0].aval.shape)
    return bool(spread) and plain and 0 not in sizes and math.prod(conv.lhs_dilation) <= MAX_PHASES


@dataclass(frozen=True, slots=True)
class _Phase:
    """One phase of one dimension.

    Attributes:
        first: of the kernel's elements that it meets.
        taps: how many there are, each `conv.lhs_dilation` further.
        count: results.
        padding: of the operand without holes.
    """

    first: int
    taps: int
    count: int
    padding: tuple[int, int]


def _phase(f: int, b: int, low: int, n: int, taps: int, results: int) -> _Phase:
    """Phase `f` of a dimension with `n` elements, `b` apart, and `results` results."""
    first = (low - f) % b
    mine = len(range(first, taps, b))
    count = len(range(f, results, b))
    before = (low - f - first) // b
    return _Phase(first, mine, count, (before, count - 1 + mine - n - before))


def _phases(eqn: Eqn) -> list[Eqn]:
    """The convolution of each phase, spread over the result, and their sum."""
    conv: ConvParams = eqn.params["conv"]
    x, kernel = eqn.inputs
    dims, out = conv.dims, eqn.outputs[0].aval
    new = Equations(eqn)
    zero = Literal(out.dtype.type(0), Aval((), out.dtype))
    total: Var | None = None
    dilations = conv.lhs_dilation
    for remainders in itertools.product(*(range(b) for b in dilations)):
        found: list[_Phase | None] = [
            None
            if b == 1
            else _phase(
                f, b, conv.padding[k][0], x.aval.shape[dims.lhs[k + 2]],
                kernel.aval.shape[dims.rhs[k + 2]], out.shape[dims.out[k + 2]],
            )
            for k, (f, b) in enumerate(zip(remainders, dilations, strict=True))
        ]  # fmt: skip
        if any(p is not None and not (p.taps and p.count) for p in found):
            continue
        part = _one_phase(new, conv, x, kernel, found, eqn.params["preferred_element_type"])
        low, high, interior = ([0] * out.ndim for _ in range(3))
        for k, p in enumerate(found):
            if p is not None:
                axis, b = dims.out[k + 2], dilations[k]
                low[axis], interior[axis] = remainders[k], b - 1
                high[axis] = out.shape[axis] - remainders[k] - (p.count - 1) * b - 1
        shape = {"low": tuple(low), "high": tuple(high), "interior": tuple(interior)}
        spread = new.add(pad_p, part, zero, **shape)
        total = spread if total is None else new.add(add_p, total, spread)
    return [eqn] if total is None else new.finish()


def _one_phase(
    new: Equations, conv: ConvParams, x: Atom, kernel: Atom, found: list[_Phase | None], dtype: Any
) -> Var:
    """The convolution of one phase."""
    start, strides = [0] * kernel.aval.ndim, [1] * kernel.aval.ndim
    padding = list(conv.padding)
    for k, p in enumerate(found):
        if p is not None:
            axis = conv.dims.rhs[k + 2]
            start[axis], strides[axis] = p.first, conv.lhs_dilation[k]
            padding[k] = p.padding
    taps = new.add(
        slice_p, kernel, start=tuple(start), limit=kernel.aval.shape, strides=tuple(strides)
    )
    plain = replace(conv, padding=tuple(padding), lhs_dilation=(1,) * len(padding))
    return new.add(conv_general_dilated_p, x, taps, conv=plain, preferred_element_type=dtype)
