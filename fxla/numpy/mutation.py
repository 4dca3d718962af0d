"""NumPy code that writes into its arrays: ``x[i] = v``, ``x += v``, ``x.sort()``, on traced arrays.

Each computes the changed array as ``x.at[...]`` does, and then `fxla.core.aliasing.write` lets the
tracer that the user holds, and all that shares its memory, assume the new value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fxla.core.aliasing import Alias, attach_view, check_writable, write
from fxla.core.trace import Tracer, Value, array_methods, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.at import IndexedUpdate, assigned
from fxla.numpy.dispatch import dispatched
from fxla.numpy.indexing import getitem
from fxla.numpy.operands import as_value
from fxla.numpy.writing import put_into
from fxla.ops import structure
from fxla.ops.casts import convert
from fxla.ops.shape import concatenate, slice_in_dim

__all__ = ["indexed_view", "install", "ufunc_at"]

_STORE = "x[...] = v"
_STATIC = (int, slice, type(None), type(Ellipsis), np.integer)


# --- views by an index ----------------------------------------------------------------------


def _is_basic(item: Any) -> bool:
    if isinstance(item, _STATIC):
        return not isinstance(item, bool)
    return isinstance(item, (Tracer, np.ndarray)) and not item.shape and item.dtype.kind in "iu"


def indexed_view(x: Tracer, index: Any, out: Value) -> Value:
    """``x[index]``, said to be a view if the index is a basic one.

    An element is a number, not a view, unless the index has an ellipsis.
    """
    items = index if type(index) is tuple else (index,)
    if not isinstance(out, Tracer):
        return out
    if not out.aval.shape and not any(i is Ellipsis for i in items):
        return out
    if all([_is_basic(i) for i in items]):  # noqa: C419 - faster
        if out is x:  # an index that names everything
            out = x.clone()
        if not x.aval.shape and getattr(x, "alias", None) is None:
            out.alias = Alias()  # of a number it makes an array
            return out
        attach_view(
            out, x, lambda base: getitem(base, index), lambda base, new: assigned(base, index, new),
            index, lambda memory: memory[_for_memory(index)],
        )  # fmt: skip
    return out


def _for_memory(index: Any) -> Any:
    """An index that gives the same strides as this one, with nothing traced in it."""
    if isinstance(index, tuple):
        return tuple([_for_memory(i) for i in index])
    return 0 if isinstance(index, (Tracer, np.ndarray)) else index


def _same_index(a: Any, b: Any) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return all(_same_index(i, j) for i, j in zip(a, b, strict=True))
    return a is b or (type(a) is type(b) and isinstance(a, _STATIC) and bool(a == b))


def setitem(x: Tracer, index: Any, value: Any) -> None:
    """``x[index] = value``."""
    check_writable(x, _STORE)
    own = getattr(value, "alias", None) if isinstance(value, Tracer) else None
    if own is not None and own.base is x and _same_index(own.index, index):
        return  # the end of ``x[index] += v``: what was written to the view is in x already
    write(x, assigned(x, index, value))


# --- in-place operators ---------------------------------------------------------------------

_SYMBOLS = {
    "add": "+=",
    "sub": "-=",
    "mul": "*=",
    "truediv": "/=",
    "floordiv": "//=",
    "mod": "%=",
    "pow": "**=",
    "matmul": "@=",
    "and": "&=",
    "or": "|=",
    "xor": "^=",
    "lshift": "<<=",
    "rshift": ">>=",
}


def _in_place(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    call = f"x {_SYMBOLS[name]} v"

    def operator(self: Tracer, other: Any) -> Any:
        if not self.aval.shape:
            return NotImplemented  # a number: Python gives its name to the result
        check_writable(self, call)
        new = function(self, other)
        return new if new is NotImplemented else put_into(self, new, call)

    return operator


# --- methods --------------------------------------------------------------------------------


def _fill(self: Tracer, value: Any) -> None:
    setitem(self, Ellipsis, value)


def _sort(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Tracer, axis: Any = -1, kind: Any = None, order: Any = None) -> None:
        del kind, order  # every order is the stable one
        check_writable(self, "x.sort()")
        write(self, function(self, axis=axis))

    return method


def _partition(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Tracer, kth: Any, axis: Any = -1, **kwargs: Any) -> None:
        check_writable(self, "x.partition(...)")
        write(self, function(self, kth, axis=axis))

    return method


def _resize(self: Tracer, *shape: Any, refcheck: bool = True) -> None:
    """Only what keeps the number of elements: another size is another array."""
    raise ShapeError(
        f"x.resize: the size of a traced {self.aval} is part of its type{where_am_i()}. Write "
        "`x = np.resize(x, shape)`, or `np.pad` for zeros at the end."
    )


def _flat(self: Tracer) -> Any:
    """All elements, as an array that writes through even where ravel copies."""
    if self.ndim == 1:
        return indexed_view(self, Ellipsis, self)
    out = structure.reshape(self, (self.size,))
    attach_view(
        out, self, lambda base: structure.reshape(base, (typeof(base).size,)),
        lambda base, new: structure.reshape(new, typeof(base).shape),
    )  # fmt: skip
    return out


def _set_flat(self: Tracer, value: Any) -> None:
    check_writable(self, "x.flat = v")
    new = _cycled(as_value(value, "x.flat = v"), self.size)
    write(self, structure.reshape(convert(new, self.dtype), self.shape))


def _cycled(values: Value, size: int) -> Value:
    """The elements of an array again and again, as many as asked for."""
    aval = typeof(values)
    flat = structure.reshape(values, (aval.size,))
    if aval.size == 0 or size == 0:
        return structure.full((size,), 0, aval.dtype)
    if aval.size == 1:
        return structure.broadcast_to(flat, (size,))
    copies = -(-size // aval.size)
    return slice_in_dim(concatenate([flat] * copies, 0) if copies > 1 else flat, 0, size)


def _set_part(name: str) -> Callable[..., Any]:
    def method(self: Tracer, value: Any) -> None:
        check_writable(self, f"x.{name} = v")
        setitem(array_methods[name](self), Ellipsis, value)

    return method


# --- functions ------------------------------------------------------------------------------


def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    mask = where if where is True else as_value(where, "np.copyto")
    put_into(dst, as_value(src, "np.copyto"), "np.copyto", casting, mask)


def _masks(function: Mapping[str, Callable[..., Any]]) -> dict[Any, Callable[..., Any]]:
    """np.place and np.putmask."""

    def place(arr: Any, mask: Any, vals: Any) -> None:
        """The k-th element that the mask names becomes the k-th value, and again from the first."""
        check_writable(arr, "np.place")
        which = function["ravel"](function["asarray"](mask)) != 0
        values = function["ravel"](function["asarray"](vals))
        if not values.size:
            if arr.size:
                raise ValueError(f"np.place: cannot insert from an empty array{where_am_i()}")
            return
        order = (function["cumsum"](which) - 1) % values.size
        new = function["where"](which, values[order], function["ravel"](arr.clone()))
        write(arr, structure.reshape(convert(new, arr.dtype), arr.shape))

    def putmask(a: Any, mask: Any, values: Any) -> None:
        check_writable(a, "np.putmask")
        new = _cycled(as_value(values, "np.putmask"), a.size)
        shaped = structure.reshape(convert(new, a.dtype), a.shape)
        which = structure.reshape(as_value(mask, "np.putmask"), a.shape)
        write(a, function["where"](which, shaped, a))

    return {np.place: place, np.putmask: putmask}


def _put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    check_writable(a, "np.put")
    where = as_value(ind, "np.put")
    if mode == "wrap":
        where = dispatched[np.remainder](where, a.size)
    elif mode == "clip":
        where = dispatched[np.clip](where, 0, a.size - 1)
    aval = typeof(where)
    values = structure.reshape(_cycled(as_value(v, "np.put"), aval.size), aval.shape)
    setitem(_flat(a), where, values)


def _put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    check_writable(arr, "np.put_along_axis")
    target = _flat(arr) if axis is None else arr
    at = 0 if axis is None else axis % arr.ndim
    where = as_value(indices, "np.put_along_axis")
    index: list[Any] = []
    for k in range(target.ndim):
        shape = [1] * target.ndim
        shape[k] = target.shape[k]
        index.append(where if k == at else np.arange(target.shape[k]).reshape(shape))
    setitem(target, tuple(index), values)


def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    check_writable(a, "np.fill_diagonal")
    if a.ndim < 2:
        raise ShapeError(f"np.fill_diagonal: array must be at least 2-d{where_am_i()}")
    stop: int | None = None
    if a.ndim == 2:
        step = a.shape[1] + 1
        stop = None if wrap else a.shape[1] * a.shape[1]
    else:
        if len(set(a.shape)) > 1:
            raise ShapeError(
                f"np.fill_diagonal: All dimensions of input must be of equal length{where_am_i()}"
            )
        step = 1 + int(np.cumprod(a.shape[:-1]).sum())
    count = len(range(a.size)[:stop:step])
    setitem(_flat(a), slice(None, stop, step), _cycled(as_value(val, "np.fill_diagonal"), count))


_AT = {
    np.add: "add",
    np.subtract: "subtract",
    np.multiply: "multiply",
    np.divide: "divide",
    np.power: "power",
    np.minimum: "min",
    np.maximum: "max",
}


def ufunc_at(ufunc: Any, a: Any, indices: Any, *operands: Any) -> None:
    """``ufunc.at(a, indices, b)``: in place, a position named twice is updated twice."""
    call = f"np.{ufunc.__name__}.at"
    if not isinstance(a, Tracer):
        put_into(a, operands[0] if operands else a, call)
    check_writable(a, call)
    if ufunc in _AT:
        write(a, getattr(IndexedUpdate(a, indices), _AT[ufunc])(*operands))
        return
    ours = dispatched.get(ufunc)
    if ours is None:
        raise TypeError(f"{call} is not supported for a traced {a.aval}{where_am_i()}")
    setitem(a, indices, ours(array_methods["getitem"](a, indices), *operands))


def install(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Fill the tables of methods and functions that write."""
    table: dict[str, Callable[..., Any]] = {
        "setitem": setitem,
        "fill": _fill,
        "sort": _sort(functions["sort"]),
        "partition": _partition(functions["partition"]),
        "put": _put,
        "resize": _resize,
        "flat": _flat,
        "set_flat": _set_flat,
        "set_real": _set_part("real"),
        "set_imag": _set_part("imag"),
    }
    for name in _SYMBOLS:
        table["i" + name] = _in_place(name, array_methods[name])
        setattr(Tracer, f"__i{name}__", table["i" + name])
    array_methods.update(table)
    dispatched.update(_masks(functions))
    dispatched.update(
        {
            np.copyto: _copyto,
            np.put: _put,
            np.put_along_axis: _put_along_axis,
            np.fill_diagonal: _fill_diagonal,
        }
    )
