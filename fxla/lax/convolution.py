"""Convolutions, in the conventions of neural networks: the kernel is not flipped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fxla.core.dtypes import canonical_dtype
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.lax.padding import resolve_padding
from fxla.ops import conv as ops
from fxla.ops.shape import rev, tile
from fxla.ops.structure import transpose
from fxla.ops.window_dims import dilated

__all__ = [
    "ConvDimensionNumbers",
    "conv",
    "conv_dimension_numbers",
    "conv_general_dilated",
    "conv_general_dilated_patches",
    "conv_transpose",
    "conv_with_general_padding",
]

_CALL = "lax.conv_general_dilated"


class ConvDimensionNumbers(NamedTuple):
    """Which axis is which.

    Attributes:
        lhs_spec: axes of the operand: batch, features, spatial ones.
        rhs_spec: axes of the kernel: output features, input features, spatial ones.
        out_spec: axes of the result: batch, features, spatial ones.

    Example:
        >>> from fxla import lax
        >>> lax.ConvDimensionNumbers((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2)).rhs_spec
        (3, 2, 0, 1)
    """

    lhs_spec: tuple[int, ...]
    rhs_spec: tuple[int, ...]
    out_spec: tuple[int, ...]


def conv_dimension_numbers(
    lhs_shape: Sequence[int], rhs_shape: Sequence[int], dimension_numbers: Any
) -> ConvDimensionNumbers:
    """Dimension numbers from layouts.

    Args:
        lhs_shape: shape of the operand.
        rhs_shape: shape of the kernel.
        dimension_numbers: None (batch, features, spatial axes in this order), a tuple of three
            strings such as ``("NHWC", "HWIO", "NHWC")``, or `ConvDimensionNumbers`.

    Raises:
        ValueError: if they do not fit the shapes.

    Example:
        >>> from fxla import lax
        >>> layouts = ("NHWC", "HWIO", "NHWC")
        >>> lax.conv_dimension_numbers((1, 8, 8, 3), (3, 3, 3, 4), layouts).rhs_spec
        (3, 2, 0, 1)
    """
    n = len(lhs_shape)
    if n != len(rhs_shape):
        raise ShapeError(
            f"{_CALL}: operand and kernel have different numbers of axes: {tuple(lhs_shape)} and "
            f"{tuple(rhs_shape)}{where_am_i()}"
        )
    if dimension_numbers is None:
        axes = tuple(range(n))
        return ConvDimensionNumbers(axes, axes, axes)
    if isinstance(dimension_numbers, ConvDimensionNumbers):
        return dimension_numbers
    layouts = tuple(dimension_numbers)
    if len(layouts) != 3 or not all(isinstance(s, str) and len(s) == n for s in layouts):
        raise ShapeError(
            f"{_CALL}: dimension_numbers={dimension_numbers!r}: expected three strings of {n} "
            f"letters, such as ('NHWC', 'HWIO', 'NHWC'){where_am_i()}"
        )
    dims = ops.ConvDims.of(*layouts)
    return ConvDimensionNumbers(dims.lhs, dims.rhs, dims.out)


def conv_general_dilated(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: Any,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Convolution with strides, dilations and groups, in any number of dimensions.

    Args:
        lhs: the operand: batch, features, spatial axes, in the order of `dimension_numbers`.
        rhs: the kernel: output features, input features of a group, spatial axes; the same dtype.
        window_strides: an integer for each spatial axis.
        padding: "SAME", "SAME_LOWER", "VALID", or a pair (before, after) for each spatial axis.
        lhs_dilation: 1 + zeros between elements of the operand.
        rhs_dilation: 1 + zeros between elements of the kernel.
        dimension_numbers: layouts, see `conv_dimension_numbers`.
        feature_group_count: split the features in groups, each with its own kernels.
        batch_group_count: split the batch in groups, each with its own kernels.
        precision: accepted for compatibility with JAX.
        preferred_element_type: dtype to sum in and to return.

    Returns:
        Batch, output features, and spatial axes, in the order of `dimension_numbers`.

    Raises:
        ValueError: if shapes do not fit.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> x, kernel = fnp.ones((1, 1, 4)), fnp.ones((1, 1, 3))
        >>> lax.conv_general_dilated(x, kernel, (1,), "SAME")
        Array([[[2., 3., 3., 2.]]])
    """
    del precision
    a, b = typeof(lhs), typeof(rhs)
    dims = conv_dimension_numbers(a.shape, b.shape, dimension_numbers)
    ones = (1,) * (a.ndim - 2)
    strides = tuple(window_strides)
    lhs_dilation = ones if lhs_dilation is None else tuple(lhs_dilation)
    rhs_dilation = ones if rhs_dilation is None else tuple(rhs_dilation)
    if not len(strides) == len(lhs_dilation) == len(rhs_dilation) == len(ones):
        raise ShapeError(
            f"{_CALL}: expected {len(ones)} strides and dilations, got {strides}, {lhs_dilation} "
            f"and {rhs_dilation}{where_am_i()}"
        )
    sizes = [a.shape[d] for d in dims.lhs_spec[2:]]
    window = [dilated(b.shape[r], d) for r, d in zip(dims.rhs_spec[2:], rhs_dilation, strict=True)]
    pads = resolve_padding(_CALL, padding, sizes, window, strides, lhs_dilation)
    params = ops.ConvParams(
        strides, pads, lhs_dilation, rhs_dilation, ops.ConvDims(*dims),
        feature_group_count, batch_group_count,
    )  # fmt: skip
    params.check(a, b)
    dtype = None if preferred_element_type is None else canonical_dtype(preferred_element_type)
    return ops.conv_general_dilated(lhs, rhs, params, dtype)


