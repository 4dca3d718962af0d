"""Elementwise functions that NumPy defines by others: parts, decimals, closeness."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from fxla.core.dtypes import (
    float64,
    is_bool,
    is_complex,
    is_inexact,
    real_dtype,
)
from fxla.core.trace import Value, typeof, where_am_i
from fxla.numpy.arguments import refuse_out
from fxla.numpy.dispatch import public
from fxla.numpy.logic import equal, isfinite, not_equal
from fxla.numpy.operands import (
    as_value,
    as_values,
    broadcast,
    broadcast_all,
    convert_all,
    promote,
    promote_inexact,
)
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import arithmetic, elementwise, logic, transcendental
from fxla.ops.casts import convert
from fxla.ops.structure import full, reduce_sum

__all__ = [
    "allclose",
    "angle",
    "around",
    "array_equal",
    "array_equiv",
    "fix",
    "imag",
    "isclose",
    "iscomplex",
    "isneginf",
    "isposinf",
    "isreal",
    "nan_to_num",
    "real",
    "real_if_close",
    "round",
]

# --- complex numbers ------------------------------------------------------------------------


@public(np.real, by_type=REAL_AND_COMPLEX)
def real(val: Any) -> Any:
    """Real part. See `numpy.real`.

    Example:
        >>> import fxla.numpy as np
        >>> np.real([1 + 2j, 3.0])
        Array([1., 3.])
    """
    x = as_value(val, "np.real")
    return arithmetic.real(x) if is_complex(typeof(x).dtype) else x


@public(np.imag, by_type=REAL_AND_COMPLEX)
def imag(val: Any) -> Any:
    """Imaginary part. See `numpy.imag`.

    Example:
        >>> import fxla.numpy as np
        >>> np.imag([1 + 2j, 3.0])
        Array([2., 0.])
    """
    x = as_value(val, "np.imag")
    aval = typeof(x)
    return arithmetic.imag(x) if is_complex(aval.dtype) else full(aval.shape, 0, aval.dtype)


@public(np.angle, by_type=REAL_AND_COMPLEX)
def angle(z: Any, deg: bool = False) -> Any:
    """The angle of complex numbers, in radians. See `numpy.angle`.

    Args:
        z: complex or real numbers.
        deg: whether the result is in degrees.

    Example:
        >>> import fxla.numpy as np
        >>> np.angle([1.0, 1j, -1.0], deg=True)
        Array([  0.,  90., 180.])
    """
    (x,) = promote_inexact("np.angle", as_value(z, "np.angle"))
    if is_complex(typeof(x).dtype):
        out = transcendental.atan2_p.bind1(arithmetic.imag(x), arithmetic.real(x))
    else:
        out = transcendental.atan2_p.bind1(full(typeof(x).shape, 0, typeof(x).dtype), x)
    return arithmetic.mul(out, 180 / math.pi) if deg else out


@public(np.iscomplex)
def iscomplex(x: Any) -> Any:
    """Whether the imaginary part is not 0. See `numpy.iscomplex`.

    Example:
        >>> import fxla.numpy as np
        >>> np.iscomplex([1 + 1j, 2 + 0j])
        Array([ True, False])
    """
    value = as_value(x, "np.iscomplex")
    aval = typeof(value)
    if is_complex(aval.dtype):
        return logic.ne(arithmetic.imag(value), 0.0)
    return full(aval.shape, False, np.dtype(bool))


@public(np.isreal)
def isreal(x: Any) -> Any:
    """Whether the imaginary part is 0. See `numpy.isreal`.

    Example:
        >>> import fxla.numpy as np
        >>> np.isreal([1 + 1j, 2 + 0j])
        Array([False,  True])
    """
    value = as_value(x, "np.isreal")
    aval = typeof(value)
    if is_complex(aval.dtype):
        return logic.eq(arithmetic.imag(value), 0.0)
    return full(aval.shape, True, np.dtype(bool))


@public(np.real_if_close)
def real_if_close(a: Any, tol: Any = 100) -> Any:
    """`a` itself while tracing: the dtype cannot depend on values. See `numpy.real_if_close`.

    Example:
        >>> import fxla.numpy as np
        >>> np.real_if_close([1 + 0j])
        Array([1.])
    """
    return as_value(a, "np.real_if_close")


# --- rounding -------------------------------------------------------------------------------


@public(np.round, by_type=REAL_AND_COMPLEX)
def round(a: Any, decimals: Any = 0, out: Any = None) -> Any:
    """`a` rounded to a number of decimals, halves to even. See `numpy.round`.

    Args:
        a: array or number.
        decimals: places after the point, or before it if negative.
        out: not supported for traced arrays.

    Example:
        >>> import fxla.numpy as np
        >>> np.round([1.25, 2.5], 1), np.round(2.5)
        (Array([1.2, 2.5]), Array(2.))
    """
    call = "np.round"
    refuse_out(out, call)
    (x,) = promote(call, as_value(a, call))
    dtype, places = typeof(x).dtype, operator.index(decimals)
    if is_bool(dtype):
        x = convert(x, np.dtype(np.float16))
        return x if places >= 0 else arithmetic.mul(x, 0.0)
    if not is_inexact(dtype):
        if places >= 0:
            return x
        unit = float(10**-places)
        scaled = arithmetic.rint_p.bind1(arithmetic.div(convert(x, float64), unit))
        return convert(arithmetic.mul(scaled, unit), dtype)
    if is_complex(dtype):
        return arithmetic.complex_(
            _rounded(arithmetic.real(x), places), _rounded(arithmetic.imag(x), places)
        )
    return _rounded(x, places)


def _rounded(x: Value, places: int) -> Value:
    if places == 0:
        return arithmetic.rint_p.bind1(x)
    unit = float(10 ** abs(places))
    if places > 0:
        return arithmetic.div(arithmetic.rint_p.bind1(arithmetic.mul(x, unit)), unit)
    return arithmetic.mul(arithmetic.rint_p.bind1(arithmetic.div(x, unit)), unit)


@public(np.around, by_type=REAL_AND_COMPLEX)
def around(a: Any, decimals: Any = 0, out: Any = None) -> Any:
    """The same as `round`. See `numpy.around`.

    Example:
        >>> import fxla.numpy as np
        >>> np.around(1.75, 1)
        Array(1.8)
    """
    return round.traced(a, decimals, out)  # type: ignore[attr-defined]


@public(np.fix, by_type=REAL_AND_COMPLEX)
def fix(x: Any, out: Any = None) -> Any:
    """`x` without its fraction. See `numpy.fix`.

    Example:
        >>> import fxla.numpy as np
        >>> np.fix([2.7, -2.7])
        Array([ 2., -2.])
    """
    refuse_out(out, "np.fix")
    (value,) = promote("np.fix", as_value(x, "np.fix"))
    return arithmetic.trunc(value) if is_inexact(typeof(value).dtype) else value


# --- tests ----------------------------------------------------------------------------------


@public(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Any:
    """Whether `x` is positive infinity. See `numpy.isposinf`.

    Example:
        >>> import fxla.numpy as np
        >>> np.isposinf([np.inf, -np.inf])
        Array([ True, False])
    """
    refuse_out(out, "np.isposinf")
    return _is_infinity(x, math.inf, "np.isposinf")


@public(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Any:
    """Whether `x` is negative infinity. See `numpy.isneginf`.

    Example:
        >>> import fxla.numpy as np
        >>> np.isneginf([np.inf, -np.inf])
        Array([False,  True])
    """
    refuse_out(out, "np.isneginf")
    return _is_infinity(x, -math.inf, "np.isneginf")


def _is_infinity(x: Any, infinity: float, call: str) -> Value:
    (value,) = promote(call, as_value(x, call))
    aval = typeof(value)
    if is_complex(aval.dtype):
        raise TypeError(f"{call}: not defined for complex numbers: {aval}{where_am_i()}")
    if not is_inexact(aval.dtype):
        return full(aval.shape, False, np.dtype(bool))
    return logic.eq(value, np.asarray(infinity, aval.dtype)[()])


@public(np.isclose, by_type=REAL_AND_COMPLEX)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Whether ``abs(a - b) <= atol + rtol * abs(b)``. See `numpy.isclose`.

    Args:
        a: array or number.
        b: array or number; broadcasts against `a`.
        rtol: relative tolerance.
        atol: absolute tolerance.
        equal_nan: whether two NaN are close.

    Example:
        >>> import fxla.numpy as np
        >>> np.isclose([1.0, 1.0], [1.0 + 1e-9, 1.1])
        Array([ True, False])
    """
    call = "np.isclose"
    x, y = broadcast(call, *promote_inexact(call, *as_values(call, a, b)))
    real_kind = real_dtype(typeof(x).dtype)
    relative, absolute = convert_all(as_values(call, rtol, atol), real_kind)
    bound = elementwise.add(
        *broadcast(call, absolute, _product(call, relative, arithmetic.abs_(y)))
    )
    distance = arithmetic.abs_(arithmetic.sub(x, y))
    finite = isfinite.traced(y)  # type: ignore[attr-defined]
    close = logic.and_(logic.le(*broadcast(call, distance, bound)), finite)
    close = logic.or_(close, logic.eq(x, y))
    if equal_nan:
        both = logic.and_(logic.ne(x, x), logic.ne(y, y))
        close = logic.or_(close, both)
    return close


