"""Special functions of one variable, phases, and interpolation in a table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fxla.core.dtypes import float64, inexact_dtype, is_complex, is_integer, real_dtype
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.dispatch import public
from fxla.numpy.operands import (
    as_value,
    as_values,
    broadcast,
    convert_all,
    normalise_axis,
    promote,
    promote_inexact,
    promoted_dtype,
)
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import arithmetic, elementwise, logic, transcendental
from fxla.ops.casts import convert
from fxla.ops.cumulative import cumsum
from fxla.ops.index import take
from fxla.ops.shape import concatenate, pad, slice_in_dim
from fxla.ops.sort import searchsorted, sort

__all__ = ["i0", "interp", "sinc", "unwrap"]


@public(np.sinc, by_type=REAL_AND_COMPLEX)
def sinc(x: Any) -> Any:
    """``sin(pi x) / (pi x)``, and 1 at 0. See `numpy.sinc`.

    Every derivative is finite at 0: there the series 1 - y**2/6 + y**4/120 is used.

    Example:
        >>> import fxla.numpy as np
        >>> np.sinc([0.0, 0.5, 1.0])
        Array([1.00000000e+00, 6.36619772e-01, 3.89817183e-17])
    """
    (value,) = promote_inexact("np.sinc", as_value(x, "np.sinc"))
    y = arithmetic.mul(value, math.pi)
    dtype = typeof(y).dtype
    small = logic.lt(arithmetic.abs_(y), float(np.finfo(real_dtype(dtype)).eps) ** 0.25 / 4)
    safe = logic.select_like(small, np.ones((), dtype)[()], y)
    square = arithmetic.mul(y, y)
    inner = arithmetic.sub(1 / 120, arithmetic.mul(square, 1 / 5040))
    series = arithmetic.sub(
        1.0, arithmetic.mul(square, arithmetic.sub(1 / 6, arithmetic.mul(square, inner)))
    )
    return logic.select_like(small, series, arithmetic.div(transcendental.sin(safe), safe))


# Chebyshev series of exp(-x) i0(x) for x <= 8 and of exp(-x) sqrt(x) i0(x) above, from Cephes
# (S. L. Moshier), which NumPy uses too.
_I0_BELOW = np.array(
    [
        -4.41534164647933937950e-18, 3.33079451882223809783e-17, -2.43127984654795469359e-16,
        1.71539128555513303061e-15, -1.16853328779934516808e-14, 7.67618549860493561688e-14,
        -4.85644678311192946090e-13, 2.95505266312963983461e-12, -1.72682629144155570723e-11,
        9.67580903537323691224e-11, -5.18979560163526290666e-10, 2.65982372468238665035e-9,
        -1.30002500998624804212e-8, 6.04699502254191894932e-8, -2.67079385394061173391e-7,
        1.11738753912010371815e-6, -4.41673835845875056359e-6, 1.64484480707288970893e-5,
        -5.75419501008210370398e-5, 1.88502885095841655729e-4, -5.76375574538582365885e-4,
        1.63947561694133579842e-3, -4.32430999505057594430e-3, 1.05464603945949983183e-2,
        -2.37374148058994688156e-2, 4.93052842396707084878e-2, -9.49010970480476444210e-2,
        1.71620901522208775349e-1, -3.04682672343198398683e-1, 6.76795274409476084995e-1,
    ]
)  # fmt: skip
_I0_ABOVE = np.array(
    [
        -7.23318048787475395456e-18, -4.83050448594418207126e-18, 4.46562142029675999901e-17,
        3.46122286769746109310e-17, -2.82762398051658348494e-16, -3.42548561967721913462e-16,
        1.77256013305652638360e-15, 3.81168066935262242075e-15, -9.55484669882830764870e-15,
        -4.15056934728722208663e-14, 1.54008621752140982691e-14, 3.85277838274214270114e-13,
        7.18012445138366623367e-13, -1.79417853150680611778e-12, -1.32158118404477131188e-11,
        -3.14991652796324136454e-11, 1.18891471078464383424e-11, 4.94060238822496958910e-10,
        3.39623202570838634515e-9, 2.26666899049817806459e-8, 2.04891858946906374183e-7,
        2.89137052083475648297e-6, 6.88975834691682398426e-5, 3.36911647825569408990e-3,
        8.04490411014108831608e-1,
    ]
)  # fmt: skip


def _chebyshev(x: Value, coefficients: Any) -> Value:
    """Clenshaw's recurrence."""
    b0: Value = elementwise.add(arithmetic.mul(x, 0.0), float(coefficients[0]))
    b1 = b2 = arithmetic.mul(x, 0.0)
    for c in coefficients[1:]:
        b2, b1 = b1, b0
        b0 = elementwise.add(arithmetic.sub(arithmetic.mul(x, b1), b2), float(c))
    return arithmetic.mul(arithmetic.sub(b0, b2), 0.5)


@public(np.i0, by_type=REAL_AND_COMPLEX)
def i0(x: Any) -> Any:
    """Modified Bessel function of the first kind, order 0. See `numpy.i0`.

    Example:
        >>> import fxla.numpy as np
        >>> np.i0([0.0, 1.0])
        Array([1.        , 1.26606588])
    """
    (value,) = promote_inexact("np.i0", as_value(x, "np.i0"))
    dtype = typeof(value).dtype
    if is_complex(dtype):
        raise TypeError(f"np.i0: not defined for complex numbers: {typeof(value)}{where_am_i()}")
    size = arithmetic.abs_(value)
    near = logic.le(size, 8.0)
    eight = np.asarray(8, dtype)[()]
    inner = logic.select_like(near, size, eight)
    outer = logic.select_like(near, eight, size)
    below = _chebyshev(arithmetic.sub(arithmetic.mul(inner, 0.5), 2.0), _I0_BELOW)
    above = arithmetic.div(
        _chebyshev(arithmetic.sub(arithmetic.div(32.0, outer), 2.0), _I0_ABOVE),
        transcendental.sqrt(outer),
    )
    return arithmetic.mul(transcendental.exp(size), logic.select_like(near, below, above))


