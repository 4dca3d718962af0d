"""Functions whose result shares memory with their operand in NumPy, and so does a write to it.

Each is named in `_INVERSES` with how a new value of the result is put into the operand. Whether a
reshape is a view or a copy depends on strides: an array is taken to be contiguous in C order unless
it is a view itself, and then its strides follow from its base by NumPy's own rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.aliasing import Alias, attach_view
from fxla.core.dtypes import is_complex
from fxla.core.trace import Tracer, Value, typeof
from fxla.ops import arithmetic, structure
from fxla.ops.dynamic import dynamic_update_slice
from fxla.ops.shape import rev, slice_in_dim

__all__ = ["SHARING", "layout_in_memory", "viewing"]

SHARING = frozenset("asarray asanyarray ascontiguousarray asfortranarray require".split())
"""Functions that return their operand if it is as they are asked for."""

Write = Callable[[Value, Value], Value]


def layout_in_memory(x: Tracer) -> np.ndarray[Any, Any]:
    """An array of the shape and strides that `x` has in NumPy; its elements are not there."""
    alias = getattr(x, "alias", None)
    if alias is not None and alias.strided is not None:
        base = x if alias.base is None else alias.base
        strided: np.ndarray[Any, Any] = alias.strided(
            _contiguous(x) if base is x else layout_in_memory(base)
        )
        return strided
    return _contiguous(x)


def _contiguous(x: Tracer) -> np.ndarray[Any, Any]:
    strides, step = [], x.itemsize
    for n in x.shape[::-1]:
        strides.append(step)
        step *= max(n, 1)
    nothing = np.empty(1, x.dtype)
    return np.lib.stride_tricks.as_strided(nothing, x.shape, strides[::-1])


def _columns_first(memory: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The strides of a copy in order F."""
    shape = memory.shape
    steps = [memory.itemsize * int(np.prod(shape[:k], dtype=np.int64)) for k in range(len(shape))]
    return np.lib.stride_tricks.as_strided(memory, shape, steps)


def _shaped_back(x: Tracer, view: Value, args: Any, kwargs: Any) -> Write:
    return lambda base, new: structure.reshape(new, typeof(base).shape)


def _ordered_back(order: str) -> Write:
    """The inverse of a reshape in order F: that of its transposes in order C."""

    def write(base: Value, new: Value) -> Value:
        shape = typeof(base).shape
        if order != "F":
            return structure.reshape(new, shape)
        turned = structure.transpose(new, tuple(range(typeof(new).ndim))[::-1])
        return structure.transpose(
            structure.reshape(turned, shape[::-1]), tuple(range(len(shape)))[::-1]
        )

    return write


def _reshape(x: Tracer, view: Value, args: Any, kwargs: Any) -> Write | None:
    order = args[1] if len(args) > 1 else kwargs.get("order", "C")
    by_columns = order == "F"
    alias = getattr(x, "alias", None)
    if (alias is not None and alias.strided is not None) or by_columns:
        try:
            memory = layout_in_memory(x)
            np.reshape(memory, typeof(view).shape, order="F" if by_columns else "C", copy=False)
        except ValueError:
            return None
    return _ordered_back("F" if by_columns else "C")


def _ravel(x: Tracer, view: Value, args: Any, kwargs: Any) -> Write | None:
    order = args[0] if args else kwargs.get("order", "C")
    flags = layout_in_memory(x).flags
    if not (flags.f_contiguous if order == "F" else flags.c_contiguous):
        return None
    return _ordered_back(order)


def _permuted_back(name: str) -> Callable[..., Write]:
    numpy_function = getattr(np, name)

    def inverse(x: Tracer, view: Value, args: Any, kwargs: Any) -> Write:
        # an array without elements whose sizes tell the axes apart
        numbered = np.broadcast_to(np.empty(()), range(1, x.ndim + 1))
        order = [n - 1 for n in numpy_function(numbered, *args, **kwargs).shape]
        back = tuple(int(k) for k in np.argsort(order))
        return lambda base, new: structure.transpose(new, back)

    return inverse


def _turned_back(name: str) -> Callable[..., Write]:
    def inverse(x: Tracer, view: Value, args: Any, kwargs: Any) -> Write:
        if name == "flip":
            axis = args[0] if args else kwargs.get("axis")
            axes = tuple(range(x.ndim)) if axis is None else tuple(np.atleast_1d(axis))
        else:
            axes = (0,) if name == "flipud" else (1,)
        reversed_axes = tuple(int(a) % x.ndim for a in axes)
        return lambda base, new: rev(new, reversed_axes)

    return inverse


