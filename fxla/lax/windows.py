"""Reductions over sliding windows, as in pooling layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import is_bool
from fxla.core.jaxpr import Literal
from fxla.core.primitive import Primitive
from fxla.core.pytree import tree_flatten, tree_unflatten
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.lax.padding import resolve_padding
from fxla.ops import window as ops
from fxla.ops.arithmetic import maximum_p, minimum_p
from fxla.ops.casts import convert
from fxla.ops.elementwise import add_p
from fxla.ops.shape import pad, slice_in_dim
from fxla.ops.structure import broadcast_to
from fxla.ops.window_dims import Window, dilated, worst

__all__ = ["reduce_window", "reduce_window_shape_tuple"]

_CALL = "lax.reduce_window"


def reduce_window(
    operand: Any,
    init_value: Any,
    computation: Callable[..., Any],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None,
    padding: Any,
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Any:
    """Reduce each window of an array by an associative and commutative operation.

    Sums, maxima and minima are kernels of their own; another operation is applied to shifted
    copies of the array, one for each position in the window along each axis.

    Args:
        operand: an array, or a pytree of arrays of one shape.
        init_value: the identity of the operation, which padding counts as.
        computation: ``(a, b) -> c`` on scalars or arrays (on pytrees of them).
        window_dimensions: the window's size along each axis of the operand.
        window_strides: default 1.
        padding: "SAME", "SAME_LOWER", "VALID", or a pair (before, after) for each axis.
        base_dilation: 1 + holes between elements of the operand.
        window_dilation: 1 + elements skipped between those of a window.

    Raises:
        ValueError: if there is not one entry for each axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> x = fnp.array([1.0, 3.0, 2.0, 0.0])
        >>> lax.reduce_window(x, -fnp.inf, lax.max, (2,), (2,), "VALID")
        Array([3., 2.])
    """
    leaves, tree = tree_flatten(operand)
    inits, _ = tree_flatten(init_value)
    shape = typeof(leaves[0]).shape
    if any(typeof(x).shape != shape for x in leaves) or len(inits) != len(leaves):
        told = ", ".join(str(typeof(x)) for x in leaves)
        raise ShapeError(
            f"{_CALL}: needs operands of one shape and an initial value for each, got {told} and "
            f"{len(inits)} initial values{where_am_i()}"
        )
    window = _window(
        shape, window_dimensions, window_strides, padding, base_dilation, window_dilation
    )
    inits = [
        convert(i, typeof(x).dtype) if isinstance(i, Tracer) else np.asarray(i, typeof(x).dtype)[()]
        for i, x in zip(inits, leaves, strict=True)
    ]

    def combine(a: Sequence[Value], b: Sequence[Value]) -> list[Value]:
        return tree_flatten(computation(tree_unflatten(tree, a), tree_unflatten(tree, b)))[0]

    window.check(_CALL, typeof(leaves[0]))
    if len(leaves) == 1:
        known = _known_reduction(combine, inits[0], typeof(leaves[0]))
        if known is not None:
            return tree_unflatten(tree, [known(leaves[0], window)])
    return tree_unflatten(tree, _by_shifts(leaves, inits, combine, window))


def reduce_window_shape_tuple(
    operand_shape: Sequence[int],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None,
    padding: Any,
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> tuple[int, ...]:
    """The shape of what `reduce_window` gives.

    Example:
        >>> from fxla import lax
        >>> lax.reduce_window_shape_tuple((5, 5), (2, 2), (2, 2), "SAME")
        (3, 3)
    """
    shape = tuple(operand_shape)
    return _window(
        shape, window_dimensions, window_strides, padding, base_dilation, window_dilation
    ).output_shape(shape)


def _window(
    shape: tuple[int, ...],
    sizes: Sequence[int],
    strides: Sequence[int] | None,
    padding: Any,
    base_dilation: Sequence[int] | None,
    window_dilation: Sequence[int] | None,
) -> Window:
    ones = (1,) * len(shape)
    fields = [
        ones if given is None else tuple(given)
        for given in (sizes, strides, base_dilation, window_dilation)
    ]
    if any(len(f) != len(shape) for f in fields):
        raise ShapeError(
            f"{_CALL}: expected a size, stride and dilation for each of {len(shape)} axes, got "
            f"{fields}{where_am_i()}"
        )
    dims, steps, base, dilation = fields
    spans = [dilated(k, d) for k, d in zip(dims, dilation, strict=True)]
    pads = resolve_padding(_CALL, padding, shape, spans, steps, base)
    return Window(dims, steps, pads, base, dilation)


def _known_reduction(
    combine: Callable[..., list[Value]], init: Value, aval: Aval
) -> Callable[[Value, Window], Value] | None:
    """The kernel of a sum, maximum or minimum that starts from its identity, if it is one."""
    if isinstance(init, Tracer) or is_bool(aval.dtype):
        return None
    primitive = _single_primitive(combine, aval)
    if primitive is add_p:
        return ops.reduce_window_sum if init == 0 else None
    if aval.dtype.kind == "c":
        return None
    if primitive is maximum_p and init == worst("max", aval.dtype):
        return ops.reduce_window_max
    if primitive is minimum_p and init == worst("min", aval.dtype):
        return ops.reduce_window_min
    return None


def _single_primitive(combine: Callable[..., list[Value]], aval: Aval) -> Primitive | None:
    """The primitive that a binary function of scalars is, however it is written."""
    scalar = Aval((), aval.dtype)
    closed = trace_to_jaxpr(
        lambda a, b: combine([a], [b]), [scalar, scalar], "reduce_window", "computation"
    )
    jaxpr = closed.jaxpr
    if closed.consts or len(jaxpr.eqns) != 1:
        return None
    (eqn,) = jaxpr.eqns
    atoms = [*eqn.inputs, *jaxpr.outs]
    if any(isinstance(a, Literal) for a in atoms) or jaxpr.outs != eqn.outputs:
        return None
    return eqn.primitive if set(eqn.inputs) == set(jaxpr.invars) else None


def _by_shifts(
    xs: list[Value], inits: list[Value], combine: Callable[..., list[Value]], window: Window
) -> list[Value]:
    """Reduce along one axis after the other, by shifted strided slices."""
    low, high = zip(*window.padding, strict=True) if window.padding else ((), ())
    holes = [b - 1 for b in window.base_dilation]
    xs = [pad(x, i, low, high, holes) for x, i in zip(xs, inits, strict=True)]
    for axis, (k, s, d) in enumerate(
        zip(window.sizes, window.strides, window.window_dilation, strict=True)
    ):
        n = typeof(xs[0]).shape[axis]
        span = dilated(k, d)
        count = (n - span) // s + 1 if n >= span else 0
        shifted = [
            [slice_in_dim(x, o * d, o * d + max(0, (count - 1) * s + 1), s, axis) for x in xs]
            if count
            else [slice_in_dim(x, 0, 0, 1, axis) for x in xs]
            for o in range(k)
        ]
        xs = shifted[0]
        for other in shifted[1:]:
            xs = combine(xs, other)
    shape = typeof(xs[0]).shape
    return combine([broadcast_to(i, shape) for i in inits], xs)
