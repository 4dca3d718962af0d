"""Writing a value into a traced array: casting and broadcasting as NumPy does for ``out=``.

Everything here ends in `fxla.core.aliasing.write`, which lets the array, its base and its views
assume what was written.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.core.aliasing import check_writable, write
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import DtypeError, ReadOnlyError, ShapeError
from fxla.ops.casts import convert
from fxla.ops.logic import select
from fxla.ops.structure import broadcast_to

__all__ = ["fresh", "put_into", "put_result"]


def put_into(x: Any, new: Value, call: str, casting: Any = "same_kind", where: Any = True) -> Any:
    """Write the result of an operation into an array, and return the array.

    Args:
        x: the array, whose shape and dtype stay.
        new: what replaces its elements; must have the shape of `x`, or broadcast to it.
        call: the user's call, for messages.
        casting: NumPy's rule for the conversion to the dtype of `x`.
        where: which elements are replaced.

    Raises:
        ValueError: if the array is not the traced function's own, or the shape does not fit.
        TypeError: if the dtype does not.
    """
    if not isinstance(x, Tracer):
        what = f"an array {typeof(x)} that" if isinstance(x, np.ndarray) else f"{x!r}, which"
        raise ReadOnlyError(
            f"{call}: a traced value cannot be written into {what} is not part of the "
            f"trace{where_am_i()}. Make the array in the traced function, with np.zeros or "
            "`x = np.array(x)`, or give the result a new name."
        )
    check_writable(x, call)
    aval, given = x.aval, typeof(new)
    if not given.weak_type and not np.can_cast(given.dtype, aval.dtype, casting):
        raise DtypeError(
            f"{call}: Cannot cast the result from {given.dtype!r} to {aval.dtype!r} with casting "
            f"rule {casting!r}{where_am_i()}. Convert it with `.astype`, or make the array of the "
            "dtype of what it shall hold."
        )
    new = fitted(new, aval.shape, call)
    new = convert(new, aval.dtype)
    if where is not True:
        new = select(broadcast_to(where, aval.shape), new, x)
    write(x, new)
    return x


def fitted(new: Value, shape: tuple[int, ...], call: str) -> Value:
    """A value broadcast to the shape of what it is written into.

    Raises:
        ValueError: if that shape is too small for it.
    """
    own = typeof(new).shape
    if own == shape:
        return new
    fits = len(own) <= len(shape) and all(
        n in (1, m) for n, m in zip(own[::-1], shape[::-1], strict=False)
    )
    if not fits:
        raise ShapeError(
            f"{call}: non-broadcastable output operand with shape {shape} doesn't match the "
            f"broadcast shape {own}{where_am_i()}. An array keeps its shape when it is written to."
        )
    return broadcast_to(new, shape)


def put_result(out: Any, found: Any, call: str, casting: Any = "same_kind") -> Any:
    """Write what a function returned into its ``out=``: one array, or a tuple of them."""
    if not isinstance(out, tuple):
        return put_into(out, found, call, casting)
    results = found if isinstance(found, tuple) else (found,)
    made = [
        r if o is None else put_into(o, r, call, casting) for o, r in zip(out, results, strict=True)
    ]
    return tuple(made) if isinstance(found, tuple) else made[0]


def fresh(out: Any, operands: Any) -> Any:
    """A function's result as an array of its own memory: no operand, nor a view of one."""
    if isinstance(out, Tracer):
        if getattr(out, "alias", None) is not None:
            return out.clone()
        for x in operands:
            if x is out:
                return out.clone()
    return out
