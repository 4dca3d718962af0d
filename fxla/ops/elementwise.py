"""Elementwise primitives: one class, one row for each operation.

All operands of an elementwise primitive have one dtype and one shape, except that a rank-0 operand
goes with any shape: scalar constants need no broadcast equation. The rules in a row:

* ``jvp``: for each operand a function ``(t, out, *operands) -> tangent``, or None where the
  derivative is zero (a step function, an integer);
* ``transpose``: ``(ct, *operands) -> cotangents``, for the few rows that are linear in an operand.

The rows stand in `logic`, `arithmetic` and `transcendental`; only the sum is here, because the
class adds the tangents of several operands.
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
from fxla.loops.view import IndexTuple, View
from fxla.ops.structure import broadcast_in_dim, move_axis, reduce_sum

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


def _operands(xs: tuple[Value, ...]) -> list[Value]:
    """Python numbers among `xs` as scalars of the dtype of the first array."""
    dtype = next((typeof(x).dtype for x in xs if not isinstance(x, (bool, int, float))), None)
    if dtype is None:
        dtypes = {typeof(x).dtype for x in xs}
        if len(dtypes) == 1:
            return list(xs)
        dtype, _ = result_type(*[(d, True) for d in dtypes])
    return [np.asarray(x, dtype)[()] if isinstance(x, (bool, int, float)) else x for x in xs]


def function_of(primitive: Elementwise) -> Callable[..., Value]:
    """The function that binds `primitive`; Python numbers take the dtype of the other operands."""

    def apply(*xs: Value) -> Value:
        return primitive.bind(*_operands(xs))[0]

    apply.__name__ = primitive.name
    apply.__doc__ = f"Elementwise `{primitive.name}`; a Python number takes the others' dtype."
    return apply


def one_like(y: Value) -> Value:
    """The scalar 1 of the dtype of `y`."""
    return np.ones((), typeof(y).dtype)[()]


def silent(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f` without floating-point warnings: compiled code gives none, and so does eager code."""

    def quiet(*xs: Any) -> Any:
        with np.errstate(all="ignore"):
            return f(*xs)

    quiet.__name__ = getattr(f, "__name__", "f")
    quiet.spoken = getattr(f, "spoken", f)  # type: ignore[attr-defined]
    return quiet


def passed_on(t: Any, out: Any, *xs: Any) -> Value:
    """The rule of an operand in which the operation is linear with slope 1."""
    return t


add_p = Elementwise(
    "add", "biufc", silent(np.add), jvp=[passed_on, passed_on], transpose=lambda ct, x, y: (ct, ct)
)
add: Rule = function_of(add_p)
