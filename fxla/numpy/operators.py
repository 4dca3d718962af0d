"""What operators and methods of arrays mean, passed down to tracers and to `fxla.Array` as a table.

Operators between weak operands (Python scalars, and scalar arguments of a traced function) give
weak results, as Python's own operators do; functions give strong ones, as NumPy's do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fxla.core.aliasing import writable_copy
from fxla.core.array import Array, _updater
from fxla.core.dtypes import canonical_dtype, is_bool, is_complex, is_inexact
from fxla.core.trace import Tracer, array_methods, where_am_i
from fxla.errors import DtypeError
from fxla.numpy import mutation
from fxla.numpy.at import Updater
from fxla.numpy.indexing import getitem
from fxla.numpy.mutation import indexed_view
from fxla.numpy.selected_items import choose, is_selecting
from fxla.numpy.typed import ANY_NUMBER, typed
from fxla.numpy.ufuncs import exponent_of
from fxla.ops.casts import bitcast, convert, weaken

__all__ = ["install"]

_BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "divmod": "divmod",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "left_shift",
    "rshift": "right_shift",
}
_COMPARISONS = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
_UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}

_METHODS = (
    "all any argmax argmin argpartition argsort choose conj conjugate cumprod cumsum "
    "diagonal dot matrix_transpose max mean min nonzero prod ptp ravel repeat round searchsorted "
    "squeeze std sum swapaxes take trace var real imag"
).split()
"""Methods that are the function of that name."""


_ANSWERED = frozenset({np.ndarray, Array, int, float, complex, bool, *np.sctypeDict.values()})
"""Types of operands that never defer."""


def _defers(other: Any) -> bool:
    """Whether the other operand's class wants to answer: it says so, or is unknown to NumPy."""
    if isinstance(other, (Tracer, np.ndarray, np.generic, int, float, complex, list, tuple)):
        return False
    if getattr(type(other), "__array_ufunc__", False) is None:
        return True
    return other is None or isinstance(other, (str, bytes, dict, set))


def _is_weak(x: Any) -> bool:
    if isinstance(x, Tracer):
        return x.weak_type
    return isinstance(x, (int, float, complex)) and not isinstance(x, (bool, np.generic))


def _weak_again(out: Any) -> Any:
    """A result of weak operands, weak; booleans are never weak."""
    if isinstance(out, tuple):
        return tuple([_weak_again(o) for o in out])
    return weaken(out) if isinstance(out, Tracer) and not is_bool(out.aval.dtype) else out


def _binary(function: Callable[..., Any], reflected: bool) -> Callable[..., Any]:
    def compute(self: Any, other: Any) -> Any:
        out = function(other, self) if reflected else function(self, other)
        return _weak_again(out) if _is_weak(self) and _is_weak(other) else out

    return _deferring(typed(compute, ANY_NUMBER))


def _deferring(compute: Callable[..., Any]) -> Callable[..., Any]:
    def operator(self: Any, other: Any) -> Any:
        if not isinstance(other, Tracer) and type(other) not in _ANSWERED and _defers(other):
            return NotImplemented
        return compute(self, other)

    return operator


def _unary(function: Callable[..., Any]) -> Callable[..., Any]:
    def operator(self: Any) -> Any:
        out = function(self)
        return _weak_again(out) if _is_weak(self) else out

    return typed(operator)


_BASIC = frozenset({int, slice, type(None), type(Ellipsis)})
_basic_getitem = typed(getitem)


def _getitem(self: Any, index: Any) -> Any:
    """Basic indexing is a function of types; for an array of positions, its values may matter."""
    if type(index) in _BASIC or (
        type(index) is tuple and all([type(i) in _BASIC for i in index])  # noqa: C419 - faster
    ):
        return indexed_view(self, index, _basic_getitem(self, index))
    if is_selecting(index):
        return choose(self, index)
    return indexed_view(self, index, getitem(self, index))


def _power(power: Callable[..., Any], sqrt: Callable[..., Any]) -> Callable[..., Any]:
    def compute(self: Any, other: Any) -> Any:
        if type(other) is float and other == 0.5 and is_inexact(self.dtype):
            out = sqrt(self)
        elif type(other) is float and exponent_of(other) is not None and is_inexact(self.dtype):
            out = power(self, int(other))
        else:
            out = power(self, other)
        return _weak_again(out) if _is_weak(self) and _is_weak(other) else out

    by_type = typed(compute, frozenset())

    def operator(self: Any, other: Any, modulo: Any = None) -> Any:
        if _defers(other) or modulo is not None:
            return NotImplemented
        return by_type(self, other)

    return operator


