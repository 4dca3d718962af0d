"""Softmax and its relatives: SciPy's values, differences, extremes, masks, empty rows."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import fxla
import fxla.numpy as fnp
from fxla import nn
from tests.lax.checks import agree, forms_agree, gradients_agree

X = np.random.default_rng(0).standard_normal((4, 5)) * 3
MASK = np.array([[1, 0, 1, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 1, 0], [1, 0, 0, 0, 1]], bool)
INF = np.inf


@pytest.mark.parametrize("axis", [-1, 0, (0, 1), None])
def test_values(axis):
    agree(lambda x: nn.softmax(x, axis), lambda x: scipy.special.softmax(x, axis), X)
    agree(lambda x: nn.log_softmax(x, axis), lambda x: scipy.special.log_softmax(x, axis), X)
    agree(
        lambda x: nn.logsumexp(x, axis), lambda x: np.asarray(scipy.special.logsumexp(x, axis)), X
    )
    agree(
        lambda x: nn.logmeanexp(x, axis),
        lambda x: np.asarray(np.log(np.mean(np.exp(x), axis=axis))), X,
    )  # fmt: skip
    agree(
        lambda x: nn.standardize(x, axis),
        lambda x: (x - x.mean(axis, keepdims=True))
        / np.sqrt(x.var(axis, keepdims=True) + 1e-5), X,
    )  # fmt: skip


@pytest.mark.parametrize("axis", [-1, 0, None])
def test_derivatives(axis):
    for f in (nn.softmax, nn.log_softmax, nn.logsumexp, nn.logmeanexp, nn.standardize):
        gradients_agree(lambda x, f=f: f(x, axis), X, rtol=1e-7)


def test_second_derivatives():
    w = np.arange(5.0)
    for f in (nn.softmax, nn.log_softmax, nn.standardize):
        gradients_agree(fxla.grad(lambda x, f=f: (f(x) * w).sum()), X[0], rtol=1e-6)
    gradients_agree(fxla.grad(nn.logsumexp), X[0], rtol=1e-6)


@pytest.mark.parametrize("f", [nn.softmax, nn.log_softmax])
def test_masks_leave_elements_out(f):
    masked = f(X, where=MASK)
    for row, keep, out in zip(X, MASK, masked, strict=True):
        np.testing.assert_allclose(out[keep], f(row[keep]), rtol=1e-13)
        assert (out[~keep] == (0 if f is nn.softmax else -INF)).all()
    forms_agree(lambda x: f(x, where=MASK), X)
    finite = fnp.where(MASK, 1.0, 0.0)
    keep = lambda x: fnp.where(MASK, f(x, where=MASK), 0) * finite  # noqa: E731
    gradients_agree(keep, X, rtol=1e-7)


def test_masks_of_sums_and_moments():
    for f in (nn.logsumexp, nn.logmeanexp):
        out = f(X, axis=-1, where=MASK)
        for row, keep, v in zip(X, MASK, out, strict=True):
            np.testing.assert_allclose(v, f(row[keep]), rtol=1e-13)
        gradients_agree(lambda x, f=f: f(x, axis=-1, where=MASK), X, rtol=1e-7)
    out = nn.standardize(X, where=MASK, epsilon=0.1)
    for row, keep, v in zip(X, MASK, out, strict=True):
        kept = row[keep]
        np.testing.assert_allclose(v, (row - kept.mean()) / np.sqrt(kept.var() + 0.1), rtol=1e-12)
    gradients_agree(lambda x: nn.standardize(x, where=MASK, epsilon=0.1), X, rtol=1e-7)


def test_standardize_takes_moments():
    out = nn.standardize(X, mean=1.0, variance=4.0, epsilon=0.0)
    np.testing.assert_allclose(out, (X - 1) / 2)
    big = 1e8 + np.array([0.0, 1.0, 2.0])  # the mean of squares less the squared mean would be 0
    np.testing.assert_allclose(nn.standardize(big, epsilon=0.0), [-(1.5**0.5), 0, 1.5**0.5])


def test_extremes():
    for dtype in (np.float32, np.float64):
        x = np.array([-1e4, 0.0, 1e4, 1e4], dtype)
        for f in (nn.softmax, nn.log_softmax, nn.logsumexp, nn.logmeanexp):
            for g in (f, fxla.jit(f)):
                assert np.isfinite(g(x)).all() and g(x).dtype == dtype
            slope = fxla.jit(fxla.grad(lambda x, f=f: f(x).sum()))(x)
            assert np.isfinite(slope).all()
    np.testing.assert_allclose(nn.logsumexp(np.array([1e4, 1e4])), 1e4 + np.log(2))


def test_minus_infinity():
    x = np.array([-INF, 0.0, np.log(3.0)])
    np.testing.assert_allclose(nn.softmax(x), [0, 0.25, 0.75])
    np.testing.assert_allclose(nn.log_softmax(x), [-INF, np.log(0.25), np.log(0.75)])
    for f in (lambda x: nn.softmax(x)[2], nn.logsumexp, lambda x: nn.log_softmax(x)[2]):
        for g in (fxla.grad(f), fxla.jit(fxla.grad(f))):
            assert np.isfinite(g(x)).all()
            assert g(x)[0] == 0
    nothing = np.full((2, 3), -INF)
    for f in (nn.logsumexp, fxla.jit(nn.logsumexp)):
        assert f(nothing) == -INF
        np.testing.assert_array_equal(fxla.grad(f)(nothing), np.zeros((2, 3)))


def test_rows_without_elements():
    none = np.zeros((4, 5), bool)
    assert (nn.softmax(X, where=none) == 0).all()
    assert (nn.logsumexp(X, axis=1, where=none) == -INF).all()
    for f in (nn.softmax, nn.logsumexp):
        slope = fxla.jit(fxla.grad(lambda x, f=f: fnp.sum(f(x, where=none))))
        np.testing.assert_array_equal(slope(X) * 0, np.zeros(X.shape))
    slope = fxla.grad(lambda x: fnp.where(none, nn.log_softmax(x, where=none), 0).sum())(X)
    np.testing.assert_array_equal(slope, np.zeros(X.shape))
    assert nn.logsumexp(np.zeros((0,))) == -INF


def test_factors_and_signs():
    b = np.random.default_rng(1).standard_normal((4, 5))
    forms = lambda x, b: nn.logsumexp(x, 1, b=b, return_sign=True)  # noqa: E731
    agree(forms, lambda x, b: scipy.special.logsumexp(x, 1, b=b, return_sign=True), X, b)
    gradients_agree(lambda x, b: forms(x, b)[0], X, b, rtol=1e-6)
    with np.errstate(invalid="ignore"):
        assert np.isnan(nn.logsumexp(np.array([0.0]), b=-1.0))
    assert nn.logsumexp(np.array([INF, 1.0]), b=np.array([0.0, 2.0])) == 1 + np.log(2)
    kept = nn.logsumexp(X, 1, keepdims=True)
    assert kept.shape == (4, 1)


def test_low_precision_keeps_its_dtype():
    x = fnp.asarray(X).astype("bfloat16")
    for f in (nn.softmax, nn.log_softmax, nn.standardize, nn.logsumexp, nn.logmeanexp):
        assert f(x).dtype == x.dtype and fxla.jit(f)(x).dtype == x.dtype, f
