"""How an axis passes through an equation: where it is in the operands, and where in the result.

`links` says it for the equations that compute their result slice by slice: the slice of the result
at index i of an axis needs the slices of the operands at i, and nothing else of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from fxla.core.aval import Shape
from fxla.core.jaxpr import Eqn
from fxla.core.records import dataclass
from fxla.ops.casts import Convert
from fxla.ops.dot import DotDims, dot_general_p
from fxla.ops.elementwise import Elementwise
from fxla.ops.logic import select_p
from fxla.ops.reduce import Reduction
from fxla.ops.shape import iota_p
from fxla.ops.structure import broadcast_in_dim_p, reduce_sum_p, reshape_p, transpose_p

__all__ = ["RESULT", "Link", "is_pointwise", "links", "passes_axes"]

RESULT = -1
"""The slot of the result in a link; operands are 0, 1, ..."""


@dataclass(frozen=True, slots=True)
class Link:
    """One axis of an equation.

    Attributes:
        at: its position in each slot that has it.
        summed: whether the result is a sum over it. One without the result that is not summed
            cannot be cut.
    """

    at: dict[int, int]
    summed: bool = False


def is_pointwise(eqn: Eqn) -> bool:
    """Whether each element of the result needs those at its place in the operands only."""
    return isinstance(eqn.primitive, Elementwise | Convert) or eqn.primitive in (select_p,) or (
        eqn.primitive.name == "stop_gradient"
    )  # fmt: skip


def passes_axes(eqn: Eqn) -> bool:
    """Whether `links` knows the equation."""
    known = (broadcast_in_dim_p, iota_p, reduce_sum_p, reshape_p, transpose_p, dot_general_p)
    return is_pointwise(eqn) or eqn.primitive in known or isinstance(eqn.primitive, Reduction)


def links(eqn: Eqn) -> list[Link]:
    """The axes of an equation that `passes_axes`.

    Example:
        >>> import fxla, numpy as np
        >>> (product,) = fxla.make_jaxpr(np.matmul)(np.ones((2, 3)), np.ones((3, 4))).eqns
        >>> for link in links(product):
        ...     print(link)
        Link(at={0: 1, 1: 0}, summed=True)
        Link(at={0: 0, -1: 0}, summed=False)
        Link(at={1: 1, -1: 1}, summed=False)
    """
    shapes = [a.aval.shape for a in eqn.inputs]
    out = eqn.outputs[0].aval.shape
    if is_pointwise(eqn):
        with_axes = [k for k, s in enumerate(shapes) if len(s)]
        return [Link({**dict.fromkeys(with_axes, a), RESULT: a}) for a in range(len(out))]
    match eqn.primitive.name:
        case "broadcast_in_dim":
            return list(_of_broadcast(shapes[0], out, eqn.params["dims"]))
        case "iota":
            return [Link({RESULT: a}) for a in range(len(out)) if a != eqn.params["dimension"]]
        case "reshape":
            return list(_of_reshape(shapes[0], out))
        case "transpose":
            return [Link({0: p, RESULT: a}) for a, p in enumerate(eqn.params["perm"])]
        case "dot_general":
            return list(_of_product(shapes[0], shapes[1], eqn.params["dims"]))
    return list(_of_reduction(eqn, shapes[0]))


def _of_broadcast(shape: Shape, out: Shape, dims: Shape) -> Iterator[Link]:
    for a, n in enumerate(out):
        k = dims.index(a) if a in dims else None
        yield Link({RESULT: a} if k is None or shape[k] != n else {0: k, RESULT: a})


def _of_reshape(shape: Shape, out: Shape) -> Iterator[Link]:
    """Axes with as much before them on both sides; an axis of size 1 is nobody's."""
    places = {math.prod(out[:a]): a for a, n in enumerate(out) if n != 1}
    for k, n in enumerate(shape):
        a = places.get(math.prod(shape[:k])) if n != 1 else None
        if a is not None and out[a] == n:
            yield Link({0: k, RESULT: a})


def _of_product(left: Shape, right: Shape, dims: DotDims) -> Iterator[Link]:
    for a, b in zip(dims.lhs_contract, dims.rhs_contract, strict=True):
        yield Link({0: a, 1: b}, summed=True)
    position = 0
    for a, b in zip(dims.lhs_batch, dims.rhs_batch, strict=True):
        yield Link({0: a, 1: b, RESULT: position})
        position += 1
    for slot, kept in ((0, dims.lhs_kept(len(left))), (1, dims.rhs_kept(len(right)))):
        for a in kept:
            yield Link({slot: a, RESULT: position})
            position += 1


def _of_reduction(eqn: Eqn, shape: Shape) -> Iterator[Link]:
    axes = eqn.params["axes"]
    position = 0
    for a in range(len(shape)):
        if a in axes:
            yield Link({0: a}, summed=eqn.primitive is reduce_sum_p)
        else:
            yield Link({0: a, RESULT: position})
            position += 1
