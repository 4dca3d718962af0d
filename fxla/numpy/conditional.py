"""Functions that choose between values elementwise; a NaN of a case not taken never spreads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import bfloat16, is_bool, is_complex, is_integer
from fxla.core.trace import Tracer, typeof, where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.numpy import complex_math as cm
from fxla.numpy.arguments import NoValue, refuse_out
from fxla.numpy.dispatch import public, result
from fxla.numpy.logic import truth
from fxla.numpy.operands import (
    as_value,
    as_values,
    broadcast,
    broadcast_all,
    concrete_only,
    convert_all,
    promote,
)
from fxla.numpy.searching import nonzero
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import arithmetic, logic

__all__ = ["choose", "clip", "piecewise", "where"]


@public(np.where, by_type=REAL_AND_COMPLEX)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """`x` where the condition is true, else `y`. See `numpy.where`.

    The derivative with respect to the case not taken is exactly 0, even where it is NaN.

    Args:
        condition: booleans; other numbers are true if they are not 0.
        x: array or number. Without `x` and `y` the positions of true elements are returned.
        y: array or number.

    Example:
        >>> import fxla.numpy as np
        >>> np.where(np.array([True, False]), 1.0, [10.0, 20.0])
        Array([ 1., 20.])
    """
    call = "np.where"
    if (x is None) != (y is None):
        raise ValueError(f"{call}: either both or neither of x and y should be given{where_am_i()}")
    if x is None:
        return _positions(condition)
    which = truth(as_value(condition, call, 0))
    on_true, on_false = promote(call, as_value(x, call, 1), as_value(y, call, 2))
    which, on_true, on_false = broadcast_all(call, which, on_true, on_false)
    return logic.select_p.bind1(which, on_true, on_false)


def _positions(condition: Any) -> Any:
    mask = as_value(condition, "np.where")
    known = mask.concrete() if isinstance(mask, Tracer) else mask
    if known is None or isinstance(known, Tracer):
        return nonzero(mask)
    return result(np.nonzero(known))


@public(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """Each function of `funclist` where its condition is true, the last condition winning.

    Every function is applied to the whole of `x`, so it must accept any element of `x`. See
    `numpy.piecewise`.

    Args:
        x: array.
        condlist: boolean arrays of the shape of `x`.
        funclist: as many functions or numbers, or one more: what holds where no condition is true.
        *args: passed to the functions.
        **kw: passed to the functions.

    Example:
        >>> import fxla.numpy as np
        >>> x = np.array([-1.0, 2.0])
        >>> np.piecewise(x, [x < 0, x >= 0], [lambda x: -x, 10.0])
        Array([ 1., 10.])
    """
    call = "np.piecewise"
    value = as_value(x, call)
    aval = typeof(value)
    one = not isinstance(condlist, (list, tuple)) or (
        len(condlist) > 0 and aval.ndim > 0 and isinstance(condlist[0], (bool, np.bool_))
    )
    conditions = [truth(c) for c in as_values(call, *([condlist] if one else condlist))]
    functions = list(funclist)
    if len(functions) not in (len(conditions), len(conditions) + 1):
        raise ValueError(
            f"{call}: with {len(conditions)} condition(s), either {len(conditions)} or "
            f"{len(conditions) + 1} functions are expected{where_am_i()}"
        )
    default = functions.pop() if len(functions) > len(conditions) else 0
    cases = [f(value, *args, **kw) if callable(f) else f for f in (default, *functions)]
    out, *rest = [convert_all([as_value(c, call)], aval.dtype)[0] for c in cases]
    for which, case in zip(conditions, rest, strict=True):
        which, case, out = broadcast_all(call, which, case, out)
        out = logic.select_p.bind1(which, case, out)
    return broadcast_all(call, out, convert_all([value], aval.dtype)[0])[0]


@public(np.clip, by_type=REAL_AND_COMPLEX)
def clip(
    a: Any,
    a_min: Any = NoValue,
    a_max: Any = NoValue,
    out: Any = None,
    *,
    min: Any = NoValue,
    max: Any = NoValue,
    dtype: Any = None,
) -> Any:
    """`a` with values below `a_min` and above `a_max` replaced by those. See `numpy.clip`.

    Args:
        a: array or number.
        a_min: lower limits, or None; also given as ``min=``.
        a_max: upper limits, or None; also given as ``max=``. They win over lower limits.
        out: not supported for traced arrays.
        min: the same as `a_min`.
        max: the same as `a_max`.
        dtype: dtype to compute in and to return.

    Example:
        >>> import fxla.numpy as np
        >>> np.clip([-1.0, 0.5, 3.0], 0.0, 1.0)
        Array([0. , 0.5, 1. ])
    """
    call = "np.clip"
    refuse_out(out, call)
    lower, upper = _limits(call, a_min, a_max, min, max)
    given = [v for v in (lower, upper) if v is not None]
    values = as_values(call, a, *given)
    first, *others = [typeof(v) for v in values]
    if dtype is None and first.dtype == bfloat16 and all(v.weak_type for v in others):
        dtype = bfloat16  # as of other floats; NumPy's promotion has another idea of numbers
    values = promote(call, *values) if dtype is None else convert_all(values, np.dtype(dtype))
    x, *limits = broadcast(call, *values)
    complex_ = is_complex(typeof(x).dtype)
    if lower is not None:
        bound, *limits = limits
        x = cm.maximum(x, bound) if complex_ else arithmetic.maximum(x, bound)
    if upper is not None:
        (bound,) = limits
        x = cm.minimum(x, bound) if complex_ else arithmetic.minimum(x, bound)
    return x


def _limits(call: str, a_min: Any, a_max: Any, min: Any, max: Any) -> tuple[Any, Any]:
    """Lower and upper limits, None for those not given, by NumPy's rules."""
    if a_min is NoValue and a_max is NoValue:
        a_min, a_max = [None if v is NoValue else v for v in (min, max)]
    elif a_min is NoValue or a_max is NoValue:
        missing, alone = ("a_min", "max") if a_min is NoValue else ("a_max", "min")
        raise TypeError(
            f"{call}() missing 1 required positional argument: {missing!r}{where_am_i()}. "
            f"One limit alone is given by name: `{call}(x, {alone}=limit)`."
        )
    elif min is not NoValue or max is not NoValue:
        raise ValueError(
            f"{call}: passing `min` or `max` when `a_min` and `a_max` are given is forbidden"
            f"{where_am_i()}"
        )
    return a_min, a_max


