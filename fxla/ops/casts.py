"""Casts: to another dtype, and the same bits read as another dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import DType, is_complex, is_inexact
from fxla.core.primitive import Primitive, Zero, is_zero
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, InternalError
from fxla.loops import view as scalar
from fxla.loops.view import View


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


convert_p = Convert()
bitcast_p = Bitcast()


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
