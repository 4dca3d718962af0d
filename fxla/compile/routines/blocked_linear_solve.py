"""``a x = b`` in blocks: LU factors, then two triangular systems, as phases of one nest.

Systems of float32 are solved in float64, as NumPy solves them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fxla.compile.routines.blocked_lu import lu_outputs, lu_phases
from fxla.compile.routines.blocked_solve import System
from fxla.core.dtypes import float64, int32
from fxla.loops.ir import INDEX, Buffer, Expr, Load, Stmt
from fxla.loops.view import IndexTuple, Nest, Phase, Repeat, View, cast
from fxla.ops.small_matrix import SINGULAR

__all__ = ["blocked_linear_solve_nest"]

Body = Callable[[IndexTuple, tuple[Buffer, ...]], Sequence[Stmt]]


def blocked_linear_solve_nest(a: View, b: View) -> Nest:
    """``a x = b``, and whether some a is singular.  a: T[..., n, n], b: T[..., n, k]."""
    result = (b.shape, b.dtype)
    a, b = _widened(a), _widened(b)
    phases, work = lu_phases(a)
    factors = (*lu_outputs(a), *work)
    nowhere = System(a, b, True, False, True, True)  # for its sizes
    triangles = nowhere.scratch
    n_factors = len(factors)

    def of_factors(body: Body) -> Body:
        """A phase of the factors, which notes a pivot that is 0."""

        def run(outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
            _, status, *rest = buffers
            return body(outer, (*rest[:n_factors], status))

        return run

    def of_system(forward: bool, which: int) -> Phase:
        """A phase of ``L y = P b``, or of ``U x = y``."""

        def run(outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
            out, _, *rest = buffers
            lu, _, perm, *_ = rest
            *own, y = rest[n_factors:]

            def permuted(index: IndexTuple) -> Expr:
                *lead, i, c = index
                return b[(*lead, cast(Load(int32, perm, (*lead, i)), INDEX), c)]

            matrix = View(a.shape, a.dtype, lambda index: Load(a.dtype, lu, index))
            before = permuted if forward else (lambda index: Load(a.dtype, y, index))
            system = System(matrix, View(b.shape, b.dtype, before), True, False, forward, forward)
            return (system.pack, system.solve)[which](outer, (y if forward else out, *own))

        phase = nowhere.phases()[which]
        return Phase(phase.parallel, run, phase.work)

    def renamed(phase: Phase | Repeat) -> Phase | Repeat:
        if isinstance(phase, Repeat):
            return Repeat(
                phase.times,
                tuple([Phase(p.parallel, of_factors(p.body), p.work) for p in phase.phases]),
            )
        return Phase(phase.parallel, of_factors(phase.body), phase.work)

    last = of_system(False, 1)
    return Nest(
        (result, ((), int32)),
        last.parallel,
        last.body,
        failure=SINGULAR,
        scratch=(*factors, *triangles, (b.shape, b.dtype)),
        before=(
            *[renamed(p) for p in phases],
            of_system(True, 0),
            of_system(True, 1),
            of_system(False, 0),
        ),
        work=last.work,
    )


def _widened(x: View) -> View:
    """The same in float64."""
    return View(x.shape, float64, lambda index: cast(x[index], float64))
