"""Operands of public functions: as values, in one dtype, of one shape; and axes and sizes.

A body written on ops takes each argument through `as_value`, which checks it; `promote` brings them
to one dtype and `broadcast` to one shape. Messages show an operand as `describe` does.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import (
    DType,
    bfloat16,
    default_complex,
    default_float,
    float64,
    inexact_dtype,
    result_type,
)
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import AxisError, DtypeError, ShapeError, TracerIntegerConversionError
from fxla.ops.casts import convert
from fxla.ops.shape import stack
from fxla.ops.structure import broadcast_to

__all__ = [
    "as_value",
    "as_values",
    "broadcast",
    "broadcast_all",
    "canonical_axes",
    "common_shape",
    "concrete_only",
    "convert_all",
    "describe",
    "normalise_axis",
    "promote",
    "promote_inexact",
    "promoted_dtype",
    "reject",
    "shape_of",
    "stack_values",
]


# --- arguments ------------------------------------------------------------------------------


def describe(x: Any) -> str:
    """An operand in a message: ``f32[2,3]`` for an array, the value of a number, or its type.

    Example:
        >>> describe(np.zeros((2, 3), "float32")), describe(2.5), describe("a")
        ('f32[2,3]', '2.5', 'str')
    """
    if isinstance(x, (bool, int, float, complex)):
        return repr(x)
    if isinstance(x, (Tracer, np.ndarray, np.generic)) or hasattr(x, "aval"):
        try:
            return str(typeof(x))
        except TypeError:
            return f"array of {x.dtype}"
    return type(x).__name__


def reject(x: Any, call: str, position: int | None = None) -> NoReturn:
    """Raise the TypeError for an argument that is not an array or a number."""
    where = "" if position is None else f" {position + 1}"
    if isinstance(x, np.ndarray):
        got, remedy = f"an array of dtype {x.dtype}", "Convert it to numbers with `.astype`."
    elif x is None:
        got, remedy = "None", "Pass an array; a function without `return` gives None."
    elif isinstance(x, (dict, set, frozenset)):
        got = f"a {type(x).__name__}"
        remedy = "Map over its arrays with `fxla.tree.map`, or pass one of them."
    else:
        got = f"a {type(x).__module__}.{type(x).__qualname__}".replace("builtins.", "")
        remedy = "Convert it with `numpy.asarray` outside the traced function."
    raise TypeError(
        f"{call}: expected an array or a number as argument{where}, got {got}{where_am_i()}. "
        f"{remedy}"
    )


def as_value(x: Any, call: str, position: int | None = None) -> Value:
    """An argument as something primitives take: an array, a tracer, or a Python or NumPy scalar.

    Nested lists of numbers become an array, nested lists with traced elements a stack of them.

    Args:
        x: the user's argument.
        call: the user's call, e.g. ``np.add``.
        position: of the argument, 0-based, for the message.

    Raises:
        TypeError: if `x` is neither array nor number.

    Example:
        >>> as_value([[1, 2], [3, 4]], "np.add").shape
        (2, 2)
    """
    if isinstance(x, (Tracer, bool, int, float, complex, np.generic)):
        return x
    if isinstance(x, np.ndarray):
        if x.dtype.kind in "biufc" or x.dtype == bfloat16:
            return x
        reject(x, call, position)
    if isinstance(x, (list, tuple)):
        if _has_tracer(x):
            return stack_values([as_value(item, call, position) for item in x], call)
        return _concrete(np.asarray(x), x, call, position)
    if hasattr(x, "aval") or hasattr(x, "__cuda_array_interface__"):
        return x
    if hasattr(x, "__array__") or isinstance(x, (range, memoryview, bytearray)):
        return _concrete(np.asarray(x), x, call, position)
    reject(x, call, position)


def as_values(call: str, *xs: Any) -> list[Value]:
    """`as_value` of each argument."""
    return [as_value(x, call, i) for i, x in enumerate(xs)]


def _has_tracer(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return any(_has_tracer(item) for item in x)
    return isinstance(x, Tracer)


def _concrete(made: np.ndarray[Any, Any], x: Any, call: str, position: int | None) -> Value:
    """An array made of a nested list; Python floats take the default precision."""
    if made.dtype.kind not in "biufc" and made.dtype != bfloat16:
        reject(made if made.dtype.kind in "OUS" and made.ndim else x, call, position)
    if default_float() != float64 and made.dtype.kind in "fc" and not _has_arrays(x):
        return made.astype(default_float() if made.dtype.kind == "f" else default_complex())
    return made


def _has_arrays(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return any(_has_arrays(item) for item in x)
    return hasattr(x, "dtype")


def stack_values(values: Sequence[Value], call: str) -> Value:
    """Stack values of one shape along a new first axis."""
    shapes = {typeof(v).shape for v in values}
    if len(shapes) != 1:
        listed = ", ".join(describe(v) for v in values[:6])
        raise ShapeError(
            f"{call}: elements of a nested list have different shapes: {listed}{where_am_i()}. "
            "Pad or reshape them to one shape first."
        )
    return stack(promote(call, *values))


def shape_of(shape: Any, call: str) -> tuple[int, ...]:
    """A shape argument as a tuple of Python integers.

    Raises:
        TypeError: if a size is traced or not an integer.
    """
    if isinstance(shape, (list, tuple)) or (isinstance(shape, np.ndarray) and shape.ndim == 1):
        return tuple([_size(n, call) for n in shape])
    return (_size(shape, call),)


def _size(n: Any, call: str) -> int:
    if isinstance(n, Tracer) and n.concrete() is None:
        raise TracerIntegerConversionError(
            f"{call}: a size must be known while tracing, got a traced {n.aval}{where_am_i()}. "
            "Take it from `.shape`, or pass it as a static argument: `jit(f, static_argnums=...)`."
        )
    return operator.index(n)


def concrete_only(x: Any, call: str, what: str) -> Any:
    """A concrete NumPy array, for arguments that decide shapes.

    Raises:
        TypeError: if its value is not known while tracing.
    """
    if isinstance(x, Tracer):
        known = x.concrete()
        if known is not None:
            return np.asarray(known)
        raise TypeError(
            f"{call}: {what} must be known while tracing, got a traced {x.aval}{where_am_i()}. "
            "It decides a shape: pass it as a static argument, `jit(f, static_argnums=...)`."
        )
    return np.asarray(x)


# --- dtypes ---------------------------------------------------------------------------------


def convert_all(xs: Sequence[Value], dtype: DType) -> list[Value]:
    """Values in one strong dtype; Python numbers become NumPy scalars, with NumPy's range check."""
    return [_converted(x, dtype) for x in xs]


