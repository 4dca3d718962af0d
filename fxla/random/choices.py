"""Permutations, choices and categories."""

from __future__ import annotations

import math
from typing import Any

from fxla.core.dtypes import default_float, int64, is_integer
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import AxisError, ConcretizationError, ShapeError
from fxla.ops.arithmetic import mul, sub
from fxla.ops.casts import convert
from fxla.ops.cumulative import cumsum
from fxla.ops.elementwise import add
from fxla.ops.index import take
from fxla.ops.random_bits import random_bits
from fxla.ops.reduce import argmax
from fxla.ops.shape import iota, slice_in_dim
from fxla.ops.sort import searchsorted, sort, top_k
from fxla.ops.structure import broadcast_to, move_axis, reshape
from fxla.ops.transcendental import log
from fxla.random.arguments import as_value, check_key, parameter_dtype, shape_tuple
from fxla.random.basic import randint, unit_uniform
from fxla.random.continuous import gumbel
from fxla.random.normals import key_pair

__all__ = ["categorical", "choice", "permutation"]


def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False) -> Value:
    """The elements of `x` along an axis, in random order.

    Args:
        key: u32[2].
        x: an array, or an integer n for ``arange(n)``.
        axis: what to permute.
        independent: whether every line along `axis` gets an order of its own.

    Example:
        >>> from fxla import random
        >>> sorted(random.permutation(random.key(0), 5).tolist())
        [0, 1, 2, 3, 4]
    """
    key = check_key(key, "permutation")
    x = as_value(x)
    aval = typeof(x)
    if aval.ndim == 0:
        return _shuffled(key, iota(int64, (_count(x, "permutation"),)), 0)
    axis = _axis(axis, aval.ndim, "permutation")
    if independent or aval.ndim == 1:
        return _shuffled(key, x, axis)
    order = _shuffled(key, iota(int64, (aval.shape[axis],)), 0)
    return take(x, order, axis)


def _shuffled(key: Value, x: Value, axis: int) -> Value:
    """Sort by random 32-bit numbers, often enough that ties in all rounds are improbable.

    With r rounds the chance that some pair of n elements ties in all is about n**2 / 2**(32 r + 1);
    r is chosen to make n**3 <= 2**(32 r).
    """
    aval = typeof(x)
    rounds = math.ceil(3 * math.log(max(1, aval.size)) / math.log(2**32 - 1))
    for _ in range(rounds):
        key, now = key_pair(key, "permutation")
        x = sort((random_bits(now, 32, aval.shape), x), axis)[1]
    return x


def _count(x: Value, call: str) -> int:
    """A concrete integer."""
    if not is_integer(typeof(x).dtype):
        raise TypeError(
            f"random.{call}: expected an integer or an array, got {typeof(x)}{where_am_i()}"
        )
    try:
        return int(x)
    except ConcretizationError:
        raise ConcretizationError(
            f"random.{call}: the number of elements must be known while tracing; pass a Python "
            f"integer or make the argument static{where_am_i()}"
        ) from None


def _axis(axis: int, ndim: int, call: str) -> int:
    if not -ndim <= axis < ndim:
        raise AxisError(
            f"random.{call}: axis {axis} is out of bounds for {ndim} dimensions{where_am_i()}"
        )
    return axis % ndim


def choice(
    key: Any,
    a: Any,
    shape: Any = (),
    replace: bool = True,
    p: Any = None,
    axis: int = 0,
    mode: str | None = None,
) -> Value:
    """Random elements of `a` along an axis.

    Args:
        key: u32[2].
        a: an array, or an integer n for ``arange(n)``.
        shape: of the choice; stands in place of `axis` in the result.
        replace: whether an element may be chosen more than once.
        p: probabilities, one for each element; default: all equal.
        axis: along which to choose.
        mode: of `gumbel`, for choices without replacement with probabilities.

    Raises:
        ValueError: if there are fewer elements than choices without replacement.

    Example:
        >>> from fxla import random
        >>> x = random.choice(random.key(0), 5, (5,), replace=False)
        >>> sorted(x.tolist())
        [0, 1, 2, 3, 4]
    """
    key = check_key(key, "choice")
    a = as_value(a)
    aval, sizes = typeof(a), shape_tuple(shape, "choice")
    axis = _axis(axis, aval.ndim, "choice") if aval.ndim else 0
    n = aval.shape[axis] if aval.ndim else _count(a, "choice")
    draws = math.prod(sizes)
    if n <= 0 and draws:
        raise ValueError(f"random.choice: there is nothing to choose from{where_am_i()}")
    if not replace and draws > n:
        raise ValueError(
            f"random.choice: cannot take {draws} of {n} elements without replacement; pass "
            f"replace=True{where_am_i()}"
        )
    if p is not None:
        where = _by_probability(key, as_value(p), n, sizes, replace, mode)
    elif replace:
        where = randint(key, sizes, 0, n)
    else:
        all_of_them = permutation(key, n if aval.ndim == 0 else a, axis)
        chosen = slice_in_dim(all_of_them, 0, draws, axis=axis)
        return reshape(chosen, (*aval.shape[:axis], *sizes, *aval.shape[axis + 1 :]))
    return where if aval.ndim == 0 else take(a, where, axis)


def _by_probability(
    key: Value, p: Value, n: int, sizes: tuple[int, ...], replace: bool, mode: str | None
) -> Value:
    """Positions: by inverting the sum of probabilities, or the Gumbel top-k trick."""
    if typeof(p).shape != (n,):
        raise ShapeError(f"random.choice: p must have shape ({n},), got {typeof(p)}{where_am_i()}")
    dtype = parameter_dtype(p)
    p = convert(p, dtype)
    if not replace:
        scores = add(gumbel(key, (n,), dtype, mode), log(p))
        return reshape(top_k(scores, math.prod(sizes))[1], sizes)
    total = cumsum(p, 0)
    last = reshape(slice_in_dim(total, n - 1, n), ())
    u = sub(1.0, unit_uniform(key, sizes, dtype))
    return searchsorted(total, mul(broadcast_to(last, sizes), u))


def categorical(
    key: Any,
    logits: Any,
    axis: int = -1,
    shape: Any = None,
    replace: bool = True,
    mode: str | None = None,
) -> Value:
    """Categories with probabilities proportional to ``exp(logits)``, by the Gumbel-max trick.

    Args:
        key: u32[2].
        logits: unnormalised log probabilities.
        axis: of the categories.
        shape: of the result; it must end with the shape of `logits` without `axis`, which is the
            default.
        replace: without replacement, the leading axes of `shape` beyond the batch hold different
            categories.
        mode: of `gumbel`.

    Returns:
        int64 positions along `axis`.

    Example:
        >>> import numpy as np
        >>> from fxla import random
        >>> x = random.categorical(random.key(0), np.log([0.1, 0.9]), shape=(10000,))
        >>> round(float(x.mean()), 1)
        0.9
    """
    key = check_key(key, "categorical")
    logits = as_value(logits)
    aval = typeof(logits)
    axis = _axis(axis, aval.ndim, "categorical")
    batch = (*aval.shape[:axis], *aval.shape[axis + 1 :])
    sizes = batch if shape is None else shape_tuple(shape, "categorical")
    front = sizes[: max(0, len(sizes) - len(batch))]
    tail = sizes[len(front) :]
    fits = len(tail) == len(batch) and all(b in (1, n) for b, n in zip(batch, tail, strict=True))
    if not fits:
        raise ShapeError(
            f"random.categorical: shape {sizes} must end with the batch shape {batch} of "
            f"{aval}{where_am_i()}"
        )
    dtype = aval.dtype if aval.dtype.kind == "f" or aval.dtype.kind == "V" else default_float()
    logits = convert(logits, dtype)
    if replace:
        full_shape = (*front, *tail[:axis], aval.shape[axis], *tail[axis:])
        noise = gumbel(key, full_shape, dtype, mode)
        return argmax(add(noise, broadcast_to(logits, full_shape)), len(front) + axis)
    k = math.prod(front)
    if k > aval.shape[axis]:
        raise ValueError(
            f"random.categorical: cannot take {k} of {aval.shape[axis]} categories without "
            f"replacement{where_am_i()}"
        )
    scores = move_axis(add(logits, gumbel(key, aval.shape, dtype, mode)), axis, aval.ndim - 1)
    where = top_k(scores, k)[1]
    return reshape(move_axis(where, len(batch), 0), sizes)
