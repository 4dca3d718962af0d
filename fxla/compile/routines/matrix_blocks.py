"""Which factorisations and triangular systems are computed in blocks, and why others are not.

Real ones are, unless they are so small that they are written out (`fxla.ops.small_matrix`): loops
around tiles on all cores, where LAPACK would be called through Python, for each matrix of a stack,
and held to one thread beside the pool. Least times in microseconds on two cores of an AMD EPYC
(Zen 4) that other processes kept busy, by turns with LAPACK's (NumPy's OpenBLAS) in parentheses:

    ===========================  ============  ============
    Cholesky's factor of         float32       float64
    ===========================  ============  ============
    16 x 16                      0.9 (14)      1.0 (14)
    64 x 64                      5.6 (25)      7.1 (27)
    256 x 256                    107 (329)     181 (575)
    512 x 512                    619 (2070)    1470 (3860)
    a system of 16, 16 columns   1 (18)        1 (18)
    of 64, 64 columns            4 (30)        8 (36)
    of 256, 256 columns          95 (364)      200 (690)
    of 512, 512 columns          770 (1490)    1930 (3320)
    LU factors of 64 x 64        16 (42)       20 (45)
    256 x 256                    302 (475)     475 (867)
    512 x 512                    1720 (3010)   2920 (4930)
    ===========================  ============  ============

Systems of any square matrix (`blocked_linear_solve`) of 64, 256 and 300 rows take 23,
494 and 775 with one right-hand side (37, 657, 1070), 34, 966 and 2090 with as many as rows (96,
2870, 3790). LU factors of stacks of small matrices are as fast, or
faster, by the loops of `fxla.ops.stacked_matrix`.

A single system with few columns reads its matrix once, and nothing else takes its time: from
`LARGE` rows on one call of BLAS reads it as fast or faster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fxla.compile.routines.blocked_cholesky import blocked_cholesky_nest
from fxla.compile.routines.blocked_linear_solve import blocked_linear_solve_nest
from fxla.compile.routines.blocked_lu import blocked_lu_nest
from fxla.compile.routines.blocked_solve import blocked_solve_nest
from fxla.core.dtypes import float32, float64
from fxla.core.jaxpr import Eqn
from fxla.core.records import dataclass
from fxla.loops.view import Nest, View
from fxla.ops.linalg import cholesky_p, linear_solve_p, lu_p, triangular_solve_p
from fxla.ops.small_matrix import is_small, triangular_most
from fxla.ops.stacked_matrix import is_stack

__all__ = ["Blocks", "in_matrix_blocks"]

LARGE = 1024
"""Rows of a system with few right-hand sides that BLAS solves..."""
NARROW = 64
"""... and bytes of a row of them, at most."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """How a factorisation or a system is computed: in a nest, if there is one, and why."""

    nest: Nest | None
    reason: str


def in_matrix_blocks(eqn: Eqn, views: Sequence[View]) -> Blocks | None:
    """The loops of a factorisation or a system in blocks; None if it is no case for them."""
    if eqn.primitive not in (cholesky_p, linear_solve_p, lu_p, triangular_solve_p):
        return None
    a = views[0]
    if any(0 in x.shape for x in views):
        return None
    if a.dtype not in (float32, float64):
        return Blocks(None, "computed by LAPACK: complex")
    n = a.shape[-1]
    if eqn.primitive is cholesky_p:
        if is_small(a):
            return None
        return Blocks(blocked_cholesky_nest(a), f"computed in blocks, by tiles ({n} x {n})")
    if eqn.primitive is lu_p:
        return None if is_small(a) or is_stack(a) else _lu(a)
    b = views[1]
    if eqn.primitive is linear_solve_p:
        if is_small(a):
            return None
        reason = f"computed in blocks, by tiles ({n} x {n}, {b.shape[-1]} right-hand sides)"
        return Blocks(blocked_linear_solve_nest(a, b), reason)
    columns = b.shape[-1 if eqn.params["left_side"] else -2]
    if is_small(a, triangular_most(columns)):
        return None
    size = f"{n} x {n}, {columns} right-hand sides"
    narrow = columns * b.dtype.itemsize <= NARROW and math.prod(a.shape[:-2]) == 1
    slow = a.dtype == float32 or not eqn.params["left_side"]
    if n >= LARGE and narrow and slow:
        return Blocks(None, f"computed by LAPACK: read once ({size})")
    params = {k: v for k, v in eqn.params.items() if k != "conjugate_a"}  # they are real
    return Blocks(blocked_solve_nest(a, b, **params), f"computed in blocks, by tiles ({size})")


def _lu(a: View) -> Blocks:
    m, n = a.shape[-2:]
    if m < n:
        return Blocks(None, f"computed by LAPACK: more columns than rows ({m} x {n})")
    return Blocks(blocked_lu_nest(a), f"computed in blocks, by tiles ({m} x {n})")
