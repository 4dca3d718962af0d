# ruff: noqa: B023 - every lambda is called in the iteration that makes it
"""Linear algebra: as NumPy's, and with derivatives that are right at singular matrices too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.numpy import linalg as L
from tests.numpy.agreement import agree, assert_same, check_gradient, grad, same_error, traced

RNG = np.random.default_rng(0)
DTYPES = ["float32", "float64", "complex64", "complex128"]


def made(*shape: int, dtype: str = "float64") -> Any:
    x = RNG.standard_normal(shape)
    if dtype.startswith("complex"):
        x = x + 1j * RNG.standard_normal(shape)
    return x.astype(dtype)


def positive(n: int, *lead: int, dtype: str = "float64") -> Any:
    x = made(*lead, n, n, dtype=dtype)
    return x @ np.conj(np.swapaxes(x, -1, -2)) + n * np.eye(n, dtype=dtype)


def both(name: str, *args: Any, tolerance: float | None = None, **options: Any) -> None:
    agree(
        lambda *a: getattr(L, name)(*a, **options),
        lambda *a: getattr(np.linalg, name)(*a, **options),
        *args,
        tolerance=tolerance,
    )


def loose(dtype: str) -> float:
    return 1e-3 if dtype in ("float32", "complex64") else 1e-9


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_systems_and_determinants(dtype: str, lead: tuple[int, ...]) -> None:
    a, t = positive(3, *lead, dtype=dtype), loose(dtype)
    both("inv", a, tolerance=t)
    both("det", a, tolerance=t)
    both("slogdet", a, tolerance=t)
    both("slogdet", -a, tolerance=t)
    both("solve", a, made(*lead, 3, 2, dtype=dtype), tolerance=t)
    both("solve", a, made(3, dtype=dtype), tolerance=t)
    both("cholesky", a, tolerance=t)
    both("cholesky", a, upper=True, tolerance=t)
    both("pinv", made(*lead, 3, 2, dtype=dtype), tolerance=t)
    both("matrix_rank", a)
    both("svdvals", made(*lead, 3, 2, dtype=dtype), tolerance=t)
    both("eigvalsh", a, tolerance=t)
    both("eigvalsh", a, UPLO="U", tolerance=t)
    for n in (-2, 0, 1, 2, 5):
        both("matrix_power", a / 3, n=n, tolerance=t)
    for p in (None, 2, -2, 1, -1, np.inf, -np.inf, "fro"):
        both("cond", a, p=p, tolerance=10 * t)


def test_broadcast_systems() -> None:
    both("solve", positive(3, 2, 1), made(4, 3, 2), tolerance=1e-9)
    both("solve", positive(3, 2), made(3, 5), tolerance=1e-9)
    both("solve", positive(3, 2), made(2, 3, 1), tolerance=1e-9)
    both("solve", np.array([[2, 1], [1, 3]]), np.array([1, 2]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_factorisations_put_together(dtype: str) -> None:
    t = loose(dtype)
    for shape in ((3, 3), (4, 2), (2, 4), (5, 3, 2)):
        a = made(*shape, dtype=dtype)
        for full in (False, True):
            u, s, vh = traced(lambda x: tuple(L.svd(x, full_matrices=full)), a)
            want = np.linalg.svd(a, full_matrices=full)
            assert_same(s, want.S, tolerance=t)
            assert u.shape == want.U.shape and vh.shape == want.Vh.shape
            k = s.shape[-1]
            again = (u[..., :k] * s[..., None, :]) @ vh[..., :k, :]
            np.testing.assert_allclose(again, a, atol=t)
        for mode in ("reduced", "complete"):
            q, r = traced(lambda x: tuple(L.qr(x, mode)), a)
            want_qr = np.linalg.qr(a, mode)
            assert q.shape == want_qr.Q.shape and r.shape == want_qr.R.shape
            np.testing.assert_allclose(q @ r, a, atol=t)
        assert_same(traced(lambda x: L.qr(x, "r"), a), np.linalg.qr(a, "r"), tolerance=t)
    h = positive(3, 2, dtype=dtype) - 4 * np.eye(3, dtype=dtype)
    w, v = traced(lambda x: tuple(L.eigh(x)), h)
    np.testing.assert_allclose(h @ v, v * w[..., None, :].astype(dtype), atol=10 * t)
    u, s, vh = traced(lambda x: tuple(L.svd(x, hermitian=True)), h)
    np.testing.assert_allclose((u * s[..., None, :].astype(dtype)) @ vh, h, atol=10 * t)
    assert_same(s, np.linalg.svd(h, compute_uv=False), tolerance=t)
    both("svd", h, compute_uv=False, hermitian=True, tolerance=t)
    a = made(3, 3, dtype=dtype)
    w, v = traced(lambda x: tuple(L.eig(x)), a)
    np.testing.assert_allclose(a @ np.asarray(v), v * w, atol=10 * t)
    np.testing.assert_allclose(
        np.sort_complex(traced(L.eigvals, a)), np.sort_complex(np.linalg.eigvals(a)), atol=10 * t
    )


def test_results_are_numpys_named_tuples() -> None:
    a = positive(3)
    for name in ("svd", "qr", "eigh", "eig", "slogdet"):
        found: list[Any] = []
        traced(lambda x: found.append(getattr(L, name)(x)) or [0.0], a)
        assert type(found[0]) is type(getattr(np.linalg, name)(a))


def test_integers_are_computed_in_float64() -> None:
    a = np.array([[2, 1], [1, 3]])
    for name in ("inv", "det", "cholesky", "eigvalsh", "svdvals", "norm"):
        both(name, a)
    both("matrix_power", a, n=3)
    both("matrix_power", a, n=-1)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex128", "int32"])
def test_norms(dtype: str) -> None:
    x = (made(3, 4, 5) * 3).astype(dtype) if dtype != "complex128" else made(3, 4, 5, dtype=dtype)
    t = 5e-3 if dtype == "float16" else loose(dtype)
    both("norm", x, tolerance=t)
    for order in (None, 2, 1, 3, 0.5, 0, -1, -2, np.inf, -np.inf):
        both("norm", x[0, 0], ord=order, tolerance=t)
        both("norm", np.abs(x) + 1, ord=order, axis=1, keepdims=True, tolerance=t)
        if order is not None:
            both("vector_norm", x, ord=order, axis=(0, 2), tolerance=t)
            both("vector_norm", x, ord=order, keepdims=True, tolerance=t)
    for order in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        if dtype == "float16" and order in ("nuc", 2, -2):
            continue  # NumPy has no singular values of float16
        both("norm", x[0], ord=order, tolerance=t)
        both("norm", x, ord=order, axis=(2, 0), keepdims=True, tolerance=t)
        if order is not None:
            both("matrix_norm", x, ord=order, tolerance=t)


def test_norm_errors() -> None:
    x = made(3, 4)
    for case in (
        {"ord": "x"},
        {"ord": 3},
        {"axis": (0, 0)},
        {"axis": 2},
        {"ord": "fro", "axis": 0},
        {"axis": (0, 1, 2)},
    ):
        same_error(lambda a: L.norm(a, **case), lambda a: np.linalg.norm(a, **case), x)
    same_error(lambda a: L.norm(a, 1), lambda a: np.linalg.norm(a, 1), made(2, 2, 2))


def test_other_functions() -> None:
    a, b, c, d = made(3), made(3, 5), made(5, 2), made(2)
    agree(lambda *x: L.multi_dot(x), lambda *x: np.linalg.multi_dot(x), a, b, c, d)
    agree(lambda *x: L.multi_dot(x), lambda *x: np.linalg.multi_dot(x), b, c)
    agree(
        lambda *x: L.multi_dot(x), lambda *x: np.linalg.multi_dot(x), b, c, made(2, 6), made(6, 4)
    )
    both("tensorinv", made(6, 2, 3), ind=1, tolerance=1e-9)
    both("tensorsolve", made(2, 3, 6), made(2, 3), tolerance=1e-8)
    both("tensorsolve", made(2, 6, 3), made(2, 3), axes=(1,), tolerance=1e-8)
    both("outer", a, d)
    both("cross", made(4, 3), made(4, 3))
    both("diagonal", made(2, 3, 4), offset=1)
    both("trace", made(2, 3, 4), offset=1)
    both("matrix_transpose", made(2, 3, 4))
    both("matmul", b, c)
    both("tensordot", b, c, axes=1)
    both("vecdot", a, a)
    both("matrix_rank", np.zeros(3))
    both("matrix_rank", made(4, 3), tol=0.5)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)])
def test_least_squares(shape: tuple[int, int]) -> None:
    a = made(*shape)
    both("lstsq", a, made(shape[0]), tolerance=1e-9)
    both("lstsq", a, made(shape[0], 2), tolerance=1e-9)
    rank_one = np.outer(made(shape[0]), made(shape[1]))
    x, _, rank, s = traced(L.lstsq, rank_one, np.ones(shape[0]))
    want = np.linalg.lstsq(rank_one, np.ones(shape[0]))
    np.testing.assert_allclose(x, want[0], atol=1e-12)
    np.testing.assert_allclose(s, want[3], atol=1e-12)
    assert int(rank) == 1
    both("pinv", rank_one, rcond=1e-10, tolerance=1e-9)


def test_errors() -> None:
    for name in ("inv", "det", "slogdet", "cholesky", "eigh", "eigvals", "eig", "eigvalsh"):
        same_error(getattr(L, name), getattr(np.linalg, name), made(2, 3))
        same_error(getattr(L, name), getattr(np.linalg, name), made(3))
        same_error(getattr(L, name), getattr(np.linalg, name), np.eye(2, dtype=np.float16))
    for name in ("qr", "svd", "pinv"):
        same_error(getattr(L, name), getattr(np.linalg, name), made(3))
    same_error(L.solve, np.linalg.solve, made(3, 3), made(2))
    same_error(L.solve, np.linalg.solve, made(2, 3), made(2))
    same_error(L.tensorsolve, np.linalg.tensorsolve, made(2, 3), made(2))
    same_error(lambda a: L.eigh(a, "x"), lambda a: np.linalg.eigh(a, "x"), np.eye(2))
    same_error(lambda a: L.qr(a, "x"), lambda a: np.linalg.qr(a, "x"), np.eye(2))
    same_error(
        lambda a: L.matrix_power(a, 0.5), lambda a: np.linalg.matrix_power(a, 0.5), np.eye(2)
    )
    with pytest.raises(np.linalg.LinAlgError):
        L.inv(np.zeros((2, 2)))


A = positive(3) / 4 + made(3, 3) / 4
B = made(3, 2)


@pytest.mark.parametrize(
    "f",
    [
        L.inv,
        L.det,
        lambda a: L.det(a[None] * np.array([1.0, 2.0])[:, None, None]),
        lambda a: L.slogdet(a)[1],
        lambda a: L.solve(a, B),
        lambda a: L.solve(a, B[:, 0]),
        lambda a: L.cholesky(a @ a.T),
        lambda a: L.cholesky(a @ a.T, upper=True),
        lambda a: L.pinv(a[:, :2]),
        lambda a: L.pinv(a[:2]),
        lambda a: L.lstsq(a[:, :2], B)[:2],
        lambda a: L.lstsq(a[:2], B[:2])[0],
        lambda a: L.eigvalsh(a + a.T),
        lambda a: L.svdvals(a[:, :2]),
        lambda a: L.svd(a, compute_uv=False, hermitian=False),
        lambda a: tuple(L.qr(a)),
        lambda a: L.qr(a[:, :2], "r"),
        lambda a: L.matrix_power(a, 3),
        lambda a: L.matrix_power(a, -2),
        lambda a: L.multi_dot([a, B, B.T, a]),
        lambda a: L.norm(a, "nuc"),
        lambda a: L.norm(a, 2),
        lambda a: L.norm(a, 1),
        lambda a: L.norm(a, 3, axis=0),
        lambda a: L.cond(a),
        lambda a: L.cond(a, 1),
        lambda a: L.tensorinv(a, 1),
        lambda a: abs(L.eigvals(a)),
    ],
)
def test_gradients(f: Any) -> None:
    check_gradient(f, A, tolerance=2e-5)


def test_second_derivative_of_the_determinant() -> None:
    check_gradient(lambda a: grad(L.det)(a), A, tolerance=1e-4)


@pytest.mark.parametrize(
    "a",
    [
        np.diag([1.0, 2.0, 0.0]),
        np.array([[0.0, 1.0], [0.0, 0.0]]),
        np.outer([1.0, 2.0, 3.0], [1.0, -1.0, 2.0]),
        np.zeros((2, 2)),
        np.zeros((1, 1)),
    ],
)
def test_gradient_of_the_determinant_of_a_singular_matrix(a: Any) -> None:
    check_gradient(L.det, a, tolerance=1e-6)


def test_gradient_of_a_stack_in_which_one_matrix_is_singular() -> None:
    a = np.stack([np.diag([1.0, 0.0]), np.eye(2), np.array([[1.0, 2.0], [2.0, 4.0]])])
    check_gradient(L.det, a, tolerance=1e-6)


def test_complex_determinant_is_holomorphic() -> None:
    z = made(3, 3, dtype="complex128")
    for a in (z, np.outer(z[0], z[1]) + np.diag([0, 0, 1])):
        got = grad(L.det, holomorphic=True)(a)
        step = 1e-6
        for i, j in np.ndindex(3, 3):
            e = np.zeros((3, 3))
            e[i, j] = step
            slope = (np.linalg.det(a + e) - np.linalg.det(a - e)) / (2 * step)
            np.testing.assert_allclose(got[i, j], slope, atol=1e-7)


def test_gradients_of_norms_at_zero_are_zero() -> None:
    for order in (None, 1, 2, 3, 1.5, 0.5, np.inf):
        np.testing.assert_array_equal(grad(lambda x: L.norm(x, order))(np.zeros(3)), np.zeros(3))
    np.testing.assert_array_equal(grad(L.norm)(np.zeros((2, 2))), np.zeros((2, 2)))


def test_gradient_of_eigenvalues_that_are_equal() -> None:
    assert_same(grad(lambda a: L.eigvalsh(a).sum())(np.eye(3)), np.eye(3))
    assert np.isfinite(np.asarray(grad(lambda a: L.norm(a, "nuc"))(np.eye(3)))).all()


def test_gradient_of_least_squares_with_orthogonal_columns() -> None:
    check_gradient(lambda a, b: L.lstsq(a, b)[0], np.eye(4)[:, :2], made(4), tolerance=1e-5)