_CHOOSE_MODES = ("raise", "wrap", "clip")


@public(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """Element by element, the choice that `a` names. See `numpy.choose`.

    Args:
        a: integers below the number of choices.
        choices: arrays, which broadcast with `a`.
        out: not supported for traced arrays.
        mode: what an `a` out of range means: ``"wrap"`` takes it modulo the number of choices,
            ``"clip"`` the nearest; ``"raise"`` is an error, for traced `a` it clips.

    Example:
        >>> import fxla.numpy as np
        >>> np.choose([0, 1, 0], [[1, 2, 3], [10, 20, 30]])
        Array([ 1, 20,  3])
    """
    call = "np.choose"
    refuse_out(out, call)
    if mode not in _CHOOSE_MODES:
        raise ValueError(f"{call}: mode must be one of {_CHOOSE_MODES}, got {mode!r}{where_am_i()}")
    which = as_value(a, call)
    if not is_integer(typeof(which).dtype) and not is_bool(typeof(which).dtype):
        raise DtypeError(f"{call}: a must be integers, got {typeof(which)}{where_am_i()}")
    items = list(choices)
    if not items:
        raise ShapeError(f"{call}: choices is empty{where_am_i()}")
    cases = promote(call, *as_values(call, *items))
    which, *cases = broadcast_all(call, convert_all([which], np.dtype(np.int64))[0], *cases)
    if mode == "wrap":
        which = arithmetic.mod(which, len(cases))
    elif mode == "raise" and not isinstance(which, Tracer):
        known = concrete_only(which, call, "a")
        if known.size and not 0 <= known.min() <= known.max() < len(cases):
            raise ValueError(f"{call}: invalid entry in choice array{where_am_i()}")
    out = cases[-1]
    for k in range(len(cases) - 2, -1, -1):
        out = logic.select_p.bind1(logic.le(which, k), cases[k], out)
    return out
