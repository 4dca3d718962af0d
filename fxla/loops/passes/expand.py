"""Rewrites a kernel into what every target can print: defined ops and half floats are gone.

* An op with a `definition` in the scalar table becomes that expression.
* float16 and bfloat16 are storage. Arithmetic happens in float32, and a value is rounded (to
  nearest, ties to even) where the program stores it or casts to the half type, not after each
  operation. Afterwards a half-typed expression is a load, a cast from float32 (to float16 also from
  float64), a bitcast from an integer of 16 bits, or a select of these; and only a cast to float32,
  a store, a select or a bitcast uses it.
"""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes
import numpy as np

from fxla.loops.ir import (
    BOOL,
    Cast,
    Const,
    DType,
    Expr,
    Kernel,
    Load,
    Local,
    Op,
    Select,
    Stmt,
    Store,
)
from fxla.loops.rewrite import Rewriter
from fxla.loops.scalar import SCALAR_OPS
from fxla.loops.view import cast, compare, const, op, select

__all__ = ["HALVES", "expand", "expand_definitions", "widen_halves"]

HALVES = frozenset([np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)])
"""The floating dtypes that are stored in 16 bits and computed with in 32."""

_F16 = np.dtype(np.float16)
_F32 = np.dtype(np.float32)
_F64 = np.dtype(np.float64)
_U16 = np.dtype(np.uint16)


def expand(kernel: Kernel) -> Kernel:
    """Expand definitions and widen half floats."""
    return widen_halves(expand_definitions(kernel))


class _Definitions(Rewriter):
    """Replaces ops by their definitions, which may contain further such ops."""

    def __init__(self) -> None:
        super().__init__(self._define)

    def _define(self, e: Expr) -> Expr:
        definition = SCALAR_OPS[e.name].definition if isinstance(e, Op) else None
        if definition is not None:
            assert isinstance(e, Op)
            e = self.expr(definition(*e.args))
        self._alive.append(e)
        self._done[id(e)] = e  # finished: an operand of a definition need not be walked again
        return e


def expand_definitions(kernel: Kernel) -> Kernel:
    """Replace every op that has a `definition` in the scalar table by it."""
    return _Definitions().kernel(kernel)


class _Widening(Rewriter):
    def __init__(self) -> None:
        super().__init__(_widen)

    def stmt(self, s: Stmt) -> Stmt:
        new = super().stmt(s)
        if isinstance(new, Store) and new.buffer.dtype in HALVES:
            return replace(new, value=_narrow(new.value, new.buffer.dtype))
        return new


def widen_halves(kernel: Kernel) -> Kernel:
    """Compute with float32 where the kernel computes with float16 or bfloat16."""
    return _Widening().kernel(Rewriter(_round_before_bitcast).kernel(kernel))


def _round_before_bitcast(e: Expr) -> Expr:
    if isinstance(e, Op) and e.name == "bitcast" and e.args[0].dtype in HALVES:
        return Op(e.dtype, "bitcast", (Cast(e.args[0].dtype, e.args[0]),))
    return e


def _narrow(e: Expr, half: DType) -> Expr:
    """Round to a half type; what was just widened from it is returned as it was."""
    if isinstance(e, Cast) and e.dtype == _F32 and e.arg.dtype == half:
        return e.arg
    return Cast(half, e)


def _widen(e: Expr) -> Expr:
    """The float32 form of a node whose operands are in that form already."""
    match e:
        case Op(name="bitcast", dtype=dtype, args=(Cast(arg=h),)) if h.dtype in HALVES:
            return Cast(_F32, h) if dtype in HALVES else Op(dtype, "bitcast", (h,))
        case Op(name="bitcast", dtype=dtype) if dtype in HALVES:
            return Cast(_F32, e)
        case Op(name="nextafter", dtype=dtype, args=(x, y)) if dtype in HALVES:
            return Cast(_F32, _next_half(x, y, dtype))
        case Cast(dtype=dtype, arg=x) if dtype in HALVES:
            return Cast(
                _F32, _narrow(x if x.dtype == _F64 and dtype == _F16 else cast(x, _F32), dtype)
            )
        case Cast(dtype=dtype, arg=x):
            return cast(x, dtype)
    if e.dtype not in HALVES:
        return e
    match e:
        case Const(value=value):
            return const(float(value), _F32)
        case Load():
            return Cast(_F32, e)
        case Local(name=name):
            return Local(_F32, name)
        case Op(name=name, args=args):
            return Op(_F32, name, args)
        case Select(condition=c, then=t, otherwise=o):
            return Select(_F32, c, t, o)
    raise TypeError(f"a half float that is not known how to widen: {e!r}")


def _next_half(x: Expr, y: Expr, half: DType) -> Expr:
    """The half float after `x` toward `y`: its bits, as an integer, one up or down."""
    bits = op("bitcast", _U16, _narrow(x, half))
    one, zero = const(1, _U16), const(0.0, _F32)
    outward = op("eq", BOOL, compare("gt", y, x), compare("gt", x, zero))
    stepped = select(outward, op("add", _U16, bits, one), op("sub", _U16, bits, one))
    tiny = select(compare("gt", y, zero), one, const(0x8001, _U16))
    moved = op("bitcast", half, select(compare("eq", x, zero), tiny, stepped))
    nan = op("or", BOOL, op("isnan", BOOL, x), op("isnan", BOOL, y))
    stays = op("or", BOOL, nan, compare("eq", x, y))
    return Select(half, stays, _narrow(select(nan, op("add", _F32, x, y), y), half), moved)
