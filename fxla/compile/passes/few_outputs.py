"""Convolutions with few output features, by exchanging their operands.

The derivative of a kernel with few output features, as of the layer that ends in the colours of an
image, has as few results side by side: no lanes to fill. But its examples, the kernel's input
features, lie side by side, and a convolution commutes: with a padding of p before x and places k,

    out[b, o, k] = sum over c, u of x[b, c, u] y[o, c, u - k + p]
                 = sum over c, v of y[o, c, v + j - q] x[b, c, v]    where  k + j = q + p,

which is one of y with x as its kernel, its K places in reverse: j = K - 1 - k, q = K - 1 - p.
Where elements of y are apart, as the derivative of strides has them, zeros are between them.
"""

from __future__ import annotations

from dataclasses import replace

from fxla.compile.passes.equations import Equations
from fxla.core.jaxpr import Eqn
from fxla.ops.conv import conv_general_dilated_p
from fxla.ops.conv_dims import ConvDims, ConvParams
from fxla.ops.shape import rev_p
from fxla.ops.structure import transpose_p

__all__ = ["exchanged"]


def exchanged(eqn: Eqn) -> list[Eqn] | None:
    """The convolution of its kernel with its operand, first of several equations.

    None if it has strides or holes, or its examples do not lie side by side.

    Args:
        eqn: a convolution.
    """
    conv: ConvParams = eqn.params["conv"]
    x, y = eqn.inputs
    dims, rank = conv.dims, len(conv.dims.out)
    steps = (*conv.strides, *conv.lhs_dilation)
    if conv.groups != 1 or any(s != 1 for s in steps) or dims.lhs[0] != rank - 1:
        return None
    places = [eqn.outputs[0].aval.shape[a] for a in dims.out[2:]]
    padding = tuple(
        [(k - 1 - low, k - 1 - high) for k, (low, high) in zip(places, conv.padding, strict=True)]
    )
    swapped = replace(
        conv, padding=padding, lhs_dilation=conv.rhs_dilation, rhs_dilation=conv.lhs_dilation,
        dims=ConvDims(dims.rhs, dims.lhs, dims.out),
    )  # fmt: skip
    new = Equations(eqn)
    z = new.add(conv_general_dilated_p, y, x, **{**eqn.params, "conv": swapped})
    z = new.add(rev_p, z, dimensions=tuple(dims.out[2:]))
    perm = list(range(rank))
    perm[dims.out[0]], perm[dims.out[1]] = dims.out[1], dims.out[0]
    new.add(transpose_p, z, perm=tuple(perm))
    return new.finish()
