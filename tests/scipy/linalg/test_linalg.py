"""Linear algebra beside SciPy's, stacked and compiled, and its derivatives beside differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg as sl

import fxla
import fxla.numpy as fnp
from fxla.errors import NotDifferentiableError
from fxla.scipy import linalg as la
from tests.lax.checks import agree, gradients_agree

RNG = np.random.default_rng(3)
A = RNG.standard_normal((2, 4, 4))
S = A @ A.transpose(0, 2, 1) + 4 * np.eye(4)
C = A + 1j * A[::-1]
B = RNG.standard_normal((2, 4, 3))
N = RNG.standard_normal((4, 4))
P = N @ N.T + 4 * np.eye(4)
V = RNG.standard_normal(4)


def each(f):
    """`f` of each matrix of a stack."""
    return lambda *xs: np.stack([f(*x) for x in zip(*xs, strict=True)])


@pytest.mark.parametrize("lower", [False, True])
def test_cholesky(lower):
    agree(lambda a: la.cholesky(a, lower), each(lambda a: sl.cholesky(a, lower)), S)
    agree(lambda a, b: la.cho_solve(la.cho_factor(a, lower), b), each(np.linalg.solve), S, B)
    agree(lambda a, b: la.cho_solve(la.cho_factor(a, lower), b), np.linalg.solve, P, V)
    gradients_agree(lambda a, b: la.cho_solve(la.cho_factor(a, lower), b), S, B)
    h = C[0] @ C[0].conj().T + np.eye(4)
    np.testing.assert_allclose(la.cho_solve(la.cho_factor(h, lower), V), np.linalg.solve(h, V))


def test_lu():
    for a in (N, RNG.standard_normal((3, 5)), RNG.standard_normal((5, 3))):
        for options in ({}, {"permute_l": True}, {"p_indices": True}):
            agree(lambda a, o=options: la.lu(a, **o), lambda a, o=options: sl.lu(a, **o), a,
                  rtol=1e-10)  # fmt: skip
    factors, pivots = la.lu_factor(N)
    np.testing.assert_allclose(factors, sl.lu_factor(N)[0])
    np.testing.assert_array_equal(pivots, sl.lu_factor(N)[1])
    for trans in (0, 1, 2):
        for a, b in ((N, V), (N, B[0])):
            agree(lambda a, b, t=trans: la.lu_solve(la.lu_factor(a), b, t),
                  lambda a, b, t=trans: sl.lu_solve(sl.lu_factor(a), b, t), a, b,
                  rtol=1e-10)  # fmt: skip
    c = C[0]
    np.testing.assert_allclose(la.lu_solve(la.lu_factor(c), V, 2), np.linalg.solve(c.conj().T, V))
    gradients_agree(lambda a, b: la.lu_solve(la.lu_factor(a), b), N, V, rtol=1e-5)
    with pytest.raises(ValueError, match="trans"):
        la.lu_solve((factors, pivots), V, 3)


@pytest.mark.parametrize("trans", [0, 1, 2, "T"])
@pytest.mark.parametrize("lower", [False, True])
def test_solve_triangular(trans, lower):
    for a, b in ((P, V), (P, B[0]), (C[0] + 3 * np.eye(4), B[0] + 0j)):
        for unit in (False, True):
            agree(lambda a, b, u=unit: la.solve_triangular(a, b, trans, lower, u),
                  lambda a, b, u=unit: sl.solve_triangular(a, b, trans, lower, u), a, b,
                  rtol=1e-10)  # fmt: skip
    gradients_agree(lambda a, b: la.solve_triangular(a, b, trans, lower), P, V)


def test_solve_by_structure():
    upper = np.triu(P)
    given = {"gen": N, None: N, "sym": P, "her": P, "pos": P, "diagonal": np.diag(V),
             "upper triangular": upper, "lower triangular": upper.T}  # fmt: skip
    for kind, a in given.items():
        agree(lambda a, b, k=kind: la.solve(a, b, assume_a=k), np.linalg.solve, a, V, rtol=1e-10)
        gradients_agree(lambda b, a=a, k=kind: la.solve(a, b, assume_a=k), V, rtol=1e-5)
    for kind in ("sym", "pos"):
        for lower in (False, True):
            half = np.tril(P) if lower else np.triu(P)
            got = la.solve(half, V, lower=lower, assume_a=kind)
            np.testing.assert_allclose(got, np.linalg.solve(P, V))
    np.testing.assert_allclose(la.solve(N, V, transposed=True), np.linalg.solve(N.T, V))
    with pytest.raises(ValueError, match="structure"):
        la.solve(P, V, assume_a="round")
    with pytest.raises(ValueError, match="fit"):
        la.solve(P, V[:3])
    agree(la.det, sl.det, N)
    agree(la.inv, sl.inv, N)
    agree(la.pinv, sl.pinv, B[0], rtol=1e-10)
    np.testing.assert_allclose(la.lstsq(B[0], V)[0], sl.lstsq(B[0], V)[0])


def test_orthogonal_factors():
    for mode in ("full", "economic"):
        q, r = fxla.jit(lambda a, m=mode: la.qr(a, mode=m))(B[0])
        assert q.shape == sl.qr(B[0], mode=mode)[0].shape
        np.testing.assert_allclose(q @ r, B[0], atol=1e-12)
    np.testing.assert_allclose(np.abs(la.qr(B[0], mode="r")[0]), np.abs(sl.qr(B[0], mode="r")[0]))
    for mode, c in (("right", N), ("left", RNG.standard_normal((3, 2)))):
        got, r = la.qr_multiply(B[0], c, mode)
        q = la.qr(B[0], mode="economic")[0]
        np.testing.assert_allclose(got, c @ q if mode == "right" else q @ c)
    u, s, vh = la.svd(B[0])
    assert u.shape == (4, 4)
    np.testing.assert_allclose((u[:, :3] * s) @ vh, B[0], atol=1e-12)
    agree(la.svdvals, sl.svdvals, B[0])


@pytest.mark.parametrize("kind", [1, 2, 3])
@pytest.mark.parametrize("lower", [False, True])
def test_generalised_eigenvalues(kind, lower):
    other = S[0]
    agree(lambda a, b: la.eigh(a, b, lower, True, kind),
          lambda a, b: sl.eigh(a, b, lower=lower, eigvals_only=True, type=kind), P, other,
          rtol=1e-10)  # fmt: skip
    w, v = la.eigh(P, other, lower, type=kind)
    left = {1: P @ v, 2: P @ other @ v, 3: other @ P @ v}[kind]
    np.testing.assert_allclose(left, (other @ v if kind == 1 else v) * w, atol=1e-9)
    symmetric = lambda f: lambda a, b: f(a + a.T, b + b.T)  # noqa: E731
    gradients_agree(symmetric(lambda a, b: la.eigh(a, b, lower, True, kind)), P, other, rtol=1e-5)


def test_eigenvalues():
    w, v = la.eig(N)
    np.testing.assert_allclose(N @ v, v * w, atol=1e-12)
    np.testing.assert_allclose(np.sort(la.eigvals(N).real), np.sort(sl.eigvals(N).real))
    agree(lambda d, e: la.eigh_tridiagonal(d, e, True), lambda d, e: sl.eigvalsh_tridiagonal(d, e),
          V, V[:3], rtol=1e-11)  # fmt: skip
    got = la.eigh_tridiagonal(V, V[:3], True, "i", (1, 2))
    np.testing.assert_allclose(got, sl.eigvalsh_tridiagonal(V, V[:3], "i", (1, 2)))
    assert la.eigvalsh(P).shape == (4,)


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1.0, 10.0, 300.0])
def test_expm(scale):
    agree(la.expm, sl.expm, scale * A / 4, rtol=1e-9)
    agree(la.expm, sl.expm, scale * C / 4, rtol=1e-9)
    if scale <= 10:
        a = scale * N / 4
        gradients_agree(la.expm, a, rtol=1e-6)
        agree(la.expm_frechet, sl.expm_frechet, a, P, rtol=1e-9)
    assert np.isnan(la.expm(np.eye(2) * 1e9)).all()


def test_roots_and_functions():
    np.testing.assert_allclose(la.sqrtm(P), sl.sqrtm(P), rtol=1e-10, atol=1e-12)
    for f in (la.sqrtm, fxla.jit(la.sqrtm), fxla.jit(fxla.vmap(la.sqrtm))):
        root = f(S)
        np.testing.assert_allclose(root @ root, S, atol=1e-10)
    np.testing.assert_allclose(la.sqrtm(N) @ la.sqrtm(N), N, atol=1e-10)
    gradients_agree(lambda a: fnp.real(la.sqrtm(a)), P, rtol=1e-5)
    np.testing.assert_allclose(la.funm(N, fnp.exp), sl.expm(N), atol=1e-10)
    assert la.funm(N, fnp.exp, disp=False)[1] < 1e-12
    gradients_agree(lambda a: fnp.real(la.funm(a, fnp.sin)), N, rtol=1e-4)


def test_sylvester_equations():
    b, q = RNG.standard_normal((3, 3)), RNG.standard_normal((4, 3))
    agree(la.solve_sylvester, sl.solve_sylvester, P, b, q, rtol=1e-9)
    gradients_agree(la.solve_sylvester, P, b, q, rtol=1e-5)


def test_polar_schur_and_hessenberg():
    for side in ("right", "left"):
        agree(lambda a, s=side: la.polar(a, s), lambda a, s=side: sl.polar(a, s), N, rtol=1e-9)
        agree(lambda a, s=side: la.polar(a, s), lambda a, s=side: sl.polar(a, s), B[0], rtol=1e-9)
    for output in ("real", "complex"):
        for f in (la.schur, fxla.jit(la.schur, static_argnums=1)):
            t, z = f(N, output)
            np.testing.assert_allclose(z @ t @ z.conj().T, N, atol=1e-12)
            np.testing.assert_allclose(np.tril(t, -2 if output == "real" else -1), 0, atol=1e-14)
    t, z = la.rsf2csf(*la.schur(N))
    np.testing.assert_allclose(z @ t @ z.conj().T, N, atol=1e-12)
    h, q = fxla.jit(lambda a: la.hessenberg(a, calc_q=True))(A)
    np.testing.assert_allclose(q @ h @ q.transpose(0, 2, 1), A, atol=1e-12)
    np.testing.assert_allclose(np.tril(h, -2), 0, atol=1e-14)
    with pytest.raises(NotDifferentiableError, match="schur"):
        fxla.grad(lambda a: la.schur(a)[0].sum())(N)


def test_matrices_of_a_structure():
    c, r = np.array([1.0, 2.0, 3.0]), np.array([9.0, 4.0, 5.0, 6.0])
    agree(la.toeplitz, sl.toeplitz, c)
    agree(la.toeplitz, sl.toeplitz, c, r)
    agree(la.toeplitz, sl.toeplitz, c + 1j)
    agree(la.circulant, sl.circulant, c)
    agree(la.hankel, sl.hankel, c)
    agree(la.hankel, sl.hankel, c, r)
    agree(la.companion, sl.companion, r)
    agree(la.fiedler, sl.fiedler, r)
    for n in range(2, 7):
        agree(la.fiedler_companion, sl.fiedler_companion, np.arange(1.0, n + 1) ** 2)
    agree(la.leslie, sl.leslie, c, c[:2])
    agree(la.block_diag, sl.block_diag, B[0], c, N)
    for mode in ("full", "same", "valid"):
        for n in (1, 2, 3, 6):
            agree(lambda a, n=n, m=mode: la.convolution_matrix(a, n, m),
                  lambda a, n=n, m=mode: sl.convolution_matrix(a, n, m), c)  # fmt: skip
    gradients_agree(la.toeplitz, c, r)
    gradients_agree(lambda a, b: la.block_diag(a, b), B[0], N)
    for scale in (None, "n", "sqrtn"):
        np.testing.assert_array_equal(la.dft(5, scale), sl.dft(5, scale))
    for name in ("hadamard", "helmert", "hilbert", "invhilbert"):
        np.testing.assert_array_equal(getattr(la, name)(4), getattr(sl, name)(4))
    for kind in ("symmetric", "lower", "upper"):
        np.testing.assert_allclose(la.pascal(4, kind), sl.pascal(4, kind))
        np.testing.assert_allclose(la.invpascal(4, kind), sl.invpascal(4, kind))


def test_every_name_is_documented():
    for name in la.__all__:
        thing = getattr(la, name)
        assert thing.__doc__ and (name == "LinAlgError" or ">>> " in thing.__doc__), name
