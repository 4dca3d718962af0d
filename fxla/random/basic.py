"""Random bits, uniform numbers and what follows from one uniform number by comparison or remainder.

Bits, uniform numbers and integers are those of JAX, bit for bit, for the same key.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.core.dtypes import DType, canonical_dtype, finfo_of, is_integer, is_signed
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import DtypeError
from fxla.ops.arithmetic import fmod, maximum, minimum, mul, sub
from fxla.ops.casts import bitcast, convert
from fxla.ops.elementwise import add
from fxla.ops.logic import eq, gt, le, lt, or_, select, shift_right_logical
from fxla.ops.random_bits import random_bits, uint_dtype
from fxla.ops.shape import slice_in_dim
from fxla.ops.structure import broadcast_to, full, reshape
from fxla.random.arguments import (
    as_value,
    check_key,
    float_dtype,
    integer_dtype,
    parameter,
    parameter_dtype,
    shape_of_draw,
    shape_tuple,
)
from fxla.random.keys import split
from fxla.random.programs import program_if_large

__all__ = ["bernoulli", "bits", "rademacher", "randint", "uniform"]

_int32 = np.dtype(np.int32)


def bits(key: Any, shape: Any = (), dtype: Any = None) -> Value:
    """Uniformly distributed bits.

    Args:
        key: u32[2].
        shape: of the result.
        dtype: an unsigned integer dtype; default uint64.

    Example:
        >>> from fxla import random
        >>> random.bits(random.key(0), (2,), "uint32").tolist()
        [4070199207, 4202968722]
    """
    given = np.dtype(np.uint64) if dtype is None else canonical_dtype(dtype)
    if not is_integer(given) or is_signed(given):
        raise DtypeError(
            f"random.bits: expected an unsigned integer dtype, got {given}{where_am_i()}"
        )
    return random_bits(check_key(key, "bits"), given.itemsize * 8, shape_tuple(shape, "bits"))


def uniform(
    key: Any, shape: Any = (), dtype: Any = None, minval: Any = 0.0, maxval: Any = 1.0
) -> Value:
    """Uniform numbers in [minval, maxval); differentiable in both.

    Args:
        key: u32[2].
        shape: of the result.
        dtype: floating; default: the default float.
        minval: lower bound, included; broadcasts to `shape`.
        maxval: upper bound, excluded (but for rounding); broadcasts to `shape`.

    Example:
        >>> from fxla import random
        >>> u = random.uniform(random.key(0), (1000,))
        >>> bool(0 <= u.min() and u.max() < 1)
        True
    """
    key = check_key(key, "uniform")
    dtype = float_dtype(dtype, "uniform")
    low, high = as_value(minval), as_value(maxval)
    sizes = shape_of_draw(shape, "uniform", low, high)
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        # Two numbers: their difference is rounded once, in the dtype of the draw, as for arrays.
        low, high = (np.asarray(x).astype(dtype)[()] for x in (low, high))
        if low == 0 and high == 1:
            return _unit(key, shape=sizes, dtype=dtype)
    return _between(key, low, high, shape=sizes, dtype=dtype)


@program_if_large
def _unit(key: Value, *, shape: tuple[int, ...], dtype: DType) -> Value:
    return unit_uniform(key, shape, dtype)


@program_if_large
def _between(key: Value, low: Value, high: Value, *, shape: tuple[int, ...], dtype: DType) -> Value:
    unit = unit_uniform(key, shape, dtype)
    low, high = parameter(low, dtype, shape), parameter(high, dtype, shape)
    return maximum(low, add(mul(unit, sub(high, low)), low))


def unit_uniform(key: Value, shape: tuple[int, ...], dtype: DType) -> Value:
    """Uniform in [0, 1): random mantissas of numbers in [1, 2), less 1."""
    info = finfo_of(dtype)
    width, mantissa = dtype.itemsize * 8, int(info.nmant)
    drawn = 8 if mantissa < 8 else width
    unsigned = uint_dtype(width)
    random = convert(random_bits(key, drawn, shape), unsigned)
    one = int(np.asarray(1.0).astype(dtype).view(unsigned))
    one_to_two = or_(shift_right_logical(random, drawn - mantissa), one)
    return sub(bitcast(one_to_two, dtype), 1.0)


def randint(key: Any, shape: Any, minval: Any, maxval: Any, dtype: Any = None) -> Value:
    """Uniform integers in [minval, maxval).

    The remainder of twice as many random bits as the dtype has (at least 64): the bias is below
    ``(maxval - minval) / 2**64`` for 32-bit integers.

    Args:
        key: u32[2].
        shape: of the result.
        minval: lower bound, included; broadcasts to `shape`.
        maxval: upper bound, excluded. A result is `minval` where it is not above `minval`.
        dtype: integer; default int64.

    Example:
        >>> from fxla import random
        >>> x = random.randint(random.key(0), (1000,), 0, 6)
        >>> int(x.min()), int(x.max())
        (0, 5)
    """
    key = check_key(key, "randint")
    dtype = integer_dtype(dtype, "randint")
    low, high = as_value(minval), as_value(maxval)
    sizes = shape_of_draw(shape, "randint", low, high)
    work = _int32 if dtype.itemsize < 4 else dtype
    info = np.iinfo(dtype)
    low, _ = _bounded(low, work, int(info.min), int(info.max))
    high, beyond = _bounded(high, work, int(info.min), int(info.max) + (work != dtype))
    low, high = broadcast_to(low, sizes), broadcast_to(high, sizes)
    unsigned = uint_dtype(work.itemsize * 8)
    span = sub(convert(high, unsigned), convert(low, unsigned))
    if beyond is not None and work == dtype:
        span = add(span, convert(broadcast_to(beyond, sizes), unsigned))
    span = select(le(high, low), 1, span)
    return convert(_offset(key, sizes, low, span, unsigned, work), dtype)


def _offset(
    key: Value, shape: tuple[int, ...], low: Value, span: Value, unsigned: DType, work: DType
) -> Value:
    """``low + (high bits * 2**width + low bits) % span``, without a wider type."""
    width = unsigned.itemsize * 8
    keys = split(key)
    upper, lower = (
        random_bits(reshape(slice_in_dim(keys, i, i + 1), (2,)), width, shape) for i in (0, 1)
    )
    # The span wraps to 0 if it is the whole range: then all bits are wanted as they are.
    whole = eq(span, 0)
    span = select(whole, 1, span)
    half = full(shape, 2 ** (width // 2), unsigned)
    power = fmod(half, span)
    power = fmod(mul(power, power), span)
    offset = fmod(add(mul(fmod(upper, span), power), fmod(lower, span)), span)
    offset = select(whole, lower, offset)
    return add(low, convert(offset, work))


def _bounded(x: Value, dtype: DType, least: int, most: int) -> tuple[Value, Value | None]:
    """A bound in `dtype`, moved into its range, and where it was above `most` (None: nowhere)."""
    if isinstance(x, float):
        x = int(x)
    if isinstance(x, int):
        beyond = np.True_ if x > most else None
        return np.asarray(min(max(x, least), most)).astype(dtype)[()], beyond
    given = typeof(x).dtype
    if not is_integer(given):
        x = convert(x, np.dtype(np.int64))
        given = np.dtype(np.int64)
    info = np.iinfo(given)
    beyond = gt(x, most) if info.max > most else None
    if info.max > most:
        x = minimum(x, most)
    if info.min < least:
        x = maximum(x, least)
    return convert(x, dtype), beyond


def bernoulli(key: Any, p: Any = 0.5, shape: Any = None, mode: str = "low") -> Value:
    """Booleans that are true with probability p.

    Args:
        key: u32[2].
        p: probability; broadcasts to `shape`.
        shape: of the result; default: that of `p`.
        mode: ``"low"`` compares p with one uniform number, ``"high"`` with two for probabilities
            near 0 or of more digits than the dtype has below 1.

    Example:
        >>> from fxla import random
        >>> round(float(random.bernoulli(random.key(0), 0.3, (10000,)).mean()), 1)
        0.3
    """
    key = check_key(key, "bernoulli")
    if mode not in ("low", "high"):
        raise ValueError(
            f"random.bernoulli: mode must be 'low' or 'high', got {mode!r}{where_am_i()}"
        )
    p = as_value(p)
    dtype = parameter_dtype(p)
    sizes = shape_of_draw(shape, "bernoulli", p)
    p = parameter(p, dtype, sizes)
    if mode == "low":
        return lt(unit_uniform(key, sizes, dtype), p)
    both = unit_uniform(key, (2, *sizes), dtype)
    coarse, fine = (reshape(slice_in_dim(both, i, i + 1), sizes) for i in (0, 1))
    return lt(mul(fine, 2.0 ** -int(finfo_of(dtype).nmant)), sub(p, coarse))


def rademacher(key: Any, shape: Any = (), dtype: Any = None) -> Value:
    """-1 or 1 with equal probability.

    Args:
        key: u32[2].
        shape: of the result.
        dtype: of the result; default int64.

    Example:
        >>> from fxla import random
        >>> sorted(set(random.rademacher(random.key(0), (20,)).tolist()))
        [-1, 1]
    """
    given = np.dtype(np.int64) if dtype is None else canonical_dtype(dtype)
    heads = convert(bernoulli(key, 0.5, shape_tuple(shape, "rademacher")), given)
    return sub(add(heads, heads), 1)