def _rot90(x: Tracer, view: Value, args: Any, kwargs: Any) -> Write:
    positions = np.arange(x.ndim)
    k = int(args[0] if args else kwargs.get("k", 1)) % 4
    i, j = args[1] if len(args) > 1 else kwargs.get("axes", (0, 1))
    i, j = int(positions[i]), int(positions[j])
    swapped = list(range(x.ndim))
    swapped[i], swapped[j] = j, i

    def write(base: Value, new: Value) -> Value:
        if k == 2:
            return rev(new, (i, j))
        if k == 1:  # made by reversing j, then swapping
            return rev(structure.transpose(new, tuple(swapped)), (j,))
        return structure.transpose(rev(new, (j,)), tuple(swapped)) if k == 3 else new

    return write


def _real(x: Tracer, view: Value, args: Any, kwargs: Any) -> Write | None:
    if not is_complex(x.dtype):
        return lambda base, new: new
    return lambda base, new: arithmetic.complex_(new, arithmetic.imag(base))


def _imag(x: Tracer, view: Value, args: Any, kwargs: Any) -> Write | None:
    if not is_complex(x.dtype):
        return None
    return lambda base, new: arithmetic.complex_(arithmetic.real(base), new)


_INVERSES: dict[str, Callable[..., Write | None]] = {
    "reshape": _reshape,
    "ravel": _ravel,
    "rot90": _rot90,
    "real": _real,
    "imag": _imag,
}
_INVERSES |= dict.fromkeys(
    "expand_dims squeeze atleast_1d atleast_2d atleast_3d".split(), _shaped_back
)
_INVERSES |= {
    name: _permuted_back(name)
    for name in "transpose permute_dims matrix_transpose swapaxes moveaxis rollaxis".split()
}
_INVERSES |= {name: _turned_back(name) for name in ("flip", "fliplr", "flipud")}
_READ_ONLY = frozenset({"broadcast_to", "diagonal"})
_PARTS = frozenset("array_split split hsplit vsplit dsplit unstack".split())


def viewing(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A public function as one whose traced result is a view of its operand, if NumPy's is."""
    if name in _PARTS:
        return _viewing_parts(name, function)
    if name not in _INVERSES and name not in _READ_ONLY:
        return function
    inverse = _INVERSES.get(name)
    numpy_function = getattr(np, name)

    def call(*operands: Any, **kwargs: Any) -> Any:
        out = function(*operands, **kwargs)
        if not operands:
            return out
        a, *args = operands
        if not isinstance(a, Tracer) or not isinstance(out, Tracer) or out is a:
            return out
        alias = getattr(a, "alias", None)
        if alias is not None and alias.frozen:
            if not copies(a, out, args, kwargs):
                out.alias = alias
            return out
        write = None if inverse is None else inverse(a, out, args, kwargs)
        if write is None and name not in _READ_ONLY:
            if name == "reshape" and kwargs.get("order") == "F":
                out.alias = Alias(strided=_columns_first)
            return out
        attach_view(
            out, a, lambda base: function(base, *args, **kwargs), write,
            strided=lambda memory: numpy_function(memory, *args, **kwargs),
        )  # fmt: skip
        return out

    def copies(a: Tracer, out: Tracer, args: Any, kwargs: Any) -> bool:
        return name == "ravel" and inverse is not None and inverse(a, out, args, kwargs) is None

    return call


def _axis_of_parts(name: str, rank: int, args: Any, kwargs: Any) -> int:
    """The axis along which a function cuts its operand."""
    fixed = {"hsplit": min(1, rank - 1), "vsplit": 0, "dsplit": 2}
    axis = args[1] if len(args) > 1 else kwargs.get("axis", 0)
    return int(fixed.get(name, axis)) % rank


def _viewing_parts(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a function that gives the parts of its operand along an axis."""

    def call(ary: Any, *args: Any, **kwargs: Any) -> Any:
        parts = function(ary, *args, **kwargs)
        if not isinstance(ary, Tracer):
            return parts
        axis = _axis_of_parts(name, ary.ndim, args, kwargs)
        positions = np.arange(ary.shape[axis])
        if name == "unstack":
            places = [positions[k : k + 1] for k in positions]
        else:
            cuts = args[0] if args else kwargs["indices_or_sections"]
            places = np.array_split(positions, cuts)
        for part, place in zip(parts, places, strict=True):
            if part is not ary and len(place):
                _attach_part(ary, part, axis, int(place[0]), len(place))
        return parts

    return call


def _attach_part(ary: Tracer, part: Value, axis: int, start: int, count: int) -> None:
    shape = typeof(part).shape
    index = (slice(None),) * axis + (slice(start, start + count),)
    starts = [np.int64(start if k == axis else 0) for k in range(ary.ndim)]
    whole = (*ary.shape[:axis], count, *ary.shape[axis + 1 :])

    def read(base: Value) -> Value:
        return structure.reshape(slice_in_dim(base, start, start + count, axis=axis), shape)

    def write(base: Value, new: Value) -> Value:
        return dynamic_update_slice(base, structure.reshape(new, whole), starts)

    attach_view(part, ary, read, write, strided=lambda memory: memory[index].reshape(shape))
