"""Extremes of complex numbers in NumPy's order: by real part, then by imaginary part; NaN wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fxla.core.trace import Value, typeof
from fxla.numpy.complex_math import not_a_number
from fxla.ops import arithmetic, logic, reduce
from fxla.ops.cumulative import greatest, least
from fxla.ops.structure import broadcast_to, expand_dims, full

__all__ = ["arg_extreme_of_complex", "extreme_of_complex"]

Reduction = Callable[[Value, Sequence[int]], Value]


def _parts(
    x: Value, axes: Sequence[int], reduction: Reduction, is_max: bool
) -> tuple[Value, Value, Value, Value]:
    """The extreme's parts, which elements have its real part, and the imaginary parts of those."""
    shape = typeof(x).shape
    re, im = arithmetic.real(x), arithmetic.imag(x)
    dtype = typeof(re).dtype
    best = reduction(re, axes)
    is_best = logic.eq(re, broadcast_to(expand_dims(best, axes), shape))
    worst = full(shape, least(dtype) if is_max else greatest(dtype), dtype)
    tied = logic.select(is_best, im, worst)
    return best, reduction(tied, axes), is_best, tied


def extreme_of_complex(x: Value, axes: Sequence[int], is_max: bool) -> Value:
    """The largest or least complex number over axes; NaN if there is one.

    Args:
        x: complex array.
        axes: non-negative, sorted.
        is_max: whether the largest is meant.
    """
    reduction = reduce.reduce_max if is_max else reduce.reduce_min
    best, im, _, _ = _parts(x, axes, reduction, is_max)
    out = arithmetic.complex_(best, im)
    has_nan = reduce.reduce_or(not_a_number(x), axes)
    nan = arithmetic.complex_(*[full(typeof(best).shape, float("nan"), typeof(best).dtype)] * 2)
    return logic.select(has_nan, nan, out)


def arg_extreme_of_complex(x: Value, axis: int, is_max: bool) -> Value:
    """The first place along an axis of the largest or least complex number, or of a NaN.

    Args:
        x: complex array.
        axis: non-negative.
        is_max: whether the largest is meant.
    """
    reduction = reduce.reduce_max if is_max else reduce.reduce_min
    shape = typeof(x).shape
    _, im, is_best, tied = _parts(x, (axis,), reduction, is_max)
    here = logic.and_(is_best, logic.eq(tied, broadcast_to(expand_dims(im, (axis,)), shape)))
    is_nan = not_a_number(x)
    has_nan = broadcast_to(expand_dims(reduce.reduce_or(is_nan, (axis,)), (axis,)), shape)
    return reduce.argmax(logic.select(has_nan, is_nan, here), axis)
