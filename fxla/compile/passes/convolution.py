"""Convolutions as contractions.

Where the target prints tiles, a convolution with enough features is a contraction whose left
operand is read through a shifted view, after what is needed to make it one: zeros around its
operand are written out, and layouts in which neither operand is contiguous along the result are
changed.

Otherwise, in groups, and where a large kernel meets few places, it is the product of its windows,
written out, with its kernel. Depthwise and tiny ones stay loops, and ones with few output features
unless their operands can be exchanged (`few_outputs`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fxla.compile.passes.equations import Equations, after_transforms
from fxla.compile.passes.few_outputs import exchanged
from fxla.compile.passes.interleave import as_interleaved, has_places
from fxla.compile.passes.phases import without_holes
from fxla.core.aval import Aval, Shape
from fxla.core.blas import BLAS_DTYPES
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Var
from fxla.core.primitive import Primitive
from fxla.loops import view as scalar
from fxla.loops.ir import Expr
from fxla.loops.tile_kinds import tile_kind
from fxla.loops.view import IndexTuple, View, binary, extent
from fxla.ops.conv import conv_general_dilated_p
from fxla.ops.conv_dims import ConvDims, ConvParams
from fxla.ops.dot import DotDims, dot_general_p
from fxla.ops.elementwise import Elementwise
from fxla.ops.shape import all_of
from fxla.ops.structure import inverse_permutation, reshape_p, transpose_p
from fxla.ops.window_dims import Window, lowered_source

__all__ = ["products_for_convolutions"]

MIN_FEATURES = 4
"""Output features of a group below which a product is not worth writing windows out for."""
MIN_WORK = 1 << 14
"""Multiplications below which loops are as fast."""
MIN_ROWS = 12
"""Places in a row, or examples, that use what is read of a kernel..."""
MIN_LINE = 6
"""Rows that are places with a few examples beside each other; windows of them are slow to write."""
CACHED_KERNEL = 1 << 19
"""... if it has more bytes than this; with fewer rows, windows are written out."""
MOST_BESIDE = 64
"""Examples beside each other, at most, that are made rows together with their neighbours' where
the operand is padded, and so written, anyway: what tiles read would serve few results else."""


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


def products_for_convolutions(jaxpr: Jaxpr, tiles: bool = False) -> Jaxpr:
    """Replace convolutions by contractions where that pays.

    Args:
        jaxpr: simplified.
        tiles: whether the target prints tiles.
    """
    if not any(e.primitive is conv_general_dilated_p for e in jaxpr.eqns):
        return jaxpr
    eqns: list[Eqn] = []
    if tiles:
        for eqn in jaxpr.eqns:
            one = eqn.primitive is conv_general_dilated_p and _pays(eqn, tiles)
            eqns += (as_interleaved(eqn) if one else None) or [eqn]
        jaxpr, eqns = without_holes(Jaxpr(jaxpr.invars, tuple(eqns), jaxpr.outs)), []
    turned: set[Atom] = set()
    for eqn in jaxpr.eqns:
        if eqn.primitive is not conv_general_dilated_p:
            eqns.append(eqn)
            _note_turned(turned, eqn)
            continue
        some = None if _pays(eqn, tiles) or not tiles else exchanged(eqn)
        first, *after = [eqn] if some is None or not _pays(some[0], tiles) else some
        if not _pays(first, tiles):
            eqns.append(eqn)
            continue
        if tiles and _has_rows(first):
            made = [*_as_shifted_view(first, first.inputs[0] in turned), *after]
        else:
            made = [*_as_product(first), *after]
        eqns += made
        for step in made:
            _note_turned(turned, step)
    return Jaxpr(jaxpr.invars, tuple(eqns), jaxpr.outs)


def _note_turned(turned: set[Atom], eqn: Eqn) -> None:
    """Note that an equation's result, if nothing stores it, is read across memory.

    Args:
        turned: transposed arrays of which the last axis is another one than in memory, and what
            is computed from them element by element.
        eqn: the next equation.
    """
    rank = len(eqn.outputs[0].aval.shape)
    if eqn.primitive is transpose_p:
        across = rank > 1 and eqn.params["perm"][-1] != rank - 1
    else:
        across = isinstance(eqn.primitive, Elementwise) and not turned.isdisjoint(
            a for a in eqn.inputs if isinstance(a, Var)
        )
    if across:
        turned.add(eqn.outputs[0])


def _pays(eqn: Eqn, tiles: bool) -> bool:
    conv: ConvParams = eqn.params["conv"]
    lhs, rhs = (a.aval for a in eqn.inputs)
    out = eqn.outputs[0].aval
    by_blas = out.dtype.name in BLAS_DTYPES and out.dtype == lhs.dtype
    if not by_blas and not (tiles and tile_kind(out.dtype, lhs.dtype) is not None):
        return False
    depth = rhs.size // max(rhs.shape[conv.dims.rhs[0]], 1)
    outputs = rhs.shape[conv.dims.rhs[0]] // conv.groups
    few = min(depth, MIN_FEATURES if tiles and has_places(eqn) else outputs)
    return few >= MIN_FEATURES and out.size * depth >= MIN_WORK


def _has_rows(eqn: Eqn) -> bool:
    """Whether tiles read the kernel seldom enough: once for each run of places or examples."""
    conv: ConvParams = eqn.params["conv"]
    x, kernel = (a.aval for a in eqn.inputs)
    out = eqn.outputs[0].aval
    rows = max(out.shape[a] for a in (conv.dims.out[0], *conv.dims.out[2:]))
    axis = _line_axis(conv, x, False)
    if axis is not None and out.shape[conv.dims.out[axis + 2]] * x.shape[-1] >= MIN_LINE:
        return conv.groups == 1
    large = kernel.size * kernel.dtype.itemsize > CACHED_KERNEL
    return conv.groups == 1 and (rows >= MIN_ROWS or not large)


def _as_shifted_view(eqn: Eqn, turned: bool) -> list[Eqn]:
    """The convolution of a padded operand, in a layout that tiles can read.

    Args:
        eqn: a convolution.
        turned: whether its operand is read across memory: padding such a one would be slow.
    """
    conv: ConvParams = eqn.params["conv"]
    new = Equations(eqn)
    x, kernel = eqn.inputs
    dims, rank = conv.dims, len(conv.dims.out)
    padding: dict[int, tuple[int, int, int]] = {}
    if any(low or high > 0 for low, high in conv.padding) or any(d > 1 for d in conv.lhs_dilation):
        around = zip(dims.lhs[2:], conv.padding, conv.lhs_dilation, strict=True)
        padding = {a: (low, high, d - 1) for a, (low, high), d in around}
        flat = ((0, 0),) * len(conv.padding)
        conv = replace(conv, padding=flat, lhs_dilation=(1,) * len(flat))
    order = same = tuple(range(rank))
    places = has_places(eqn) or _is_pointwise(conv, kernel.aval)
    if places and (dims.lhs[-1], dims.out[-1]) != (rank - 1, rank - 1):
        order = dims.lhs
        dims = ConvDims(same, dims.rhs, same)
    elif not places and dims.out[1] != rank - 1:
        order = (dims.lhs[0], *dims.lhs[2:], dims.lhs[1])
        inner = (0, rank - 1, *range(1, rank - 1))
        dims = ConvDims(inner, dims.rhs, inner)
    x = new.padded(x, padding, order, turned)
    last = dims.out.index(rank - 1)
    if last == 1 and dims.rhs[0] != len(dims.rhs) - 1:
        n = len(dims.rhs)
        kernel = new.add(transpose_p, kernel, perm=(*dims.rhs[2:], dims.rhs[1], dims.rhs[0]))
        dims = replace(dims, rhs=(n - 1, n - 2, *range(n - 2)))
    conv = replace(conv, dims=dims)
    x, conv = _in_lines(new, x, conv, bool(padding))
    params = {"conv": conv, "preferred_element_type": eqn.params["preferred_element_type"]}
    product = new.add(conv_general_dilated_p, x, kernel, **params)
    if dims.out != eqn.params["conv"].dims.out:
        old = eqn.params["conv"].dims.out
        axes = {old[k]: dims.out[k] for k in range(len(old))}
        new.add(transpose_p, product, perm=tuple(axes[a] for a in range(len(axes))))
    elif product.aval.shape != eqn.outputs[0].aval.shape:
        new.add(reshape_p, product, shape=eqn.outputs[0].aval.shape)
    return new.finish()


def _line_axis(conv: ConvParams, x: Aval, written: bool) -> int | None:
    """The spatial axis whose places, each with examples beside each other, are a line.

    Such examples are the input features of a kernel's derivative: ``x[.., i + d k, b]`` is element
    ``(i B + b) + d B k`` of a line of places. The results i and b are rows together, which read
    the same places, once.

    Args:
        conv: the convolution.
        x: its operand.
        written: whether the operand is written by the program anyway, and may be as a line.
    """
    dims, rank = conv.dims, len(conv.dims.out)
    beside = (dims.lhs[0], *dims.out[:2]) == (rank - 1, rank - 2, rank - 1)
    most = MOST_BESIDE if written else MIN_ROWS - 1
    if not beside or not 1 < x.shape[rank - 1] <= most or rank - 2 not in dims.lhs[2:]:
        return None
    axis = dims.lhs.index(rank - 2) - 2
    fits = dims.out[axis + 2] == rank - 3 and conv.strides[axis] == conv.lhs_dilation[axis] == 1
    return axis if fits else None


def _in_lines(new: Equations, x: Atom, conv: ConvParams, written: bool) -> tuple[Atom, ConvParams]:
    """The same convolution of lines, where there are any: a single example of more places."""
    axis = _line_axis(conv, x.aval, written)
    if axis is None:
        return x, conv
    shape, (low, high) = x.aval.shape, conv.padding[axis]
    few = shape[-1]

    def scaled(values: tuple[Any, ...], ours: Any) -> tuple[Any, ...]:
        return (*values[:axis], ours, *values[axis + 1 :])

    line = new.add(reshape_p, x, shape=(*shape[:-2], shape[-2] * few, 1))
    return line, replace(
        conv,
        padding=scaled(conv.padding, (low * few, high * few)),
        rhs_dilation=scaled(conv.rhs_dilation, conv.rhs_dilation[axis] * few),
    )


def _is_pointwise(conv: ConvParams, kernel: Aval) -> bool:
    """Whether it is a product of matrices in a layout that keeps places together."""
    last = len(conv.dims.out) - 1
    flat = all(kernel.shape[a] == 1 for a in conv.dims.rhs[2:])
    kept = conv.dims.lhs[-1] == conv.dims.out[-1] == last
    return flat and kept and all(s == 1 for s in conv.strides)


def _as_product(eqn: Eqn) -> list[Eqn]:
    """windows [g, n, i.., k.., c] times kernel [g, o, k.., c], placed as the result's layout."""
    conv: ConvParams = eqn.params["conv"]
    x, kernel = eqn.inputs
    dims, groups = conv.dims, conv.groups
    places = conv.spatial_shape(x.aval.shape, kernel.aval.shape)
    sizes = tuple(kernel.aval.shape[a] for a in dims.rhs[2:])
    rank = len(places)
    new, preferred = Equations(eqn), eqn.params["preferred_element_type"]
    add = new.add
    windows = add(windows_p, x, conv=conv, kernel=sizes, places=places)
    n_features = kernel.aval.shape[dims.rhs[0]]
    spatial_axes, c_axis, o_axis = dims.rhs[2:], dims.rhs[1], dims.rhs[0]
    if groups == 1:
        shape = windows.aval.shape[1:]
        windows = add(reshape_p, windows, shape=shape)
        contract = DotDims(tuple(range(1 + rank, 2 + 2 * rank)), (*spatial_axes, c_axis))
        params = {"dims": contract, "preferred_element_type": preferred}
        product = add(dot_general_p, windows, kernel, **params)
    else:
        shape = kernel.aval.shape
        parts = (groups, n_features // groups)
        split = add(reshape_p, kernel, shape=(*shape[:o_axis], *parts, *shape[o_axis + 1 :]))
        moved = [a + (a > o_axis) for a in (*spatial_axes, c_axis)]
        contract = DotDims(tuple(range(2 + rank, 3 + 2 * rank)), tuple(moved), (0,), (o_axis,))
        params = {"dims": contract, "preferred_element_type": preferred}
        product = add(dot_general_p, windows, split, **params)
        perm = (*range(1, 2 + rank), 0, 2 + rank)
        product = add(transpose_p, product, perm=perm)
        flat = (*product.aval.shape[: 1 + rank], n_features)
        product = add(reshape_p, product, shape=flat)
    # product is [n, i.., o]; the result's axes are where dims.out says
    now = (dims.out[0], *dims.out[2:], dims.out[1])
    perm = inverse_permutation(now)
    add(transpose_p, product, perm=perm)
    return new.finish()
