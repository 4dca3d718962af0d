"""What every public NumPy function shares: the eager path, the traced one, keywords.

A public function is a body written on ops, decorated with the NumPy function it stands for:

    @public(np.sinh)
    def sinh(x, /):
        (x,) = promote_inexact("np.sinh", as_value(x, "np.sinh"))
        return elementwise.sinh(x)

Eager code never reaches the body. Only when something is being traced, or the default precision is
not NumPy's, does the body run; it brings its operands to one dtype and shape
(`fxla.numpy.operands`) and binds primitives.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

from fxla.core.array import Array, applying
from fxla.core.dtypes import FLOAT_AT_START, _precision, float64
from fxla.core.scopes import precisions, special
from fxla.core.trace import Tracer, eval_trace, state, where_am_i
from fxla.numpy import eager_calls as eager_calls  # its function is called through `applying`
from fxla.numpy.halves import OWN_IN_BFLOAT16, by_body, has_bfloat16, instead
from fxla.numpy.typed import typed
from fxla.numpy.views import SHARING, viewing
from fxla.numpy.writing import fresh, put_result

__all__ = [
    "OpenSize",
    "dispatched",
    "is_eager",
    "keywords_of",
    "only_plain",
    "public",
    "result",
    "unsupported",
    "with_open_size",
]


ndarray, asarray = np.ndarray, np.asarray
F = TypeVar("F", bound=Callable[..., Any])

dispatched: dict[Any, Callable[..., Any]] = {}
"""NumPy function -> the traced form of ours, for ``__array_function__`` and ``__array_ufunc__``."""


class OpenSize:
    """Base of arrays whose size is not known while tracing; see `fxla.numpy.selection`."""

    __slots__ = ()


with_open_size: list[Callable[..., Any]] = []
"""What calls with such an array mean; `fxla.numpy.selected_functions` puts it here."""


_HARMLESS: dict[str, tuple[Any, ...]] = {
    "out": (None,),
    "order": (None, "K", "C", "A", "F"),
    "casting": ("same_kind", "safe", "unsafe", "no", "equiv"),
    "subok": (True, False),
    "like": (None,),
    "where": (True,),
    "dtype": (None,),
    "initial": (np._NoValue,),
    "keepdims": (np._NoValue, False),
    "device": (None, "cpu"),
    "copy": (None, True),
}
"""Keywords that a body may leave out, with the values that mean nothing to a traced array."""

_REMEDY = {
    "out": "Use the returned array instead: traced arrays are not written to.",
    "where": "Write `np.where(condition, result, otherwise)` around the call.",
    "dtype": "Convert with `.astype(dtype)` before or after the call.",
}


_MANY_STEPS = frozenset(
    "nanmax nanmin nansum nanmean nanvar nanstd nanprod nanmedian nanpercentile nanquantile "
    "nanargmax nanargmin mean var std median percentile quantile average isclose allclose cov "
    "corrcoef histogram interp gradient unwrap trapezoid nan_to_num polyval diff ptp".split()
)
"""Functions that NumPy writes in Python, each of whose steps is faster on NumPy's own arrays."""


_perhaps_precise: Sequence[Any] = precisions if float64 == FLOAT_AT_START else (FLOAT_AT_START,)
"""Empty where the default precision is NumPy's on all threads, so that `is_eager` need not ask."""


def is_eager() -> bool:
    """Whether NumPy itself may serve a call: nothing is traced and the precision is NumPy's."""
    return state.trace is eval_trace and _precision.default is float64


def result(out: Any) -> Any:
    """What NumPy returned, as fxla returns it: arrays and NumPy scalars become `fxla.Array`."""
    kind = type(out)
    if kind is Array:
        return out
    if isinstance(out, np.ndarray):
        return out.view(Array)
    if isinstance(out, np.generic):
        return asarray(out).view(Array)
    if kind is list:
        return [result(x) for x in out]
    if isinstance(out, tuple):
        made = [result(x) for x in out]
        return tuple(made) if kind is tuple else kind(*made)
    return out


def public(
    numpy_function: Any, *, name: str | None = None, by_type: frozenset[type] | None = None
) -> Callable[[F], F]:
    """Make a body written on ops the public form of a NumPy function.

    The public function is NumPy's own while nothing is traced and the default precision is float64,
    and the body otherwise. It is also what ``numpy_function(tracer)`` of real NumPy calls.

    Args:
        numpy_function: NumPy's function of the same name.
        name: of the public function, if it is not that of the body.
        by_type: given if the body looks at no element of an array: types of the Python numbers
            whose values it does not look at either, see `fxla.numpy.typed`.

    Example:
        >>> from fxla.ops import elementwise
        >>> def numpys(x):  # or a function of NumPy's
        ...     return np.negative(x)
        >>> @public(numpys)
        ... def negative(x, /):
        ...     "Numerical negative, elementwise."
        ...     return elementwise.neg(as_value(x, "np.negative"))
        >>> negative([1.0, 2.0])
        Array([-1., -2.])
    """

    def decorate(body: F) -> F:
        known = name or body.__name__
        traced = _traced_form(numpy_function, known, body, by_type)
        given = _eager_form(numpy_function, known, traced)
        functools.update_wrapper(given, body)
        given.__name__ = given.__qualname__ = known
        given.traced = traced  # type: ignore[attr-defined]
        if numpy_function is not None:
            dispatched[numpy_function] = traced
        return given  # type: ignore[return-value]

    return decorate


