"""Convolution with strides, dilations and groups, in any layout and number of dimensions.

What is called a convolution here is a correlation, as in every neural network library: the kernel
is not flipped. Its derivative for either operand is a convolution again, with strides and dilations
exchanged (Dumoulin, Visin: "A guide to convolution arithmetic", arXiv:1603.07285).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from fxla.core.aval import Aval, Shape
from fxla.core.dtypes import DType
from fxla.core.primitive import Primitive, is_linear, is_zero
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.loops import view as scalar
from fxla.loops.ir import Expr
from fxla.loops.view import IndexTuple, Reduce, View, binary, extent, int_const
from fxla.ops.casts import convert
from fxla.ops.conv_dims import ConvDims, ConvParams
from fxla.ops.dot import accumulator
from fxla.ops.elementwise import add
from fxla.ops.shape import all_of, rev
from fxla.ops.structure import move_axis, reshape
from fxla.ops.window_dims import Window, dilated, lowered_source, spread

__all__ = ["ConvDims", "ConvParams", "conv_general_dilated", "conv_general_dilated_p"]

Out = tuple[tuple[Value, ...], tuple[int | None, ...]]

_CHUNK_BYTES = 1 << 25
"""Windows written out at a time by NumPy: enough for a fast product, little beside the operands."""


class ConvGeneralDilated(Primitive):
    """``out[n, o, i] = sum over c, k of lhs[n, c, i s + k d - p] rhs[o, c, k]``, see `ConvParams`.

    Both operands have one dtype, and so has the result, unless `preferred_element_type` says
    otherwise. Linear in each operand.
    """

    name = "conv_general_dilated"

    def abstract_eval(
        self, lhs: Aval, rhs: Aval, *, conv: ConvParams, preferred_element_type: DType | None
    ) -> tuple[Aval, ...]:
        conv.check(lhs, rhs)
        shape = conv.output_shape(lhs.shape, rhs.shape)
        return (Aval(shape, preferred_element_type or lhs.dtype),)

    def impl(
        self, lhs: Any, rhs: Any, *, conv: ConvParams, preferred_element_type: DType | None
    ) -> tuple[Any, ...]:
        lhs, rhs = np.asarray(lhs), np.asarray(rhs)
        dtype = preferred_element_type or lhs.dtype
        work = accumulator(dtype)
        out = _convolve(
            np.transpose(lhs, (conv.dims.lhs[0], *conv.dims.lhs[2:], conv.dims.lhs[1])),
            np.transpose(rhs, (conv.dims.rhs[0], *conv.dims.rhs[2:], conv.dims.rhs[1])),
            conv, conv.spatial_shape(lhs.shape, rhs.shape), work,
        )  # fmt: skip
        # `out` is [batch, *spatial, features]; its axes go where dims.out says.
        order = (conv.dims.out[0], *conv.dims.out[2:], conv.dims.out[1])
        out = np.transpose(out, np.argsort(order))
        return (np.ascontiguousarray(out, dtype).reshape(out.shape),)

    def jvp(
        self,
        primals: Any,
        tangents: Any,
        *,
        conv: ConvParams,
        preferred_element_type: DType | None,
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (lhs, rhs), (t_lhs, t_rhs) = primals, tangents

        def apply(x: Value, y: Value) -> Value:
            return conv_general_dilated(x, y, conv, preferred_element_type)

        terms = []
        if not is_zero(t_lhs):
            terms.append(apply(t_lhs, rhs))
        if not is_zero(t_rhs):
            terms.append(apply(lhs, t_rhs))
        return (apply(lhs, rhs),), (terms[0] if len(terms) == 1 else add(*terms),)

    def transpose(
        self,
        cts: Any,
        *operands: Any,
        conv: ConvParams,
        preferred_element_type: DType | None,
    ) -> tuple[Any, ...]:
        (ct,), (lhs, rhs) = cts, operands
        dtype = typeof(ct).dtype
        if is_linear(lhs):
            out = _transpose_lhs(ct, lhs.shape, convert(rhs, dtype), conv)
            return convert(out, lhs.dtype), None
        out = _transpose_rhs(ct, convert(lhs, dtype), rhs.shape, conv)
        return None, convert(out, rhs.dtype)

    def batch(
        self,
        axis: AxisFrame,
        operands: Any,
        axes: Any,
        *,
        conv: ConvParams,
        preferred_element_type: DType | None,
    ) -> Out:
        """The new axis joins one that the convolution has: batch, output features, or groups."""
        (lhs, rhs), (a, b), dims = operands, axes, conv.dims
        joined, groups = dims.out[1], 1
        if a is not None and b is not None:
            if conv.batch_groups > 1:
                lhs = _join(lhs, a, dims.lhs[0])
                conv = replace(conv, batch_groups=conv.batch_groups * axis.size)
            else:
                lhs = _join(lhs, a, dims.lhs[1])
                conv = replace(conv, feature_groups=conv.feature_groups * axis.size)
            rhs = _join(rhs, b, dims.rhs[0])
        elif a is not None:
            lhs = _join(lhs, a, dims.lhs[0], conv.batch_groups)
            joined = dims.out[0]
        else:
            groups = conv.groups
            rhs = _join(rhs, b, dims.rhs[0], groups)
        out = conv_general_dilated(lhs, rhs, conv, preferred_element_type)
        return (_part(out, joined, axis.size, groups),), (0,)

    def lower(
        self, *views: View, conv: ConvParams, preferred_element_type: DType | None
    ) -> tuple[Reduce, ...]:
        lhs, rhs = views
        dims = conv.dims
        dtype = preferred_element_type or lhs.dtype
        window = _window(conv, rhs.shape)
        sizes = tuple(lhs.shape[a] for a in dims.lhs[2:])
        outputs = rhs.shape[dims.rhs[0]] // max(conv.groups, 1)
        inputs = rhs.shape[dims.rhs[1]]
        batch = lhs.shape[dims.lhs[0]] // conv.batch_groups

        def element(out: IndexTuple, red: IndexTuple) -> Expr:
            n, o, *at = (out[a] for a in dims.out)
            *k, c = red
            k = [int_const(0) if n == 1 else i for i, n in zip(k, window.sizes, strict=True)]
            group = binary("floordiv", o, extent(outputs))
            source, conditions = lowered_source(window, sizes, tuple(at), tuple(k))
            feature, example = c, n
            if conv.feature_groups > 1:
                feature = binary("add", binary("mul", group, extent(inputs)), c)
            if conv.batch_groups > 1:
                example = binary("add", binary("mul", group, extent(batch)), n)
            x = scalar.cast(lhs[_placed(dims.lhs, (example, feature, *source))], dtype)
            y = scalar.cast(rhs[_placed(dims.rhs, (o, c, *k))], dtype)
            product = scalar.op("mul", dtype, x, y)
            if not conditions:
                return product
            return scalar.select(all_of(conditions), product, scalar.const(0, dtype))

        shape = conv.output_shape(lhs.shape, rhs.shape)
        return (Reduce(shape, dtype, (*window.sizes, inputs), "add", 0, element),)


def _placed(axes: Shape, values: tuple[Expr, ...]) -> IndexTuple:
    """An index whose component at ``axes[k]`` is ``values[k]``."""
    by_axis = dict(zip(axes, values, strict=True))
    return tuple(by_axis[i] for i in range(len(axes)))


def _window(conv: ConvParams, rhs: Shape) -> Window:
    """How the kernel slides over the spatial dimensions."""
    sizes = tuple(rhs[a] for a in conv.dims.rhs[2:])
    return Window(sizes, conv.strides, conv.padding, conv.lhs_dilation, conv.rhs_dilation)


# --- values, by NumPy -----------------------------------------------------------------------


def _convolve(lhs: Any, rhs: Any, conv: ConvParams, sizes: Shape, work: DType) -> Any:
    """lhs: [N, *S, C], rhs: [O, *K, I] -> [N', *sizes, O]: windows written out, then a product."""
    groups, outputs = conv.groups, rhs.shape[0]
    inputs = math.prod(rhs.shape[1:])
    batch = lhs.shape[0] // conv.batch_groups
    out = np.zeros((batch, *sizes, groups, outputs // groups), work)
    if out.size == 0 or inputs == 0:
        return out.reshape((batch, *sizes, outputs))
    windows = _windows(lhs.astype(work, copy=False), rhs.shape[1:-1], conv, sizes)
    kernel = rhs.astype(work, copy=False).reshape(groups, outputs // groups, inputs)
    kernel = np.swapaxes(kernel, 1, 2)
    step = max(1, _CHUNK_BYTES // (math.prod(sizes) * groups * inputs * work.itemsize))
    for begin in range(0, batch, step):
        part = windows[:, begin : begin + step]
        with np.errstate(all="ignore"):
            product = np.matmul(part.reshape(groups, -1, inputs), kernel)
        product = product.reshape(groups, *part.shape[1 : len(sizes) + 2], outputs // groups)
        out[begin : begin + step] = np.moveaxis(product, 0, -2)
    return out.reshape((batch, *sizes, outputs))


def _windows(lhs: Any, kernel: Shape, conv: ConvParams, sizes: Shape) -> Any:
    """A view [G, N', *sizes, *kernel, C']: what the kernel meets in each group at each place."""
    rank = len(sizes)
    flat = (1,) * (rank + 2)
    padded = spread(
        lhs,
        Window(flat, flat, ((0, 0), *conv.padding, (0, 0)), (1, *conv.lhs_dilation, 1), flat),
        0,
    )
    n, c = padded.shape[0], padded.shape[-1]
    n_stride, *strides, c_stride = padded.strides
    moves = tuple(st * s for st, s in zip(strides, conv.strides, strict=True))
    steps = tuple(st * d for st, d in zip(strides, conv.rhs_dilation, strict=True))
    b, f = conv.batch_groups, conv.feature_groups
    group_stride = n_stride * (n // b) if b > 1 else c_stride * (c // f)
    return np.lib.stride_tricks.as_strided(
        padded,
        (conv.groups, n // b, *sizes, *kernel, c // f),
        (group_stride, n_stride, *moves, *steps, c_stride),
        writeable=False,
    )


# --- transposes and batching ----------------------------------------------------------------


def _transpose_lhs(ct: Value, shape: Shape, rhs: Value, conv: ConvParams) -> Value:
    """The cotangent, dilated by the strides, convolved with the flipped kernel."""
    dims = conv.dims
    kernel = typeof(rhs).shape
    padding = []
    for a, r, (low, _), s, b, d, o in zip(
        dims.lhs[2:], dims.rhs[2:], conv.padding, conv.strides, conv.lhs_dilation,
        conv.rhs_dilation, dims.out[2:], strict=True,
    ):  # fmt: skip
        span = dilated(kernel[r], d)
        before = span - 1 - low
        room = dilated(shape[a], b) + span - 1 - dilated(typeof(ct).shape[o], s)
        padding.append((before, room - before))
    back = ConvParams(
        conv.lhs_dilation, tuple(padding), conv.strides, conv.rhs_dilation,
        ConvDims(dims.out, (dims.rhs[1], dims.rhs[0], *dims.rhs[2:]), dims.lhs), conv.groups,
    )  # fmt: skip
    flipped = rev(_move_groups(rhs, dims.rhs[0], dims.rhs[1], conv.groups), dims.rhs[2:])
    out = conv_general_dilated(ct, flipped, back)
    return _move_groups(out, dims.lhs[1], dims.lhs[0], conv.batch_groups)


def _transpose_rhs(ct: Value, lhs: Value, shape: Shape, conv: ConvParams) -> Value:
    """The operand convolved with the cotangent; batch and features exchange their roles."""
    dims = conv.dims
    padding = []
    for a, r, (low, _), s, b, d, o in zip(
        dims.lhs[2:], dims.rhs[2:], conv.padding, conv.strides, conv.lhs_dilation,
        conv.rhs_dilation, dims.out[2:], strict=True,
    ):  # fmt: skip
        grown = dilated(typeof(ct).shape[o], s) - dilated(typeof(lhs).shape[a], b)
        padding.append((low, grown + dilated(shape[r], d) - low - 1))
    back = ConvParams(
        conv.rhs_dilation, tuple(padding), conv.lhs_dilation, conv.strides,
        ConvDims(*(((x[1], x[0], *x[2:])) for x in (dims.lhs, dims.out, dims.rhs))),
        conv.batch_groups, conv.feature_groups,
    )  # fmt: skip
    return conv_general_dilated(lhs, ct, back)


def _move_groups(x: Value, source: int, target: int, groups: int) -> Value:
    """Take the outer part of axis `source`, of size `groups`, and make it that of `target`."""
    return x if groups == 1 else _join(_part(x, source, groups), 0, target)


def _join(x: Value, source: int, target: int, groups: int = 1) -> Value:
    """Merge axis `source` into axis `target` of the rest: (groups, source, rest of target)."""
    x = move_axis(x, source, 0)
    size, *shape = typeof(x).shape
    n = shape[target]
    x = reshape(x, (size, *shape[:target], groups, n // groups, *shape[target + 1 :]))
    x = move_axis(x, 0, target + 1)
    return reshape(x, (*shape[:target], size * n, *shape[target + 1 :]))


def _part(x: Value, source: int, size: int, groups: int = 1) -> Value:
    """Undo `_join`: axis `source` is (groups, size, rest); `size` becomes axis 0."""
    shape = typeof(x).shape
    n = shape[source] // size
    x = reshape(x, (*shape[:source], groups, size, n // groups, *shape[source + 1 :]))
    x = move_axis(x, source + 1, 0)
    return reshape(x, (size, *shape[:source], n, *shape[source + 1 :]))


conv_general_dilated_p = ConvGeneralDilated()


def conv_general_dilated(
    lhs: Value, rhs: Value, conv: ConvParams, preferred_element_type: DType | None = None
) -> Value:
    """Convolve `lhs` with the kernel `rhs`.

    Args:
        lhs: batch, features and spatial dimensions, in the order of ``conv.dims.lhs``.
        rhs: output features, input features (of one group) and spatial dimensions.
        conv: strides, padding, dilations, layouts and groups.
        preferred_element_type: dtype to sum in and to return; default: that of the operands.

    Example:
        >>> dims = ConvDims.of("NCW", "OIW", "NCW")
        >>> pairs = ConvParams((1,), ((0, 0),), (1,), (1,), dims)
        >>> x, ones = np.arange(4.0).reshape(1, 1, 4), np.ones((1, 1, 2))
        >>> conv_general_dilated(x, ones, pairs).tolist()
        [[[1.0, 3.0, 5.0]]]
    """
    if preferred_element_type == typeof(lhs).dtype:
        preferred_element_type = None
    return conv_general_dilated_p.bind1(
        lhs, rhs, conv=conv, preferred_element_type=preferred_element_type
    )
