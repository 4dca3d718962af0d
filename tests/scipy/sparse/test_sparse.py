"""Sparse matrices beside dense ones and SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as ss

import fxla
from fxla.scipy import sparse

RNG = np.random.default_rng(0)
THEIRS = ss.random_array((7, 5), density=0.4, rng=RNG)
DENSE = THEIRS.toarray()
X, MATRIX, LEFT = RNG.standard_normal(5), RNG.standard_normal((5, 3)), RNG.standard_normal(7)
MAKERS = [sparse.coo_array, sparse.csr_array, sparse.csc_array]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("source", [THEIRS, THEIRS.tocsr(), THEIRS.tocsc(), DENSE])
def test_products(make, source):
    a = make(source)
    assert a.shape == (7, 5) and a.nnz == THEIRS.nnz and sparse.issparse(a)
    for f in (lambda a, x: a @ x, fxla.jit(lambda a, x: a @ x)):
        np.testing.assert_allclose(f(a, X), DENSE @ X)
        np.testing.assert_allclose(f(a, MATRIX), DENSE @ MATRIX)
    for f in (lambda x, a: x @ a, fxla.jit(lambda x, a: x @ a)):
        np.testing.assert_allclose(f(LEFT, a), LEFT @ DENSE)
        np.testing.assert_allclose(f(LEFT[None], a), LEFT[None] @ DENSE)
    np.testing.assert_allclose(fxla.jit(lambda a: a @ X)(a), DENSE @ X)
    np.testing.assert_allclose(a.T @ LEFT, DENSE.T @ LEFT)
    np.testing.assert_allclose(a @ a.T, DENSE @ DENSE.T)
    np.testing.assert_allclose(fxla.vmap(lambda x: a @ x)(MATRIX.T), (DENSE @ MATRIX).T)
    with pytest.raises(ValueError, match="fit"):
        _ = a @ LEFT


@pytest.mark.parametrize("make", MAKERS)
def test_forms_and_arithmetic(make):
    a = make(THEIRS)
    for kind in ("coo", "csr", "csc"):
        other = fxla.jit(lambda a, k=kind: getattr(a, f"to{k}")())(a)
        np.testing.assert_allclose(other.todense(), DENSE)
    np.testing.assert_allclose(a.T.todense(), DENSE.T)
    for got, want in (((a + a).todense(), 2 * DENSE), ((3 * a - a / 2).todense(), 2.5 * DENSE),
                      (a * DENSE.T.T, None), (a + DENSE, 2 * DENSE), (DENSE - a, 0 * DENSE),
                      (a.diagonal(), DENSE.diagonal()), (a.sum(), DENSE.sum()),
                      (a.sum(0), DENSE.sum(0)), (a.sum(1), DENSE.sum(1))):  # fmt: skip
        if want is not None:
            np.testing.assert_allclose(got, want, atol=1e-14)
    np.testing.assert_allclose((a * DENSE).todense(), DENSE**2)
    assert type(a + a) is type(a) and a.astype("float32").dtype == np.float32


@pytest.mark.parametrize("make", MAKERS)
def test_derivatives(make):
    a = make(THEIRS)
    rows, columns = (np.asarray(v) for v in a.coordinates())
    by_matrix = 2 * (DENSE @ X)[:, None] * X
    for wrap in (lambda f: f, fxla.jit):
        got = wrap(fxla.grad(lambda d, x: ((a._like(d) @ x) ** 2).sum()))(a.data, X)
        np.testing.assert_allclose(got, by_matrix[rows, columns])
        got = wrap(fxla.grad(lambda x: ((a @ x) ** 2).sum()))(X)
        np.testing.assert_allclose(got, 2 * DENSE.T @ (DENSE @ X))
    _, tangent = fxla.jvp(lambda d: a._like(d) @ X, (a.data,), (np.ones(a.nnz),))
    np.testing.assert_allclose(tangent, (DENSE != 0) @ X)


def test_duplicates_add_up():
    data, places = [1.0, 2.0, 3.0, 4.0], ([0, 1, 1, 0], [0, 1, 1, 2])
    for make in MAKERS:
        a = make((data, places), (2, 3))
        np.testing.assert_array_equal(a.todense(), [[1.0, 0.0, 4.0], [0.0, 5.0, 0.0]])
        np.testing.assert_array_equal(a @ np.ones(3), [5.0, 5.0])
    assert sparse.coo_array((data, places)).shape == (2, 3)


def test_triplets_of_pointers():
    csr, csc = THEIRS.tocsr(), THEIRS.tocsc()
    for make, s in ((sparse.csr_array, csr), (sparse.csc_array, csc)):
        a = make((s.data, s.indices, s.indptr), (7, 5))
        np.testing.assert_allclose(a.todense(), DENSE)
    assert sparse.csr_array((csr.data, csr.indices, csr.indptr)).shape[0] == 7