# --- methods that are not simply a function -------------------------------------------------


def _astype(self: Any, dtype: Any, order: Any = "K", casting: str = "unsafe", **rest: Any) -> Any:
    wanted = canonical_dtype(dtype)
    if not np.can_cast(self.dtype, wanted, casting=casting):  # type: ignore[arg-type]
        raise DtypeError(
            f"x.astype: cannot cast {self.aval} to {wanted.name} by the rule {casting!r}"
            f"{where_am_i()}"
        )
    out = convert(self, wanted)
    return out.clone() if out is self and rest.get("copy", True) else out


def _reshape(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *shape: Any, **kwargs: Any) -> Any:
        return function(self, shape[0] if len(shape) == 1 else shape, **kwargs)

    return method


def _transpose(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *axes: Any) -> Any:
        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
            (axes,) = axes
        return function(self, axes or None)

    return method


def _flatten(self: Any, order: str = "C") -> Any:
    return array_methods["ravel"](_copy(self), order=order).clone()


def _copy(self: Any, order: Any = "C") -> Any:
    return writable_copy(self)


def _view(self: Any, dtype: Any = None) -> Any:
    if dtype is None:
        return indexed_view(self, Ellipsis, self.clone())
    wanted = np.dtype(dtype)
    width = self.dtype.itemsize
    if wanted.itemsize != width or is_complex(wanted) or is_complex(self.dtype):
        raise DtypeError(
            f"x.view: {self.aval} cannot be viewed as {wanted.name}{where_am_i()}: only real "
            "dtypes of one width can. Use `lax.bitcast_convert_type`."
        )
    return bitcast(self, wanted)


def _item(self: Any, *index: Any) -> Any:
    known = self.concrete()
    chosen = self if not index else self[index if len(index) > 1 else index[0]]
    if known is not None and not isinstance(known, Tracer) and not index:
        return np.asarray(known).item()
    return complex(chosen) if is_complex(self.dtype) else float(chosen)


def _tolist(self: Any) -> Any:
    known = self.concrete()
    if known is not None and not isinstance(known, Tracer):
        return np.asarray(known).tolist()
    return self.__array__().tolist()


def _round(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, decimals: Any = 0) -> Any:
        return function(self, 0 if decimals is None else decimals)

    return method


def _clip(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, min: Any = None, max: Any = None, out: Any = None, **kwargs: Any) -> Any:
        return function(self, min, max, out, **kwargs)

    return method


def _compress(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, condition: Any, axis: Any = None, out: Any = None, **kwargs: Any) -> Any:
        return function(condition, self, axis, out, **kwargs)

    return method


def _to_device(self: Any, device: Any, /, *, stream: Any = None) -> Any:
    if str(device) != "cpu" and str(device) != str(self.device):
        raise ValueError(
            f"x.to_device: a traced {self.aval} stays where the program runs, got {device!r}"
            f"{where_am_i()}. Use `fxla.device_put` on the arguments of the program."
        )
    return self


def _same(self: Any) -> Any:
    return self


def install(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Fill the table of tracers' operators and methods from the public functions, by name."""
    table: dict[str, Callable[..., Any]] = {}
    for name, target in _BINARY.items():
        table[name] = _binary(functions[target], reflected=False)
        table["r" + name] = _binary(functions[target], reflected=True)
    for name, target in _COMPARISONS.items():
        table[name] = _binary(functions[target], reflected=False)
    for name, target in _UNARY.items():
        table[name] = _unary(functions[target])
    table["pow"] = _power(functions["power"], functions["sqrt"])
    table["rpow"] = _binary(functions["power"], reflected=True)
    for name in _METHODS:
        if name in functions:
            table[name] = functions[name]
    table |= {
        "round": _round(functions["round"]),
        "astype": _astype,
        "reshape": _reshape(functions["reshape"]),
        "transpose": _transpose(functions["transpose"]),
        "flatten": _flatten,
        "clip": _clip(functions["clip"]),
        "compress": _compress(functions["compress"]),
        "to_device": _to_device,
        "copy": _copy,
        "block_until_ready": _same,
        "view": _view,
        "item": _item,
        "tolist": _tolist,
        "getitem": _getitem,
        "at": Updater,
    }
    array_methods.update(table)
    mutation.install(functions)
    for name in (*_BINARY, *_COMPARISONS, *_UNARY, "pow"):
        setattr(Tracer, f"__{name}__", table[name])
        if "r" + name in table:
            setattr(Tracer, f"__r{name}__", table["r" + name])
    _updater[:] = [Updater]