def _traced_form(
    numpy_function: Any, known: str, body: Callable[..., Any], by_type: frozenset[type] | None
) -> Callable[..., Any]:
    """The body behind what every traced call needs: open sizes, ``out=``, harmless keywords."""

    def written(*args: Any, out: Any, **kwargs: Any) -> Any:
        return put_result(out, whole(*args, **kwargs), f"np.{known}(out=...)")

    def traced(*args: Any, **kwargs: Any) -> Any:
        if _has_open_size(args) or (kwargs and _has_open_size(kwargs.values())):
            return with_open_size[0](numpy_function, known, body, args, kwargs)
        if kwargs and kwargs.get("out") is not None:
            return written(*args, **kwargs)
        if kwargs:
            keywords = keywords_of(body)
            if keywords is not None and not keywords.issuperset(kwargs):
                kwargs = _supported(f"np.{known}", kwargs, keywords)
        out = body(*args, **kwargs)
        return out if known in SHARING else fresh(out, args)

    whole = viewing(known, traced if by_type is None else typed(traced, by_type))
    functools.update_wrapper(whole, body)
    return whole


def _eager_form(numpy_function: Any, known: str, traced: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's function, or `traced` where something is traced or NumPy has no such function."""
    many_steps = known in _MANY_STEPS
    own_in_bfloat16 = known in OWN_IN_BFLOAT16

    def call(*args: Any, **kwargs: Any) -> Any:
        if (special or _perhaps_precise) and not is_eager():
            return traced(*args, **kwargs)
        if many_steps:
            args = tuple([x.view(ndarray) if type(x) is Array else x for x in args])
        if own_in_bfloat16 and has_bfloat16(args):
            return by_body(traced, args, kwargs)
        try:
            out = numpy_function(*args, **kwargs) if kwargs else numpy_function(*args)
        except TypeError as refused:  # NumPy has not every function for them
            return instead(refused, traced, args, kwargs)
        kind = type(out)
        if kind is Array:
            return out
        return out.view(Array) if kind is ndarray else result(out)

    def of_one(*args: Any, **kwargs: Any) -> Any:
        if special or _perhaps_precise or kwargs or len(args) != 1:
            return call(*args, **kwargs)
        out = applying[0](numpy_function, args[0])
        return out if type(out) is Array else result(out)

    def of_two(*args: Any, **kwargs: Any) -> Any:
        if special or _perhaps_precise or kwargs or len(args) != 2:
            return call(*args, **kwargs)
        a, b = args
        out = applying[0](numpy_function, a, b)
        return out if type(out) is Array else result(out)

    return {1: of_one, 2: of_two}.get(_operands(numpy_function), call)


def _operands(numpy_function: Any) -> int:
    """How many operands a ufunc has; 0 for any other function."""
    return numpy_function.nin if isinstance(numpy_function, np.ufunc) else 0


@functools.cache
def keywords_of(body: Callable[..., Any]) -> frozenset[str] | None:
    """Names of a body's parameters, looked up when a call has keywords; None if it takes any."""
    parameters = inspect.signature(body).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return None if takes_any else frozenset(parameters)


def _has_open_size(args: Iterable[Any]) -> bool:
    """Whether an array of unknown size is among arguments, or in a list of them."""
    for x in args:
        if isinstance(x, OpenSize):
            return True
        if type(x) in (list, tuple) and any(isinstance(item, OpenSize) for item in x):
            return True
    return False


def _supported(call: str, kwargs: dict[str, Any], keywords: frozenset[str]) -> dict[str, Any]:
    """The keywords a body takes; others must have a value that means nothing."""
    kept = {}
    for key, value in kwargs.items():
        if key in keywords:
            kept[key] = value
        elif key not in _HARMLESS:
            raise TypeError(f"{call}() got an unexpected keyword argument {key!r}{where_am_i()}")
        elif isinstance(value, (Tracer, np.ndarray)) or value not in _HARMLESS[key]:
            _refuse(call, key, value)
    return kept


def _refuse(call: str, key: str, value: Any) -> NoReturn:
    """Raise the error for a keyword that means nothing while tracing; NumPy's for a device."""
    if key == "device":
        raise ValueError(
            f"{call}: device={value!r} is not known{where_am_i()}. A traced array is where its "
            'program runs: leave `device=` out, or say "cpu".'
        )
    unsupported(call, f"{key}=", _REMEDY.get(key, "Leave it out."))


def only_plain(call: str, **options: Any) -> None:
    """Raise if one of some keywords has a value that would mean something for a traced array."""
    for key, value in options.items():
        if isinstance(value, (Tracer, np.ndarray)) or value not in _HARMLESS[key]:
            _refuse(call, key, value)


def unsupported(call: str, what: str, remedy: str) -> NoReturn:
    """Raise the error for an argument that eager code takes and traced code cannot."""
    raise TypeError(f"{call}: {what} is not supported for traced arrays{where_am_i()}. {remedy}")
