"""Convolutions of operands with holes whose phases are one contraction.

Results at positions with the same remainder by b, the distance of the operand's elements, form a
*phase* (`phases`). Where all phases meet equally many elements of the kernel, one
contraction computes them all and writes each result where it belongs, without zeros and without
parts that are put together afterwards. With ``i = b q + f`` and ``low = b L + r``:

    out[b q + f] = sum over a of x[q + a - L + shift f] w[first + step f + b a]

    r = b - 1:        shift = 0, first = b - 1, step = -1
    b = 2, r = 0:     shift = 1, first = 0,     step = 1

An operand of one element has no holes, or as many as one likes: a kernel that slides over it by one
has as many phases as elements, with one product each.
"""

from __future__ import annotations

from fxla.compile.passes.equations import Equations, after_transforms
from fxla.core.aval import Aval
from fxla.core.jaxpr import Eqn
from fxla.core.primitive import Primitive
from fxla.core.records import dataclass
from fxla.loops import view as scalar
from fxla.loops.ir import Expr
from fxla.loops.tile_kinds import TILE_DTYPES
from fxla.loops.view import Contract, IndexTuple, View, binary, int_const
from fxla.ops.conv_dims import ConvParams
from fxla.ops.structure import inverse_permutation, reshape_p, transpose_p

__all__ = ["Phases", "as_interleaved", "has_places", "interleaved_conv_p"]

FEW_FEATURES = 8
"""Output features up to which places go side by side in lanes, if there are enough of them..."""
FEW_PLACES = 12
"""... and how many that is."""


@dataclass(frozen=True, slots=True)
class Phases:
    """One spatial dimension of a convolution by phases.

    Attributes:
        count: how many phases there are; 1 in a dimension without holes.
        results: of each phase.
        taps: elements of the kernel that each phase meets, `count` or `dilation` apart.
        first, step: which is the first of them: ``first + step * phase``.
        shift: how much further in the operand each phase begins than the one before.
        stride, dilation: of the window and of the kernel; 1 where there are phases.
        padding: of the operand.
    """

    count: int
    results: int
    taps: int
    first: int
    step: int
    shift: int
    stride: int
    dilation: int
    padding: tuple[int, int]

    def tap(self, phase: Expr, a: Expr) -> Expr:
        """Which element of the kernel a phase meets."""
        first = binary("add", int_const(self.first), binary("mul", phase, int_const(self.step)))
        return binary("add", first, binary("mul", a, int_const(self.count)))

    def source(self, q: Expr, phase: Expr, a: Expr) -> Expr:
        """Which element of the operand meets it there."""
        at = binary("mul", q, int_const(self.stride))
        at = binary("add", at, binary("mul", a, int_const(self.dilation)))
        return binary("add", at, binary("mul", phase, int_const(self.shift)))


class InterleavedConv(Primitive):
    """A convolution by phases of an operand that has its padding.

    ``x[n, s.., c], w[k.., c, o] -> out[n, i.., o]``, or, with places side by side,
    ``x[n, c, s..], w[o, c, k..] -> out[n, f.., o, q..]``, where ``i = count q + f``.

    Params: dims, a `Phases` for each spatial dimension; places, whether they are side by side.
    """

    name = "interleaved_conv"

    def __init__(self) -> None:
        """Not registered: no jaxpr that a user sees has this primitive."""

    def abstract_eval(
        self, x: Aval, w: Aval, *, dims: tuple[Phases, ...], places: bool
    ) -> tuple[Aval, ...]:
        results = tuple([d.results for d in dims])
        if places:
            phases = tuple([d.count for d in dims])
            return (Aval((x.shape[0], *phases, w.shape[0], *results), x.dtype),)
        whole = tuple([d.results * d.count for d in dims])
        return (Aval((x.shape[0], *whole, w.shape[-1]), x.dtype),)

    impl = jvp = transpose = batch = after_transforms

    def lower(self, *views: View, dims: tuple[Phases, ...], places: bool) -> tuple[Contract, ...]:
        x, w = views
        (out,) = self.abstract_eval(
            Aval(x.shape, x.dtype), Aval(w.shape, w.dtype), dims=dims, places=places
        )
        rank = len(dims)

        def element(out: IndexTuple, red: IndexTuple) -> Expr:
            *a, c = red
            a = [int_const(0) if d.taps == 1 else k for k, d in zip(a, dims, strict=True)]
            if places:
                n, f, o, q = out[0], out[1 : rank + 1], out[rank + 1], out[rank + 2 :]
            else:
                n, *i, o = out
                q = tuple([_quotient(k, d) for k, d in zip(i, dims, strict=True)])
                f = tuple([_remainder(k, d) for k, d in zip(i, dims, strict=True)])
            at = [d.source(*p) for d, *p in zip(dims, q, f, a, strict=True)]
            taps = [d.tap(*p) for d, *p in zip(dims, f, a, strict=True)]
            left = x[(n, c, *at)] if places else x[(n, *at, c)]
            right = w[(o, c, *taps)] if places else w[(*taps, c, o)]
            return scalar.op("mul", x.dtype, left, right)

        extents = (*(d.taps for d in dims), x.shape[1 if places else -1])
        return (Contract(out.shape, x.dtype, extents, "add", 0, element),)


