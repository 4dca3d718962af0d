"""Shapes of the results of convolutions, and products of ragged groups and of local kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fxla.control.api import eval_shape
from fxla.core.aval import Aval
from fxla.core.dtypes import float32, int64
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.lax.convolution import (
    ConvDimensionNumbers,
    conv_dimension_numbers,
    conv_general_dilated,
    conv_general_dilated_patches,
    conv_transpose,
)
from fxla.lax.reductions import dot_general
from fxla.ops.arithmetic import sub
from fxla.ops.casts import convert
from fxla.ops.cumulative import cumsum
from fxla.ops.logic import and_, ge, lt, select
from fxla.ops.shape import iota
from fxla.ops.structure import broadcast_in_dim, full, reshape, transpose

__all__ = [
    "conv_general_dilated_local",
    "conv_general_permutations",
    "conv_general_shape_tuple",
    "conv_shape_tuple",
    "conv_transpose_shape_tuple",
    "ragged_dot",
]


def _result_shape(
    convolve: Callable[[Any, Any], Any], lhs_shape: Sequence[int], rhs_shape: Sequence[int]
) -> tuple[int, ...]:
    """The shape of a convolution's result, whose dtype does not matter."""
    lhs, rhs = (Aval(tuple(shape), float32) for shape in (lhs_shape, rhs_shape))
    return tuple(eval_shape(convolve, lhs, rhs).shape)


def conv_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    strides: Sequence[int],
    pads: Any,
    batch_group_count: int = 1,
) -> tuple[int, ...]:
    """The shape of a convolution's result: batch, features, and spatial axes in this order.

    Args:
        lhs_shape: of the operand: batch, features, spatial axes.
        rhs_shape: of the kernel: output features, input features, spatial axes.
        strides: of the windows.
        pads: "SAME", "VALID" or pairs.
        batch_group_count: into how many groups the batch is split.

    Example:
        >>> from fxla import lax
        >>> lax.conv_shape_tuple((8, 3, 32, 32), (16, 3, 5, 5), (2, 2), "SAME")
        (8, 16, 16, 16)
    """
    return _result_shape(
        lambda a, b: conv_general_dilated(a, b, strides, pads, batch_group_count=batch_group_count),
        lhs_shape,
        rhs_shape,
    )


def conv_general_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: Any,
    dimension_numbers: Any,
) -> tuple[int, ...]:
    """The shape of the result of `conv_general_dilated` with these layouts.

    Example:
        >>> from fxla import lax
        >>> layouts = ("NHWC", "HWIO", "NHWC")
        >>> lax.conv_general_shape_tuple((8, 32, 32, 3), (5, 5, 3, 16), (1, 1), "VALID", layouts)
        (8, 28, 28, 16)
    """
    return _result_shape(
        lambda a, b: conv_general_dilated(
            a, b, window_strides, padding, dimension_numbers=dimension_numbers
        ),
        lhs_shape,
        rhs_shape,
    )


def conv_transpose_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: Any,
    dimension_numbers: Any,
) -> tuple[int, ...]:
    """The shape of the result of `conv_transpose` with these layouts.

    Example:
        >>> from fxla import lax
        >>> layouts = ("NHWC", "HWIO", "NHWC")
        >>> lax.conv_transpose_shape_tuple((1, 8, 8, 3), (3, 3, 3, 4), (2, 2), "SAME", layouts)
        (1, 16, 16, 4)
    """
    return _result_shape(
        lambda a, b: conv_transpose(
            a, b, window_strides, padding, dimension_numbers=dimension_numbers
        ),
        lhs_shape,
        rhs_shape,
    )


def conv_general_permutations(dimension_numbers: Any) -> ConvDimensionNumbers:
    """The axes of operand, kernel and result in the order of the canonical layouts.

    Args:
        dimension_numbers: three layouts, such as ``("NHWC", "HWIO", "NHWC")``.

    Returns:
        For each of the three, where batch (output features), features and spatial axes stand.

    Example:
        >>> from fxla import lax
        >>> lax.conv_general_permutations(("NHWC", "HWIO", "NHWC")).lhs_spec
        (0, 3, 1, 2)
    """
    rank = len(dimension_numbers[0])
    return conv_dimension_numbers((1,) * rank, (1,) * rank, dimension_numbers)