def _converted(x: Value, dtype: DType) -> Value:
    if isinstance(x, np.generic):
        return x if x.dtype == dtype else x.astype(dtype)
    if isinstance(x, (bool, int, float, complex)):
        return np.asarray(x, dtype)[()]
    return convert(x, dtype)


def promote(call: str, *xs: Value) -> list[Value]:
    """Bring operands to one dtype by NumPy's promotion (NEP 50). The results are strong.

    Example:
        >>> [x.dtype.name for x in promote("np.add", np.float32(1), 2.0)]
        ['float32', 'float32']
    """
    return convert_all(xs, promoted_dtype(call, *xs))


def promoted_dtype(call: str, *xs: Value) -> DType:
    """The dtype `promote` gives."""
    avals = [typeof(x) for x in xs]
    try:
        return result_type(*[(a.dtype, a.weak_type) for a in avals])[0]
    except DtypeError as error:
        operands = ", ".join(map(str, avals))
        raise DtypeError(f"{call}: {error} ({operands}){where_am_i()}") from None


def promote_inexact(call: str, *xs: Value) -> list[Value]:
    """`promote`, then to the floating dtype NumPy computes in for integers and booleans."""
    return convert_all(xs, inexact_dtype(promoted_dtype(call, *xs)))


# --- shapes ---------------------------------------------------------------------------------

