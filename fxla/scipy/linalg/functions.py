"""Functions of matrices: exponentials, roots, polar and Schur forms, Sylvester equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.control.custom_jvp import custom_jvp
from fxla.core.dtypes import is_complex
from fxla.core.trace import Value, typeof, where_am_i
from fxla.numpy.matrix_operands import floating, matrices
from fxla.ops.schur import hessenberg_p, matrix_root_p, rsf2csf_p, schur_p, sylvester_p
from fxla.transforms.jvp import jvp

__all__ = [
    "expm",
    "expm_frechet",
    "funm",
    "hessenberg",
    "polar",
    "rsf2csf",
    "schur",
    "solve_sylvester",
    "sqrtm",
]

_PADE = [64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
         129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0,
         40840800.0, 960960.0, 16380.0, 182.0, 1.0]  # fmt: skip
"""Of the [13/13] approximant of the exponential (Higham 2005)."""
_RADIUS = 4.25
"""Norm up to which it is accurate in double precision."""


def expm(A: Any, *, upper_triangular: bool = False, max_squarings: int = 16) -> Any:
    """Exponentials of square matrices. See `scipy.linalg.expm`.

    Padé's approximant of order 13, squared as often as the norm asks (Higham 2005); differentiable.

    Args:
        A: the matrices.
        upper_triangular: whether all are; it saves nothing here.
        max_squarings: the most squarings; matrices of norm above ``4 2**max_squarings`` give NaN.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.expm([[0.0, 1.0], [0.0, 0.0]])
        Array([[1., 1.],
               [0., 1.]])
    """
    del upper_triangular
    x = matrices("linalg.expm", A)
    norm = fnp.max(fnp.sum(fnp.abs(x), axis=-2), axis=-1, initial=0.0)
    norm = lax.stop_gradient(norm)
    count = fnp.ceil(fnp.log2(fnp.maximum(norm / _RADIUS, 1.0)))
    too_large = ~fnp.less_equal(count, max_squarings)
    count = fnp.where(too_large, 0, count)
    x = x * fnp.exp2(-count).astype(norm.dtype)[..., None, None]
    r = _pade(x)

    def step(r: Value, i: Value) -> tuple[Value, None]:
        more = fnp.less(i, count)
        squared = lax.cond(fnp.any(more), lambda r: r @ r, lambda r: r, r)
        return fnp.where(more[..., None, None], squared, r), None

    r, _ = lax.scan(step, r, fnp.arange(max_squarings, dtype=norm.dtype))
    return fnp.where(too_large[..., None, None], fnp.nan, r)


def _pade(x: Value) -> Any:
    b = _PADE
    n = typeof(x).shape[-1]
    one = fnp.eye(n, dtype=typeof(x).dtype)
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x2 @ x4
    odd = x6 @ (b[13] * x6 + b[11] * x4 + b[9] * x2) + b[7] * x6 + b[5] * x4 + b[3] * x2
    odd = x @ (odd + b[1] * one)
    even = x6 @ (b[12] * x6 + b[10] * x4 + b[8] * x2) + b[6] * x6 + b[4] * x4 + b[2] * x2
    even = even + b[0] * one
    return fnp.linalg.solve(even - odd, even + odd)


def expm_frechet(A: Any, E: Any, *, method: str | None = None, compute_expm: bool = True) -> Any:
    """The exponential of A and its derivative along E. See `scipy.linalg.expm_frechet`.

    Args:
        A: square matrices.
        E: directions.
        method: has no effect: the derivative is that of `expm`.
        compute_expm: whether to return the exponential too.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.expm_frechet([[0.0]], [[2.0]])
        (Array([[1.]]), Array([[2.]]))
    """
    if method not in (None, "SPS", "blockEnlarge"):
        raise ValueError(f"linalg.expm_frechet: unknown method {method!r}{where_am_i()}")
    x, direction = floating("linalg.expm_frechet", A, E)
    value, slope = jvp(expm, (x,), (direction,))
    return (value, slope) if compute_expm else slope


# --- Sylvester equations and roots ----------------------------------------------------------


def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """The solution x of ``a x + x b = q``. See `scipy.linalg.solve_sylvester`.

    By Schur forms (Bartels and Stewart 1972); derivatives are implicit.

    Args:
        a: [..., m, m].
        b: [..., n, n].
        q: [..., m, n].

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.solve_sylvester([[1.0]], [[2.0]], [[6.0]])
        Array([[2.]])
    """
    call = "linalg.solve_sylvester"
    x, y, z = floating(call, a, b, q)
    x, y, z = (matrices(call, v, square=k < 2) for k, v in enumerate((x, y, z)))
    lead = fnp.broadcast_shapes(*[typeof(v).shape[:-2] for v in (x, y, z)])
    x, y, z = (fnp.broadcast_to(v, (*lead, *typeof(v).shape[-2:])) for v in (x, y, z))
    fixed_x, fixed_y = lax.stop_gradient(x), lax.stop_gradient(y)

    def solve(_: Any, right: Value) -> Value:
        return sylvester_p.bind1(fixed_x, fixed_y, right)

    def transposed(_: Any, right: Value) -> Value:
        flipped = fnp.matrix_transpose(fixed_x), fnp.matrix_transpose(fixed_y)
        return sylvester_p.bind1(*flipped, right)

    return lax.custom_linear_solve(lambda u: x @ u + u @ y, z, solve, transposed)


@custom_jvp
def _root(a: Value) -> Value:
    return matrix_root_p.bind1(a)


@_root.defjvp
def _root_jvp(primals: Any, tangents: Any) -> tuple[Value, Value]:
    """``x dx + dx x = da``."""
    (a,), (t,) = primals, tangents
    x = _root(a)
    return x, solve_sylvester(x, x, t.astype(typeof(x).dtype))


def sqrtm(A: Any, blocksize: int = 1) -> Any:
    """Principal square roots of matrices, always complex. See `scipy.linalg.sqrtm`.

    Args:
        A: square matrices.
        blocksize: has no effect.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.sqrtm([[4.0, 0.0], [0.0, 9.0]]).real
        Array([[2., 0.],
               [0., 3.]])
    """
    del blocksize
    return _root(matrices("linalg.sqrtm", A))


def funm(A: Any, func: Callable[[Any], Any], disp: bool = True) -> Any:
    """``v func(w) v^-1`` of matrices ``v w v^-1``, always complex. See `scipy.linalg.funm`.

    By eigenvectors, so the matrices must be diagonalisable; differentiable.

    Args:
        A: square matrices.
        func: of complex numbers, elementwise.
        disp: if false, return an estimate of the error too: the relative residual of ``v w v^-1``.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import linalg
        >>> linalg.funm([[0.0, 0.0], [0.0, 1.0]], fnp.exp).real.round(4)
        array([[1.    , 0.    ],
               [0.    , 2.7183]])
    """
    x = matrices("linalg.funm", A)
    w, v = lax.linalg.eig(x, compute_left_eigenvectors=False)

    def rebuilt(values: Value) -> Any:
        left = v * values[..., None, :]
        # left v^-1, as a system with the transposes
        found = fnp.linalg.solve(fnp.matrix_transpose(v), fnp.matrix_transpose(left))
        return fnp.matrix_transpose(found)

    out = rebuilt(func(w))
    if disp:
        return out
    size = fnp.linalg.norm(x, ord=1, axis=(-2, -1))
    return out, fnp.linalg.norm(rebuilt(w) - x, ord=1, axis=(-2, -1)) / size


# --- forms ----------------------------------------------------------------------------------


def polar(a: Any, side: str = "right") -> tuple[Any, Any]:
    """``a = u p`` (or ``p u``): u with orthonormal columns, p positive. See `scipy.linalg.polar`.

    By singular values, whose vectors have no derivative where values are equal.

    Args:
        a: matrices.
        side: of p.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.polar([[0.0, -2.0], [2.0, 0.0]])[1].round(6)
        array([[2., 0.],
               [0., 2.]])
    """
    if side not in ("right", "left"):
        raise ValueError(
            f"linalg.polar: side must be 'right' or 'left', got {side!r}{where_am_i()}"
        )
    w, s, vh = fnp.linalg.svd(matrices("linalg.polar", a, False), full_matrices=False)
    u = w @ vh
    if side == "right":
        back = fnp.conj(fnp.matrix_transpose(vh))
        return u, (back * s[..., None, :]) @ vh
    return u, (w * s[..., None, :]) @ fnp.conj(fnp.matrix_transpose(w))


def schur(a: Any, output: str = "real") -> tuple[Any, Any]:
    """``a = z t z^H`` with t upper triangular. See `scipy.linalg.schur`. It has no derivative.

    Args:
        a: square matrices.
        output: ``"real"``: of real matrices, t has 2 x 2 blocks for pairs of eigenvalues;
            ``"complex"``.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.schur([[2.0, 1.0], [0.0, 3.0]])[0]
        Array([[2., 1.],
               [0., 3.]])
    """
    if output not in ("real", "complex"):
        raise ValueError(
            f"linalg.schur: output must be 'real' or 'complex', got {output!r}{where_am_i()}"
        )
    x = matrices("linalg.schur", a)
    t, z = schur_p.bind(x, as_complex=output == "complex" or is_complex(typeof(x).dtype))
    return fnp.asarray(t), fnp.asarray(z)


def rsf2csf(T: Any, Z: Any, check_finite: bool = True) -> tuple[Any, Any]:
    """The complex Schur form from the real one. See `scipy.linalg.rsf2csf`.

    Args:
        T: real Schur form.
        Z: its vectors.
        check_finite: has no effect.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.rsf2csf([[2.0, 1.0], [0.0, 3.0]], [[1.0, 0.0], [0.0, 1.0]])[0].dtype
        dtype('complex128')
    """
    del check_finite
    t, z = floating("linalg.rsf2csf", T, Z)
    if is_complex(typeof(t).dtype):
        return t, z
    made = rsf2csf_p.bind(t, z)
    return fnp.asarray(made[0]), fnp.asarray(made[1])


def hessenberg(
    a: Any, *, calc_q: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """``a = q h q^H``, h zero below its first subdiagonal. See `scipy.linalg.hessenberg`.

    Args:
        a: square matrices.
        calc_q: whether to return q too.
        overwrite_a: has no effect.
        check_finite: has no effect.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.hessenberg([[2.0, 1.0], [4.0, 3.0]])
        Array([[2., 1.],
               [4., 3.]])
    """
    del overwrite_a, check_finite
    h, q = hessenberg_p.bind(matrices("linalg.hessenberg", a))
    return (fnp.asarray(h), fnp.asarray(q)) if calc_q else fnp.asarray(h)
