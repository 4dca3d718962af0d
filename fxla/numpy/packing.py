"""Bits as bytes and back, and the elements of an array one by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from fxla.core.dtypes import is_bool, is_integer
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import DtypeError
from fxla.numpy.dispatch import public
from fxla.numpy.logic import truth
from fxla.numpy.operands import as_value, normalise_axis
from fxla.ops import arithmetic, logic
from fxla.ops.casts import convert
from fxla.ops.shape import iota, pad, slice_in_dim
from fxla.ops.structure import broadcast_to, expand_dims, full, move_axis, reduce_sum, reshape

__all__ = ["ndenumerate", "packbits", "unpackbits"]

_BYTE = np.dtype(np.uint8)


def _shifts(bitorder: str, shape: tuple[int, ...], call: str) -> Value:
    """How far each of the eight bits of a byte is shifted, along the last axis of `shape`."""
    if bitorder not in ("big", "little"):
        raise ValueError(f"{call}: 'order' must be either 'little' or 'big'{where_am_i()}")
    place = iota(_BYTE, shape, len(shape) - 1)
    return arithmetic.sub(full(shape, 7, _BYTE), place) if bitorder == "big" else place


def _along_last(a: Any, axis: Any, call: str) -> tuple[Value, int]:
    """`a` with an axis moved to the end, and where the axis was; None flattens."""
    x = as_value(a, call)
    if axis is None:
        return reshape(x, (typeof(x).size,)), 0
    at = normalise_axis(axis, typeof(x).ndim, call)
    return move_axis(x, at, typeof(x).ndim - 1), at


@public(np.packbits)
def packbits(a: Any, /, axis: Any = None, bitorder: str = "big") -> Any:
    """Truth values packed into bytes, eight in each. See `numpy.packbits`.

    Args:
        a: integers or booleans; what is not 0 is a set bit.
        axis: along which; by default the array is flattened.
        bitorder: ``"big"``: the first value is the highest bit; ``"little"``: the lowest.

    Example:
        >>> import fxla.numpy as np
        >>> np.packbits([1, 0, 0, 0, 0, 0, 1, 1])
        Array([131], dtype=uint8)
    """
    call = "np.packbits"
    x, at = _along_last(a, axis, call)
    dtype = typeof(x).dtype
    if not is_bool(dtype) and not is_integer(dtype):
        raise DtypeError(
            f"{call}: Expected an input array of integer or boolean data type, got {typeof(x)}"
            f"{where_am_i()}"
        )
    bits = convert(truth(x), _BYTE)
    *rest, n = typeof(bits).shape
    low = [0] * (len(rest) + 1)
    bits = pad(bits, np.uint8(0), low, [*low[:-1], -n % 8])
    bits = reshape(bits, (*rest, (n + 7) // 8, 8))
    placed = logic.shift_left(bits, _shifts(bitorder, typeof(bits).shape, call))
    return move_axis(reduce_sum(placed, (len(rest) + 1,)), len(rest), at)


@public(np.unpackbits)
def unpackbits(a: Any, /, axis: Any = None, count: Any = None, bitorder: str = "big") -> Any:
    """The bits of bytes, each as a byte. See `numpy.unpackbits`.

    Args:
        a: uint8 numbers.
        axis: along which; by default the array is flattened.
        count: how many bits to give; a negative number leaves so many out at the end.
        bitorder: ``"big"``: the highest bit comes first; ``"little"``: the lowest.

    Example:
        >>> import fxla.numpy as np
        >>> np.unpackbits(np.array([5], np.uint8))
        Array([0, 0, 0, 0, 0, 1, 0, 1], dtype=uint8)
    """
    call = "np.unpackbits"
    x, at = _along_last(a, axis, call)
    if typeof(x).dtype != _BYTE:
        raise DtypeError(
            f"{call}: Expected an input array of unsigned byte data type, got {typeof(x)}"
            f"{where_am_i()}"
        )
    *rest, n = typeof(x).shape
    wide = broadcast_to(expand_dims(x, (len(rest) + 1,)), (*rest, n, 8))
    bits = logic.and_(
        logic.shift_right_logical(wide, _shifts(bitorder, typeof(wide).shape, call)),
        full(typeof(wide).shape, 1, _BYTE),
    )
    bits = reshape(bits, (*rest, 8 * n))
    if count is not None:
        wanted = count if count >= 0 else 8 * n + count
        if wanted < 0:
            raise ValueError(f"{call}: -ve count larger than number of elements{where_am_i()}")
        low = [0] * (len(rest) + 1)
        bits = slice_in_dim(bits, 0, min(wanted, 8 * n), 1, len(rest))
        bits = pad(bits, np.uint8(0), low, [*low[:-1], max(wanted - 8 * n, 0)])
    return move_axis(bits, len(rest), at)


class ndenumerate:
    """Pairs of a position and the element there, in C order. See `numpy.ndenumerate`.

    Args:
        arr: an array; of a traced one, each element is traced.

    Example:
        >>> import fxla.numpy as np
        >>> [(i, int(x)) for i, x in np.ndenumerate([[1, 2]])]
        [((0, 0), 1), ((0, 1), 2)]
    """

    def __init__(self, arr: Any) -> None:
        self.array = arr if isinstance(arr, Tracer) else np.asarray(arr)
        self._positions = itertools.product(*[range(n) for n in self.array.shape])

    def __next__(self) -> tuple[tuple[int, ...], Any]:
        position = next(self._positions)
        return position, self.array[position]

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], Any]]:
        return self