_SYMBOLS = {
    "np.add": "+",
    "np.subtract": "-",
    "np.multiply": "*",
    "np.divide": "/",
    "np.floor_divide": "//",
    "np.remainder": "%",
    "np.power": "**",
    "np.matmul": "@",
    "np.less": "<",
    "np.less_equal": "<=",
    "np.greater": ">",
    "np.greater_equal": ">=",
    "np.equal": "==",
    "np.not_equal": "!=",
    "np.bitwise_and": "&",
    "np.bitwise_or": "|",
    "np.bitwise_xor": "^",
    "np.left_shift": "<<",
    "np.right_shift": ">>",
}


def common_shape(call: str, *avals: Aval) -> tuple[int, ...]:
    """The shape that shapes broadcast to.

    Raises:
        ShapeError: if two of them have different sizes, neither of them 1, on an axis.
    """
    shape = avals[0].shape
    if all(a.shape == shape for a in avals):
        return shape
    rank = max(a.ndim for a in avals)
    out: list[int] = []
    for axis in range(-rank, 0):
        sizes = [a.shape[axis] for a in avals if a.ndim >= -axis and a.shape[axis] != 1]
        if any(n != sizes[0] for n in sizes):
            other = next(n for n in sizes if n != sizes[0])
            symbol = f" {_SYMBOLS[call]} " if call in _SYMBOLS else ", "
            raise ShapeError(
                f"{call}: shapes do not broadcast: {symbol.join(map(str, avals))} "
                f"(axis {axis}: {sizes[0]} != {other}){where_am_i()}. Shapes are matched from the "
                "last axis; insert an axis of size 1 where needed, e.g. `x[:, None]`."
            )
        out.append(sizes[0] if sizes else 1)
    return tuple(out)


def broadcast(call: str, *xs: Value) -> list[Value]:
    """Broadcast operands for an elementwise primitive: rank-0 operands stay as they are.

    Raises:
        ShapeError: if the shapes do not broadcast.
    """
    avals = [typeof(x) for x in xs]
    if len({a.shape for a in avals if a.shape}) <= 1:
        return list(xs)
    shape = common_shape(call, *avals)
    return [
        x if a.shape == shape or not a.shape else broadcast_to(x, shape)
        for x, a in zip(xs, avals, strict=True)
    ]


def broadcast_all(call: str, *xs: Value) -> list[Value]:
    """Broadcast operands to one shape, rank-0 operands too."""
    shape = common_shape(call, *[typeof(x) for x in xs])
    return [broadcast_to(x, shape) for x in xs]


def normalise_axis(axis: Any, ndim: int, call: str) -> int:
    """A non-negative axis.

    Raises:
        AxisError: if it is out of bounds.

    Example:
        >>> normalise_axis(-1, 3, "np.sum")
        2
    """
    given = operator.index(axis)
    if not -ndim <= given < ndim:
        raise AxisError(
            f"{call}: axis {given} is out of bounds for array of dimension {ndim}{where_am_i()}. "
            + (f"Axes go from {-ndim} to {ndim - 1}." if ndim else "It has no axes.")
        )
    return given % ndim


def canonical_axes(axis: Any, ndim: int, call: str) -> tuple[int, ...]:
    """Non-negative axes in the order given; None means all of them.

    Raises:
        AxisError: if one is out of bounds.
        ValueError: if one is given twice.
    """
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, (tuple, list)):
        axes = tuple([normalise_axis(a, ndim, call) for a in axis])
        if len(set(axes)) != len(axes):
            raise ValueError(f"{call}: duplicate value in 'axis' {tuple(axis)}{where_am_i()}")
        return axes
    return (normalise_axis(axis, ndim, call),)
