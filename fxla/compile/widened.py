"""Products of narrow numbers as products of what they are summed in.

Neither tiles nor BLAS multiply float16 and bfloat16. Such products are summed in float32 and
rounded once (`fxla.ops.dot.accumulator`), so they are products of the operands as float32, whose
results are rounded where they are stored:

    c bf16[m,n] = dot_general a b     =>     x f32[m,k] = convert a
                                             y f32[k,n] = convert b
                                             z f32[m,n] = dot_general x y
                                             c bf16[m,n] = convert z

Widening is exact, and a product of two 16-bit numbers has no more digits than a float32: a sum has
the same terms in both. It costs a pass over the operands, which is little beside the product unless
one of them has few rows (`FEW`): then the loops read half as many bytes. The narrowing is part of
the epilogue. Likewise products with a `preferred_element_type` that tiles or BLAS have.

Tiles sum products of integers of 16 bits and fewer in 32 bits, and widen them by themselves. A
result of as few bits is that sum's lowest bits, which are the same whatever is above them; so
uint16, which does not fit, is read as int16. Booleans, whose sum is `or` and whose product is
`and`, are numbers 0 and 1 in float32: a sum of such never gets back to 0.

Some processors' own bfloat16 products (AVX512-BF16, AMX) are not used: they add pairs in another
order and flush subnormal numbers, so results would depend on the machine.
"""

from __future__ import annotations

import math

import numpy as np

from fxla.compile.equations import Equations
from fxla.compile.library import MIN_DEPTH
from fxla.compile.products import FEW_NARROW, TILE_LIMIT
from fxla.compile.transposes import exchange_operands
from fxla.core.dtypes import DType, float32, int16, int32, is_bool
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Var
from fxla.core.records import dataclass
from fxla.loops.native_tiles import NARROW, TILE_DTYPES
from fxla.ops.conv import conv_general_dilated_p
from fxla.ops.dot import DotDims, accumulator, dot_general_p
from fxla.ops.elementwise import convert_p
from fxla.ops.structure import transpose_p

__all__ = ["widened_products"]

FEW = 8
"""Rows or columns of results for which widening the other operand costs more than tiles gain."""


def widened_products(jaxpr: Jaxpr, tiles: bool) -> Jaxpr:
    """A jaxpr whose contractions have operands of the dtype they are summed in, where that pays.

    Args:
        jaxpr: any.
        tiles: whether the target prints tiles; otherwise only BLAS gains.
    """
    if not any(_work(e, tiles) for e in jaxpr.eqns):
        return jaxpr
    jaxpr = exchange_operands(jaxpr)  # which looks for transposes of products, not of narrowed ones
    made_by: dict[Var, Eqn] = {}
    wide: dict[tuple[Atom, DType], Atom] = {}
    eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        work = _work(eqn, tiles)
        if work is not None and (_pays(eqn, work) if eqn.primitive is dot_general_p else tiles):
            eqns += _widened(eqn, work, made_by, wide)
        else:
            eqns.append(eqn)
        for v in eqn.outputs:
            made_by[v] = eqn
    return Jaxpr(jaxpr.invars, tuple(eqns), jaxpr.outs)


@dataclass(frozen=True, slots=True)
class _Work:
    """What a contraction is better computed in: the dtypes of its operands, and of its sums."""

    operands: DType
    total: DType


def _work(eqn: Eqn, tiles: bool) -> _Work | None:
    """What to compute a contraction in, if that is other than what it says; else None."""
    if eqn.primitive not in (dot_general_p, conv_general_dilated_p):
        return None
    given, out = eqn.inputs[0].aval.dtype, eqn.outputs[0].aval.dtype
    if is_bool(out):
        return _Work(float32, float32)
    if out.kind in "iu":
        return _integer_work(given, out) if tiles else None
    work = accumulator(out)
    if work == given or work.name not in TILE_DTYPES or out not in (given, work):
        return None
    return _Work(work, work)


def _integer_work(given: DType, out: DType) -> _Work | None:
    """Likewise for integers, which only tiles multiply."""
    if max(given.itemsize, out.itemsize) <= int16.itemsize:
        return _Work(given if given.name in NARROW else int16, int32)
    own = given.name in NARROW and out.itemsize == int32.itemsize
    if own or given == out or out.name not in TILE_DTYPES:
        return None
    return _Work(out, out)


def _pays(eqn: Eqn, work: _Work) -> bool:
    """Whether a product of matrices has work enough."""
    lhs, rhs = (a.aval for a in eqn.inputs)
    dims: DotDims = eqn.params["dims"]
    m = math.prod(lhs.shape[a] for a in dims.lhs_kept(lhs.ndim))
    n = math.prod(rhs.shape[a] for a in dims.rhs_kept(rhs.ndim))
    depth = math.prod(lhs.shape[a] for a in dims.lhs_contract)
    few = FEW_NARROW if work.operands != work.total else FEW
    return min(m, n) > few and depth >= MIN_DEPTH and m * n * depth >= TILE_LIMIT


def _widened(
    eqn: Eqn, work: _Work, made_by: dict[Var, Eqn], wide: dict[tuple[Atom, DType], Atom]
) -> list[Eqn]:
    """A contraction of converted operands; `wide` has those that were converted before."""
    new = Equations(eqn)

    def converted(x: Atom) -> Atom:
        # Before it is transposed: contractions absorb transposes.
        source = made_by.get(x) if isinstance(x, Var) else None
        if source is not None and source.primitive is transpose_p:
            return new.transposed(converted(source.inputs[0]), source.params["perm"])
        if x.aval.dtype == work.operands:
            return x
        if (x, work.operands) not in wide:
            wide[x, work.operands] = new.add(convert_p, x, dtype=work.operands)
        return wide[x, work.operands]

    operands = [converted(a) for a in eqn.inputs]
    preferred = work.total if work.total != work.operands else None
    same = new.add(eqn.primitive, *operands, **{**eqn.params, "preferred_element_type": preferred})
    out = eqn.outputs[0].aval.dtype
    if out != work.total:
        new.add(convert_p, same, dtype=np.dtype(out))
    return new.finish()