def conv(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """`conv_general_dilated` in the layouts NCHW and OIHW, without dilation.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.conv(fnp.ones((1, 1, 5, 5)), fnp.ones((2, 1, 3, 3)), (1, 1), "VALID").shape
        (1, 2, 3, 3)
    """
    return conv_general_dilated(
        lhs, rhs, window_strides, padding, precision=precision,
        preferred_element_type=preferred_element_type,
    )  # fmt: skip


def conv_with_general_padding(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: Any,
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """`conv_general_dilated` in the layouts NCHW and OIHW.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> x, kernel = fnp.ones((1, 1, 5)), fnp.ones((1, 1, 2))
        >>> lax.conv_with_general_padding(x, kernel, (1,), [(0, 0)], None, (2,)).shape
        (1, 1, 3)
    """
    return conv_general_dilated(
        lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation, precision=precision,
        preferred_element_type=preferred_element_type,
    )  # fmt: skip


_DEFAULT_LAYOUTS = {
    3: ("NHC", "HIO", "NHC"),
    4: ("NHWC", "HWIO", "NHWC"),
    5: ("NHWDC", "HWDIO", "NHWDC"),
}


def conv_transpose(
    lhs: Any,
    rhs: Any,
    strides: Sequence[int],
    padding: Any,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    transpose_kernel: bool = False,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Transposed convolution: strides spread the operand instead of thinning out the result.

    Args:
        lhs: the operand.
        rhs: the kernel.
        strides: how far apart elements of the operand are spread.
        padding: "SAME" for a result of size * stride, "VALID" for all places where kernel and
            operand meet, or pairs of padding of the spread operand.
        rhs_dilation: 1 + zeros between elements of the kernel.
        dimension_numbers: layouts; by default channels last, ("NHWC", "HWIO", "NHWC").
        transpose_kernel: flip the kernel and exchange its features: the exact transpose of
            `conv_general_dilated` with this kernel, a "gradient convolution".
        precision: accepted for compatibility with JAX.
        preferred_element_type: dtype to sum in and to return.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> x, kernel = fnp.ones((1, 3, 1)), fnp.ones((2, 1, 1))
        >>> lax.conv_transpose(x, kernel, (2,), "SAME").shape
        (1, 6, 1)
    """
    a, b = typeof(lhs), typeof(rhs)
    if dimension_numbers is None:
        if a.ndim not in _DEFAULT_LAYOUTS:
            raise ShapeError(f"lax.conv_transpose: {a} needs dimension_numbers{where_am_i()}")
        dimension_numbers = _DEFAULT_LAYOUTS[a.ndim]
    dims = conv_dimension_numbers(a.shape, b.shape, dimension_numbers)
    ones = (1,) * (a.ndim - 2)
    rhs_dilation = ones if rhs_dilation is None else tuple(rhs_dilation)
    if isinstance(padding, str):
        padding = [
            _transposed_padding(dilated(b.shape[r], d), s, padding)
            for r, d, s in zip(dims.rhs_spec[2:], rhs_dilation, strides, strict=True)
        ]
    if transpose_kernel:
        perm = list(range(b.ndim))
        o, i = dims.rhs_spec[:2]
        perm[o], perm[i] = i, o
        rhs = transpose(rev(rhs, dims.rhs_spec[2:]), perm)
    return conv_general_dilated(
        lhs, rhs, ones, padding, strides, rhs_dilation, dims, precision=precision,
        preferred_element_type=preferred_element_type,
    )  # fmt: skip


def _transposed_padding(k: int, s: int, name: str) -> tuple[int, int]:
    """Padding of an axis spread by s, for a window of k."""
    if name.upper() == "SAME":
        total = k + s - 2
        before = k - 1 if s > k - 1 else -(-total // 2)
    elif name.upper() == "VALID":
        total = k + s - 2 + max(k - s, 0)
        before = k - 1
    else:
        raise ValueError(
            f"lax.conv_transpose: padding {name!r}: expected 'SAME' or 'VALID'{where_am_i()}"
        )
    return before, total - before


def conv_general_dilated_patches(
    lhs: Any,
    filter_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: Any,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """What each window of a convolution sees, in the features of the result.

    Args:
        lhs: the operand.
        filter_shape: spatial sizes of the window.
        window_strides: as for `conv_general_dilated`, and so on.
        padding: likewise.
        lhs_dilation: likewise.
        rhs_dilation: likewise.
        dimension_numbers: likewise.
        precision: accepted for compatibility with JAX.
        preferred_element_type: dtype of the result.

    Returns:
        An array with ``features * prod(filter_shape)`` features, those of one input feature
        together, the window's elements in C order.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> x = fnp.arange(4.0).reshape(1, 1, 4)
        >>> lax.conv_general_dilated_patches(x, (2,), (1,), "VALID")
        Array([[[0., 1., 2.],
                [1., 2., 3.]]])
    """
    a, window = typeof(lhs), tuple(filter_shape)
    dims = conv_dimension_numbers(a.shape, (1, 1, *window), dimension_numbers)
    n, features = math.prod(window), a.shape[dims.lhs_spec[1]]
    kernel = np.eye(n, dtype=a.dtype).reshape((n, 1, *window))
    kernel = tile(kernel, (features,) + (1,) * (a.ndim - 1))
    kernel = transpose(kernel, np.argsort(dims.rhs_spec).tolist())
    return conv_general_dilated(
        lhs, kernel, window_strides, padding, lhs_dilation, rhs_dilation, dims, features,
        precision=precision, preferred_element_type=preferred_element_type,
    )  # fmt: skip
