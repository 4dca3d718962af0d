"""Which library call serves what: the one table of what does not become generated loops.

Matrix products above `LOOP_LIMIT` multiplications go to BLAS (`fxla.compile.blas`), by address.
Everything a primitive declares `Opaque` (LAPACK, FFT, sorting) calls the primitive's own NumPy
value on arrays that view the program's memory.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

from fxla.compile.blas import BLAS_DTYPES
from fxla.compile.program import Gemm, Pointer
from fxla.core.aval import Aval
from fxla.core.jaxpr import Eqn, Jaxpr, Var
from fxla.ops.dot import DotDims, dot_general_p
from fxla.ops.structure import transpose_p

__all__ = [
    "MatrixLayout",
    "absorb_transposes",
    "gemm_of",
    "served_by_blas",
]

LOOP_LIMIT = 2048
"""Products of fewer multiplications are generated loops: the call would cost more than the work."""

MIN_DEPTH = 4
"""Products that sum fewer terms write more than they multiply: loops fuse with what reads them."""


@dataclass(frozen=True, slots=True)
class MatrixLayout:
    """How the axes of an array form a batch of matrices in place.

    Attributes:
        rows, columns, batch: sizes.
        stride: elements from one row to the next; or, if transposed, from column to column.
        transposed: whether columns are contiguous instead of rows.
        batch_stride: elements from one matrix to the next.
    """

    rows: int
    columns: int
    batch: int
    stride: int
    transposed: bool
    batch_stride: int


def _merged(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, int] | None:
    """Size and stride of some axes as one axis, in that order; None if they are not regular."""
    strides = [math.prod(shape[a + 1 :]) for a in range(len(shape))]
    real = [a for a in axes if shape[a] != 1]
    for a, b in itertools.pairwise(real):
        if strides[a] != strides[b] * shape[b]:
            return None
    return math.prod(shape[a] for a in axes), (strides[real[-1]] if real else 0)


def matrix_layout(
    shape: tuple[int, ...], batch: tuple[int, ...], rows: tuple[int, ...], columns: tuple[int, ...]
) -> MatrixLayout | None:
    """The array as matrices without moving it, or None if BLAS cannot read it so."""
    parts = [_merged(shape, axes) for axes in (batch, rows, columns)]
    if any(p is None for p in parts):
        return None
    (nb, sb), (m, sm), (n, sn) = (p for p in parts if p is not None)
    if (n == 1 or sn == 1) and (m == 1 or n == 1 or sm >= n):
        return MatrixLayout(m, n, nb, max(sm if m != 1 else n, n, 1), False, sb)
    if m == 1 or sm == 1:
        return MatrixLayout(m, n, nb, max(sn, m, 1), True, sb)
    return None


def dot_layouts(lhs: Aval, rhs: Aval, dims: DotDims) -> tuple[MatrixLayout, MatrixLayout] | None:
    """Both operands of a contraction as matrices in place."""
    order = sorted(range(len(dims.lhs_contract)), key=lambda k: dims.lhs_contract[k])
    lc = tuple(dims.lhs_contract[k] for k in order)
    rc = tuple(dims.rhs_contract[k] for k in order)
    a = matrix_layout(lhs.shape, dims.lhs_batch, dims.lhs_kept(lhs.ndim), lc)
    b = matrix_layout(rhs.shape, dims.rhs_batch, rc, dims.rhs_kept(rhs.ndim))
    return (a, b) if a is not None and b is not None else None


def served_by_blas(eqn: Eqn) -> bool:
    """Whether a contraction is a library call rather than generated loops."""
    lhs, rhs = (a.aval for a in eqn.inputs)
    out = eqn.outputs[0].aval
    if out.dtype.name not in BLAS_DTYPES or out.dtype != lhs.dtype:
        return False
    dims: DotDims = eqn.params["dims"]
    depth = math.prod(lhs.shape[a] for a in dims.lhs_contract)
    if 0 in (*lhs.shape, *rhs.shape) or depth < MIN_DEPTH:
        return False
    per_matrix = out.size * depth // math.prod(lhs.shape[a] for a in dims.lhs_batch)
    return per_matrix >= LOOP_LIMIT and dot_layouts(lhs, rhs, dims) is not None


def gemm_of(eqn: Eqn, lhs: Pointer, rhs: Pointer, out: Pointer) -> Gemm:
    """The library call for a contraction that `served_by_blas`."""
    layouts = dot_layouts(eqn.inputs[0].aval, eqn.inputs[1].aval, eqn.params["dims"])
    assert layouts is not None
    a, b = layouts
    return Gemm(
        eqn.outputs[0].aval.dtype, a.rows, b.columns, a.columns,
        lhs, a.stride, a.transposed, rhs, b.stride, b.transposed, out,
        a.batch, (a.batch_stride, b.batch_stride, a.rows * b.columns),
    )  # fmt: skip


def absorb_transposes(jaxpr: Jaxpr) -> Jaxpr:
    """Let contractions read permuted operands in place, and permute those BLAS cannot read.

    A contraction of a transposed array becomes one of the array itself, if that keeps the order of
    the result's axes; a transposed contraction becomes one with exchanged operands. Afterwards an
    operand whose axes BLAS cannot read in place is permuted to
    (batch, kept, contracted), which the scheduler turns into one copy.
    """
    if not any(e.primitive is dot_general_p for e in jaxpr.eqns):
        return jaxpr
    jaxpr = _exchange_operands(jaxpr)
    made_by: dict[Var, Eqn] = {}
    eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        if eqn.primitive is dot_general_p:
            eqn = _absorb(_absorb(eqn, 0, made_by), 1, made_by)
            eqns.extend(_made_regular(eqn))
        else:
            eqns.append(eqn)
        for v in eqn.outputs:
            made_by[v] = eqn
    return Jaxpr(jaxpr.invars, tuple(eqns), jaxpr.outs)


def _exchange_operands(jaxpr: Jaxpr) -> Jaxpr:
    """``transpose(a @ b)`` that puts b's axes before a's becomes ``b @ a``."""
    uses: dict[Var, int] = {}
    for atom in (*(a for e in jaxpr.eqns for a in e.inputs), *jaxpr.outs):
        if isinstance(atom, Var):
            uses[atom] = uses.get(atom, 0) + 1
    made_by = {e.outputs[0]: e for e in jaxpr.eqns if e.primitive is dot_general_p}
    replaced: set[int] = set()
    exchanged: dict[int, Eqn] = {}
    for eqn in jaxpr.eqns:
        operand = eqn.inputs[0] if eqn.primitive is transpose_p else None
        dot = made_by.get(operand) if isinstance(operand, Var) else None
        if dot is None or uses[dot.outputs[0]] != 1:
            continue
        dims: DotDims = dot.params["dims"]
        nb = len(dims.lhs_batch)
        nl = len(dims.lhs_kept(dot.inputs[0].aval.ndim))
        n = dot.outputs[0].aval.ndim
        if eqn.params["perm"] == (*range(nb), *range(nb + nl, n), *range(nb, nb + nl)):
            replaced.add(id(dot))
            params = {**dot.params, "dims": dims.swapped()}
            inputs = (dot.inputs[1], dot.inputs[0])
            exchanged[id(eqn)] = Eqn(dot_general_p, inputs, params, eqn.outputs, eqn.source)
    eqns = tuple(exchanged.get(id(e), e) for e in jaxpr.eqns if id(e) not in replaced)
    return Jaxpr(jaxpr.invars, eqns, jaxpr.outs)


def _absorb(eqn: Eqn, side: int, made_by: dict[Var, Eqn]) -> Eqn:
    """Undo a transpose of one operand in the contraction's axes."""
    operand = eqn.inputs[side]
    source = made_by.get(operand) if isinstance(operand, Var) else None
    if source is None or source.primitive is not transpose_p:
        return eqn
    perm = source.params["perm"]
    dims: DotDims = eqn.params["dims"] if side == 0 else eqn.params["dims"].swapped()
    kept = [perm[a] for a in dims.lhs_kept(len(perm))]
    if kept != sorted(kept):
        return eqn
    moved = DotDims(
        tuple(perm[a] for a in dims.lhs_contract),
        dims.rhs_contract,
        tuple(perm[a] for a in dims.lhs_batch),
        dims.rhs_batch,
    )
    inputs = list(eqn.inputs)
    inputs[side] = source.inputs[0]
    params = {**eqn.params, "dims": moved if side == 0 else moved.swapped()}
    return Eqn(eqn.primitive, tuple(inputs), params, eqn.outputs, eqn.source)


