"""What every sampler does with its arguments: keys, shapes, dtypes, parameters."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import (
    DType,
    canonical_dtype,
    default_float,
    is_floating,
    is_integer,
    short_name,
    uint32,
)
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.ops.casts import convert
from fxla.ops.structure import broadcast_to

__all__ = [
    "as_value",
    "check_key",
    "float_dtype",
    "integer_dtype",
    "parameter",
    "parameter_dtype",
    "shape_of_draw",
    "shape_tuple",
]


def as_value(x: Any) -> Value:
    """An array, a tracer or a Python number as it is; a list or a tuple as an array."""
    if isinstance(x, (Tracer, np.ndarray, np.generic, bool, int, float, complex)):
        return x
    return np.asarray(x) if isinstance(x, (list, tuple)) else x


def check_key(key: Any, call: str) -> Value:
    """One key.

    Raises:
        TypeError: if it is something else, or several keys.
    """
    key = as_value(key)
    aval = typeof(key)
    if aval.dtype != uint32 or aval.shape[-1:] != (2,):
        raise TypeError(
            f"random.{call}: expected a key, which is a u32[2] array, got {aval}{where_am_i()}. "
            "Make one with `random.key(seed)`."
        )
    if aval.ndim != 1:
        raise ShapeError(
            f"random.{call}: expected one key, got several: {aval}{where_am_i()}. "
            f"Map over them with `vmap(lambda k: random.{call}(k, ...))(keys)`."
        )
    return key


def shape_tuple(shape: Any, call: str) -> tuple[int, ...]:
    """A shape given as an integer or as a sequence of integers."""
    if not isinstance(shape, Sequence):
        shape = (shape,)
    try:
        sizes = tuple(operator.index(n) for n in shape)
    except TypeError:
        raise TypeError(
            f"random.{call}: shape must be integers, got {shape}{where_am_i()}"
        ) from None
    if any(n < 0 for n in sizes):
        raise ShapeError(f"random.{call}: negative size in shape {sizes}{where_am_i()}")
    return sizes


def shape_of_draw(shape: Any, call: str, *params: Value) -> tuple[int, ...]:
    """The shape asked for, or the common shape of the parameters if it is None.

    Raises:
        ShapeError: if the parameters do not broadcast to it.
    """
    shapes = [typeof(p).shape for p in params]
    try:
        common = np.broadcast_shapes(*shapes)
        if shape is None:
            return common
        sizes = shape_tuple(shape, call)
        if np.broadcast_shapes(sizes, common) == sizes:
            return sizes
    except ValueError:
        pass
    told = ", ".join(map(str, shapes))
    asked = "" if shape is None else f" to shape {shape}"
    raise ShapeError(
        f"random.{call}: parameters of shapes {told} do not broadcast{asked}{where_am_i()}"
    )


def float_dtype(dtype: Any, call: str) -> DType:
    """The real floating dtype asked for; the default float if it is None."""
    given = default_float() if dtype is None else canonical_dtype(dtype)
    if not is_floating(given):
        raise DtypeError(
            f"random.{call}: expected a floating dtype, got {short_name(given)}{where_am_i()}"
        )
    return given


def integer_dtype(dtype: Any, call: str) -> DType:
    """The integer dtype asked for; int64 if it is None."""
    given = np.dtype(np.int64) if dtype is None else canonical_dtype(dtype)
    if not is_integer(given):
        raise DtypeError(
            f"random.{call}: expected an integer dtype, got {short_name(given)}{where_am_i()}"
        )
    return given


def parameter_dtype(x: Value) -> DType:
    """The floating dtype to work in for a parameter; the default float for a number."""
    aval = typeof(x)
    return aval.dtype if is_floating(aval.dtype) and not aval.weak_type else default_float()


def parameter(x: Value, dtype: DType, shape: tuple[int, ...]) -> Value:
    """A parameter in the dtype and shape of the draw."""
    return broadcast_to(convert(x, dtype), shape)
