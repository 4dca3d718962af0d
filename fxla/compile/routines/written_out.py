"""Large stacks of matrices of seven or eight rows, written out as statements.

`fxla.ops.small_matrix` writes out matrices of up to six rows for every target. LLVM takes tenths of
a second for the statements of two rows more, which then take a tenth of LAPACK's time to run: it
pays where there are many. numba, whose time grows faster, gets the loops of
`fxla.ops.stacked_matrix`, or calls LAPACK.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fxla.core.jaxpr import Eqn
from fxla.loops.view import Nest, View
from fxla.ops.linalg import cholesky_p, linear_solve_p, lu_p, triangular_solve_p
from fxla.ops.small_matrix import (
    cholesky_nest,
    is_small,
    lu_nest,
    solve_nest,
    triangular_nest,
)

__all__ = ["FEWEST", "MOST", "written_out_nest"]

MOST = 8
"""Rows of a matrix, at most."""
FEWEST = 64
"""Matrices of a stack, at least."""


def written_out_nest(eqn: Eqn, views: Sequence[View]) -> Nest | None:
    """The statements of a factorisation or a solve; None if the primitive should say."""
    if eqn.primitive not in (cholesky_p, linear_solve_p, lu_p, triangular_solve_p):
        return None
    a = views[0]
    if not is_small(a, MOST) or math.prod(a.shape[:-2]) < FEWEST:
        return None
    if eqn.primitive is cholesky_p:
        return cholesky_nest(*views)
    if eqn.primitive is lu_p:
        return lu_nest(*views)
    if eqn.primitive is linear_solve_p:
        return solve_nest(*views)
    params = {k: v for k, v in eqn.params.items() if k != "conjugate_a"}  # they are real
    return triangular_nest(*views, **params)