@public(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: Any = -1, *, period: Any = 2 * math.pi) -> Any:
    """Phases with jumps of more than half a period taken out. See `numpy.unwrap`.

    Args:
        p: phases.
        discont: the smallest jump that is taken out; by default half a period.
        axis: along which phases follow each other.
        period: of the phases.

    Example:
        >>> import fxla.numpy as np
        >>> np.unwrap([0.0, 3.0, 6.0 - 2 * np.pi])
        Array([0., 3., 6.])
    """
    call = "np.unwrap"
    (value,) = promote(call, as_value(p, call))
    aval = typeof(value)
    at = normalise_axis(axis, aval.ndim, call)
    n = aval.shape[at]
    whole = is_integer(aval.dtype) and isinstance(period, int)
    if not whole:
        (value,) = promote_inexact(call, value)
    if n < 2:
        return value
    dtype = typeof(value).dtype
    step = arithmetic.sub(
        slice_in_dim(value, 1, n, axis=at), slice_in_dim(value, 0, n - 1, axis=at)
    )
    half = np.asarray(period // 2 if whole else period / 2, dtype)[()]
    low = -half
    folded = elementwise.add(arithmetic.mod(arithmetic.sub(step, low), period), low)
    folded = logic.select_like(logic.and_(logic.eq(folded, low), logic.gt(step, 0)), half, folded)
    limit = period / 2 if discont is None else max(discont, period / 2)
    correction = arithmetic.sub(folded, step)
    small = logic.lt(convert(arithmetic.abs_(step), inexact_dtype(dtype)), float(limit))
    correction = logic.select_like(small, np.zeros((), dtype)[()], correction)
    low_pad = [0] * aval.ndim
    low_pad[at] = 1
    total = cumsum(pad(correction, 0, low_pad, [0] * aval.ndim), at)
    return elementwise.add(value, total)


@public(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """Linear interpolation in a table. See `numpy.interp`.

    Args:
        x: where to interpolate.
        xp: increasing positions, one axis.
        fp: values at them.
        left: the result below ``xp[0]``; by default ``fp[0]``.
        right: the result above ``xp[-1]``; by default ``fp[-1]``.
        period: if given, positions are modulo this period, and `xp` need not increase.

    Example:
        >>> import fxla.numpy as np
        >>> np.interp([0.5, 5.0], [0.0, 1.0, 2.0], [0.0, 10.0, 20.0])
        Array([ 5., 20.])
    """
    call = "np.interp"
    at, positions, values = as_values(call, x, xp, fp)
    if typeof(positions).ndim != 1 or typeof(positions).shape != typeof(values).shape:
        raise ShapeError(
            f"{call}: fp and xp must be vectors of the same length, got {typeof(positions)} and "
            f"{typeof(values)}{where_am_i()}"
        )
    work = promoted_dtype(call, *[convert_all([v], float64)[0] for v in (at, positions)])
    at, positions = convert_all([at, positions], work)
    kind = np.dtype(np.complex128) if is_complex(typeof(values).dtype) else float64
    (values,) = convert_all([values], kind)
    if period is not None:
        at, positions, values = _periodic(at, positions, values, float(abs(period)))
        left = right = None
    n = typeof(positions).shape[0]
    upper = arithmetic.minimum(
        arithmetic.maximum(searchsorted(positions, at, side="right"), 1), max(n - 1, 1)
    )
    if n == 1:
        out = _pick(values, arithmetic.mul(upper, 0))
    else:
        lower = arithmetic.sub(upper, 1)
        x0, x1 = _pick(positions, lower), _pick(positions, upper)
        f0, f1 = _pick(values, lower), _pick(values, upper)
        width = arithmetic.sub(x1, x0)
        flat = logic.eq(width, 0.0)
        safe = logic.select_like(flat, np.ones((), work)[()], width)
        fraction = logic.select_like(
            flat, np.zeros((), work)[()], arithmetic.div(arithmetic.sub(at, x0), safe)
        )
        out = elementwise.add(f0, arithmetic.mul(arithmetic.sub(f1, f0), convert(fraction, kind)))
    ends = [values[0] if left is None else left, values[-1] if right is None else right]
    low, high = convert_all(as_values(call, *ends), kind)
    first, last = positions[0], positions[-1]
    below, above = logic.lt(*broadcast(call, at, first)), logic.gt(*broadcast(call, at, last))
    out = logic.select_like(below, low, out)
    return logic.select_like(above, high, out)


def _pick(table: Value, index: Value) -> Value:
    return take(table, index, 0, "clip")


def _periodic(at: Value, positions: Value, values: Value, period: float) -> tuple[Value, ...]:
    """The table over one period, sorted, with a neighbour from the periods on either side."""
    at, positions = arithmetic.mod(at, period), arithmetic.mod(positions, period)
    positions, values = sort((positions, values), 0, num_keys=1)
    n = typeof(positions).shape[0]

    def ends(v: Value, shift: float) -> Value:
        before = arithmetic.sub(slice_in_dim(v, n - 1, n), shift)
        after = elementwise.add(slice_in_dim(v, 0, 1), shift)
        return concatenate([before, v, after], 0)

    return at, ends(positions, period), ends(values, 0.0)
