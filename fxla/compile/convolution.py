"""Convolutions as matrix products.

A convolution with enough features is the product of its windows, written out, with its kernel: BLAS
does the arithmetic, and a generated kernel the writing. Depthwise and tiny ones stay loops.
"""

from __future__ import annotations

import math
from typing import Any

from fxla.compile.blas import BLAS_DTYPES
from fxla.core.aval import Aval, Shape
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Var
from fxla.core.primitive import Primitive
from fxla.errors import InternalError
from fxla.loops import view as scalar
from fxla.loops.ir import Expr
from fxla.loops.view import IndexTuple, View, binary, extent
from fxla.ops.conv import conv_general_dilated_p
from fxla.ops.conv_dims import ConvParams
from fxla.ops.dot import DotDims, dot_general_p
from fxla.ops.shape import all_of
from fxla.ops.structure import inverse_permutation, reshape_p, transpose_p
from fxla.ops.window_dims import Window, lowered_source

__all__ = ["products_for_convolutions"]

MIN_FEATURES = 4
"""Output features of a group below which a product is not worth writing windows out for."""
MIN_WORK = 1 << 14
"""Multiplications below which loops are as fast."""


def after_transforms(self: Primitive, *args: Any, **params: Any) -> Any:
    """The rule of a primitive that exists only inside the compiler."""
    raise InternalError(f"{self.name} exists only after all transformations")


class Windows(Primitive):
    """``out[g, n, i, k, c]``: what position k of a kernel meets at place i, per group.

    Params: conv; kernel, the spatial sizes of the kernel; places, those of the result.
    """

    name = "conv_windows"

    def __init__(self) -> None:
        """Not registered: no jaxpr that a user sees has this primitive."""

    def abstract_eval(
        self, x: Aval, *, conv: ConvParams, kernel: Shape, places: Shape
    ) -> tuple[Aval, ...]:
        batch = x.shape[conv.dims.lhs[0]] // conv.batch_groups
        features = x.shape[conv.dims.lhs[1]] // conv.feature_groups
        return (Aval((conv.groups, batch, *places, *kernel, features), x.dtype),)

    impl = jvp = transpose = batch = after_transforms

    def lower(
        self, *views: View, conv: ConvParams, kernel: Shape, places: Shape
    ) -> tuple[View, ...]:
        (x,) = views
        (out,) = self.abstract_eval(Aval(x.shape, x.dtype), conv=conv, kernel=kernel, places=places)
        window = Window(kernel, conv.strides, conv.padding, conv.lhs_dilation, conv.rhs_dilation)
        sizes = tuple(x.shape[a] for a in conv.dims.lhs[2:])
        rank = len(places)
        _, batch, features = out.shape[0], out.shape[1], out.shape[-1]

        def at(index: IndexTuple) -> Expr:
            g, n, *rest = index
            i, k, c = rest[:rank], rest[rank : 2 * rank], rest[-1]
            source, conditions = lowered_source(window, sizes, tuple(i), tuple(k))
            if conv.feature_groups > 1:
                c = binary("add", binary("mul", g, extent(features)), c)
            if conv.batch_groups > 1:
                n = binary("add", binary("mul", g, extent(batch)), n)
            by_axis = dict(zip(conv.dims.lhs, (n, c, *source), strict=True))
            element = x[tuple(by_axis[a] for a in range(len(by_axis)))]
            if not conditions:
                return element
            return scalar.select(all_of(conditions), element, scalar.const(0, x.dtype))

        return (View(out.shape, x.dtype, at),)


windows_p = Windows()


def products_for_convolutions(jaxpr: Jaxpr) -> Jaxpr:
    """Replace convolutions by windows and a contraction where that pays."""
    if not any(e.primitive is conv_general_dilated_p for e in jaxpr.eqns):
        return jaxpr
    eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        if eqn.primitive is conv_general_dilated_p and _pays(eqn):
            eqns += _as_product(eqn)
        else:
            eqns.append(eqn)
    return Jaxpr(jaxpr.invars, tuple(eqns), jaxpr.outs)


def _pays(eqn: Eqn) -> bool:
    conv: ConvParams = eqn.params["conv"]
    lhs, rhs = (a.aval for a in eqn.inputs)
    out = eqn.outputs[0].aval
    if out.dtype.name not in BLAS_DTYPES or out.dtype != lhs.dtype or lhs.dtype != rhs.dtype:
        return False
    depth = rhs.size // max(rhs.shape[conv.dims.rhs[0]], 1)
    outputs = rhs.shape[conv.dims.rhs[0]] // conv.groups
    return min(depth, outputs) >= MIN_FEATURES and out.size * depth >= MIN_WORK


def _as_product(eqn: Eqn) -> list[Eqn]:
    """windows [g, n, i.., k.., c] times kernel [g, o, k.., c], placed as the result's layout."""
    conv: ConvParams = eqn.params["conv"]
    x, kernel = eqn.inputs
    dims, groups = conv.dims, conv.groups
    places = conv.spatial_shape(x.aval.shape, kernel.aval.shape)
    sizes = tuple(kernel.aval.shape[a] for a in dims.rhs[2:])
    rank = len(places)
    eqns: list[Eqn] = []

    def add(primitive: Primitive, inputs: tuple[Atom, ...], **params: Any) -> Var:
        (aval,) = primitive.abstract_eval(*[a.aval for a in inputs], **params)
        var = Var(aval)
        eqns.append(Eqn(primitive, inputs, params, (var,), eqn.source))
        return var

    windows = add(windows_p, (x,), conv=conv, kernel=sizes, places=places)
    n_features = kernel.aval.shape[dims.rhs[0]]
    spatial_axes, c_axis, o_axis = dims.rhs[2:], dims.rhs[1], dims.rhs[0]
    if groups == 1:
        shape = windows.aval.shape[1:]
        windows = add(reshape_p, (windows,), shape=shape)
        contract = DotDims(tuple(range(1 + rank, 2 + 2 * rank)), (*spatial_axes, c_axis))
        product = add(dot_general_p, (windows, kernel), dims=contract, preferred_element_type=None)
    else:
        shape = kernel.aval.shape
        parts = (groups, n_features // groups)
        split = add(reshape_p, (kernel,), shape=(*shape[:o_axis], *parts, *shape[o_axis + 1 :]))
        moved = [a + (a > o_axis) for a in (*spatial_axes, c_axis)]
        contract = DotDims(tuple(range(2 + rank, 3 + 2 * rank)), tuple(moved), (0,), (o_axis,))
        product = add(dot_general_p, (windows, split), dims=contract, preferred_element_type=None)
        perm = (*range(1, 2 + rank), 0, 2 + rank)
        product = add(transpose_p, (product,), perm=perm)
        flat = (*product.aval.shape[: 1 + rank], n_features)
        product = add(reshape_p, (product,), shape=flat)
    # product is [n, i.., o]; the result's axes are where dims.out says
    now = (dims.out[0], *dims.out[2:], dims.out[1])
    perm = inverse_permutation(now)
    add(transpose_p, (product,), perm=perm)
    last = eqns[-1]
    eqns[-1] = Eqn(last.primitive, last.inputs, last.params, eqn.outputs, eqn.source)
    assert math.prod(last.outputs[0].aval.shape) == eqn.outputs[0].aval.size
    return eqns
