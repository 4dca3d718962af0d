"""Linear algebra: what factors multiply to, NumPy's and SciPy's values, differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import fxla
from fxla import lax
from tests.lax.checks import agree, forms_agree, gradients_agree

la = lax.linalg
RNG = np.random.default_rng(8)
A = RNG.standard_normal((2, 4, 4))
SPD = A @ A.transpose(0, 2, 1) + 4 * np.eye(4)


def test_cholesky():
    agree(la.cholesky, np.linalg.cholesky, SPD)
    gradients_agree(la.cholesky, SPD, rtol=1e-6)
    skew = np.triu(RNG.standard_normal((2, 4, 4)), 1)
    agree(lambda x: la.cholesky(x, symmetrize_input=False), np.linalg.cholesky, SPD + skew)
    half = la.cholesky(SPD + skew - skew.transpose(0, 2, 1))
    np.testing.assert_allclose(half, np.linalg.cholesky(SPD), rtol=1e-12)


def test_eigh_and_svd():
    v, w = la.eigh(SPD)
    np.testing.assert_allclose(SPD @ v, v * w[:, None], rtol=1e-10)
    gradients_agree(lambda a: la.eigh(a)[1], SPD, rtol=1e-6)
    u, s, vh = la.svd(A[:, :3])
    assert u.shape == (2, 3, 3) and vh.shape == (2, 4, 4)
    np.testing.assert_allclose((u * s[:, None]) @ vh[:, :3], A[:, :3], atol=1e-12)
    agree(lambda a: la.svd(a, compute_uv=False), lambda a: np.linalg.svd(a, compute_uv=False), A)
    gradients_agree(lambda a: la.svd(a, compute_uv=False), A, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_eig(dtype):
    a = A[0].astype(dtype)
    if dtype == "complex128":
        a = a + 1j * A[1]
    w, left, right = la.eig(a)
    np.testing.assert_allclose(a @ right, right * w, atol=1e-12)
    np.testing.assert_allclose(left.conj().T @ a, w[:, None] * left.conj().T, atol=1e-12)
    expected, vl, _ = scipy.linalg.eig(a, left=True, right=True)
    order = [int(np.argmin(abs(expected - x))) for x in w]
    np.testing.assert_allclose(abs(left), abs(vl[:, order]), atol=1e-10)
    top = left[np.argmax(abs(left), 0), np.arange(4)]
    np.testing.assert_allclose(top.imag, 0, atol=1e-12)
    assert len(la.eig(a, compute_left_eigenvectors=False)) == 2
    assert len(la.eig(a, compute_left_eigenvectors=False, compute_right_eigenvectors=False)) == 1


def test_lu_and_its_permutation():
    factors, pivots, perm = la.lu(A)
    lower = np.tril(factors, -1) + np.eye(4)
    rows = np.take_along_axis(A, perm[..., None].astype(int), -2)
    np.testing.assert_allclose(lower @ np.triu(factors), rows, atol=1e-12)
    f = lambda p: la.lu_pivots_to_permutation(p, 4)  # noqa: E731
    agree(f, lambda p: np.asarray(perm), np.asarray(pivots))
    longer = la.lu_pivots_to_permutation(np.array([2, 4]), 5)
    np.testing.assert_array_equal(longer, [2, 4, 0, 3, 1])
    with pytest.raises(ValueError, match="do not fit"):
        la.lu_pivots_to_permutation(np.array([0, 1]), 1)


def test_householder_product_of_lapacks_qr():
    for m, n in ((5, 3), (4, 4)):
        a = RNG.standard_normal((2, m, n))
        raw = [scipy.linalg.qr(x, mode="raw")[0] for x in a]
        h, tau = (np.stack([r[k] for r in raw]) for k in range(2))
        q = np.stack([scipy.linalg.qr(x, mode="economic")[0] for x in a])
        agree(la.householder_product, lambda h, t, q=q: q, h, tau)
        gradients_agree(la.householder_product, h, tau, rtol=1e-6)
    z = a[0] + 1j * a[1]
    (h, tau), _ = scipy.linalg.qr(z, mode="raw")
    expected = scipy.linalg.qr(z, mode="economic")[0]
    np.testing.assert_allclose(la.householder_product(h, tau), expected, atol=1e-12)


def test_qr_and_symmetric_product():
    q, r = la.qr(A[:, :, :2])
    assert q.shape == (2, 4, 4) and r.shape == (2, 4, 2)
    np.testing.assert_allclose(q @ r, A[:, :, :2], atol=1e-12)
    forms_agree(lambda a: la.qr(a, full_matrices=False), A)
    f = lambda a, c: la.symmetric_product(a, c, alpha=2.0, beta=0.5)  # noqa: E731
    agree(f, lambda a, c: 2 * a @ a.transpose(0, 2, 1) + 0.5 * c, A, SPD)


@pytest.mark.parametrize("left_side", [True, False])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("transpose_a", [True, False])
def test_triangular_solve(left_side, lower, transpose_a):
    a, b = A[0] + 4 * np.eye(4), A[1]
    part = np.tril(a) if lower else np.triu(a)
    matrix = part.T if transpose_a else part

    def f(a, b):
        return la.triangular_solve(a, b, left_side=left_side, lower=lower, transpose_a=transpose_a)

    solve = lambda a, b: np.linalg.solve(matrix, b) if left_side else b @ np.linalg.inv(matrix)  # noqa: E731
    agree(f, solve, a, b, rtol=1e-11)
    gradients_agree(f, a, b, rtol=1e-6)
    vector = b[0]
    want = np.linalg.solve(matrix if left_side else matrix.T, vector)
    np.testing.assert_allclose(f(a, vector), want, rtol=1e-10)


def test_tridiagonal_solve():
    n, k = 6, 2
    dl, d, du = RNG.standard_normal((3, 2, n))
    d = d + 4 * np.sign(d)
    b = RNG.standard_normal((2, n, k))

    def dense(dl, d, du, b):
        a = np.zeros((2, n, n))
        i = np.arange(n)
        a[:, i, i], a[:, i[1:], i[:-1]], a[:, i[:-1], i[1:]] = d, dl[:, 1:], du[:, :-1]
        return np.linalg.solve(a, b)

    agree(la.tridiagonal_solve, dense, dl, d, du, b, rtol=1e-11)
    gradients_agree(la.tridiagonal_solve, dl, d, du, b, rtol=1e-6)
    one = np.ones(1)
    np.testing.assert_allclose(la.tridiagonal_solve(one, 2 * one, one, np.ones((1, 1))), [[0.5]])
    with pytest.raises(ValueError, match="three diagonals"):
        la.tridiagonal_solve(dl, d, du[:, 1:], b)


def test_fft():
    x = RNG.standard_normal((3, 4, 6))
    agree(lambda x: lax.fft(x, "RFFT", (4, 6)), np.fft.rfft2, x)
    agree(lambda x: lax.fft(x, lax.FftType.FFT, (6,)), np.fft.fft, x)
    agree(lambda x: lax.fft(x, "ifft", (4, 6)), np.fft.ifft2, x + 1j)
    z = np.fft.rfft(x)
    agree(lambda z: lax.fft(z, "IRFFT", (6,)), lambda z: np.fft.irfft(z, 6), z)
    gradients_agree(lambda x: fxla.numpy.abs(lax.fft(x, "RFFT", (6,))), x, rtol=1e-6)
    with pytest.raises(ValueError, match="lengths"):
        lax.fft(x, "RFFT", (5,))
    with pytest.raises(TypeError, match="real"):
        lax.fft(z, "RFFT", (4,))
