"""Truth values: comparisons, predicates, logic of bits, and the choice between two arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import bool_
from fxla.core.primitive import Primitive, Zero, is_linear, is_zero
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops import view as scalar
from fxla.loops.ir import Expr
from fxla.loops.scalar import SCALAR_OPS
from fxla.loops.view import IndexTuple, View
from fxla.ops.elementwise import BOOLEAN, Elementwise, Rule, function_of
from fxla.ops.structure import broadcast_in_dim, full, move_axis

# --- the choice -----------------------------------------------------------------------------


class Select(Primitive):
    """``out[i] = on_true[i] if which[i] else on_false[i]``.

    Linear in both cases. The cotangent of the case not taken is exactly zero, whatever the other
    case's derivative is, so a NaN there does not spread.
    """

    name = "select"
    broadcasts = True

    def abstract_eval(self, which: Aval, on_true: Aval, on_false: Aval) -> tuple[Aval, ...]:
        if which.dtype != bool_:
            raise DtypeError(f"select: the condition must be boolean, got {which}")
        if not on_true.matches(on_false) or which.shape not in ((), on_true.shape):
            raise ShapeError(f"select: operands differ: {which}, {on_true}, {on_false}")
        return (Aval(on_true.shape, on_true.dtype, on_true.weak_type and on_false.weak_type),)

    def impl(self, *args: Any) -> tuple[Any, ...]:
        return (np.where(*args),)

    def on_numpy(self, avals: tuple[Aval, ...], params: dict[str, Any]) -> Callable[..., Any]:
        return np.where

    def jvp(self, primals: Any, tangents: Any) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        which, on_true, on_false = primals
        _, t_true, t_false = tangents
        out = self.bind(which, on_true, on_false)
        aval = typeof(out[0]).tangent()
        if is_zero(t_true) and is_zero(t_false):
            return out, (Zero(aval),)
        filled = [full(aval.shape, 0, aval.dtype) if is_zero(t) else t for t in (t_true, t_false)]
        return out, self.bind(which, *filled)

    def transpose(self, cts: Any, *operands: Any) -> tuple[Any, ...]:
        which, on_true, on_false = operands
        (ct,) = cts
        zero = full(typeof(ct).shape, 0, typeof(ct).dtype)
        return (
            None,
            select(which, ct, zero) if is_linear(on_true) else None,
            select(which, zero, ct) if is_linear(on_false) else None,
        )

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        which, on_true, _ = operands
        at, *cases = axes
        rank = typeof(on_true).ndim - (cases[0] is not None)
        if at is None and typeof(which).ndim == 0:
            to = next(a for a in cases if a is not None)
            pair = [_batched_at(axis, x, a, to) for x, a in zip(operands[1:], cases, strict=True)]
            return self.bind(which, *pair), (to,)
        pair = [_batched_at(axis, x, a, 0) for x, a in zip(operands[1:], cases, strict=True)]
        if at is None:
            which = _batched_at(axis, which, None, 0)
        elif typeof(which).ndim == 1 and rank > 0:
            which = broadcast_in_dim(which, typeof(pair[0]).shape, (0,))
        else:
            which = move_axis(which, at, 0)
        return self.bind(which, *pair), (0,)

    def lower(self, *views: View) -> tuple[View, ...]:
        which, on_true, on_false = views

        def at(i: IndexTuple) -> Expr:
            return scalar.select(which[i if which.shape else ()], on_true[i], on_false[i])

        return (View(on_true.shape, on_true.dtype, at),)


def _batched_at(axis: AxisFrame, x: Value, at: int | None, to: int) -> Value:
    """`x` with its batch axis at position `to`."""
    if at is not None:
        return move_axis(x, at, to)
    shape = list(typeof(x).shape)
    shape.insert(to, axis.size)
    return broadcast_in_dim(x, shape, [i for i in range(len(shape)) if i != to])


select_p = Select()


def _is_number(x: Value) -> bool:
    """Whether x is a Python number; NumPy's float64 is a subclass of Python's float, but is not."""
    return isinstance(x, (bool, int, float)) and not isinstance(x, np.generic)


def select(which: Value, on_true: Value, on_false: Value) -> Value:
    """`on_true` where `which`, else `on_false`; Python numbers take the other's shape and dtype."""
    known = typeof(on_false if _is_number(on_true) else on_true)
    if _is_number(on_true):
        on_true = full(known.shape, on_true, known.dtype)
    if _is_number(on_false):
        on_false = full(known.shape, on_false, known.dtype)
    return select_p.bind1(which, on_true, on_false)


