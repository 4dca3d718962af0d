from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.stats
from scipy.special import polygamma

from fxla.core.trace import typeof
from fxla.errors import DtypeError, NotDifferentiableError, ShapeError
from fxla.loops.ir import Expr, Stmt
from fxla.ops import sampling
from fxla.ops.arithmetic import mul
from fxla.ops.element_loop import ElementLoop
from fxla.ops.sampling import (
    binomial_sample,
    gamma_log_derivative,
    log_gamma_sample,
    poisson_sample,
    wald_derivative,
)
from fxla.ops.structure import broadcast_in_dim, reduce_sum
from fxla.transforms.autodiff import grad
from fxla.transforms.vmap import vmap
from tests.ops.interpret import Interpreter
from tests.ops.rules import check_batch, check_shapes

KEY = np.array([3, 4], np.uint32)
N = 20000


class Sharing(Interpreter):
    """Evaluates what an expression shares once: the cipher shares every round."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[int, Any] = {}

    def step(self, s: Stmt) -> None:
        self.known = {}
        super().step(s)
        self.known = {}

    def value(self, e: Expr) -> Any:
        if id(e) not in self.known:
            self.known[id(e)] = super().value(e)
        return self.known[id(e)]


def check_kernel(primitive: ElementLoop, *operands: Any) -> None:
    machine = Sharing()
    nest = primitive.lower(*[machine.view(x) for x in operands])
    (got,) = machine.nest(nest)
    np.testing.assert_allclose(got, primitive.impl(*operands)[0], rtol=1e-13)


@pytest.mark.parametrize("a", [0.05, 0.7, 1.0, 3.5, 200.0])
def test_gamma_numbers_have_their_distribution(a: float) -> None:
    x = np.exp(log_gamma_sample(KEY, np.full(N, a)))
    assert scipy.stats.kstest(x, scipy.stats.gamma(a).cdf).pvalue > 1e-3


@pytest.mark.parametrize("mean", [0.3, 5.0, 9.99, 10.0, 50.0])
def test_poisson_counts_have_their_distribution(mean: float) -> None:
    check_counts(poisson_sample(KEY, np.full(N, mean)), scipy.stats.poisson(mean))


@pytest.mark.parametrize("n, p", [(10, 0.3), (100, 0.7), (1000, 0.5), (10**6, 1e-6), (60, 0.4)])
def test_binomial_counts_have_their_distribution(n: float, p: float) -> None:
    drawn = binomial_sample(KEY, np.full(N, float(n)), np.full(N, p))
    check_counts(drawn, scipy.stats.binom(n, p))


def check_counts(drawn: Any, distribution: Any) -> None:
    """Chi-square over values that are expected at least ten times."""
    drawn = np.asarray(drawn)
    low, high = int(distribution.ppf(1e-3)), int(distribution.ppf(1 - 1e-3))
    edges = np.arange(low, high + 1)
    seen = [np.sum(drawn <= low), *(np.sum(drawn == k) for k in edges[1:]), np.sum(drawn > high)]
    odds = [distribution.cdf(low), *distribution.pmf(edges[1:]), distribution.sf(high)]
    wanted = np.array(odds) * drawn.size
    keep = wanted >= 10
    seen_kept = [*np.array(seen)[keep], np.sum(np.array(seen)[~keep])]
    wanted_kept = [*wanted[keep], drawn.size - wanted[keep].sum()]
    if wanted_kept[-1] < 1:
        wanted_kept[-2] += wanted_kept.pop()
        seen_kept[-2] += seen_kept.pop()
    assert scipy.stats.chisquare(seen_kept, wanted_kept, sum_check=False).pvalue > 1e-3


def test_extreme_parameters() -> None:
    assert np.isnan(log_gamma_sample(KEY, np.array([-1.0, np.nan, np.inf]))).all()
    assert log_gamma_sample(KEY, np.array([0.0])) == -np.inf
    assert np.isnan(poisson_sample(KEY, np.array([-1.0, np.nan, np.inf]))).all()
    assert poisson_sample(KEY, np.array([0.0])) == 0
    n = np.array([-1.0, 5.0, np.nan, 5.0, np.inf])
    p = np.array([0.5, 2.0, 0.5, np.nan, 0.5])
    assert np.isnan(binomial_sample(KEY, n, p)).all()
    n, p = np.array([5.0, 5.0, 0.0, 1e6]), np.array([0.0, 1.0, 0.5, 1.0])
    assert binomial_sample(KEY, n, p).tolist() == [0, 5, 0, 1e6]


CASES = [
    (sampling._log_gamma_p, (np.array([[0.3, 2.0, 30.0], [0.0, np.nan, 1.0]]),)),
    (sampling._poisson_p, (np.array([[0.3, 2.0, 30.0], [0.0, np.nan, 12.0]]),)),
    (sampling._binomial_p, (np.array([[5.0, 90.0, 1e4]]), np.array([[0.3, 0.6, 0.9]]))),
]


@pytest.mark.parametrize("primitive, params", CASES)
def test_rules_of_random_loops(primitive: ElementLoop, params: tuple[Any, ...]) -> None:
    check_shapes(primitive, KEY, *params)
    check_kernel(primitive, KEY, *params)
    keys = np.array([[1, 2], [3, 4], [5, 6]], np.uint32)
    several = [np.broadcast_to(p, (3, *p.shape)) for p in params]
    got = primitive.bind1(keys, *several)
    for k, out in zip(keys, got, strict=True):
        np.testing.assert_array_equal(out, primitive.bind1(k, *params))
    mapped = vmap(lambda k: primitive.bind1(k, *params))(keys)
    np.testing.assert_array_equal(mapped, got)
    check_kernel(primitive, keys, *several)


def test_an_element_depends_on_its_position_and_not_on_its_neighbours() -> None:
    a = np.linspace(0.1, 5, 30000)
    whole = log_gamma_sample(KEY, a)
    np.testing.assert_array_equal(log_gamma_sample(KEY, a[:7]), whole[:7])
    b = a.copy()
    b[:20000] = 3.0
    np.testing.assert_array_equal(log_gamma_sample(KEY, b)[20000:], whole[20000:])


def implicit_derivative(a: float, log_x: float) -> float:
    """-(dF/da) / (dF/dx) / x at 40 digits."""
    mpmath.mp.dps = 40
    x = mpmath.e ** mpmath.mpf(log_x)
    bounds = (0, x) if x < a else (x, mpmath.inf)
    slope = mpmath.diff(lambda b: mpmath.gammainc(b, *bounds, regularized=True), mpmath.mpf(a))
    density = x ** (a - 1) * mpmath.e ** (-x) / mpmath.gamma(a)
    return float((-slope if x < a else slope) / density / x)


@pytest.mark.parametrize("a", [1e-3, 0.1, 0.9, 1.0, 2.5, 30.0, 1000.0])
def test_the_derivative_of_gamma_numbers(a: float) -> None:
    for quantile in (1e-6, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-9):
        x = scipy.stats.gamma(a).ppf(quantile)
        log_x = max(np.log(x), -600.0) if x > 0 else -600.0
        got = gamma_log_derivative(np.array([a]), np.array([log_x]))
        np.testing.assert_allclose(got[0], implicit_derivative(a, log_x), rtol=1e-12)


@pytest.mark.parametrize("z", [-4.0, -1.0, 0.0, 2.0, 5.0])
def test_the_derivative_at_large_parameters(z: float) -> None:
    """On both sides of where the expansion takes over; x by the quantile function."""
    for a in (0.9e4, 1.1e4, 1e7):
        quantile = scipy.stats.norm.cdf(z)
        x = scipy.stats.gamma(a).ppf(quantile)
        h = a * 1e-4
        slope = np.log(scipy.stats.gamma(a + h).ppf(quantile) / x) / h if z < 5 else None
        got = gamma_log_derivative(np.array([a]), np.array([np.log(x)]))[0]
        expansion = sampling._gamma_asymptotic(np.float64(a), np.log(x))
        np.testing.assert_allclose(got, expansion, rtol=1e-9)
        if slope is not None:
            np.testing.assert_allclose(got, slope, rtol=2e-4)


def test_loops_of_the_derivative_as_kernels() -> None:
    a = np.array([0.1, 2.0, 2.0, 40.0, np.nan])
    log_x = np.array([-30.0, 0.0, 2.5, 3.9, 0.0])
    for primitive in (sampling._gamma_series_p, sampling._gamma_fraction_p):
        check_shapes(primitive, a, log_x)
        check_kernel(primitive, a, log_x)
        check_batch(primitive, a[:4], log_x[:4])


def test_the_mean_of_gradients_is_the_gradient_of_the_mean() -> None:
    """The mean of a gamma number is a, and that of its logarithm digamma(a)."""

    def total(a: Any) -> Any:
        drawn = log_gamma_sample(KEY, broadcast_in_dim(a, (N,), ()))
        return mul(reduce_sum(drawn, (0,)), 1 / N)

    for a in (0.4, 3.0):
        got = float(grad(total)(np.float64(a)))
        np.testing.assert_allclose(got, polygamma(1, a), rtol=0.05)


def test_what_does_not_fit_is_named() -> None:
    loop = sampling._log_gamma_p
    with pytest.raises(DtypeError, match="i64"):
        loop.abstract_eval(typeof(KEY), typeof(np.ones(3, int)))
    with pytest.raises(ShapeError, match="f64"):
        loop.abstract_eval(typeof(np.ones((5, 2), np.uint32)), typeof(np.ones(3)))
    with pytest.raises(NotDifferentiableError, match="gamma_series"):
        x = np.ones(2)
        sampling._gamma_series_p.jvp((x, x), (x, x))


@pytest.mark.parametrize("mean", [1e-3, 0.3, 2.0, 60.0])
def test_the_derivative_of_wald_numbers(mean: float) -> None:
    for quantile in (1e-4, 0.2, 0.7, 0.999):
        x = scipy.stats.invgauss(mean).ppf(quantile)
        mpmath.mp.dps = 40

        def below(m: Any, x: float = x) -> Any:
            root = mpmath.sqrt(x)
            tail = mpmath.exp(2 / m) * mpmath.ncdf(-(x / m + 1) / root)
            return mpmath.ncdf((x / m - 1) / root) + tail

        density = mpmath.sqrt(1 / (2 * mpmath.pi * mpmath.mpf(x) ** 3)) * mpmath.exp(
            -((x - mpmath.mpf(mean)) ** 2) / (2 * mpmath.mpf(mean) ** 2 * x)
        )
        wanted = -mpmath.diff(below, mpmath.mpf(mean)) / density
        got = wald_derivative(np.array([mean]), np.array([x]))
        np.testing.assert_allclose(got[0], float(wanted), rtol=1e-12)
