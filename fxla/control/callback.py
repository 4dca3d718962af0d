"""Calls of Python functions on concrete arrays from inside traced and compiled programs.

A *pure* callback is a value: it may run once, several times or not at all. An *effect*, as a
printed line is, happens once each time that a program gets there, in the program's order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import canonical_dtype
from fxla.core.primitive import Primitive, Zero, not_linear
from fxla.core.pytree import tree_flatten, tree_map, tree_unflatten
from fxla.core.trace import AxisFrame, Value, typeof, where_am_i
from fxla.errors import NotDifferentiableError
from fxla.loops.view import Opaque
from fxla.ops.structure import expand_dims, move_axis
from fxla.transforms.api import argument, function_name

__all__ = ["debug_callback", "debug_callback_p", "pure_callback", "pure_callback_p"]

Host = Callable[..., Sequence[Any]]
_METHODS = ("sequential", "sequential_unrolled", "expand_dims", "broadcast_all")


class _Callback(Primitive):
    """Base: operands with the axes `lead` in front, each of full size or of size 1.

    Params: function, from arrays to a sequence of arrays; avals, of its results for one example;
    method, how it is called for a batch; lead, the sizes of the axes that `vmap` added.
    """

    def abstract_eval(
        self, *xs: Aval, function: Host, avals: tuple[Aval, ...], method: str, lead: tuple[int, ...]
    ) -> tuple[Aval, ...]:
        return tuple([Aval((*lead, *a.shape), a.dtype) for a in avals])

    def impl(
        self, *xs: Any, function: Host, avals: tuple[Aval, ...], method: str, lead: tuple[int, ...]
    ) -> tuple[Any, ...]:
        arrays = [np.asarray(x) for x in xs]
        if not lead:
            return self.checked(function, function(*arrays), avals, ())
        if method == "expand_dims":
            return self.checked(function, function(*arrays), avals, lead)
        n = len(lead)
        arrays = [np.broadcast_to(x, (*lead, *x.shape[n:])) for x in arrays]
        if method == "broadcast_all":
            return self.checked(function, function(*arrays), avals, lead)
        outs = tuple([np.empty((*lead, *a.shape), a.dtype) for a in avals])
        for at in np.ndindex(*lead):
            found = self.checked(function, function(*[x[at] for x in arrays]), avals, ())
            for out, one in zip(outs, found, strict=True):
                out[at] = one
        return outs

    def checked(
        self, function: Host, outs: Sequence[Any], avals: tuple[Aval, ...], lead: tuple[int, ...]
    ) -> tuple[Any, ...]:
        """The results, if they are as announced."""
        arrays = [np.asarray(x) for x in outs]
        told = [Aval(x.shape, x.dtype) for x in arrays]
        wanted = [Aval((*lead, *a.shape), a.dtype) for a in avals]
        if [(a.shape, a.dtype) for a in told] != [(a.shape, a.dtype) for a in wanted]:
            raise RuntimeError(
                f"pure_callback: {function_name(function)} gave ({', '.join(map(str, told))}), and "
                f"({', '.join(map(str, wanted))}) was announced by "
                f"result_shape_dtypes{where_am_i()}"
            )
        return tuple(arrays)

    transpose = not_linear

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, method: str, lead: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        if not method:
            raise NotImplementedError(
                f"pure_callback: vmap of {function_name(params['function'])} needs "
                f"vmap_method=, one of {', '.join(map(repr, _METHODS))}{where_am_i()}"
            )
        moved = [
            expand_dims(x, (0,)) if at is None else move_axis(x, at, 0)
            for x, at in zip(operands, axes, strict=True)
        ]
        outs = self.bind(*moved, method=method, lead=(axis.size, *lead), **params)
        return outs, (0,) * len(outs)

    def lower(self, *views: Any, **params: Any) -> Opaque:
        return Opaque()


class PureCallback(_Callback):
    """A callback whose results are used; without a derivative."""

    name = "pure_callback"

    def jvp(
        self, primals: Any, tangents: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        raise NotDifferentiableError(
            f"pure_callback: {function_name(params['function'])} has no derivative{where_am_i()}. "
            "Give it one with fxla.custom_jvp or fxla.custom_vjp, or stop it with "
            "fxla.lax.stop_gradient of its arguments"
        )


class DebugCallback(_Callback):
    """A callback for its effect. Derivatives call it with the values."""

    name = "debug_callback"
    effectful = True

    def jvp(
        self, primals: Any, tangents: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        outs = self.bind(*primals, **params)
        return outs, tuple([Zero(typeof(x).tangent()) for x in outs])


pure_callback_p = PureCallback()
debug_callback_p = DebugCallback()


def _flat(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[list[Value], Host]:
    """The arrays among the arguments, and the function of those."""
    leaves, tree = tree_flatten((args, kwargs))

    def of_arrays(*arrays: Any) -> list[Any]:
        given, named = tree_unflatten(tree, arrays)
        return list(tree_flatten(function(*given, **named))[0])

    of_arrays.__name__ = of_arrays.__qualname__ = function_name(function)
    return [argument(x) for x in leaves], of_arrays


def pure_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    sharding: Any = None,
    vmap_method: str | None = None,
    **kwargs: Any,
) -> Any:
    """Call a Python function of NumPy arrays, wherever the program runs.

    Args:
        callback: from arrays to a tree of arrays; without side effects.
        result_shape_dtypes: the tree of its results, anything with a shape and a dtype as leaves.
        *args: trees of arrays.
        sharding: not supported.
        vmap_method: how `vmap` calls it. ``"sequential"``: once for each example;
            ``"broadcast_all"``: once, with the mapped axis in front of every array;
            ``"expand_dims"``: so, with size 1 in arrays that are not mapped.
        **kwargs: more trees of arrays, by name.

    Returns:
        The tree of results.

    Raises:
        RuntimeError: if a result is not as announced.
        NotDifferentiableError: under a derivative; see `custom_jvp`.

    Example:
        >>> import fxla, fxla.numpy as np, scipy.special
        >>> @fxla.jit
        ... def f(x):
        ...     return 1 + fxla.pure_callback(scipy.special.j0, x, x)
        >>> f(np.array([0.0]))
        Array([2.])
    """
    if sharding is not None:
        raise NotImplementedError(
            f"pure_callback: sharding= is not supported: there is one device{where_am_i()}"
        )
    if vmap_method not in (None, *_METHODS):
        raise ValueError(
            f"pure_callback: vmap_method must be one of {', '.join(map(repr, _METHODS))}, got "
            f"{vmap_method!r}{where_am_i()}"
        )
    wanted = tree_map(lambda x: Aval(tuple(x.shape), canonical_dtype(x.dtype)), result_shape_dtypes)
    avals, tree = tree_flatten(wanted)
    arrays, function = _flat(callback, args, kwargs)
    outs = pure_callback_p.bind(
        *arrays, function=function, avals=tuple(avals), method=vmap_method or "", lead=()
    )
    return tree_unflatten(tree, outs)


def debug_callback(
    callback: Callable[..., Any], *args: Any, ordered: bool = False, **kwargs: Any
) -> None:
    """Call a Python function of NumPy arrays for its effect; see `fxla.debug.callback`."""
    del ordered  # always: programs run in their order
    arrays, function = _flat(callback, args, kwargs)

    def without_result(*xs: Any) -> list[Any]:
        function(*xs)
        return []

    without_result.__name__ = without_result.__qualname__ = function_name(callback)
    debug_callback_p.bind(*arrays, function=without_result, avals=(), method="sequential", lead=())
