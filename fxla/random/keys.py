"""Keys: the state of the generator, held by the user.

A key is a u32[2] array. The same key gives the same numbers, so use a key once: `split` it into new
keys for what comes next.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.core.array import as_array
from fxla.core.dtypes import is_integer, uint32
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.ops.casts import convert
from fxla.ops.logic import and_, shift_right_logical
from fxla.ops.random_bits import random_bits
from fxla.ops.shape import stack
from fxla.random.arguments import as_value, check_key, shape_tuple
from fxla.transforms.api import aval_of, kind_of

__all__ = [
    "PRNGKey",
    "clone",
    "fold_in",
    "key",
    "key_data",
    "key_impl",
    "split",
    "wrap_key_data",
]

uint64 = np.dtype(np.uint64)
_IMPLEMENTATION = "threefry2x32"


def key(seed: Any, *, impl: str | None = None) -> Value:
    """A key from an integer.

    Args:
        seed: any integer below 2**64, or a traced integer scalar. The key holds its high and its
            low 32 bits.
        impl: accepted for compatibility with JAX: None or ``"threefry2x32"``.

    Returns:
        u32[2].

    Example:
        >>> key(42)
        Array([ 0, 42], dtype=uint32)
    """
    if impl not in (None, _IMPLEMENTATION, "threefry"):
        raise ValueError(
            f"random.key: the only generator is {_IMPLEMENTATION!r}, got {impl!r}{where_am_i()}"
        )
    if isinstance(seed, int):
        bits = seed % 2**64
        return as_array(np.array([bits >> 32, bits % 2**32], np.uint32))
    aval = aval_of(seed)
    if aval is None or aval.shape or not is_integer(aval.dtype):
        raise TypeError(
            f"random.key: the seed must be an integer, got {aval or kind_of(seed)}{where_am_i()}. "
            "Of a text, take `zlib.crc32(text.encode())`."
        )
    return _halves(convert(seed, uint64))


def PRNGKey(seed: Any, *, impl: str | None = None) -> Value:  # noqa: N802 - JAX's name
    """The same as `key`.

    Example:
        >>> PRNGKey(0)
        Array([0, 0], dtype=uint32)
    """
    return key(seed, impl=impl)


def split(key: Any, num: int | tuple[int, ...] = 2) -> Value:
    """Independent new keys from a key.

    Args:
        key: u32[2].
        num: how many, or the shape of an array of keys.

    Returns:
        u32[num, 2].

    Example:
        >>> first, second = split(PRNGKey(0))
        >>> first
        Array([1797259609, 2579123966], dtype=uint32)
    """
    key = check_key(key, "split")
    return _halves(random_bits(key, 64, shape_tuple(num, "split")))


def fold_in(key: Any, data: Any) -> Value:
    """A new key from a key and an integer, e.g. the number of a step or of a layer.

    Args:
        key: u32[2].
        data: an integer scalar; its low 32 bits are used.

    Returns:
        u32[2].

    Example:
        >>> bool((fold_in(PRNGKey(0), 1) == split(PRNGKey(0))[1]).all())
        True
    """
    key = check_key(key, "fold_in")
    data = as_value(data)
    if isinstance(data, int):
        data = np.uint64(data % 2**32)
    aval = typeof(data)
    if aval.shape or not is_integer(aval.dtype):
        raise TypeError(f"random.fold_in: data must be an integer scalar, got {aval}{where_am_i()}")
    return _halves(random_bits(key, 64, (), convert(convert(data, uint32), uint64)))


def _halves(bits: Value) -> Value:
    """u64[s] -> u32[s, 2]: high and low halves."""
    high = convert(shift_right_logical(bits, 32), uint32)
    low = convert(and_(bits, 0xFFFFFFFF), uint32)
    return stack([high, low], typeof(bits).ndim)


def key_data(keys: Any) -> Value:
    """The u32[..., 2] array of keys, which is what keys are.

    Example:
        >>> key_data(key(1))
        Array([0, 1], dtype=uint32)
    """
    return wrap_key_data(keys)


def wrap_key_data(key_bits_array: Any, *, impl: str | None = None) -> Value:
    """Keys from a u32[..., 2] array: the array, checked.

    Example:
        >>> wrap_key_data(np.array([0, 1], np.uint32))
        Array([0, 1], dtype=uint32)
    """
    del impl
    bits = as_value(key_bits_array)
    aval = typeof(bits)
    if aval.dtype != uint32:
        raise DtypeError(f"random.wrap_key_data: keys are u32[..., 2], got {aval}{where_am_i()}")
    if aval.shape[-1:] != (2,):
        raise ShapeError(f"random.wrap_key_data: keys are u32[..., 2], got {aval}{where_am_i()}")
    return as_array(bits)


def key_impl(keys: Any) -> str:
    """The name of the generator, ``"threefry2x32"``.

    Example:
        >>> key_impl(key(0))
        'threefry2x32'
    """
    wrap_key_data(keys)
    return _IMPLEMENTATION


def clone(key: Any) -> Value:
    """The same key, to say that its second use is meant.

    Example:
        >>> clone(key(7))
        Array([0, 7], dtype=uint32)
    """
    return wrap_key_data(key)
