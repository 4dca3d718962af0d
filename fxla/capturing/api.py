"""Control-flow capture: Python's ``if``, ``while`` and ``for`` on traced values.

capture : (a -> b) -> (a -> b)
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

from fxla.capturing.convert import convert, text_of
from fxla.capturing.regions import is_traced
from fxla.capturing.source import NoSource
from fxla.core.aliasing import freeze
from fxla.core.pytree import tree_flatten, tree_unflatten
from fxla.core.staging import JaxprTrace, eval_jaxpr, trace_to_jaxpr
from fxla.core.trace import Tracer, eval_trace, state, typeof, where_am_i
from fxla.errors import ControlFlowError
from fxla.transforms.api import function_name, local_arrays

__all__ = ["CapturedFunction", "capture"]


class CapturedFunction:
    """A function whose control flow is captured; see `capture`."""

    def __init__(self, f: Any, original: Callable[..., Any]) -> None:
        self._f = f
        functools.update_wrapper(self, original)
        self.__name__ = function_name(original)

    def __repr__(self) -> str:
        return f"<capture of {self.__name__}>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    @property
    def source(self) -> str:
        """The text of the rewritten function."""
        return text_of(self._f)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if state.trace is eval_trace or isinstance(state.trace, JaxprTrace):
            return self._f(*args, **kwargs)
        leaves, tree = tree_flatten((args, kwargs), lambda x: x is None)
        at = [k for k, x in enumerate(leaves) if is_traced(x)]
        if not at:
            return self._f(*args, **kwargs)
        return self._staged(leaves, tree, at)

    def _staged(self, leaves: list[Any], tree: Any, at: list[int]) -> Any:
        """Under a trace that writes no program, such as `vmap`: write one, and run it there."""
        found: list[Any] = []

        def flat(*given: Any) -> list[Any]:
            values = list(leaves)
            for k, x in zip(at, given, strict=True):
                values[k] = freeze(x)
            args, kwargs = tree_unflatten(tree, values)
            with local_arrays[0](self._f):
                out, found[:] = _outputs(self._f(*args, **kwargs))
            return out

        traced = [leaves[k] for k in at]
        label, name = state.trace.label, self.__name__
        closed = trace_to_jaxpr(flat, [typeof(x) for x in traced], label, name)
        outs = iter(eval_jaxpr(closed.jaxpr, *closed.consts, *traced))
        out_tree, kept = found
        return tree_unflatten(out_tree, [next(outs) if x is None else x[0] for x in kept])


def _outputs(out: Any) -> tuple[list[Any], list[Any]]:
    """The traced leaves of a result, and its tree with the leaves that are not, each in a list."""
    leaves, tree = tree_flatten(out)
    traced = [x for x in leaves if isinstance(x, Tracer)]
    return traced, [tree, [None if isinstance(x, Tracer) else [x] for x in leaves]]


def capture(f: Callable[..., Any]) -> CapturedFunction:
    """Let ``if``, ``while``, ``for``, ``and``, ``or``, ``not`` of a function work on traced values.

    The function's syntax is rewritten, once. Each statement decides when it runs: where the value
    that it asks for is known, it does what Python does; where it is traced, branches become a
    ``cond`` and loops a ``while`` or a ``scan`` of the program. ``break``, ``continue``, early
    ``return``, conditional expressions, chained comparisons, ``range``, ``zip``, ``enumerate``,
    ``int``, ``float``, ``min`` and ``max`` and the functions of `math` come along, and so do the
    user's own functions that it calls.

    A loop over ``range(n)`` with a known n whose end depends on traced values, by ``break`` or
    ``return``, has a reverse-mode derivative; a ``while`` on traced values, whose steps nobody can
    count beforehand, has forward mode only. An ``assert`` on traced values is not checked.

    Args:
        f: a function whose source can be read.

    Returns:
        A function of the same arguments, whose ``source`` is the rewritten text.

    Raises:
        TypeError: if the source cannot be read, as that of a function typed into ``python``.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> def root(x):
        ...     y = x
        ...     while abs(y * y - x) > 1e-9:
        ...         y = (y + x / y) / 2
        ...     return y
        >>> fxla.jit(fxla.capture(root))(2.0)
        Array(1.41421356)

    References:
        Moldovan et al., "AutoGraph: Imperative-style Coding with Graph-based Performance" (2018).
    """
    if isinstance(f, CapturedFunction):
        return f
    if isinstance(f, types.MethodType):
        method: Any = types.MethodType(capture(f.__func__), f.__self__)
        return method  # type: ignore[no-any-return]
    if not isinstance(f, types.FunctionType):
        raise TypeError(
            f"capture: expected a Python function, got {type(f).__qualname__}{where_am_i()}. "
            "Capture the function itself and put other decorators around it: "
            "`fxla.jit(fxla.capture(f))`."
        )
    try:
        return CapturedFunction(convert(f), f)
    except NoSource as reason:
        raise ControlFlowError(
            f"capture of {function_name(f)}: its source is needed to rewrite it, but "
            f"{reason}{where_am_i()}. Put the function into a file or a notebook cell."
        ) from None
