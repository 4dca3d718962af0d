"""Elementwise primitives: one class, one row for each operation.

All operands of an elementwise primitive have one dtype and one shape, except that a rank-0 operand
goes with any shape: scalar constants need no broadcast equation. The rules in a row:

* ``jvp``: for each operand a function ``(t, out, *operands) -> tangent``, or None where the
  derivative is zero (a step function, an integer);
* ``transpose``: ``(ct, *operands) -> cotangents``, for the few rows that are linear in an operand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import (
    DType,
    bool_,
    complex_dtype,
    is_complex,
    is_inexact,
    real_dtype,
    result_type,
    short_name,
)
from fxla.core.primitive import Primitive, Zero, is_linear, is_zero
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, InternalError, ShapeError
from fxla.loops import view as scalar
from fxla.loops.ir import Expr
from fxla.loops.scalar import SCALAR_OPS
from fxla.loops.view import IndexTuple, View
from fxla.ops.structure import broadcast_in_dim, full, move_axis, reduce_sum

Rule = Callable[..., Value]
ScalarRule = Callable[..., Expr]

SAME = "same"
BOOLEAN = "boolean"
REAL = "real"
COMPLEX = "complex"


class Elementwise(Primitive):
    """``out[i] = f(x0[i], x1[i], ...)``.

    Attributes:
        kinds: the dtype kinds it takes: b, i, u, f, c. bfloat16 counts as f.
        result: the dtype of the result: that of the operands, boolean, or their real or complex
            counterpart.
    """

    broadcasts = True

    def __init__(
        self,
        name: str,
        kinds: str,
        impl: Callable[..., Any],
        scalar_rule: str | ScalarRule | None = None,
        *,
        jvp: Sequence[Rule | None] = (),
        transpose: Callable[..., tuple[Any, ...]] | None = None,
        result: str = SAME,
        arity: int | None = None,
    ) -> None:
        self.name = name
        self.kinds = kinds
        self.numpy = impl
        self.scalar = scalar_rule if scalar_rule is not None else name
        self.rules = tuple(jvp)
        self.transpose_rule = transpose
        self.result = result
        self.arity = arity if arity is not None else len(self.rules)
        super().__init__()

    def result_dtype(self, dtype: DType) -> DType:
        """Dtype of the result for operands of `dtype`."""
        if self.result == BOOLEAN:
            return bool_
        if self.result == REAL:
            return real_dtype(dtype)
        return complex_dtype(dtype) if self.result == COMPLEX else dtype

    def abstract_eval(self, *avals: Aval) -> tuple[Aval, ...]:
        first = avals[0]
        shape: tuple[int, ...] = ()
        for a in avals:
            if a.dtype != first.dtype:
                raise DtypeError(f"{self.name}: dtypes differ: {', '.join(map(str, avals))}")
            if a.shape:
                if shape and a.shape != shape:
                    raise ShapeError(f"{self.name}: shapes differ: {', '.join(map(str, avals))}")
                shape = a.shape
        kind = "f" if is_inexact(first.dtype) and first.dtype.kind != "c" else first.dtype.kind
        if kind not in self.kinds:
            raise DtypeError(f"{self.name}: not defined for {short_name(first.dtype)}: {first}")
        weak = all(a.weak_type for a in avals)
        return (Aval(shape, self.result_dtype(first.dtype), weak and self.result == SAME),)

    def impl(self, *args: Any) -> tuple[Any, ...]:
        return (self.numpy(*args),)

    def on_numpy(self, avals: tuple[Aval, ...], params: dict[str, Any]) -> Callable[..., Any]:
        return getattr(self.numpy, "spoken", self.numpy)

    def jvp(self, primals: Any, tangents: Any) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (out,) = self.bind(*primals)
        total: Any = None
        for t, rule in zip(tangents, self.rules, strict=True):
            if rule is None or is_zero(t):
                continue
            term = rule(t, out, *primals)
            total = term if total is None else add(total, term)
        aval = typeof(out)
        if total is None:
            return (out,), (Zero(aval.tangent()),)
        if typeof(total).shape != aval.shape:
            total = broadcast_in_dim(total, aval.shape, ())
        return (out,), (total,)

    def transpose(self, cts: Any, *operands: Any) -> tuple[Any, ...]:
        if self.transpose_rule is None:
            raise InternalError(f"{self.name} is not linear, so it has no transpose")
        found = self.transpose_rule(cts[0], *operands)
        if any(is_linear(x) and ct is None for ct, x in zip(found, operands, strict=True)):
            raise InternalError(f"{self.name} is not linear in these operands")
        return tuple(
            unbroadcast(ct, x.aval) if is_linear(x) else None
            for ct, x in zip(found, operands, strict=True)
        )

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        ranks = [typeof(x).ndim - (a is not None) for x, a in zip(operands, axes, strict=True)]
        rank = max(ranks)
        if rank == 0:
            return self.bind(*operands), (0,)
        full_axes = [a for a, r in zip(axes, ranks, strict=True) if r == rank and a is not None]
        to = full_axes[0] if full_axes else 0
        sample = next((x, a) for x, a, r in zip(operands, axes, ranks, strict=True) if r == rank)
        shape = list(typeof(sample[0]).shape)
        if sample[1] is not None:
            del shape[sample[1]]
        shape.insert(to, axis.size)
        others = [i for i in range(rank + 1) if i != to]
        moved = []
        for x, a, r in zip(operands, axes, ranks, strict=True):
            if a is None:
                moved.append(x if r == 0 else broadcast_in_dim(x, shape, others))
            elif r == 0:
                moved.append(broadcast_in_dim(x, shape, (to,)))
            else:
                moved.append(move_axis(x, a, to))
        return self.bind(*moved), (to,)

    def lower(self, *views: View) -> tuple[View, ...]:
        shape = next((v.shape for v in views if v.shape), ())
        dtype = self.result_dtype(views[0].dtype)
        rule = self.scalar

        def at(i: IndexTuple) -> Expr:
            operands = [v[i if v.shape else ()] for v in views]
            if isinstance(rule, str):
                return scalar.op(rule, dtype, *operands)
            return rule(*operands)

        return (View(shape, dtype, at),)


def unbroadcast(ct: Any, aval: Aval) -> Any:
    """Sum a cotangent to the shape of a rank-0 operand."""
    if is_zero(ct) or typeof(ct).shape == aval.shape:
        return ct
    return reduce_sum(ct, range(typeof(ct).ndim))


class Convert(Primitive):
    """``x.astype(dtype)``.  Linear between floating dtypes; a step function to integers.

    With ``weak=True`` the result yields to other dtypes as a Python scalar does; operators on weak
    operands give weak results.
    """

    name = "convert_element_type"

    def abstract_eval(self, x: Aval, *, dtype: DType, weak: bool = False) -> tuple[Aval, ...]:
        return (Aval(x.shape, dtype, weak),)

    def impl(self, x: Any, *, dtype: DType, weak: bool = False) -> tuple[Any, ...]:
        x = np.asarray(x)
        if is_complex(x.dtype) and not is_complex(dtype):
            x = x.real
        with np.errstate(invalid="ignore", over="ignore"):
            return (x.astype(dtype),)

    def on_numpy(
        self, avals: tuple[Aval, ...], params: dict[str, Any]
    ) -> Callable[..., Any] | None:
        dtype = params["dtype"]
        if is_complex(avals[0].dtype) and not is_complex(dtype):
            return None
        return lambda x: x.astype(dtype)

    def jvp(
        self, primals: Any, tangents: Any, *, dtype: DType, **weak: bool
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (out,), (t,) = self.bind(*primals, dtype=dtype, **weak), tangents
        if not is_inexact(dtype) or is_zero(t):
            return (out,), (Zero(typeof(out).tangent()),)
        return (out,), self.bind(t, dtype=dtype)

    def transpose(
        self, cts: Any, *operands: Any, dtype: DType, weak: bool = False
    ) -> tuple[Any, ...]:
        return (convert(cts[0], operands[0].dtype),)

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, dtype: DType, **weak: bool
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        return self.bind(*operands, dtype=dtype, **weak), tuple(axes)

    def lower(self, *views: View, dtype: DType, weak: bool = False) -> tuple[View, ...]:
        (x,) = views
        return (View(x.shape, dtype, lambda i: scalar.cast(x[i], dtype)),)


class Bitcast(Primitive):
    """The same bits read as another dtype of the same width.  Not differentiable."""

    name = "bitcast_convert_type"

    def abstract_eval(self, x: Aval, *, dtype: DType) -> tuple[Aval, ...]:
        if x.dtype.itemsize != dtype.itemsize:
            raise DtypeError(f"bitcast_convert_type: {x} and {dtype.name} differ in width")
        return (Aval(x.shape, dtype),)

    def impl(self, x: Any, *, dtype: DType) -> tuple[Any, ...]:
        return (np.ascontiguousarray(x).reshape(np.shape(x)).view(dtype),)

    def jvp(
        self, primals: Any, tangents: Any, *, dtype: DType
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        outs = self.bind(*primals, dtype=dtype)
        return outs, (Zero(typeof(outs[0]).tangent()),)

    def transpose(self, cts: Any, *operands: Any, dtype: DType) -> tuple[Any, ...]:
        raise InternalError("bitcast_convert_type is not linear, so it has no transpose")

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, dtype: DType
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        return self.bind(*operands, dtype=dtype), tuple(axes)

    def lower(self, *views: View, dtype: DType) -> tuple[View, ...]:
        (x,) = views
        return (View(x.shape, dtype, lambda i: scalar.op("bitcast", dtype, x[i])),)


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


convert_p = Convert()
bitcast_p = Bitcast()
select_p = Select()


def convert(x: Value, dtype: DType) -> Value:
    """`x` in another dtype; a complex number loses its imaginary part to a real dtype."""
    aval = typeof(x)
    return x if aval.dtype == dtype and not aval.weak_type else convert_p.bind1(x, dtype=dtype)


def weaken(x: Value) -> Value:
    """`x` with a dtype that yields to others, as that of a Python scalar does."""
    return convert_p.bind1(x, dtype=typeof(x).dtype, weak=True)


def bitcast(x: Value, dtype: DType) -> Value:
    """The bits of `x` read as another dtype of the same width."""
    return bitcast_p.bind1(x, dtype=dtype)


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


def _operands(xs: tuple[Value, ...]) -> list[Value]:
    """Python numbers among `xs` as scalars of the dtype of the first array."""
    dtype = next((typeof(x).dtype for x in xs if not isinstance(x, (bool, int, float))), None)
    if dtype is None:
        dtypes = {typeof(x).dtype for x in xs}
        if len(dtypes) == 1:
            return list(xs)
        dtype, _ = result_type(*[(d, True) for d in dtypes])
    return [np.asarray(x, dtype)[()] if isinstance(x, (bool, int, float)) else x for x in xs]


def _function(primitive: Elementwise) -> Callable[..., Value]:
    def apply(*xs: Value) -> Value:
        return primitive.bind(*_operands(xs))[0]

    apply.__name__ = primitive.name
    apply.__doc__ = f"Elementwise `{primitive.name}`; a Python number takes the others' dtype."
    return apply


# --- arithmetic -----------------------------------------------------------------------------


def _mul_transpose(ct: Any, x: Any, y: Any) -> tuple[Any, ...]:
    if is_linear(x) and is_linear(y):
        return None, None
    return (mul(ct, y), None) if is_linear(x) else (None, mul(x, ct))


def _pow_base(t: Any, out: Any, x: Any, y: Any) -> Value:
    """y * x**(y-1), and 0 where y is 0, so that 0**0 has derivative 0 and not NaN."""
    zero = eq(y, 0)
    exponent = select(zero, 1, y) if typeof(zero).shape else select_p.bind1(zero, _one(y), y)
    slope = mul(y, pow_(x, sub(exponent, 1)))
    return mul(t, slope)


def _one(y: Value) -> Value:
    return np.ones((), typeof(y).dtype)[()]


def _pow_exponent(t: Any, out: Any, x: Any, y: Any) -> Value:
    """out * log(x), and 0 where x is 0 and out is 0 (the limit from the right)."""
    safe = select_like(eq(x, 0), _one(x), x)
    return mul(t, mul(out, log(safe)))


def select_like(which: Value, on_true: Value, on_false: Value) -> Value:
    """`select` that broadcasts rank-0 operands to the largest shape among the three."""
    shape: tuple[int, ...] = max((typeof(v).shape for v in (which, on_true, on_false)), key=len)
    cases = [
        v if typeof(v).shape == shape else broadcast_in_dim(v, shape, ())
        for v in (on_true, on_false)
    ]
    return select_p.bind1(which, *cases)


def _half_at_tie(t: Any, x: Any, y: Any, wins: Any) -> Value:
    """The tangent where `x` wins, half of it at a tie: the mean of the one-sided derivatives."""
    dtype = typeof(t).dtype
    half = select_like(eq(x, y), np.asarray(0.5, dtype)[()], np.asarray(1.0, dtype)[()])
    return mul(t, select_like(wins, half, np.asarray(0.0, dtype)[()]))


def _int_pow(x: Any, y: Any) -> Any:
    """Integer powers by squaring, modulo 2**width; a negative exponent gives NumPy's error."""
    return np.power(x, y)


def _silent(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f` without floating-point warnings: compiled code gives none, and so does eager code."""

    def quiet(*xs: Any) -> Any:
        with np.errstate(all="ignore"):
            return f(*xs)

    quiet.__name__ = getattr(f, "__name__", "f")
    quiet.spoken = getattr(f, "spoken", f)  # type: ignore[attr-defined]
    return quiet


def _identity(t: Any, out: Any, *xs: Any) -> Value:
    return t


add_p = Elementwise(
    "add", "biufc", _silent(np.add), jvp=[_identity, _identity], transpose=lambda ct, x, y: (ct, ct)
)
sub_p = Elementwise(
    "sub", "iufc", _silent(np.subtract),
    jvp=[_identity, lambda t, out, x, y: neg(t)], transpose=lambda ct, x, y: (ct, neg(ct)),
)  # fmt: skip
mul_p = Elementwise(
    "mul", "biufc", _silent(np.multiply),
    jvp=[lambda t, out, x, y: mul(t, y), lambda t, out, x, y: mul(x, t)],
    transpose=_mul_transpose,
)  # fmt: skip
div_p = Elementwise(
    "div", "fc", _silent(np.true_divide),
    jvp=[lambda t, out, x, y: div(t, y), lambda t, out, x, y: neg(mul(div(out, y), t))],
    transpose=lambda ct, x, y: (None if is_linear(y) else div(ct, y), None),
)  # fmt: skip
neg_p = Elementwise(
    "neg", "iufc", np.negative,
    jvp=[lambda t, out, x: neg(t)], transpose=lambda ct, x: (neg(ct),),
)  # fmt: skip
floordiv_p = Elementwise("floor_divide", "iuf", _silent(np.floor_divide), "floordiv",
                         jvp=[None, None])  # fmt: skip
mod_p = Elementwise(
    "remainder", "iuf", _silent(np.remainder), "mod",
    jvp=[_identity, lambda t, out, x, y: neg(mul(t, floordiv(x, y)))],
)  # fmt: skip
fmod_p = Elementwise(
    "rem", "iuf", _silent(np.fmod), "fmod",
    jvp=[_identity, lambda t, out, x, y: neg(mul(t, trunc(div(x, y))))],
)  # fmt: skip
truncdiv_p = Elementwise(
    "truncated_div", "iu", SCALAR_OPS["truncdiv"].reference, "truncdiv", jvp=[None, None]
)
pow_p = Elementwise("pow", "iufc", _silent(_int_pow), jvp=[_pow_base, _pow_exponent])
maximum_p = Elementwise(
    "max", "biuf", np.maximum, "maximum",
    jvp=[
        lambda t, out, x, y: _half_at_tie(t, x, y, eq(x, out)),
        lambda t, out, x, y: _half_at_tie(t, x, y, eq(y, out)),
    ],
)  # fmt: skip
minimum_p = Elementwise(
    "min", "biuf", np.minimum, "minimum",
    jvp=[
        lambda t, out, x, y: _half_at_tie(t, x, y, eq(x, out)),
        lambda t, out, x, y: _half_at_tie(t, x, y, eq(y, out)),
    ],
)  # fmt: skip
add: Rule = _function(add_p)
sub: Rule = _function(sub_p)
mul: Rule = _function(mul_p)
div: Rule = _function(div_p)
neg: Rule = _function(neg_p)
floordiv: Rule = _function(floordiv_p)
mod: Rule = _function(mod_p)
fmod: Rule = _function(fmod_p)
pow_: Rule = _function(pow_p)
maximum: Rule = _function(maximum_p)
minimum: Rule = _function(minimum_p)


def _abs_scalar(x: Expr) -> Expr:
    if not is_complex(x.dtype):
        return scalar.op("abs", x.dtype, x)
    real = real_dtype(x.dtype)
    return scalar.op("hypot", real, scalar.op("real", real, x), scalar.op("imag", real, x))


def _abs_jvp(t: Any, out: Any, x: Any) -> Value:
    if not is_complex(typeof(x).dtype):
        return mul(t, sign(x))
    safe = select_like(eq(out, 0), _one(out), out)
    return div(real(mul(conj(x), t)), safe)


def _sign_impl(x: Any) -> Any:
    return np.sign(x)


def _square_scalar(x: Expr) -> Expr:
    return scalar.op("mul", x.dtype, x, x)


def _integer_pow_scalar(x: Expr, y: int) -> Expr:
    """Repeated squaring."""
    if y < 0:
        one = scalar.const(1, x.dtype)
        return scalar.op("div", x.dtype, one, _integer_pow_scalar(x, -y))
    result: Expr | None = None
    while y:
        if y & 1:
            result = x if result is None else scalar.op("mul", x.dtype, result, x)
        y >>= 1
        if y:
            x = scalar.op("mul", x.dtype, x, x)
    return result if result is not None else scalar.const(1, x.dtype)


class IntegerPow(Primitive):
    """``x ** y`` for a static integer y, by repeated multiplication."""

    name = "integer_pow"

    def abstract_eval(self, x: Aval, *, y: int) -> tuple[Aval, ...]:
        if y < 0 and not is_inexact(x.dtype):
            raise ValueError("Integers to negative integer powers are not allowed.")
        return (x,)

    def impl(self, x: Any, *, y: int) -> tuple[Any, ...]:
        x = np.asarray(x)
        if not is_inexact(x.dtype):
            return (np.power(x, x.dtype.type(y)),)
        with np.errstate(all="ignore"):
            return (np.power(x, x.dtype.type(y)),)

    def on_numpy(
        self, avals: tuple[Aval, ...], params: dict[str, Any]
    ) -> Callable[..., Any] | None:
        return np.square if params["y"] == 2 and is_inexact(avals[0].dtype) else None

    def jvp(
        self, primals: Any, tangents: Any, *, y: int
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (x,), (t,) = primals, tangents
        out = self.bind(x, y=y)
        if y == 0:
            return out, (Zero(typeof(out[0]).tangent()),)
        return out, (mul(t, mul(integer_pow(x, y - 1), y)),)

    def transpose(self, cts: Any, *operands: Any, y: int) -> tuple[Any, ...]:
        raise InternalError("integer_pow is not linear, so it has no transpose")

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, y: int
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        return self.bind(*operands, y=y), tuple(axes)

    def lower(self, *views: View, y: int) -> tuple[View, ...]:
        (x,) = views
        return (View(x.shape, x.dtype, lambda i: _integer_pow_scalar(x[i], y)),)


integer_pow_p = IntegerPow()


def integer_pow(x: Value, y: int) -> Value:
    """``x ** y`` for a Python integer y."""
    if y == 1:
        return x
    return integer_pow_p.bind1(x, y=y)


abs_p = Elementwise("abs", "iufc", np.abs, _abs_scalar, jvp=[_abs_jvp], result=REAL)
sign_p = Elementwise("sign", "iuf", _sign_impl, jvp=[None])
square_p = Elementwise(
    "square",
    "iufc",
    _silent(np.square),
    _square_scalar,
    jvp=[lambda t, out, x: mul(t, mul(x, 2.0))],
)
copysign_p = Elementwise(
    "copysign", "f", np.copysign,
    jvp=[lambda t, out, x, y: mul(t, mul(sign(x), copysign(_one(x), y))), None],
)  # fmt: skip
nextafter_p = Elementwise("nextafter", "f", np.nextafter, jvp=[_identity, None])
abs_: Rule = _function(abs_p)
sign: Rule = _function(sign_p)
square: Rule = _function(square_p)
copysign: Rule = _function(copysign_p)

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
and_: Rule = _function(and_p)
or_: Rule = _function(or_p)
xor: Rule = _function(xor_p)
not_: Rule = _function(not_p)
shift_left: Rule = _function(shift_left_p)
shift_right_logical: Rule = _function(shift_right_logical_p)
eq: Rule = _function(eq_p)
ne: Rule = _function(ne_p)
lt: Rule = _function(lt_p)
le: Rule = _function(le_p)
gt: Rule = _function(gt_p)
ge: Rule = _function(ge_p)

# --- rounding -------------------------------------------------------------------------------

floor_p = Elementwise("floor", "f", np.floor, jvp=[None])
ceil_p = Elementwise("ceil", "f", np.ceil, jvp=[None])
trunc_p = Elementwise("trunc", "f", np.trunc, jvp=[None])
rint_p = Elementwise("round_nearest_even", "f", np.rint, "rint", jvp=[None])
trunc: Rule = _function(trunc_p)
floor: Rule = _function(floor_p)

# --- roots, exponentials, logarithms --------------------------------------------------------


def _half(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f` of SciPy, which knows float32 and float64 only, for the small floats as well."""

    def widened(x: Any) -> Any:
        x = np.asarray(x)
        if x.dtype.itemsize < 4:
            return f(x.astype(np.float32)).astype(x.dtype)
        return f(x)

    widened.__name__ = getattr(f, "__name__", "f")
    return _silent(widened)


sqrt_p = Elementwise("sqrt", "fc", _silent(np.sqrt), jvp=[lambda t, out, x: _sqrt_jvp(t, out)])


def _sqrt_jvp(t: Any, out: Any) -> Value:
    """t / (2 sqrt(x)), and 0 where x is 0.

    The one-sided derivative at 0 is infinite; taken literally it makes NaN of every norm at the
    origin and of every masked root (inf * 0). 0 is the subgradient of a norm there.
    """
    dtype = typeof(out).dtype
    infinite = np.asarray(np.inf, dtype)[()]
    return div(t, select_like(eq(out, 0.0), infinite, mul(out, 2.0)))


rsqrt_p = Elementwise(
    "rsqrt", "f", _silent(SCALAR_OPS["rsqrt"].reference),
    jvp=[lambda t, out, x: mul(t, mul(div(out, x), -0.5))],
)  # fmt: skip
cbrt_p = Elementwise(
    "cbrt", "f", _silent(np.cbrt), jvp=[lambda t, out, x: div(t, mul(mul(out, out), 3.0))]
)
exp_p = Elementwise("exp", "fc", _silent(np.exp), jvp=[lambda t, out, x: mul(t, out)])
exp2_p = Elementwise(
    "exp2", "f", _silent(np.exp2), jvp=[lambda t, out, x: mul(t, mul(out, float(np.log(2))))]
)
expm1_p = Elementwise(
    "expm1", "f", _silent(np.expm1), jvp=[lambda t, out, x: mul(t, add(out, 1.0))]
)


def logaddexp_scalar(a: Expr, b: Expr) -> Expr:
    """``max + log1p(exp(-|a - b|))``; equal operands, infinite ones too, have no difference."""
    dtype = a.dtype
    gap = scalar.op("neg", dtype, scalar.op("abs", dtype, scalar.op("sub", dtype, a, b)))
    rest = scalar.op("log1p", dtype, scalar.op("exp", dtype, gap))
    apart = scalar.op("add", dtype, scalar.op("maximum", dtype, a, b), rest)
    twice = scalar.op("add", dtype, a, scalar.const(np.log(2.0), dtype))
    return scalar.select(scalar.compare("eq", a, b), twice, apart)


def _share(t: Any, out: Any, x: Any) -> Value:
    """t exp(x - out): x's share of the sum, at every order. Where x is the sum it is all of it."""
    gap = select_like(eq(x, out), mul(_one(x), 0.0), sub(x, out))
    return mul(t, exp(gap))


logaddexp_p = Elementwise(
    "logaddexp", "f", _silent(np.logaddexp), logaddexp_scalar,
    jvp=[lambda t, out, x, y: _share(t, out, x), lambda t, out, x, y: _share(t, out, y)],
)  # fmt: skip
log_p = Elementwise("log", "fc", _silent(np.log), jvp=[lambda t, out, x: div(t, x)])
log2_p = Elementwise(
    "log2", "f", _silent(np.log2), jvp=[lambda t, out, x: div(t, mul(x, float(np.log(2))))]
)
log10_p = Elementwise(
    "log10", "f", _silent(np.log10), jvp=[lambda t, out, x: div(t, mul(x, float(np.log(10))))]
)
log1p_p = Elementwise("log1p", "f", _silent(np.log1p), jvp=[lambda t, out, x: div(t, add(x, 1.0))])
sqrt: Rule = _function(sqrt_p)
rsqrt: Rule = _function(rsqrt_p)
exp: Rule = _function(exp_p)
expm1: Rule = _function(expm1_p)
log: Rule = _function(log_p)
log1p: Rule = _function(log1p_p)

# --- trigonometric and hyperbolic -----------------------------------------------------------

sin_p = Elementwise("sin", "fc", _silent(np.sin), jvp=[lambda t, out, x: mul(t, cos(x))])
cos_p = Elementwise("cos", "fc", _silent(np.cos), jvp=[lambda t, out, x: neg(mul(t, sin(x)))])
tan_p = Elementwise(
    "tan", "f", _silent(np.tan), jvp=[lambda t, out, x: mul(t, add(mul(out, out), 1.0))]
)
asin_p = Elementwise(
    "asin", "f", _silent(np.arcsin), jvp=[lambda t, out, x: div(t, sqrt(_one_minus_square(x)))]
)
acos_p = Elementwise(
    "acos", "f", _silent(np.arccos),
    jvp=[lambda t, out, x: neg(div(t, sqrt(_one_minus_square(x))))],
)  # fmt: skip
atan_p = Elementwise(
    "atan", "f", _silent(np.arctan), jvp=[lambda t, out, x: div(t, add(mul(x, x), 1.0))]
)
atan2_p = Elementwise(
    "atan2", "f", _silent(np.arctan2),
    jvp=[
        lambda t, out, x, y: mul(t, div(y, add(mul(x, x), mul(y, y)))),
        lambda t, out, x, y: neg(mul(t, div(x, add(mul(x, x), mul(y, y))))),
    ],
)  # fmt: skip
sinh_p = Elementwise("sinh", "f", _silent(np.sinh), jvp=[lambda t, out, x: mul(t, cosh(x))])
cosh_p = Elementwise("cosh", "f", _silent(np.cosh), jvp=[lambda t, out, x: mul(t, sinh(x))])
tanh_p = Elementwise(
    "tanh", "fc", _silent(np.tanh),
    jvp=[lambda t, out, x: mul(t, mul(add(out, 1.0), sub(1.0, out)))],
)  # fmt: skip
asinh_p = Elementwise(
    "asinh", "f", _silent(np.arcsinh),
    jvp=[lambda t, out, x: div(t, hypot(x, _one(x)))],
)  # fmt: skip
acosh_p = Elementwise(
    "acosh", "f", _silent(np.arccosh),
    jvp=[lambda t, out, x: div(t, mul(sqrt(sub(x, 1.0)), sqrt(add(x, 1.0))))],
)  # fmt: skip
atanh_p = Elementwise(
    "atanh", "f", _silent(np.arctanh), jvp=[lambda t, out, x: div(t, _one_minus_square(x))]
)
hypot_p = Elementwise(
    "hypot", "f", _silent(np.hypot),
    jvp=[
        lambda t, out, x, y: mul(t, div(x, _one_if_zero(out))),
        lambda t, out, x, y: mul(t, div(y, _one_if_zero(out))),
    ],
)  # fmt: skip
logistic_p = Elementwise(
    "logistic", "f", _half(SCALAR_OPS["logistic"].reference),
    jvp=[lambda t, out, x: mul(t, mul(out, sub(1.0, out)))],
)  # fmt: skip


def _one_minus_square(x: Value) -> Value:
    return mul(sub(1.0, x), add(x, 1.0))


def _one_if_zero(x: Value) -> Value:
    return select_like(eq(x, 0.0), _one(x), x)


sin: Rule = _function(sin_p)
cos: Rule = _function(cos_p)
sinh: Rule = _function(sinh_p)
cosh: Rule = _function(cosh_p)
tanh: Rule = _function(tanh_p)
hypot: Rule = _function(hypot_p)
logistic: Rule = _function(logistic_p)

# --- special functions ----------------------------------------------------------------------

_TWO_OVER_SQRT_PI = 2 / np.sqrt(np.pi)

erf_p = Elementwise(
    "erf", "f", _half(SCALAR_OPS["erf"].reference),
    jvp=[lambda t, out, x: mul(t, mul(exp(neg(mul(x, x))), float(_TWO_OVER_SQRT_PI)))],
)  # fmt: skip
erfc_p = Elementwise(
    "erfc", "f", _half(SCALAR_OPS["erfc"].reference),
    jvp=[lambda t, out, x: mul(t, mul(exp(neg(mul(x, x))), float(-_TWO_OVER_SQRT_PI)))],
)  # fmt: skip
erfinv_p = Elementwise(
    "erf_inv", "f", _half(SCALAR_OPS["erfinv"].reference), "erfinv",
    jvp=[lambda t, out, x: mul(t, mul(exp(mul(out, out)), float(1 / _TWO_OVER_SQRT_PI)))],
)  # fmt: skip
lgamma_p = Elementwise(
    "lgamma", "f", _half(SCALAR_OPS["lgamma"].reference), jvp=[lambda t, out, x: mul(t, digamma(x))]
)
digamma_p = Elementwise(
    "digamma",
    "f",
    _half(SCALAR_OPS["digamma"].reference),
    jvp=[lambda t, out, x: mul(t, polygamma1(x))],
)
digamma: Rule = _function(digamma_p)


def polygamma1(x: Value) -> Value:
    """The trigamma function, the derivative of digamma.

    For x > 8 the asymptotic series (Abramowitz and Stegun 6.4.12); below, the recurrence
    psi'(x) = psi'(x+1) + 1/x**2; for x < 1/2 the reflection formula 6.4.7.
    """
    pi = float(np.pi)
    low = lt(x, 0.5)
    z = select_like(low, sub(1.0, x), x)
    total: Value = mul(z, 0.0)
    for _ in range(8):
        total = add(total, div(1.0, mul(z, z)))
        z = add(z, 1.0)
    w = div(1.0, mul(z, z))
    series: Value = mul(w, 0.0)
    for bernoulli in (7 / 6, -691 / 2730, 5 / 66, -1 / 30, 1 / 42, -1 / 30, 1 / 6):
        series = mul(w, add(series, bernoulli))
    asymptotic = add(div(1.0, z), add(mul(w, 0.5), div(series, z)))
    above = add(total, asymptotic)
    s = sin(mul(x, pi))
    return select_like(low, sub(div(pi * pi, mul(s, s)), above), above)


erf: Rule = _function(erf_p)

# --- complex numbers ------------------------------------------------------------------------


def _part(name: str) -> ScalarRule:
    return lambda x: scalar.op(name, real_dtype(x.dtype), x)


def _complex_impl(x: Any, y: Any) -> Any:
    dtype = complex_dtype(np.asarray(x).dtype)
    out = np.empty(np.broadcast_shapes(np.shape(x), np.shape(y)), dtype)
    out.real, out.imag = x, y
    return out


def _complex_scalar(x: Expr, y: Expr) -> Expr:
    return scalar.op("complex", complex_dtype(x.dtype), x, y)


real_p = Elementwise(
    "real", "c", np.real, _part("real"), result=REAL,
    jvp=[lambda t, out, x: real(t)],
    transpose=lambda ct, x: (complex_(ct, full(typeof(ct).shape, 0, typeof(ct).dtype)),),
)  # fmt: skip
imag_p = Elementwise(
    "imag", "c", np.imag, _part("imag"), result=REAL,
    jvp=[lambda t, out, x: imag(t)],
    transpose=lambda ct, x: (complex_(full(typeof(ct).shape, 0, typeof(ct).dtype), neg(ct)),),
)  # fmt: skip
conj_p = Elementwise(
    "conj", "c", np.conj,
    jvp=[lambda t, out, x: conj(t)], transpose=lambda ct, x: (conj(ct),),
)  # fmt: skip
complex_p = Elementwise(
    "complex", "f", _complex_impl, _complex_scalar, result=COMPLEX,
    jvp=[
        lambda t, out, x, y: complex_(t, mul(t, 0.0)),
        lambda t, out, x, y: complex_(mul(t, 0.0), t),
    ],
    transpose=lambda ct, x, y: (real(ct), neg(imag(ct))),
)  # fmt: skip
real: Rule = _function(real_p)
imag: Rule = _function(imag_p)
conj: Rule = _function(conj_p)
complex_: Rule = _function(complex_p)