def _product(call: str, x: Value, y: Value) -> Value:
    return arithmetic.mul(*broadcast(call, x, y))


def _every(x: Value) -> Value:
    """Whether all elements of a boolean array are true."""
    wrong = reduce_sum(convert(logic.not_(x), np.dtype(np.int64)), range(typeof(x).ndim))
    return logic.eq(wrong, 0)


@public(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Whether all elements are close; see `isclose` and `numpy.allclose`.

    Example:
        >>> import fxla.numpy as np
        >>> np.allclose([1.0, 2.0], [1.0, 2.0 + 1e-9])
        True
    """
    return _every(isclose.traced(a, b, rtol, atol, equal_nan))  # type: ignore[attr-defined]


@public(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """Whether two arrays have one shape and the same elements. See `numpy.array_equal`.

    Example:
        >>> import fxla.numpy as np
        >>> np.array_equal([1, 2], [1, 2])
        True
    """
    x, y = as_values("np.array_equal", a1, a2)
    if typeof(x).shape != typeof(y).shape:
        return False
    same = equal.traced(x, y)  # type: ignore[attr-defined]
    if equal_nan:
        nan = [not_equal.traced(v, v) for v in (x, y)]  # type: ignore[attr-defined]
        same = logic.or_(same, logic.and_(*nan))
    return _every(same)


@public(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Any:
    """Whether two arrays are the same after broadcasting. See `numpy.array_equiv`.

    Example:
        >>> import fxla.numpy as np
        >>> np.array_equiv([1, 1], 1)
        True
    """
    x, y = as_values("np.array_equiv", a1, a2)
    try:
        np.broadcast_shapes(typeof(x).shape, typeof(y).shape)
    except ValueError:
        return False
    return _every(equal.traced(x, y))  # type: ignore[attr-defined]


@public(np.nan_to_num, by_type=REAL_AND_COMPLEX)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """NaN and infinities replaced by numbers. See `numpy.nan_to_num`.

    Args:
        x: array or number.
        copy: has no meaning here: a result is always new.
        nan: replaces NaN.
        posinf: replaces positive infinity; by default the largest number of the dtype.
        neginf: replaces negative infinity; by default the lowest number of the dtype.

    Example:
        >>> import fxla.numpy as np
        >>> np.nan_to_num([np.nan, np.inf, 1.0], posinf=9.0)
        Array([0., 9., 1.])
    """
    call = "np.nan_to_num"
    (value,) = promote(call, as_value(x, call))
    dtype = typeof(value).dtype
    if not is_inexact(dtype):
        return value
    if is_complex(dtype):
        parts = [
            _cleaned(call, p, nan, posinf, neginf)
            for p in (arithmetic.real(value), arithmetic.imag(value))
        ]
        return arithmetic.complex_(*parts)
    return _cleaned(call, value, nan, posinf, neginf)


def _cleaned(call: str, x: Value, nan: Any, posinf: Any, neginf: Any) -> Value:
    dtype = typeof(x).dtype
    limits = np.finfo(dtype) if dtype.kind == "f" else None
    high = (3.3895313892515355e38 if limits is None else limits.max) if posinf is None else posinf
    low = (-3.3895313892515355e38 if limits is None else limits.min) if neginf is None else neginf
    infinity = np.asarray(np.inf, dtype)[()]
    for which, by in (
        (logic.ne(x, x), nan),
        (logic.eq(x, infinity), high),
        (logic.eq(x, -infinity), low),
    ):
        (other,) = convert_all([as_value(by, call)], dtype)
        x = logic.select_p.bind1(*broadcast_all(call, which, other, x))
    return x
