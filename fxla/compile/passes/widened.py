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
uint16, which does not fit, is read as int16. Products of numbers that were widened to 32 bits, as
it is written in NumPy, are products of the narrow ones:

    x i32[m,k] = convert a            =>     z i32[m,n] = dot_general[preferred i32] a b
    y i32[k,n] = convert b
    z i32[m,n] = dot_general x y

Booleans, whose sum is `or` and whose product is `and`, are numbers 0 and 1: bytes, or in float32
for BLAS. A sum of such does not get back to 0.

Some processors' own bfloat16 products (AVX512-BF16, AMX) are not used: they add pairs in another
order and flush subnormal numbers, so results would depend on the machine.
"""

from __future__ import annotations

import math

import numpy as np

from fxla.compile.passes.equations import Equations
from fxla.compile.passes.products import FEW_NARROW, TILE_LIMIT
from fxla.compile.passes.transposes import exchange_operands
from fxla.compile.routines.library import MIN_DEPTH
from fxla.core.dtypes import DType, float32, int16, int32, is_bool, uint8
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Var
from fxla.core.records import dataclass
from fxla.loops.tile_kinds import NARROW, TILE_DTYPES
from fxla.ops.casts import convert_p
from fxla.ops.conv import conv_general_dilated_p
from fxla.ops.dot import DotDims, accumulator, dot_general_p
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
    if not any(_work(e, tiles) or (tiles and _sums_words(e)) for e in jaxpr.eqns):
        return jaxpr
    jaxpr = exchange_operands(jaxpr)  # which looks for transposes of products, not of narrowed ones
    made_by: dict[Var, Eqn] = {}
    wide: dict[tuple[Atom, DType], Atom] = {}
    eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        if tiles and _sums_words(eqn):
            before, eqn = _of_narrow(eqn, made_by)
            eqns += before
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
        return _Work(uint8, int32) if tiles else _Work(float32, float32)
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


def _sums_words(eqn: Eqn) -> bool:
    """Whether a contraction of integers of 32 bits is summed in as many."""
    if eqn.primitive not in (dot_general_p, conv_general_dilated_p):
        return False
    out = eqn.outputs[0].aval.dtype
    return out == eqn.inputs[0].aval.dtype and out.name in ("int32", "uint32")


def _of_narrow(eqn: Eqn, made_by: dict[Var, Eqn]) -> tuple[list[Eqn], Eqn]:
    """A contraction of what was widened for it, and what has to be computed before."""
    sources = [_narrow_source(x, made_by) for x in eqn.inputs]
    found = [s for s in sources if s is not None]
    if len(found) < len(sources):
        return [], eqn
    new = Equations(eqn)
    dtypes = {s.operand.aval.dtype for s in found}
    operands: list[Atom] = []
    for s in found:
        x = s.operand
        if len(dtypes) > 1:  # such as uint8 and int8, which both fit
            x = new.add(convert_p, x, dtype=int16)
        for perm in s.turned:
            x = new.transposed(x, perm)
        operands.append(x)
    params = {**eqn.params, "preferred_element_type": eqn.outputs[0].aval.dtype}
    return new.eqns, Eqn(eqn.primitive, tuple(operands), params, eqn.outputs, eqn.source)


@dataclass(frozen=True, slots=True)
class _Source:
    """Narrow numbers, and how they are transposed after they are widened."""

    operand: Atom
    turned: tuple[tuple[int, ...], ...] = ()


def _narrow_source(x: Atom, made_by: dict[Var, Eqn]) -> _Source | None:
    """What a value was widened from, if tiles multiply that; else None."""
    eqn = made_by.get(x) if isinstance(x, Var) else None
    if eqn is None:
        return None
    if eqn.primitive is transpose_p:
        inner = _narrow_source(eqn.inputs[0], made_by)
        if inner is None:
            return None
        return _Source(inner.operand, (*inner.turned, eqn.params["perm"]))
    if eqn.primitive is convert_p and eqn.inputs[0].aval.dtype.name in NARROW:
        return _Source(eqn.inputs[0])
    return None


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