def select_like(which: Value, on_true: Value, on_false: Value) -> Value:
    """`select` that broadcasts rank-0 operands to the largest shape among the three."""
    shape: tuple[int, ...] = max((typeof(v).shape for v in (which, on_true, on_false)), key=len)
    cases = [
        v if typeof(v).shape == shape else broadcast_in_dim(v, shape, ())
        for v in (on_true, on_false)
    ]
    return select_p.bind1(which, *cases)


# --- bits and predicates --------------------------------------------------------------------

and_p = Elementwise("and", "biu", np.bitwise_and, jvp=[None, None])
or_p = Elementwise("or", "biu", np.bitwise_or, jvp=[None, None])
xor_p = Elementwise("xor", "biu", np.bitwise_xor, jvp=[None, None])
not_p = Elementwise("not", "biu", np.invert, jvp=[None])
shift_left_p = Elementwise("shift_left", "iu", np.left_shift, "shl", jvp=[None, None])
shift_right_p = Elementwise("shift_right_arithmetic", "iu", np.right_shift, "shr",
                            jvp=[None, None])  # fmt: skip
shift_right_logical_p = Elementwise(
    "shift_right_logical", "iu", SCALAR_OPS["shr_logical"].reference, "shr_logical",
    jvp=[None, None],
)  # fmt: skip


def _popcount(x: Any) -> Any:
    x = np.asarray(x)
    return np.bitwise_count(x.view(f"u{x.dtype.itemsize}")).astype(x.dtype)


def _popcount_scalar(x: Expr) -> Expr:
    """The scalar op is NumPy's, which counts the bits of the absolute value; this, all bits."""
    bits = np.dtype(f"u{x.dtype.itemsize}")
    count = scalar.op("popcount", bits, scalar.op("bitcast", bits, x))
    return scalar.op("bitcast", x.dtype, count)


popcount_p = Elementwise("population_count", "iu", _popcount, _popcount_scalar, jvp=[None])
clz_p = Elementwise("clz", "iu", SCALAR_OPS["clz"].reference, jvp=[None])
eq_p = Elementwise("eq", "biufc", np.equal, jvp=[None, None], result=BOOLEAN)
ne_p = Elementwise("ne", "biufc", np.not_equal, jvp=[None, None], result=BOOLEAN)
lt_p = Elementwise("lt", "biuf", np.less, jvp=[None, None], result=BOOLEAN)
le_p = Elementwise("le", "biuf", np.less_equal, jvp=[None, None], result=BOOLEAN)
gt_p = Elementwise("gt", "biuf", np.greater, jvp=[None, None], result=BOOLEAN)
ge_p = Elementwise("ge", "biuf", np.greater_equal, jvp=[None, None], result=BOOLEAN)
isfinite_p = Elementwise("is_finite", "f", np.isfinite, "isfinite", jvp=[None], result=BOOLEAN)
isnan_p = Elementwise("is_nan", "f", np.isnan, "isnan", jvp=[None], result=BOOLEAN)
isinf_p = Elementwise("is_inf", "f", np.isinf, "isinf", jvp=[None], result=BOOLEAN)
signbit_p = Elementwise("signbit", "f", np.signbit, jvp=[None], result=BOOLEAN)
and_: Rule = function_of(and_p)
or_: Rule = function_of(or_p)
xor: Rule = function_of(xor_p)
not_: Rule = function_of(not_p)
shift_left: Rule = function_of(shift_left_p)
shift_right_logical: Rule = function_of(shift_right_logical_p)
eq: Rule = function_of(eq_p)
ne: Rule = function_of(ne_p)
lt: Rule = function_of(lt_p)
le: Rule = function_of(le_p)
gt: Rule = function_of(gt_p)
ge: Rule = function_of(ge_p)