def conv_general_dilated_local(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: Any,
    filter_shape: Sequence[int],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    precision: Any = None,
) -> Any:
    """A convolution whose kernel is another one at every place.

    Args:
        lhs: the operand.
        rhs: the kernels; in the layout of a kernel: output features, input features times the
            elements of a window, and the spatial axes of the *result*.
        window_strides: of the windows.
        padding: "SAME", "VALID" or pairs.
        filter_shape: sizes of a window.
        lhs_dilation: 1 + zeros between elements of the operand.
        rhs_dilation: 1 + elements that a window leaves out between two.
        dimension_numbers: layouts, see `conv_dimension_numbers`.
        precision: accepted for compatibility with JAX.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> x, kernels = fnp.ones((1, 1, 4)), fnp.arange(6.0).reshape(1, 2, 3)
        >>> lax.conv_general_dilated_local(x, kernels, (1,), "VALID", (2,))
        Array([[[3., 5., 7.]]])
    """
    del precision
    dims = conv_dimension_numbers(typeof(lhs).shape, typeof(rhs).shape, dimension_numbers)
    patches = conv_general_dilated_patches(
        lhs, filter_shape, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers
    )
    out = dims.out_spec
    contract = ((out[1],), (dims.rhs_spec[1],))
    spatial = (tuple(out[2:]), tuple(dims.rhs_spec[2:]))
    # spatial axes, batch, output features
    found = dot_general(patches, rhs, (contract, spatial))
    n = len(out) - 2
    order = [n, n + 1, *range(n)]
    return transpose(found, tuple([order[out.index(axis)] for axis in range(len(out))]))


def ragged_dot(
    lhs: Any,
    rhs: Any,
    group_sizes: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
    group_offset: Any = None,
) -> Any:
    """Rows in groups that follow each other, each group times a matrix of its own.

    One product of m rows and depth g k: rows are zero outside of their group's part.

    Args:
        lhs: T[m, k].
        rhs: T[g, k, n], a matrix for each group.
        group_sizes: integers [g]; rows after the last group give zeros.
        precision: accepted for compatibility with JAX.
        preferred_element_type: dtype to sum in and to return.
        group_offset: not supported.

    Returns:
        T[m, n].

    Raises:
        ShapeError: if the shapes do not fit.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> x = fnp.arange(6.0).reshape(3, 2)
        >>> w = fnp.stack([fnp.eye(2), 10 * fnp.eye(2)])
        >>> lax.ragged_dot(x, w, fnp.array([1, 2]))
        Array([[ 0.,  1.],
               [20., 30.],
               [40., 50.]])
    """
    del precision
    if group_offset is not None:
        raise NotImplementedError(f"lax.ragged_dot: group_offset= is not supported{where_am_i()}")
    a, b, sizes = typeof(lhs), typeof(rhs), typeof(group_sizes)
    if (a.ndim, b.ndim, sizes.ndim) != (2, 3, 1) or b.shape[:2] != (*sizes.shape, *a.shape[1:]):
        raise ShapeError(
            f"lax.ragged_dot: the shapes do not fit: {a}, {b}, groups {sizes}{where_am_i()}"
        )
    (m, k), (g, _, n) = a.shape, b.shape
    counts = convert(group_sizes, int64)
    ends = cumsum(counts, 0)
    shape = (m, g, k)
    row = iota(int64, shape, 0)
    begin = broadcast_in_dim(sub(ends, counts), shape, (1,))
    inside = and_(ge(row, begin), lt(row, broadcast_in_dim(ends, shape, (1,))))
    spread = select(inside, broadcast_in_dim(lhs, shape, (0, 2)), full(shape, 0, a.dtype))
    dims = (((1,), (0,)), ((), ()))
    return dot_general(
        reshape(spread, (m, g * k)),
        reshape(rhs, (g * k, n)),
        dims,
        preferred_element_type=preferred_element_type,
    )
