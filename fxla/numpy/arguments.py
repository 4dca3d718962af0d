"""Arguments that several families of functions share: reduced axes, ``out=``, ``size=``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import ConcretizationError
from fxla.numpy.dispatch import public, unsupported
from fxla.numpy.operands import canonical_axes
from fxla.ops.structure import expand_dims

__all__ = [
    "NoValue",
    "known_value",
    "needs_size",
    "public_with",
    "reduced_axes",
    "refuse_out",
    "with_kept_axes",
]

F = TypeVar("F", bound=Callable[..., Any])

NoValue: Any = np._NoValue
"""NumPy's mark of a keyword that was not given."""


def refuse_out(out: Any, call: str) -> None:
    """Raise if an output array was given: a traced result has no memory to be written to."""
    if out is not None:
        unsupported(call, "out=", "Use the returned array instead.")


def reduced_axes(axis: Any, ndim: int, call: str) -> tuple[int, ...]:
    """The axes a reduction is over, sorted. As in NumPy, 0 and -1 are allowed for a scalar.

    Example:
        >>> reduced_axes((-1, 0), 3, "np.sum"), reduced_axes(0, 0, "np.sum")
        ((0, 2), ())
    """
    if ndim == 0 and not isinstance(axis, (tuple, list)) and axis in (0, -1):
        return ()
    return tuple(sorted(canonical_axes(axis, ndim, call)))


def with_kept_axes(x: Value, axes: Sequence[int], keepdims: Any) -> Value:
    """A reduction's result with the reduced axes back as axes of size 1, if they are kept."""
    return expand_dims(x, axes) if keepdims is not NoValue and keepdims else x


def known_value(x: Any) -> np.ndarray[Any, Any] | None:
    """The concrete array behind an argument, or None while its value is not known."""
    if isinstance(x, Tracer):
        x = x.concrete()
        return None if x is None or isinstance(x, Tracer) else np.asarray(x)
    return np.asarray(x)


def needs_size(x: Value, call: str, keyword: str = "size") -> ConcretizationError:
    """The error for a result whose size depends on values that are not known while tracing."""
    return ConcretizationError(
        f"{call}: the size of the result depends on the values of a traced {typeof(x)}"
        f"{where_am_i()}. Give the size with `{keyword}=`: longer results are cut, shorter ones "
        "filled with `fill_value`."
    )


def public_with(numpy_function: Any, *extras: str) -> Callable[[F], F]:
    """`public`, for a body with keywords that NumPy's function does not have.

    A call that gives one of the keywords `extras` runs the body even if nothing is traced.
    """

    def decorate(body: F) -> F:
        plain: Any = public(numpy_function)(body)

        @functools.wraps(plain)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not kwargs:
                return plain(*args)
            chosen = {k: v for k, v in kwargs.items() if k in extras}
            if any(v is not None for v in chosen.values()):
                return plain.traced(*args, **kwargs)
            for k in chosen:
                del kwargs[k]
            return plain(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate
