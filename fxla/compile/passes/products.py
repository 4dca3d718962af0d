"""Which contractions become tiles, which go to BLAS, which stay loops; and what tiles need first.

The choice depends on sizes and layouts alone, and `Choice.reason` is what `inspect().plan` shows.
Tiles read the left operand at any strides. The right one's rows must be contiguous along the last
axis of the result; where they are not, it is transposed first, which costs a pass over it, or, if
rows of results are few, the product is turned: ``x @ w.T`` is ``(w @ x.T).T``. Microseconds for
w of 1024 x 1024 and of 4096 x 1024 in float32, turned, and beside them with w transposed or, of up
to 8 rows, by BLAS (two idle cores):

    =========  =====  =====  =====  =====  =====  =====  =====
    rows of x      2      8     12     16     32     64    128
    =========  =====  =====  =====  =====  =====  =====  =====
    1024²         38    110    125    118    167    344    674
    before       128    148    203    290    373    564    847
    4096x1024    197    396    487    533    652   1481   2841
    before       552    621   2337   1848   3329   3001   4167
    =========  =====  =====  =====  =====  =====  =====  =====

How many times as fast as OpenBLAS's tiles are, on one thread of an AMD EPYC (Zen 4) whose cores and
caches other processes kept busy (float32; the least CPU time of 30, by turns):

    =====================================  ================
    64, 128, 256 cubed                     1.05, 1.04, 1.09
    512, 1000, 1024 cubed                  1.00, 0.97, 1.00
    1024 cubed, left operand transposed    0.96
    32, 128, 1024 x 784 x 128              1.31, 1.12, 1.10
    784 x 1024 x 128, left transposed      1.07
    128 x 1024 x 10, left transposed       1.37
    1024 x 10 x 128                        1.02
    1000 cubed, float64                    0.95
    =====================================  ================

BLAS cannot compute what follows before the result is stored, so tiles serve the sizes at which they
are behind, too. One row or one column of results is different: loops read the matrix once, where
tiles would read it in columns of a line or two, and what is computed from the result, or from the
same matrix, is computed in the same pass. How many times as fast as OpenBLAS's ``gemv`` loops are,
for x @ w and x.T @ u, on two idle cores (float32, float64; the least of 1200 calls by turns):

    ==============  ==========  ==========  ==========  ==========
    x               x @ w, f32  x.T @ u     x @ w, f64  x.T @ u
    ==============  ==========  ==========  ==========  ==========
    100 x 100       1.37        1.12        1.36        1.26
    512 x 512       2.19        1.94        2.34        1.96
    2000 x 200      2.41        1.70        1.63        1.70
    200 x 2000      2.23        1.52        1.82        1.76
    20000 x 20      1.79        1.18        1.86        1.52
    1000 x 1000     0.92        1.07        1.13        1.04
    10000 x 100     0.95        1.63        0.96        1.17
    100 x 10000     1.22        0.95        1.34        1.16
    4000 x 4000     1.20        1.31        1.06        1.29
    ==============  ==========  ==========  ==========  ==========
"""

from __future__ import annotations

import math

from fxla.compile.passes.equations import Equations, in_memory_p
from fxla.compile.routines.library import MIN_DEPTH, dot_layouts, served_by_blas
from fxla.core.aval import Aval
from fxla.core.jaxpr import Eqn
from fxla.core.records import dataclass
from fxla.loops.tile_kinds import NARROW, tile_kind
from fxla.ops.conv import conv_general_dilated_p
from fxla.ops.conv_dims import ConvParams
from fxla.ops.dot import DotDims, dot_general_p

__all__ = ["Choice", "choose_product", "made_tileable", "with_few_columns", "with_few_rows"]

TILE_LIMIT = 512
"""Products of fewer multiplications are loops."""
ONE_LINE = 64
"""Bytes of the right operand's rows that one row of results reads a line at a time."""
LOOP_ROWS = 2
"""Rows of results up to which the right operand is read row by row."""
FEW_NARROW = 4
"""Rows or columns of results for which pairing narrow integers costs more than tiles gain."""
FEW_COLUMNS, FEW_SUMS = 16, 8
"""Columns of results that leave lanes of tiles idle: these are better along the rows of the result,
or along the sums."""
MANY = 24
"""Rows, or products of each sum, from which they are."""
TURNED = 3
"""How many times as large as the left operand and the result the right one must be, that these are
transposed and not it."""
TRANSPOSED_ROWS = 9
"""Rows of results below which transposing the right operand costs more than tiles gain."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How a contraction is computed: ``tiles``, ``blas`` or ``loops``, and why."""

    how: str
    reason: str


