"""Prefix sums of any associative operation, in a logarithmic number of steps.

The recursion is that of Blelloch ("Prefix sums and their applications", 1990): combine neighbours,
scan the half as long sequence, and fill in the elements between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fxla.core.dtypes import is_inexact
from fxla.core.pytree import tree_flatten, tree_unflatten
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.ops.elementwise import add
from fxla.ops.shape import concatenate, pad, rev, slice_in_dim
from fxla.transforms.api import function_name

__all__ = ["associative_scan"]


def associative_scan(
    fn: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """All prefixes of a sequence combined by an associative operation.

    Args:
        fn: ``(a, b) -> c``, associative, on pytrees of arrays, elementwise along `axis`.
        elems: a pytree of arrays whose sizes along `axis` are equal.
        reverse: combine suffixes instead.
        axis: the axis to scan along.

    Returns:
        A pytree like `elems`; element i is ``fn(...fn(elems[0], elems[1])..., elems[i])``.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.associative_scan(fnp.maximum, fnp.array([1, 3, 2, 5, 4]))
        Array([1, 3, 3, 5, 5])
    """
    leaves, tree = tree_flatten(elems)
    axes = [axis % typeof(x).ndim for x in leaves]
    sizes = {typeof(x).shape[a] for x, a in zip(leaves, axes, strict=True)}
    if len(sizes) > 1:
        raise ShapeError(
            f"lax.associative_scan of {function_name(fn)}: sizes along axis {axis} differ: "
            f"{', '.join(str(typeof(x)) for x in leaves)}{where_am_i()}"
        )
    if reverse:
        leaves = [rev(x, (a,)) for x, a in zip(leaves, axes, strict=True)]

    def combine(a: list[Value], b: list[Value]) -> list[Value]:
        return tree_flatten(fn(tree_unflatten(tree, a), tree_unflatten(tree, b)))[0]

    found = _scan(combine, leaves, axes)
    if reverse:
        found = [rev(x, (a,)) for x, a in zip(found, axes, strict=True)]
    return tree_unflatten(tree, found)


Combine = Callable[[list[Value], list[Value]], list[Value]]


def _part(xs: list[Value], axes: list[int], start: int, stop: int | None, step: int) -> list[Value]:
    return [
        slice_in_dim(x, start, typeof(x).shape[a] if stop is None else stop, step, a)
        for x, a in zip(xs, axes, strict=True)
    ]


def _scan(combine: Combine, xs: list[Value], axes: list[int]) -> list[Value]:
    n = typeof(xs[0]).shape[axes[0]]
    if n < 2:
        return xs
    pairs = combine(_part(xs, axes, 0, n - 1, 2), _part(xs, axes, 1, n, 2))
    odd = _scan(combine, pairs, axes)
    if n % 2:
        even = combine(odd, _part(xs, axes, 2, None, 2))
    else:
        m = typeof(odd[0]).shape[axes[0]]
        even = combine(_part(odd, axes, 0, m - 1, 1), _part(xs, axes, 2, None, 2))
    even = [
        concatenate([first, x], a)
        for first, x, a in zip(_part(xs, axes, 0, 1, 1), even, axes, strict=True)
    ]
    return [_interleave(e, o, a) for e, o, a in zip(even, odd, axes, strict=True)]


def _interleave(even: Value, odd: Value, axis: int) -> Value:
    """e0 o0 e1 o1 ...: each spread with holes of -0, the exact identity of addition, and added."""
    zero = -0.0 if is_inexact(typeof(even).dtype) else 0
    ndim = typeof(even).ndim
    n_even, n_odd = typeof(even).shape[axis], typeof(odd).shape[axis]

    def widths(n: int) -> tuple[int, ...]:
        return tuple(n if i == axis else 0 for i in range(ndim))

    spread_even = pad(even, zero, widths(0), widths(int(n_even == n_odd)), widths(1))
    spread_odd = pad(odd, zero, widths(1), widths(int(n_even != n_odd)), widths(1))
    return add(spread_even, spread_odd)
