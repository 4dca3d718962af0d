"""Counter-based random bits: Threefry-2x32 with 20 rounds.

Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).

Element i of a draw is the cipher of the 64-bit counter ``start + i`` under the key, and of nothing
else: it is the same eagerly, compiled, under vmap, and however the work is split over threads. Bits
are those of JAX's generator with ``jax_threefry_partitionable``, its default.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval, Shape
from fxla.core.dtypes import DType, uint32
from fxla.core.primitive import Primitive, Zero, not_linear
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops import view as scalar
from fxla.loops.ir import Expr
from fxla.loops.view import IndexTuple, View, binary, extent, int_const
from fxla.ops.structure import batch_move

__all__ = [
    "cipher_of_arrays",
    "cipher_of_expressions",
    "high_half",
    "joined",
    "random_bits",
    "random_bits_p",
    "uint_dtype",
]

uint64 = np.dtype(np.uint64)

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_CHUNK = 8192
"""Elements ciphered at a time by NumPy: all five work arrays stay in the first-level cache."""


def uint_dtype(bit_width: int) -> DType:
    """The unsigned dtype of a width."""
    return np.dtype(f"uint{bit_width}")


_FEW = 8
"""Below this size, Python's integers are faster than NumPy's calls."""


class RandomBits(Primitive):
    """``out[b, i] = threefry(key[b], start[b] + i)``, i being the C-order position in `shape`.

    key: u32[B, 2], start: u64[B] -> u<bit_width>[B, shape]. Of the 64 bits of the cipher, narrower
    results take the exclusive or of the halves, and its low bits.
    """

    name = "random_bits"

    def abstract_eval(
        self, key: Aval, start: Aval, *, bit_width: int, shape: Shape
    ) -> tuple[Aval, ...]:
        if key.dtype != uint32 or start.dtype != uint64:
            raise DtypeError(f"random_bits: keys are u32[..., 2] and starts u64: {key}, {start}")
        if key.shape[-1:] != (2,) or key.shape[:-1] != start.shape:
            raise ShapeError(f"random_bits: expected keys of shape (..., 2), got {key}, {start}")
        if bit_width not in (8, 16, 32, 64):
            raise ValueError(f"random_bits: bit_width must be 8, 16, 32 or 64, got {bit_width}")
        return (Aval((*start.shape, *shape), uint_dtype(bit_width)),)

    def impl(self, key: Any, start: Any, *, bit_width: int, shape: Shape) -> tuple[Any, ...]:
        key, start = np.asarray(key), np.asarray(start)
        n = math.prod(shape)
        out = np.empty((*start.shape, n), uint_dtype(bit_width))
        for b in np.ndindex(start.shape):
            _draw(key[b], int(start[b]), out[b])
        return (out.reshape((*start.shape, *shape)),)

    def jvp(
        self, primals: Any, tangents: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        out = self.bind(*primals, **params)
        return out, (Zero(typeof(out[0]).tangent()),)

    transpose = not_linear

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, bit_width: int, shape: Shape
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        key, start = batch_move(axis, operands, axes)
        return self.bind(key, start, bit_width=bit_width, shape=shape), (0,)

    def lower(self, *views: View, bit_width: int, shape: Shape) -> tuple[View, ...]:
        key, start = views
        n = start.ndim
        dtype = uint_dtype(bit_width)

        def at(i: IndexTuple) -> Expr:
            lead, position = i[:n], i[n:]
            flat: Expr = int_const(0)
            for size, k in zip(shape, position, strict=True):
                flat = binary("add", binary("mul", flat, extent(size)), k)
            counter = scalar.op("add", uint64, start[lead], scalar.cast(flat, uint64))
            halves = cipher_of_expressions(
                key[(*lead, int_const(0))],
                key[(*lead, int_const(1))],
                scalar.cast(high_half(counter), uint32),
                scalar.cast(counter, uint32),
            )
            if dtype == uint64:
                return joined(*halves)
            return scalar.cast(scalar.op("xor", uint32, *halves), dtype)

        return (View((*start.shape, *shape), dtype, at),)


def high_half(x: Expr) -> Expr:
    """The high 32 bits of a 64-bit expression, in its low ones."""
    return scalar.op("shr_logical", uint64, x, scalar.const(32, uint64))


def cipher_of_expressions(k0: Expr, k1: Expr, x0: Expr, x1: Expr) -> tuple[Expr, Expr]:
    """Threefry-2x32-20 as scalar expressions; 32-bit additions wrap."""

    def u32(name: str, a: Expr, b: Expr | int) -> Expr:
        b = scalar.const(b, uint32) if isinstance(b, int) else b
        return scalar.op(name, uint32, a, b)

    keys = (k0, k1, u32("xor", u32("xor", k0, k1), _PARITY))
    x0, x1 = u32("add", x0, k0), u32("add", x1, k1)
    for group in range(5):
        for r in _ROTATIONS[group % 2]:
            x0 = u32("add", x0, x1)
            x1 = u32("or", u32("shl", x1, r), u32("shr_logical", x1, 32 - r))
            x1 = u32("xor", x1, x0)
        x0 = u32("add", x0, keys[(group + 1) % 3])
        # The sum of key and number is the same for every counter: it is computed once.
        x1 = u32("add", x1, u32("add", keys[(group + 2) % 3], group + 1))
    return x0, x1


def joined(high: Expr, low: Expr) -> Expr:
    """Two halves as one 64-bit expression."""
    wide = scalar.op("shl", uint64, scalar.cast(high, uint64), scalar.const(32, uint64))
    return scalar.op("or", uint64, wide, scalar.cast(low, uint64))


def _draw(key: Any, start: int, out: Any) -> None:
    """Fill the 1-d array `out` with the ciphers of start, start + 1, ..."""
    k0, k1 = int(key[0]), int(key[1])
    if out.size <= _FEW:
        for i in range(out.size):
            high, low = _cipher_of_integers(k0, k1, (start + i) % 2**64)
            out[i] = (high << 32 | low) if out.itemsize == 8 else (high ^ low) % 256**out.itemsize
        return
    keys = [np.uint32(k) for k in (k0, k1, k0 ^ k1 ^ _PARITY)]
    size = min(_CHUNK, out.size)
    work = np.empty((3, size), np.uint32)
    line = np.arange(size, dtype=np.uint64)
    for begin in range(0, out.size, _CHUNK):
        part = out[begin : begin + _CHUNK]
        x0, x1, spare = work[:, : part.size]
        counter = line[: part.size] + np.uint64((start + begin) % 2**64)
        x0[:], x1[:] = counter >> np.uint64(32), counter.astype(np.uint32)
        _cipher_in_place(keys, x0, x1, spare)
        if part.dtype == uint64:
            part[:] = x0
            part <<= np.uint64(32)
            part |= x1
        else:
            x0 ^= x1
            part[:] = x0.astype(part.dtype, copy=False)


def _cipher_of_integers(k0: int, k1: int, counter: int) -> tuple[int, int]:
    """Threefry-2x32-20 of one counter."""
    keys, mask = (k0, k1, k0 ^ k1 ^ _PARITY), 0xFFFFFFFF
    x0, x1 = ((counter >> 32) + k0) & mask, (counter + k1) & mask
    for group in range(5):
        for r in _ROTATIONS[group % 2]:
            x0 = (x0 + x1) & mask
            x1 = ((x1 << r | x1 >> (32 - r)) & mask) ^ x0
        x0 = (x0 + keys[(group + 1) % 3]) & mask
        x1 = (x1 + keys[(group + 2) % 3] + group + 1) & mask
    return x0, x1


def cipher_of_arrays(k0: Any, k1: Any, counter: Any) -> tuple[Any, Any]:
    """Threefry-2x32-20 of u64 counters, each under its own key or all under one."""
    x0 = (counter >> np.uint64(32)).astype(np.uint32)
    x1 = counter.astype(np.uint32)
    keys = (k0, k1, k0 ^ k1 ^ np.uint32(_PARITY))
    _cipher_in_place(keys, x0, x1, np.empty_like(x0))
    return x0, x1


def _cipher_in_place(keys: Sequence[Any], x0: Any, x1: Any, spare: Any) -> None:
    """Threefry-2x32-20 of whole arrays, which it overwrites."""
    x0 += keys[0]
    x1 += keys[1]
    for group in range(5):
        for r in _ROTATIONS[group % 2]:
            x0 += x1
            np.right_shift(x1, np.uint32(32 - r), out=spare)
            x1 <<= np.uint32(r)
            x1 |= spare
            x1 ^= x0
        x0 += keys[(group + 1) % 3]
        x1 += keys[(group + 2) % 3]
        x1 += np.uint32(group + 1)


random_bits_p = RandomBits()


def random_bits(
    key: Value, bit_width: int, shape: Sequence[int], start: Value | None = None
) -> Value:
    """Independent uniform bits: element i is decided by the key and ``start + i``.

    Args:
        key: u32[..., 2], one or several keys.
        bit_width: 8, 16, 32 or 64.
        shape: of the draw under each key.
        start: u64[...], the counter of the first element of each draw; default 0.

    Example:
        >>> random_bits(np.zeros(2, np.uint32), 32, (2,)).tolist()
        [4070199207, 4202968722]
    """
    if start is None:
        start = np.zeros(typeof(key).shape[:-1], uint64)
        start = start[()] if start.ndim == 0 else start
    return random_bits_p.bind1(key, start, bit_width=bit_width, shape=tuple(shape))
