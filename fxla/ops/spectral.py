"""Eigenvalues and singular values, with their vectors.

Every primitive takes stacks of matrices (leading axes) of float32, float64, complex64 or complex128
and is computed by LAPACK. Derivatives follow

* Giles: "An extended collection of matrix derivative results for forward and reverse mode
  algorithmic differentiation" (2008), for symmetric and general eigenproblems;
* Townsend: "Differentiating the singular value decomposition" (2016); and, for complex matrices,
  Wan, Zhang: "Automatic differentiation for complex valued SVD" (arXiv:1909.02659).

Vectors of equal eigenvalues (singular values) are any basis of a space, and have no derivative: it
comes out as inf or NaN. The derivatives of the values are right there too. The phase of a complex
vector is arbitrary as well; functions that do not depend on it have correct derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import complex_dtype, int64, is_complex, real_dtype
from fxla.core.jaxpr import Eqn
from fxla.core.trace import Value, typeof
from fxla.errors import NotDifferentiableError
from fxla.ops.arithmetic import abs_, complex_, conj, div, imag, mul, real, sub
from fxla.ops.casts import convert
from fxla.ops.dot import matmul
from fxla.ops.elementwise import add
from fxla.ops.index import take_along_axis
from fxla.ops.linalg import linear_solve
from fxla.ops.logic import select
from fxla.ops.matrix import (
    MatrixPrimitive,
    adjoint,
    check_matrices,
    diagonal,
    from_triangle,
    on_diagonal,
)
from fxla.ops.reduce import argmax
from fxla.ops.structure import broadcast_in_dim, expand_dims, reduce_sum

__all__ = ["eig", "eig_p", "eigh", "eigh_p", "svd", "svd_p"]

Tangents = tuple[tuple[Value, ...], tuple[Any, ...]]


def _without_vectors(eqn: Eqn, values: int, **fewer: bool) -> Eqn:
    """The decomposition that computes no vectors: only the result at `values`."""
    params = {**eqn.params, **fewer}
    return Eqn(eqn.primitive, eqn.inputs, params, (eqn.outputs[values],), eqn.source)


class Eigh(MatrixPrimitive):
    """``a v = v diag(w)`` for Hermitian a; w ascending, v unitary.

    a: T[..., n, n], of which one triangle is read -> w: real T[..., n], and v: T[..., n, n] if
    `compute_v`.
    """

    name = "eigh"

    def abstract_eval(self, a: Aval, *, lower_half: bool, compute_v: bool) -> tuple[Aval, ...]:
        check_matrices("eigh", a, square=True)
        w = Aval(a.shape[:-1], real_dtype(a.dtype))
        return (w, Aval(a.shape, a.dtype)) if compute_v else (w,)

    def impl(self, a: Any, *, lower_half: bool, compute_v: bool) -> tuple[Any, ...]:
        if not compute_v:
            return (np.linalg.eigvalsh(np.asarray(a), "L" if lower_half else "U"),)
        w, v = np.linalg.eigh(np.asarray(a), "L" if lower_half else "U")
        return w, v

    def jvp(self, primals: Any, tangents: Any, *, lower_half: bool, compute_v: bool) -> Tangents:
        """With C = v^H da v: dw = diag(C), dv = v (C / (w_j - w_i)), off the diagonal."""
        (a,), (t,) = primals, tangents
        w, v = eigh(a, lower_half)
        c = matmul(matmul(adjoint(v), from_triangle(t, lower_half)), v)
        t_w = _real_diagonal(c)
        if not compute_v:
            return (w,), (t_w,)
        return (w, v), (t_w, matmul(v, mul(c, _like(_inverse_gaps(w), c))))

    def dce(self, eqn: Eqn, used: Sequence[bool]) -> Eqn:
        return eqn if used[-1] else _without_vectors(eqn, 0, compute_v=False)


class Svd(MatrixPrimitive):
    """``a = u diag(s) vh``; u and vh have orthonormal columns and rows, s descends.

    a: T[..., m, n] -> u: T[..., m, k], s: real T[..., r], vh: T[..., l, n], where r = min(m, n),
    and k = m, l = n if `full_matrices`, else both are r. Only s if not `compute_uv`.
    """

    name = "svd"

    def abstract_eval(self, a: Aval, *, full_matrices: bool, compute_uv: bool) -> tuple[Aval, ...]:
        check_matrices("svd", a)
        *lead, m, n = a.shape
        r = min(m, n)
        s = Aval((*lead, r), real_dtype(a.dtype))
        if not compute_uv:
            return (s,)
        k, rows = (m, n) if full_matrices else (r, r)
        return Aval((*lead, m, k), a.dtype), s, Aval((*lead, rows, n), a.dtype)

    def impl(self, a: Any, *, full_matrices: bool, compute_uv: bool) -> tuple[Any, ...]:
        if not compute_uv:
            return (np.linalg.svd(np.asarray(a), compute_uv=False),)
        u, s, vh = np.linalg.svd(np.asarray(a), full_matrices=full_matrices)
        return u, s, vh

    def jvp(
        self, primals: Any, tangents: Any, *, full_matrices: bool, compute_uv: bool
    ) -> Tangents:
        (a,), (t,) = primals, tangents
        aval = typeof(a)
        if not compute_uv:
            u, s, vh = svd(a)
            return (s,), (_real_diagonal(matmul(matmul(adjoint(u), t), adjoint(vh))),)
        if full_matrices and aval.shape[-1] != aval.shape[-2]:
            raise NotDifferentiableError(
                f"svd: the derivative of complete bases is not defined for {aval}, some of whose "
                "singular vectors are arbitrary. Use full_matrices=False."
            )
        u, s, vh = self.bind(a, full_matrices=full_matrices, compute_uv=compute_uv)
        return (u, s, vh), _svd_tangents(u, s, vh, t)

    def dce(self, eqn: Eqn, used: Sequence[bool]) -> Eqn:
        if used[0] or used[-1]:
            return eqn
        return _without_vectors(eqn, 1, compute_uv=False)


def _svd_tangents(u: Value, s: Value, vh: Value, t: Value) -> tuple[Value, Value, Value]:
    """With C = u^H da v and F = 1 / (s_j^2 - s_i^2).

    ds = diag(C), du = u (F (C S + S C^H) + i Im diag(C) / s), dv = v (F (S C + C^H S)), and what da
    adds outside the spans of u and v.
    """
    m, n = typeof(t).shape[-2:]
    v = adjoint(vh)
    c = matmul(matmul(adjoint(u), t), v)
    columns = _like(_along(s, c, -1), c)
    rows = _like(_along(s, c, -2), c)
    gaps = _like(_inverse_gaps(mul(s, s)), c)
    right, left = mul(c, columns), mul(rows, c)  # C S and S C
    mix_u = mul(gaps, add(right, adjoint(right)))
    mix_v = mul(gaps, add(left, adjoint(left)))
    inverse = div(1.0, s)
    if is_complex(typeof(c).dtype):
        # The phase of a pair of vectors is free; u takes all of its change.
        phase = mul(sub(c, adjoint(c)), 0.5)
        own = mul(phase, _like(_along(inverse, c, -1), c))
        mix_u = add(mix_u, _keep_diagonal(own))
    t_u, t_v = matmul(u, mix_u), matmul(v, mix_v)
    if m > n:
        outside = _outside(u, matmul(t, v))
        t_u = add(t_u, mul(outside, _like(_along(inverse, outside, -1), outside)))
    if n > m:
        outside = _outside(v, matmul(adjoint(t), u))
        t_v = add(t_v, mul(outside, _like(_along(inverse, outside, -1), outside)))
    return t_u, _real_diagonal(c), adjoint(t_v)


def _outside(basis: Value, x: Value) -> Value:
    """The part of the columns of `x` orthogonal to the columns of `basis`."""
    return sub(x, matmul(basis, matmul(adjoint(basis), x)))


class Eig(MatrixPrimitive):
    """``a v = v diag(w)`` for any square a, which must be diagonalisable.

    a: T[..., n, n] -> w: complex[..., n], and v: complex[..., n, n] if `compute_v`. Columns of v
    have norm 1 and a real largest component, as LAPACK makes them. Unlike NumPy's function the
    results are complex even if all eigenvalues are real: a dtype must not depend on values.
    """

    name = "eig"

    def abstract_eval(self, a: Aval, *, compute_v: bool) -> tuple[Aval, ...]:
        check_matrices("eig", a, square=True)
        dtype = complex_dtype(a.dtype)
        w = Aval(a.shape[:-1], dtype)
        return (w, Aval(a.shape, dtype)) if compute_v else (w,)

    def impl(self, a: Any, *, compute_v: bool) -> tuple[Any, ...]:
        a = np.asarray(a)
        dtype = complex_dtype(a.dtype)
        if not compute_v:
            return (np.linalg.eigvals(a).astype(dtype),)
        w, v = np.linalg.eig(a)
        return w.astype(dtype), v.astype(dtype)

    def jvp(self, primals: Any, tangents: Any, *, compute_v: bool) -> Tangents:
        """With C = v^-1 da v: dw = diag(C), dv = v (C / (w_j - w_i)), then norm and phase."""
        (a,), (t,) = primals, tangents
        w, v = eig(a)
        c = linear_solve(v, matmul(convert(t, typeof(v).dtype), v))
        t_w = diagonal(c)
        if not compute_v:
            return (w,), (t_w,)
        t_v = matmul(v, mul(c, _inverse_gaps(w)))
        return (w, v), (t_w, _keeping_norm_and_phase(v, t_v))

    def dce(self, eqn: Eqn, used: Sequence[bool]) -> Eqn:
        return eqn if used[-1] else _without_vectors(eqn, 0, compute_v=False)


def _keeping_norm_and_phase(v: Value, t: Value) -> Value:
    """Change of normalised vectors, from that of vectors of any length and phase.

    With z the change divided by v at v's largest component: t - v (Re(v^H t) + i Im z).
    """
    shape = typeof(v).shape
    n = len(shape)
    largest = expand_dims(argmax(abs_(v), n - 2, int64), (n - 2,))
    z = div(take_along_axis(t, largest, n - 2), take_along_axis(v, largest, n - 2))
    stretch = real(expand_dims(reduce_sum(mul(conj(v), t), (n - 2,)), (n - 2,)))
    change = broadcast_in_dim(complex_(stretch, imag(z)), shape, range(n))
    return sub(t, mul(v, change))


def _inverse_gaps(w: Value) -> Value:
    """1 / (w_j - w_i) in row i and column j, 0 on the diagonal."""
    shape = typeof(w).shape
    square = (*shape, shape[-1])
    n = len(shape)
    lead = range(n - 1)
    across = broadcast_in_dim(w, square, (*lead, n))
    down = broadcast_in_dim(w, square, (*lead, n - 1))
    same = on_diagonal(square)
    return select(same, 0, div(1.0, select(same, 1, sub(across, down))))


def _along(x: Value, like: Value, axis: int) -> Value:
    """x: [..., n] repeated to matrices of the shape of `like`, along the columns or rows."""
    shape = typeof(like).shape
    n = len(shape)
    return broadcast_in_dim(x, shape, (*range(n - 2), n + axis))


def _like(x: Value, y: Value) -> Value:
    return convert(x, typeof(y).dtype)


def _real_diagonal(c: Value) -> Value:
    d = diagonal(c)
    return real(d) if is_complex(typeof(d).dtype) else d


def _keep_diagonal(x: Value) -> Value:
    return select(on_diagonal(typeof(x).shape), x, 0)


eigh_p = Eigh()
svd_p = Svd()
eig_p = Eig()


def eigh(a: Value, lower_half: bool = True) -> tuple[Value, Value]:
    """Eigenvalues, ascending, and orthonormal eigenvectors of a Hermitian matrix.

    Only the triangle that `lower_half` names is read.

    Example:
        >>> w, v = eigh(np.array([[2.0, 0.0], [0.0, 1.0]]))
        >>> w.tolist()
        [1.0, 2.0]
    """
    w, v = eigh_p.bind(a, lower_half=lower_half, compute_v=True)
    return w, v


def svd(a: Value, full_matrices: bool = False) -> tuple[Value, Value, Value]:
    """u, s and vh with ``a = u diag(s) vh``; see `Svd`."""
    u, s, vh = svd_p.bind(a, full_matrices=full_matrices, compute_uv=True)
    return u, s, vh


def eig(a: Value) -> tuple[Value, Value]:
    """Complex eigenvalues and eigenvectors of a square matrix; see `Eig`."""
    w, v = eig_p.bind(a, compute_v=True)
    return w, v
