"""Which library call serves what: the one table of what does not become generated loops.

Matrix products above `LOOP_LIMIT` multiplications go to BLAS (`fxla.core.blas`), by address.
Fourier transforms are jobs of `fourier`. Everything else that a primitive declares
`Opaque` (LAPACK, sorting) calls the primitive's own NumPy value on arrays that view the program's
memory.
"""

from __future__ import annotations

import itertools
import math

from fxla.compile.program import Gemm, Pointer
from fxla.core.aval import Aval
from fxla.core.blas import BLAS_DTYPES
from fxla.core.jaxpr import Eqn
from fxla.core.records import dataclass
from fxla.ops.dot import DotDims

__all__ = [
    "MatrixLayout",
    "dot_layouts",
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
