"""Schur and Hessenberg forms, and what LAPACK computes by way of them.

The forms have no derivative here; solutions of Sylvester equations and roots of matrices get
theirs in `fxla.scipy.linalg`, by equations that they solve.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.deferred import deferred
from fxla.core.dtypes import complex_dtype, is_complex
from fxla.core.primitive import Zero, is_zero
from fxla.core.trace import Value, typeof
from fxla.errors import NotDifferentiableError, ShapeError
from fxla.ops.matrix import MatrixPrimitive, check_matrices, stacked

__all__ = ["hessenberg_p", "matrix_root_p", "rsf2csf_p", "schur_p", "sylvester_p"]

scipy = deferred("scipy")


class _Underived(MatrixPrimitive):
    """A library's function of matrices that has no derivative."""

    def jvp(
        self, primals: Any, tangents: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        if not all(is_zero(t) for t in tangents):
            raise NotDifferentiableError(f"{self.name} has no derivative")
        outs = self.bind(*primals, **params)
        return outs, tuple([Zero(typeof(x).tangent()) for x in outs])


class Schur(_Underived):
    """``a = z t z^H``, t upper triangular, or with 2 x 2 blocks on the diagonal if real.

    a: T[..., n, n] -> t, z: both T, or complex if `as_complex`.
    """

    name = "schur"

    def abstract_eval(self, a: Aval, *, as_complex: bool) -> tuple[Aval, ...]:
        check_matrices("schur", a, square=True)
        out = Aval(a.shape, complex_dtype(a.dtype) if as_complex else a.dtype)
        return out, out

    def impl(self, a: Any, *, as_complex: bool) -> tuple[Any, ...]:
        a = np.asarray(a)
        output: Any = "complex" if as_complex else "real"
        dtype = complex_dtype(a.dtype) if as_complex else a.dtype

        def one(x: Any) -> Any:
            return [np.ascontiguousarray(v, dtype) for v in scipy.linalg.schur(x, output)]

        found: tuple[Any, ...] = tuple(stacked(one, a))
        return found


class Hessenberg(_Underived):
    """``a = q h q^H``, h zero below its first subdiagonal.  T[..., n, n] -> h, q."""

    name = "hessenberg"

    def abstract_eval(self, a: Aval) -> tuple[Aval, ...]:
        check_matrices("hessenberg", a, square=True)
        return a.strong(), a.strong()

    def impl(self, a: Any) -> tuple[Any, ...]:
        a = np.asarray(a)

        def one(x: Any) -> Any:
            return [np.ascontiguousarray(v, a.dtype) for v in scipy.linalg.hessenberg(x, True)]

        found: tuple[Any, ...] = tuple(stacked(one, a))
        return found


class Rsf2csf(_Underived):
    """The complex Schur form from the real one.  t, z: T[..., n, n] -> complex, complex."""

    name = "rsf2csf"

    def abstract_eval(self, t: Aval, z: Aval) -> tuple[Aval, ...]:
        check_matrices("rsf2csf", t, square=True)
        if t.shape != z.shape:
            raise ShapeError(f"rsf2csf: {t} and {z} differ")
        out = Aval(t.shape, complex_dtype(t.dtype))
        return out, out

    def impl(self, t: Any, z: Any) -> tuple[Any, ...]:
        t, z = np.asarray(t), np.asarray(z)
        dtype = complex_dtype(t.dtype)

        def one(x: Any, y: Any) -> Any:
            return [np.ascontiguousarray(v, dtype) for v in scipy.linalg.rsf2csf(x, y)]

        found: tuple[Any, ...] = tuple(stacked(one, t, z))
        return found


class Sylvester(_Underived):
    """The x with ``a x + x b = c``.  a: T[..., m, m], b: T[..., n, n], c: T[..., m, n] -> c's."""

    name = "sylvester"

    def abstract_eval(self, a: Aval, b: Aval, c: Aval) -> tuple[Aval, ...]:
        for x in (a, b):
            check_matrices("sylvester", x, square=True)
        if (a.shape[-1], b.shape[-1]) != c.shape[-2:] or len({a.dtype, b.dtype, c.dtype}) > 1:
            raise ShapeError(f"sylvester: {a}, {b} and {c} do not fit")
        return (c.strong(),)

    def impl(self, a: Any, b: Any, c: Any) -> tuple[Any, ...]:
        a, b, c = (np.asarray(x) for x in (a, b, c))

        def one(x: Any, y: Any, z: Any) -> Any:
            return [np.ascontiguousarray(scipy.linalg.solve_sylvester(x, y, z), c.dtype)]

        found: tuple[Any, ...] = tuple(stacked(one, a, b, c))
        return found


class MatrixRoot(_Underived):
    """The principal square root, complex.  T[..., n, n] -> complex[..., n, n]."""

    name = "matrix_root"

    def abstract_eval(self, a: Aval) -> tuple[Aval, ...]:
        check_matrices("matrix_root", a, square=True)
        return (Aval(a.shape, complex_dtype(a.dtype)),)

    def impl(self, a: Any) -> tuple[Any, ...]:
        a = np.asarray(a)
        dtype = complex_dtype(a.dtype)

        def one(x: Any) -> Any:
            wide = x.astype(np.complex128 if is_complex(x.dtype) else np.float64)
            return [np.ascontiguousarray(scipy.linalg.sqrtm(wide), dtype)]

        found: tuple[Any, ...] = tuple(stacked(one, a))
        return found


schur_p = Schur()
hessenberg_p = Hessenberg()
rsf2csf_p = Rsf2csf()
sylvester_p = Sylvester()
matrix_root_p = MatrixRoot()
