"""Factorisations that solve linear systems: Cholesky, LU, QR; triangular and general solves.

Every primitive takes stacks of matrices (leading axes) of float32, float64, complex64 or complex128
and is computed by LAPACK or BLAS; compiled,
small real ones are statements of the program (`fxla.ops.small_matrix`). Derivatives follow

* Giles: "An extended collection of matrix derivative results for forward and reverse mode
  algorithmic differentiation" (2008), and
* Seeger, Hetzel, Dai, Meissner, Lawrence: "Auto-differentiating linear algebra"
  (arXiv:1710.08717), for LU and QR.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import is_complex
from fxla.core.primitive import Primitive, Zero, is_linear, is_zero
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, NotDifferentiableError, ShapeError
from fxla.loops.view import Nest, Opaque, View
from fxla.ops.arithmetic import conj, mul, neg, sub
from fxla.ops.dot import matmul, matrix_transpose
from fxla.ops.elementwise import add
from fxla.ops.lapack import cholesky_factor, lu_factor, solve_triangle
from fxla.ops.logic import select
from fxla.ops.matrix import (
    MatrixPrimitive,
    adjoint,
    check_matrices,
    from_triangle,
    identity,
    lower_triangle,
    on_diagonal,
    permute_rows,
    real_as,
    stacked,
    upper_triangle,
)
from fxla.ops.shape import concatenate, pad, slice_in_dim
from fxla.ops.small_matrix import (
    cholesky_nest,
    is_small,
    lu_nest,
    solve_nest,
    triangular_most,
    triangular_nest,
)
from fxla.ops.stacked_matrix import is_stack, stacked_cholesky_nest, stacked_lu_nest
from fxla.ops.structure import (
    batch_move,
    broadcast_to,
    move_axis,
    reshape,
)

__all__ = [
    "cholesky",
    "cholesky_p",
    "linear_solve",
    "linear_solve_p",
    "lu",
    "lu_p",
    "qr",
    "qr_p",
    "triangular_solve",
    "triangular_solve_p",
]

Out = tuple[tuple[Value, ...], tuple[int | None, ...]]
_int32 = np.dtype(np.int32)


class Cholesky(MatrixPrimitive):
    """``a = L L^H``, L lower triangular with a positive diagonal.

    a: T[..., n, n], of which only the lower triangle is read -> L: T[..., n, n]
    """

    name = "cholesky"

    def abstract_eval(self, a: Aval) -> tuple[Aval, ...]:
        check_matrices("cholesky", a, square=True)
        return (a.strong(),)

    def impl(self, a: Any) -> tuple[Any, ...]:
        return stacked(lambda m: (cholesky_factor(m),), np.asarray(a))  # type: ignore[no-any-return]

    def jvp(self, primals: Any, tangents: Any) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        """dL = L phi(L^-1 dA L^-H); phi takes the lower triangle and half the diagonal."""
        (a,), (t,) = primals, tangents
        L = cholesky(a)
        t = from_triangle(t, lower=True)
        t = triangular_solve(L, t, left_side=False, lower=True, adjoint_a=True)
        t = triangular_solve(L, t, left_side=True, lower=True)
        phi = select(on_diagonal(typeof(t).shape), mul(t, 0.5), lower_triangle(t, -1))
        return (L,), (matmul(L, phi),)

    def lower(self, *views: View, **params: Any) -> Nest | Opaque:
        if is_small(views[0]):
            return cholesky_nest(*views)
        return stacked_cholesky_nest(*views) if is_stack(views[0]) else Opaque()


class TriangularSolve(Primitive):
    """``op(a) x = b``, or ``x op(a) = b`` if not `left_side`; a is triangular.

    op(a) is a, transposed if `transpose_a`, conjugated if `conjugate_a`. Only the triangle that
    `lower` names is read, without the diagonal if `unit_diagonal`. A zero on the diagonal gives
    inf or NaN, as in BLAS.

    a: T[..., n, n], b: T[..., n, k] (left) or T[..., k, n] -> x like b.  Linear in b.
    """

    name = "triangular_solve"
    uses_blas = True

    def abstract_eval(
        self, a: Aval, b: Aval, *, left_side: bool, **params: bool
    ) -> tuple[Aval, ...]:
        _check_system("triangular_solve", a, b, -2 if left_side else -1)
        return (b.strong(),)

    def impl(self, a: Any, b: Any, **params: bool) -> tuple[Any, ...]:
        out: tuple[Any, ...] = stacked(
            lambda x, y: (solve_triangle(x, y, **params),), np.asarray(a), np.asarray(b)
        )
        return out

    def jvp(
        self,
        primals: Any,
        tangents: Any,
        *,
        left_side: bool,
        lower: bool,
        transpose_a: bool,
        conjugate_a: bool,
        unit_diagonal: bool,
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        """dx = op(a)^-1 (db - op(da) x)."""
        (a, b), (t_a, t_b) = primals, tangents
        params = {
            "left_side": left_side,
            "lower": lower,
            "transpose_a": transpose_a,
            "conjugate_a": conjugate_a,
            "unit_diagonal": unit_diagonal,
        }
        x = self.bind1(a, b, **params)
        right: Any = t_b
        if not is_zero(t_a):
            k = 1 if unit_diagonal else 0
            t = lower_triangle(t_a, -k) if lower else upper_triangle(t_a, k)
            t = matrix_transpose(t) if transpose_a else t
            t = conj(t) if conjugate_a else t
            change = matmul(t, x) if left_side else matmul(x, t)
            right = neg(change) if is_zero(t_b) else sub(t_b, change)
        return (x,), (self.bind1(a, right, **params),)

    def transpose(
        self, cts: Any, *operands: Any, transpose_a: bool, **params: bool
    ) -> tuple[Any, ...]:
        a, b = operands
        assert is_linear(b) and not is_linear(a)
        return None, self.bind1(a, cts[0], transpose_a=not transpose_a, **params)

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, left_side: bool, **params: bool
    ) -> Out:
        if axes[0] is None:
            return _fold_into_columns(
                axis, operands, axes[1], left_side,
                lambda a, b: self.bind1(a, b, left_side=left_side, **params),
            )  # fmt: skip
        a, b = batch_move(axis, operands, axes)
        return self.bind(a, b, left_side=left_side, **params), (0,)

    def lower(self, *views: View, conjugate_a: bool, **params: bool) -> Nest | Opaque:
        a, b = views
        columns = b.shape[-1 if params["left_side"] else -2]
        small = is_small(a, triangular_most(columns))
        return triangular_nest(a, b, **params) if small else Opaque()


def _check_system(name: str, a: Aval, b: Aval, axis: int) -> None:
    check_matrices(name, a, square=True)
    if a.dtype != b.dtype:
        raise DtypeError(f"{name}: dtypes differ: {a} and {b}")
    if a.ndim != b.ndim or a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[axis]:
        raise ShapeError(f"{name}: the shapes do not fit: {a} and {b}")


def _fold_into_columns(
    axis: AxisFrame, operands: Any, at: int, left_side: bool, solve: Callable[..., Value]
) -> Out:
    """Right-hand sides of several examples for the same matrices are one, with more columns."""
    a, b = operands
    n = typeof(b).ndim
    to = n - 1 if left_side else n - 2
    b = move_axis(b, at, to)
    shape = typeof(b).shape
    folded = (*shape[: to - 1], shape[to - 1] * axis.size, *shape[to + 1 :])
    return (reshape(solve(a, reshape(b, folded)), shape),), (to,)


class LinearSolve(Primitive):
    """``a x = b`` for square a, by LU with partial pivoting.

    a: T[..., n, n], b: T[..., n, k] -> x: T[..., n, k].  Linear in b.

    Raises (eagerly) LinAlgError if a is exactly singular, as NumPy does.
    """

    name = "linear_solve"
    fails = True
    uses_blas = True

    def abstract_eval(self, a: Aval, b: Aval) -> tuple[Aval, ...]:
        _check_system("linear_solve", a, b, -2)
        return (b.strong(),)

    def impl(self, a: Any, b: Any) -> tuple[Any, ...]:
        return (np.linalg.solve(np.asarray(a), np.asarray(b)),)

    def jvp(self, primals: Any, tangents: Any) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        """dx = a^-1 (db - da x)."""
        (a, b), (t_a, t_b) = primals, tangents
        x = linear_solve(a, b)
        right: Any = t_b
        if not is_zero(t_a):
            change = matmul(t_a, x)
            right = neg(change) if is_zero(t_b) else sub(t_b, change)
        return (x,), (linear_solve(a, right),)

    def transpose(self, cts: Any, *operands: Any) -> tuple[Any, ...]:
        a, b = operands
        assert is_linear(b) and not is_linear(a)
        return None, linear_solve(matrix_transpose(a), cts[0])

    def batch(self, axis: AxisFrame, operands: Any, axes: Any) -> Out:
        if axes[0] is None:
            return _fold_into_columns(axis, operands, axes[1], True, linear_solve)
        return self.bind(*batch_move(axis, operands, axes)), (0,)

    def lower(self, *views: View) -> Nest | Opaque:
        return solve_nest(*views) if is_small(views[0]) else Opaque()


class Lu(MatrixPrimitive):
    """``a[perm] = L U`` with partial pivoting, for a of any shape.

    a: T[..., m, n] -> lu: T[..., m, n], pivots: i32[..., k], perm: i32[..., m]; k = min(m, n).
    `lu` holds U on and above the diagonal and L, whose diagonal is 1, below it. Row i was exchanged
    with row ``pivots[i]``, for i = 0, 1, ...
    """

    name = "lu"

    def abstract_eval(self, a: Aval) -> tuple[Aval, ...]:
        check_matrices("lu", a)
        *lead, m, n = a.shape
        return a.strong(), Aval((*lead, min(m, n)), _int32), Aval((*lead, m), _int32)

    def impl(self, a: Any) -> tuple[Any, ...]:
        out: tuple[Any, ...] = stacked(_getrf, np.asarray(a))
        return out

    def jvp(self, primals: Any, tangents: Any) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        """With Z = L^-1 (P da) U^-1: dL = L tril(Z, -1), dU = triu(Z) U (L, U made square)."""
        (a,), (t,) = primals, tangents
        factors, pivots, perm = self.bind(a)
        L, U = _square_factors(factors)
        z = permute_rows(t, perm)
        z = triangular_solve(L, z, left_side=True, lower=True, unit_diagonal=True)
        z = triangular_solve(U, z, left_side=False, lower=False)
        tangent = add(matmul(L, lower_triangle(z, -1)), matmul(upper_triangle(z), U))
        return (factors, pivots, perm), (tangent, _none(pivots), _none(perm))

    def lower(self, *views: View, **params: Any) -> Nest | Opaque:
        if is_small(views[0]):
            return lu_nest(*views)
        return stacked_lu_nest(*views) if is_stack(views[0]) else Opaque()


def _none(x: Value) -> Zero:
    return Zero(typeof(x).tangent())


def _getrf(a: Any) -> tuple[Any, Any, Any]:
    factors, pivots = lu_factor(a)
    perm = list(range(len(a)))  # a list swaps faster than an array
    for i, j in enumerate(pivots.tolist()):
        perm[i], perm[j] = perm[j], perm[i]
    return factors, pivots, np.array(perm, np.int32)


def _square_factors(factors: Value) -> tuple[Value, Value]:
    """L: [..., m, m] and U: [..., n, n], completed by identity blocks."""
    aval = typeof(factors)
    *lead, m, n = aval.shape
    k = min(m, n)
    none = [0] * aval.ndim
    L = lower_triangle(slice_in_dim(factors, 0, k, axis=aval.ndim - 1), -1)
    L = pad(L, 0, none, [*none[:-1], m - k])
    L = add(L, broadcast_to(identity(m, aval.dtype), (*lead, m, m)))
    U = upper_triangle(slice_in_dim(factors, 0, k, axis=aval.ndim - 2))
    if n > k:
        U = pad(U, 0, none, [*none[:-2], n - k, 0])
        corner = pad(identity(n - k, aval.dtype), 0, [k, k], [0, 0])
        U = add(U, broadcast_to(corner, (*lead, n, n)))
    return L, U


class Qr(MatrixPrimitive):
    """``a = Q R`` by Householder reflections; Q has orthonormal columns, R is upper triangular.

    a: T[..., m, n] -> Q: T[..., m, k], R: T[..., k, n]; k = m if `full_matrices`, else min(m, n).
    Differentiable unless Q is completed to a square (`full_matrices` and m > n).
    """

    name = "qr"

    def abstract_eval(self, a: Aval, *, full_matrices: bool) -> tuple[Aval, ...]:
        check_matrices("qr", a)
        *lead, m, n = a.shape
        k = m if full_matrices else min(m, n)
        return Aval((*lead, m, k), a.dtype), Aval((*lead, k, n), a.dtype)

    def impl(self, a: Any, *, full_matrices: bool) -> tuple[Any, ...]:
        q, r = np.linalg.qr(np.asarray(a), "complete" if full_matrices else "reduced")
        return q, r

    def jvp(
        self, primals: Any, tangents: Any, *, full_matrices: bool
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        """X and R1 in a = [X Y] = Q [R1 V] by `_qr_tangents`; dV = Q^H dY + dQ^H Q V."""
        (a,), (t,) = primals, tangents
        aval = typeof(a)
        m, n = aval.shape[-2:]
        if full_matrices and m > n:
            raise NotDifferentiableError(
                f"qr: the derivative of a complete Q is not defined for {aval}, whose last "
                f"{m - n} columns are arbitrary. Use mode='reduced'."
            )
        q, r = self.bind(a, full_matrices=full_matrices)
        if n <= m:
            return (q, r), _qr_tangents(q, r, t)
        last = aval.ndim - 1
        t_q, t_r = _qr_tangents(
            q, slice_in_dim(r, 0, m, axis=last), slice_in_dim(t, 0, m, axis=last)
        )
        v = slice_in_dim(r, m, n, axis=last)
        t_v = add(
            matmul(adjoint(q), slice_in_dim(t, m, n, axis=last)),
            matmul(matmul(adjoint(t_q), q), v),
        )
        return (q, r), (t_q, concatenate([t_r, t_v], last))


def _qr_tangents(q: Value, r: Value, t: Value) -> tuple[Value, Value]:
    """dQ and dR for a = Q R with square R.

    With C = Q^H da R^-1 and W = tril(C, -1) - tril(C, -1)^H + i Im diag(C), which is skew:
    dQ = Q (W - C) + da R^-1 and dR = (C - W) R.
    """
    scaled = triangular_solve(r, t, left_side=False, lower=False)
    c = matmul(adjoint(q), scaled)
    below = lower_triangle(c, -1)
    w = sub(below, adjoint(below))
    if is_complex(typeof(c).dtype):
        w = add(w, select(on_diagonal(typeof(c).shape), sub(c, real_as(c)), 0))
    return add(matmul(q, sub(w, c)), scaled), matmul(sub(c, w), r)


cholesky_p = Cholesky()
triangular_solve_p = TriangularSolve()
linear_solve_p = LinearSolve()
lu_p = Lu()
qr_p = Qr()


def cholesky(a: Value) -> Value:
    """The lower triangular L with ``a = L L^H``; reads the lower triangle of `a`.

    Raises:
        LinAlgError: eagerly, if `a` is not positive definite.

    Example:
        >>> cholesky(np.array([[4.0, 0.0], [2.0, 5.0]])).tolist()
        [[2.0, 0.0], [1.0, 2.0]]
    """
    return cholesky_p.bind1(a)


def triangular_solve(
    a: Value,
    b: Value,
    *,
    left_side: bool,
    lower: bool,
    transpose_a: bool = False,
    conjugate_a: bool = False,
    adjoint_a: bool = False,
    unit_diagonal: bool = False,
) -> Value:
    """Solve ``op(a) x = b`` (or ``x op(a) = b``) for triangular a; see `TriangularSolve`.

    `adjoint_a` stands for `transpose_a` and `conjugate_a` both.
    """
    conjugate = (conjugate_a or adjoint_a) and is_complex(typeof(a).dtype)
    return triangular_solve_p.bind1(
        a,
        b,
        left_side=left_side,
        lower=lower,
        transpose_a=transpose_a or adjoint_a,
        conjugate_a=conjugate,
        unit_diagonal=unit_diagonal,
    )


def linear_solve(a: Value, b: Value) -> Value:
    """Solve ``a x = b`` for stacks of square matrices and matrices of right-hand sides."""
    return linear_solve_p.bind1(a, b)


def lu(a: Value) -> tuple[Value, Value, Value]:
    """LU factors in one array, pivots and the permutation of rows; see `Lu`."""
    factors, pivots, perm = lu_p.bind(a)
    return factors, pivots, perm


def qr(a: Value, full_matrices: bool = False) -> tuple[Value, Value]:
    """Q and R with ``a = Q R``; see `Qr`."""
    q, r = qr_p.bind(a, full_matrices=full_matrices)
    return q, r