def choose_product(eqn: Eqn, tiles: bool) -> Choice:
    """How a contraction is computed.

    Args:
        eqn: of `dot_general` or of a convolution.
        tiles: whether the target prints tiles.
    """
    if eqn.primitive is conv_general_dilated_p:
        if tiles and conv_is_tileable(eqn):
            return Choice("tiles", "computed by tiles, its operand read through a shifted view")
        return Choice("loops", "computed by loops")
    lhs, rhs = (a.aval for a in eqn.inputs)
    dims: DotDims = eqn.params["dims"]
    blas = served_by_blas(eqn)
    m, n, depth, batch = _sizes(eqn)
    size = f"{m} x {n}, depth {depth}" + (f", {batch} times" if batch != 1 else "")
    if tiles and tile_kind(eqn.outputs[0].aval.dtype, lhs.dtype) is not None:
        if not (m * n * depth * batch and dims.lhs_contract):
            return Choice("loops", f"computed by loops: no sum ({size})")
        if m * n * depth < TILE_LIMIT or depth < MIN_DEPTH:
            return Choice("loops", f"computed by loops: small ({size})")
        if m == n == 1:
            return Choice("loops", f"computed by loops: an inner product ({size})")
        if n == 1:
            return Choice("loops", f"computed by loops: a matrix times a column ({size})")
        few = m == 1 or (m <= LOOP_ROWS and batch == 1)
        if few and n * rhs.dtype.itemsize > ONE_LINE:
            rows = "a row" if m == 1 else "few rows"
            return Choice("loops", f"computed by loops: {rows} times a matrix ({size})")
        if lhs.dtype.name in NARROW and (m <= FEW_NARROW or n <= FEW_NARROW):
            return Choice("loops", f"computed by loops: few narrow numbers ({size})")
        if not _is_regular(rhs, dims):
            if m < TRANSPOSED_ROWS and blas:
                return Choice("blas", f"computed by BLAS: few rows, transposed ({size})")
            return Choice("loops", f"computed by loops: transposed ({size})")
        return Choice("tiles", f"computed by tiles ({size})")
    return _blas_or_loops(blas, size)


def _blas_or_loops(blas: bool, why: str) -> Choice:
    how = "blas" if blas else "loops"
    return Choice(how, f"computed by {'BLAS' if blas else 'loops'}: {why}")


def _sizes(eqn: Eqn) -> tuple[int, int, int, int]:
    """Rows, columns, depth and batch of a contraction."""
    lhs, rhs = (a.aval for a in eqn.inputs)
    dims: DotDims = eqn.params["dims"]
    m = math.prod(lhs.shape[a] for a in dims.lhs_kept(lhs.ndim))
    n = math.prod(rhs.shape[a] for a in dims.rhs_kept(rhs.ndim))
    depth = math.prod(lhs.shape[a] for a in dims.lhs_contract)
    return m, n, depth, math.prod(lhs.shape[a] for a in dims.lhs_batch)


def _is_regular(rhs: Aval, dims: DotDims) -> bool:
    """Whether the right operand is contiguous along the last axis of the result."""
    return _last_real(rhs.shape, dims.rhs_kept(rhs.ndim)) == _last_real(
        rhs.shape, tuple(range(rhs.ndim))
    )


def _last_real(shape: tuple[int, ...], axes: tuple[int, ...]) -> int | None:
    return next((a for a in reversed(axes) if shape[a] != 1), None)


def with_few_columns(eqn: Eqn) -> list[Eqn] | None:
    """A product of few columns in the order in which its operands lie in memory.

    If the rows of the left operand are contiguous along the sum, the right one is moved to be so,
    too, and both are read along it. If they are along the rows of the result, the result's few
    columns become rows: ``x.T @ y`` is ``(y.T @ x).T``. None for all other contractions.

    Args:
        eqn: of `dot_general`.
    """
    out = eqn.outputs[0].aval
    lhs, rhs = (a.aval for a in eqn.inputs)
    dims: DotDims = eqn.params["dims"]
    m, n, depth, _ = _sizes(eqn)
    if lhs.dtype.name not in ("float32", "float64") or out.dtype != lhs.dtype or dims.lhs_batch:
        return None
    if m < 2 * n or m <= MANY or not 1 <= n <= FEW_COLUMNS or not depth:
        return None
    kept, along = dims.lhs_kept(lhs.ndim), dims.rhs_kept(rhs.ndim)
    new = Equations(eqn)
    x, y = eqn.inputs
    if _last_real(lhs.shape, tuple(range(lhs.ndim))) in kept:
        turned = new.add(dot_general_p, y, x, **{**eqn.params, "dims": dims.swapped()})
        new.transposed(turned, (*range(len(along), out.ndim), *range(len(along))))
        return new.finish()
    if n == 1 or n > FEW_SUMS or depth <= MANY or len(dims.lhs_contract) != 1:
        return None
    perm = (*along, *dims.rhs_contract)
    if perm != tuple(range(rhs.ndim)):
        y = new.add(in_memory_p, new.transposed(y, perm))
    moved = DotDims(dims.lhs_contract, (len(along),), (), ())
    new.add(dot_general_p, x, y, **{**eqn.params, "dims": moved})
    return new.finish()


def with_few_rows(eqn: Eqn) -> list[Eqn] | None:
    """A product of few rows with a matrix that is contiguous along the sum, turned.

    ``x @ w.T`` is ``(w @ x.T).T``: w is read as it lies in memory, and what is transposed is x and
    the result, which are smaller. None for all other contractions.

    Args:
        eqn: of `dot_general`.
    """
    out = eqn.outputs[0].aval
    lhs, rhs = (a.aval for a in eqn.inputs)
    dims: DotDims = eqn.params["dims"]
    m, n, depth, _ = _sizes(eqn)
    if lhs.dtype.name not in ("float32", "float64") or out.dtype != lhs.dtype or dims.lhs_batch:
        return None
    if m == 1 or min(n, depth) <= MANY or _is_regular(rhs, dims):
        return None
    kept, along = dims.lhs_kept(lhs.ndim), dims.rhs_kept(rhs.ndim)
    new = Equations(eqn)
    x, y = eqn.inputs
    if m <= FEW_SUMS and len(dims.lhs_contract) == 1:
        perm, at = (*kept, *dims.lhs_contract), range(len(kept), len(kept) + 1)
    elif TURNED * m * (n + depth) <= n * depth:
        perm, at = (*dims.lhs_contract, *kept), range(len(dims.lhs_contract))
    else:
        return None
    if perm != tuple(range(lhs.ndim)):
        x = new.add(in_memory_p, new.transposed(x, perm))
    moved = DotDims(dims.rhs_contract, tuple(at), (), ())
    turned = new.add(dot_general_p, y, x, **{**eqn.params, "dims": moved})
    new.transposed(turned, (*range(len(along), out.ndim), *range(len(along))))
    return new.finish()


def made_tileable(eqn: Eqn, fixed: bool = False) -> list[Eqn] | None:
    """A contraction that tiles can compute, after a transpose of its right operand if need be.

    None if it is better left to BLAS.

    Args:
        eqn: of `dot_general`.
        fixed: whether the right operand is the same in every iteration of a loop, before which it
            is transposed once.
    """
    out = eqn.outputs[0].aval
    lhs, rhs = (a.aval for a in eqn.inputs)
    dims: DotDims = eqn.params["dims"]
    m, n, depth, batch = _sizes(eqn)
    if tile_kind(out.dtype, lhs.dtype) is None or n == 1:
        return None
    if m * n * depth < TILE_LIMIT or depth < MIN_DEPTH or not batch or _is_regular(rhs, dims):
        return [eqn]
    if m < TRANSPOSED_ROWS and not fixed and dot_layouts(lhs, rhs, dims) is not None:
        return None
    perm = (*dims.rhs_batch, *dims.rhs_contract, *dims.rhs_kept(rhs.ndim))
    nb, nk = len(dims.rhs_batch), len(dims.rhs_contract)
    moved = DotDims(dims.lhs_contract, tuple(range(nb, nb + nk)), dims.lhs_batch, tuple(range(nb)))
    new = Equations(eqn)
    x, y = eqn.inputs
    new.add(dot_general_p, x, new.transposed(y, perm), **{**eqn.params, "dims": moved})
    return new.finish()


def conv_is_tileable(eqn: Eqn) -> bool:
    """Whether a convolution is a contraction of shifted views as it stands."""
    conv: ConvParams = eqn.params["conv"]
    lhs, rhs = (a.aval for a in eqn.inputs)
    out = eqn.outputs[0].aval
    if tile_kind(out.dtype, lhs.dtype) is None or conv.groups != 1:
        return False
    if 0 in (*lhs.shape, *rhs.shape):
        return False
    if any(low or high > 0 for low, high in conv.padding) or any(d != 1 for d in conv.lhs_dilation):
        return False
    last = conv.dims.out.index(out.ndim - 1)
    if last == 1:  # features last: the kernel is the right operand
        return conv.dims.rhs[0] == rhs.ndim - 1
    return last >= 2 and conv.dims.lhs[last] == lhs.ndim - 1 and conv.strides[last - 2] == 1
