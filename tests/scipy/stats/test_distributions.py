"""Distributions beside SciPy's, in the tails and outside the support, and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as ss

import fxla
from fxla.scipy import stats
from tests.scipy.checks import slopes_agree

X = np.array([-30.0, -3.0, -1.0, -0.5, 0.0, 0.3, 0.9, 1.0, 1.5, 3.0, 7.0, 30.0, np.nan])
Q = np.array([-0.1, 0.0, 1e-10, 0.01, 0.3, 0.5, 0.9, 0.999, 1.0, 1.2, np.nan])
SHAPES = {
    "norm": [()], "uniform": [()], "expon": [()], "gamma": [(0.5,), (3.0,)],
    "chi2": [(1.0,), (4.0,)], "beta": [(0.5, 2.0), (3.0, 1.0)], "cauchy": [()], "laplace": [()],
    "logistic": [()], "gumbel_r": [()], "gumbel_l": [()], "gennorm": [(0.7,), (3.0,)],
    "pareto": [(2.0,)], "t": [(1.5,), (10.0,)], "halfnorm": [()], "lognorm": [(0.7,)],
    "truncnorm": [(-1.0, 2.0), (2.0, 5.0), (-np.inf, 0.5), (-6.0, -4.0)], "invgamma": [(2.5,)],
    "weibull_min": [(1.5,)], "vonmises": [(2.0,)], "wrapcauchy": [(0.3,)],
}  # fmt: skip
METHODS = ["logpdf", "pdf", "cdf", "sf", "logcdf", "logsf", "ppf", "isf"]
CASES = [
    (name, shapes, method)
    for name, given in SHAPES.items()
    for shapes in given
    for method in METHODS
    if name not in ("vonmises", "wrapcauchy") or "pdf" in method
]


def _points(name, method):
    if method in ("ppf", "isf"):
        # SciPy loses the digits of the smallest quantiles of these
        return Q[np.abs(Q) != 1e-10] if name in ("beta", "halfnorm") else Q
    return X[4:10] if name == "vonmises" else X


@pytest.mark.parametrize(("name", "shapes", "method"), CASES)
def test_values_are_scipys(name, shapes, method):
    f, oracle = getattr(getattr(stats, name), method), getattr(getattr(ss, name), method)
    x = _points(name, method)
    for place in ((), (0.5, 2.0)):
        with np.errstate(all="ignore"):
            expected = oracle(x, *shapes, *place)
        for g in (f, fxla.jit(f), fxla.jit(fxla.vmap(f, (0, *[None] * len(shapes + place))))):
            np.testing.assert_allclose(g(x, *shapes, *place), expected, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize(("name", "shapes", "method"), CASES)
def test_slopes_are_differences(name, shapes, method):
    if shapes == (-np.inf, 0.5):
        return
    f = getattr(getattr(stats, name), method)
    ranges = {"beta": (0, 1), "uniform": (0, 1), "pareto": (1, 4), "truncnorm": shapes}
    low, high = ranges.get(name, (0.1, 3.0))
    inner = low + (high - low) * np.array([0.17, 0.52, 0.83])
    x = np.array([0.13, 0.42, 0.87]) if method in ("ppf", "isf") else 0.5 + 2 * inner
    slopes_agree(f, x, *shapes, 0.5, 2.0, rtol=5e-6)


def test_slopes_outside_the_support_are_zero():
    for name in ("gamma", "beta", "pareto", "expon", "uniform", "lognorm"):
        d, shapes = getattr(stats, name), SHAPES[name][0]
        for method in ("logpdf", "pdf", "cdf", "logsf"):
            assert fxla.grad(getattr(d, method))(-3.0, *shapes) == 0.0, (name, method)


def test_parameters_that_make_no_sense_give_nan():
    for name, given in SHAPES.items():
        d = getattr(stats, name)
        for args in ((*given[0], 0.0, -1.0), *([(-1.0, 0.0, 1.0)] if len(given[0]) == 1 else [])):
            assert np.isnan(d.logpdf(0.5, *args)), (name, args)


def test_keywords_and_dtypes():
    d = stats.gamma
    assert d.logpdf(2.0, a=3.0, scale=2.0) == d.logpdf(2.0, 3.0, 0.0, 2.0)
    assert stats.norm.cdf(np.float32(0.3)).dtype == np.float32
    assert fxla.jit(stats.norm.ppf)(np.ones(2, np.float32)).dtype == np.float32
    assert stats.norm.pdf(3).dtype == np.float64
    with pytest.raises(TypeError):
        d.logpdf(2.0)
    with pytest.raises(TypeError):
        d.logpdf(2.0, 3.0, mean=1.0)


K = np.array([-1.0, 0.0, 1.0, 2.0, 2.5, 3.0, 7.0, 8.0, 20.0, np.nan])
COUNTS = {
    "bernoulli": (0.3,), "binom": (7, 0.3), "betabinom": (7, 2.0, 3.0), "geom": (0.3,),
    "nbinom": (4, 0.3), "poisson": (3.0,),
}  # fmt: skip
COUNTED = [(n, m) for n in COUNTS for m in ("logpmf", "pmf", "cdf", "sf")
           if n != "betabinom" or "pmf" in m]  # fmt: skip


@pytest.mark.parametrize(("name", "method"), COUNTED)
def test_counts_are_scipys(name, method):
    f, oracle = getattr(getattr(stats, name), method), getattr(getattr(ss, name), method)
    shapes = COUNTS[name]
    for place in ((), (1,)):
        with np.errstate(all="ignore"):
            expected = oracle(K, *shapes, *place)
        for g in (f, fxla.jit(f)):
            np.testing.assert_allclose(g(K, *shapes, *place), expected, rtol=1e-10)
    k = np.array([0.0, 1.0] if name == "bernoulli" else [1.0, 2.0, 3.0])
    slopes_agree(lambda p: f(k, *shapes[:-1], p), np.full(k.shape, shapes[-1]))


def test_quantiles_of_counts():
    q = np.array([-0.1, 0.0, 0.2, 0.7, 0.71, 1.0, np.nan])
    np.testing.assert_allclose(stats.bernoulli.ppf(q, 0.3), ss.bernoulli.ppf(q, 0.3))
    inner = q[2:5]
    np.testing.assert_allclose(stats.geom.ppf(inner, 0.3), ss.geom.ppf(inner, 0.3))


def test_entropy_of_poisson():
    mean = np.array([0.0, 0.3, 4.0, 99.0, 101.0, 3000.0])
    expected = [ss.poisson(m).entropy() if m else 0.0 for m in mean]
    np.testing.assert_allclose(stats.poisson.entropy(mean), expected, rtol=1e-8)


def test_normal_vectors():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((3, 3))
    cov, mean = a @ a.T + np.eye(3), rng.standard_normal(3)
    x = rng.standard_normal((5, 3))
    f, oracle = stats.multivariate_normal.logpdf, ss.multivariate_normal.logpdf
    for args in ((x, mean, cov), (x[0], mean, cov), (x, mean, 2.0), (x, mean, np.ones(3)),
                 (1.5, 0.5, 2.0), (x[:, 0], 0.5, 2.0)):  # fmt: skip
        for g in (f, fxla.jit(f)):
            np.testing.assert_allclose(g(*args), oracle(*args), rtol=1e-12)
    np.testing.assert_allclose(stats.multivariate_normal.pdf(x, mean, cov),
                               ss.multivariate_normal.pdf(x, mean, cov), rtol=1e-12)  # fmt: skip
    fxla_slope = fxla.grad(lambda m: f(x, m, cov).sum())(mean)
    np.testing.assert_allclose(fxla_slope, np.linalg.solve(cov, (x - mean).T).sum(1), rtol=1e-10)


def test_dirichlet_and_multinomial():
    alpha, x = np.array([0.7, 2.0, 3.0]), np.array([0.2, 0.3, 0.5])
    for f in (stats.dirichlet.logpdf, fxla.jit(stats.dirichlet.logpdf)):
        np.testing.assert_allclose(f(x, alpha), ss.dirichlet.logpdf(x, alpha))
        np.testing.assert_allclose(f(x[:2], alpha), ss.dirichlet.logpdf(x, alpha))
    assert stats.dirichlet.logpdf(x * 2, alpha) == -np.inf
    slopes_agree(lambda *a: stats.dirichlet.logpdf(x, fxla.numpy.stack(a)), *alpha)
    p, counts = np.array([0.2, 0.3, 0.5]), np.array([[1, 2, 4], [0, 0, 7], [1, 1, 1]])
    for f in (stats.multinomial.pmf, fxla.jit(stats.multinomial.pmf)):
        np.testing.assert_allclose(f(counts, 7, p), ss.multinomial.pmf(counts, 7, p), rtol=1e-12)