def _made_regular(eqn: Eqn) -> list[Eqn]:
    """The equation, after permutations of the operands that BLAS cannot read in place."""
    out = eqn.outputs[0].aval
    if out.dtype.name not in BLAS_DTYPES or out.dtype != eqn.inputs[0].aval.dtype:
        return [eqn]
    dims: DotDims = eqn.params["dims"]
    lhs, rhs = (a.aval for a in eqn.inputs)
    if dot_layouts(lhs, rhs, dims) is not None or 0 in (*lhs.shape, *rhs.shape):
        return [eqn]
    before: list[Eqn] = []

    def permuted(side: int, perm: tuple[int, ...]) -> Any:
        atom = eqn.inputs[side]
        if perm == tuple(range(len(perm))):
            return atom
        aval = Aval(tuple(atom.aval.shape[p] for p in perm), atom.aval.dtype)
        var = Var(aval)
        before.append(Eqn(transpose_p, (atom,), {"perm": perm}, (var,), eqn.source))
        return var

    lk, rk = dims.lhs_kept(lhs.ndim), dims.rhs_kept(rhs.ndim)
    a = permuted(0, (*dims.lhs_batch, *lk, *dims.lhs_contract))
    b = permuted(1, (*dims.rhs_batch, *dims.rhs_contract, *rk))
    nb, nk = len(dims.lhs_batch), len(dims.lhs_contract)
    regular = DotDims(
        tuple(range(nb + len(lk), nb + len(lk) + nk)),
        tuple(range(nb, nb + nk)),
        tuple(range(nb)),
        tuple(range(nb)),
    )
    params = {**eqn.params, "dims": regular}
    return [*before, Eqn(eqn.primitive, (a, b), params, eqn.outputs, eqn.source)]