def _quotient(i: Expr, d: Phases) -> Expr:
    return binary("floordiv", i, int_const(d.count)) if d.results > 1 else int_const(0)


def _remainder(i: Expr, d: Phases) -> Expr:
    return binary("mod", i, int_const(d.count)) if d.results > 1 else i


interleaved_conv_p = InterleavedConv()


def as_interleaved(eqn: Eqn) -> list[Eqn] | None:
    """A convolution as one contraction of all its phases; None if that cannot be."""
    conv: ConvParams = eqn.params["conv"]
    x, kernel = eqn.inputs
    out = eqn.outputs[0].aval
    if conv.groups != 1 or out.dtype.name not in TILE_DTYPES or out.dtype != x.aval.dtype:
        return None
    dims = _all_phases(eqn)
    if dims is None or all(d.count == 1 for d in dims):
        return None
    new = Equations(eqn)
    axes, features = conv.dims, kernel.aval.shape[conv.dims.rhs[0]]
    rank = len(dims)
    padding = {a: (*d.padding, 0) for a, d in zip(axes.lhs[2:], dims, strict=True)}
    places = has_places(eqn) and dims[-1].results >= FEW_PLACES
    if places:
        moved = new.padded(x, padding, axes.lhs)
        w = new.transposed(kernel, axes.rhs)
        parts = new.add(interleaved_conv_p, moved, w, dims=dims, places=True)
        pairs = [a for k in range(rank) for a in (rank + 2 + k, 1 + k)]
        apart = new.add(transpose_p, parts, perm=(0, *pairs, rank + 1))
        sizes = [d.results * d.count for d in dims]
        result = new.add(reshape_p, apart, shape=(out.shape[axes.out[0]], *sizes, features))
    else:
        moved = new.padded(x, padding, (axes.lhs[0], *axes.lhs[2:], axes.lhs[1]))
        w = new.transposed(kernel, (*axes.rhs[2:], axes.rhs[1], axes.rhs[0]))
        result = new.add(interleaved_conv_p, moved, w, dims=dims, places=False)
    new.transposed(result, inverse_permutation((axes.out[0], *axes.out[2:], axes.out[1])))
    return new.finish()


def has_places(eqn: Eqn) -> bool:
    """Whether places, not features, are to go side by side in lanes."""
    conv: ConvParams = eqn.params["conv"]
    shape = eqn.outputs[0].aval.shape
    if not conv.strides or (_is_single(eqn) and max(conv.lhs_dilation) == 1):
        return False
    results = shape[conv.dims.out[-1]] // conv.lhs_dilation[-1]
    few = shape[conv.dims.out[1]] <= FEW_FEATURES
    return few and results >= FEW_PLACES and conv.groups == 1 and conv.strides[-1] == 1


def _is_single(eqn: Eqn) -> bool:
    """Whether there is one feature in double precision, whose sums along others are as fast."""
    conv: ConvParams = eqn.params["conv"]
    out = eqn.outputs[0].aval
    return out.shape[conv.dims.out[1]] == 1 and out.dtype.itemsize > 4


def _all_phases(eqn: Eqn) -> tuple[Phases, ...] | None:
    conv: ConvParams = eqn.params["conv"]
    x, kernel = (a.aval.shape for a in eqn.inputs)
    out = eqn.outputs[0].aval.shape
    found = []
    for k, (low, high) in enumerate(conv.padding):
        n, taps, results = (
            x[conv.dims.lhs[k + 2]],
            kernel[conv.dims.rhs[k + 2]],
            out[conv.dims.out[k + 2]],
        )
        stride, dilation = conv.strides[k], conv.rhs_dilation[k]
        b = conv.lhs_dilation[k]
        if n == 1 and stride == dilation == 1 and 1 < taps == results:
            b = taps
        if b == 1:
            found.append(Phases(1, results, taps, 0, 0, 0, stride, dilation, (low, high)))
            continue
        after, rest = divmod(low, b)
        if not stride == dilation == 1 or taps % b or results % b or not results:
            return None
        if rest == b - 1:
            first, step, shift = b - 1, -1, 0
        elif b == 2:
            first, step, shift = 0, 1, 1
        else:
            return None
        size = results // b + taps // b - 1 + shift
        padding = (after, size - n - after)
        found.append(Phases(b, results // b, taps // b, first, step, shift, 1, 1, padding))
    return tuple(found)
