"""Ranks, modes, standard errors and kernel density estimates beside SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as ss

import fxla
from fxla.scipy import stats

RNG = np.random.default_rng(4)
WHOLE = RNG.integers(0, 5, (4, 7))


@pytest.mark.parametrize("method", ["average", "min", "max", "dense", "ordinal"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_ranks(method, axis):
    f = lambda x: stats.rankdata(x, method, axis=axis)  # noqa: E731
    for x in (WHOLE, np.where(WHOLE == 4, np.nan, WHOLE / 2)):
        expected = ss.rankdata(x, method, axis=axis)
        np.testing.assert_array_equal(f(x), expected)
        np.testing.assert_array_equal(fxla.jit(f)(x), expected)
    with pytest.raises(ValueError, match="unknown"):
        stats.rankdata(WHOLE, "best")


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_modes(axis, keepdims):
    f = lambda x: stats.mode(x, axis, keepdims)  # noqa: E731
    expected = ss.mode(WHOLE, axis, keepdims=keepdims)
    for got in (f(WHOLE), fxla.jit(f)(WHOLE)):
        np.testing.assert_array_equal(got.mode, expected.mode)
        np.testing.assert_array_equal(got.count, expected.count)


def test_standard_errors_and_scores():
    x = RNG.standard_normal((5, 6))
    for axis in (None, 0, 1):
        np.testing.assert_allclose(stats.sem(x, axis), ss.sem(x, axis))
        np.testing.assert_allclose(fxla.jit(lambda x, a=axis: stats.zscore(x, a))(x),
                                   ss.zscore(x, axis))  # fmt: skip


@pytest.mark.parametrize("shape", [(20,), (2, 30)])
@pytest.mark.parametrize("bandwidth", [None, "silverman", 0.4])
def test_kernel_density(shape, bandwidth):
    data = RNG.standard_normal(shape)
    weights = RNG.uniform(0.5, 2.0, shape[-1])
    ours = stats.gaussian_kde(data, bandwidth, weights)
    theirs = ss.gaussian_kde(data, bandwidth, weights)
    at = RNG.standard_normal((*shape[:-1], 6))
    np.testing.assert_allclose(ours(at), theirs(at), rtol=1e-10)
    np.testing.assert_allclose(ours.logpdf(at), theirs.logpdf(at), rtol=1e-9)
    jitted = fxla.jit(lambda d, x: stats.gaussian_kde(d, bandwidth, weights).pdf(x))
    np.testing.assert_allclose(jitted(data, at), theirs(at), rtol=1e-10)
    np.testing.assert_allclose(fxla.jit(lambda k, x: k(x))(ours, at), theirs(at), rtol=1e-10)
    d = ours.d
    np.testing.assert_allclose(ours.integrate_gaussian(np.zeros(d), np.eye(d)),
                               theirs.integrate_gaussian(np.zeros(d), np.eye(d)))  # fmt: skip
    np.testing.assert_allclose(ours.integrate_kde(ours), theirs.integrate_kde(theirs))
    if d == 1:
        np.testing.assert_allclose(ours.integrate_box_1d(-1, 0.5), theirs.integrate_box_1d(-1, 0.5))
    drawn = ours.resample(fxla.random.key(0), (20000,))
    assert drawn.shape == (d, 20000)
    np.testing.assert_allclose(np.cov(drawn), np.cov(data, aweights=weights) + ours.covariance,
                               atol=0.25)  # fmt: skip
