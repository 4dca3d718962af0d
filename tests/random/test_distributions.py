"""Every continuous distribution against SciPy's of the same name, for every parametrisation.

Recorded values are those of jax 0.10.2 with x64 enabled, for ``jax.random.PRNGKey(7)``. Its inverse
error function rounds differently, hence the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats as st

from fxla import random
from fxla.errors import ShapeError
from fxla.ops.arithmetic import mul
from fxla.ops.structure import reduce_sum
from fxla.transforms.autodiff import grad
from fxla.transforms.vmap import vmap

KEY = np.array([0, 7], np.uint32)
N = 20000
Draw = Callable[..., Any]

AGAINST_SCIPY: list[tuple[str, Draw, Any]] = [
    ("normal", random.normal, st.norm),
    ("exponential", random.exponential, st.expon),
    ("gumbel", random.gumbel, st.gumbel_r),
    ("gumbel high", lambda k, s, d: random.gumbel(k, s, d, "high"), st.gumbel_r),
    ("laplace", random.laplace, st.laplace),
    ("logistic", random.logistic, st.logistic),
    ("cauchy", random.cauchy, st.cauchy),
    ("maxwell", random.maxwell, st.maxwell),
    ("pareto", lambda k, s, d: random.pareto(k, 2.5, s, d), st.pareto(2.5)),
    ("weibull", lambda k, s, d: random.weibull_min(k, 2.0, 1.5, s, d), st.weibull_min(1.5, 0, 2)),
    ("rayleigh", lambda k, s, d: random.rayleigh(k, 2.0, s, d), st.rayleigh(0, 2)),
    ("wald", lambda k, s, d: random.wald(k, 0.7, s, d), st.invgauss(0.7)),
    ("wald large", lambda k, s, d: random.wald(k, 50.0, s, d), st.invgauss(50.0)),
    ("triangular", lambda k, s, d: random.triangular(k, -1.0, 0.0, 2.0, s, d),
     st.triang(1 / 3, -1, 3)),
    ("lognormal", lambda k, s, d: random.lognormal(k, 0.5, s, d), st.lognorm(0.5)),
    ("truncated", lambda k, s, d: random.truncated_normal(k, -0.5, 2.0, s, d),
     st.truncnorm(-0.5, 2)),
    ("gamma small", lambda k, s, d: random.gamma(k, 0.3, s, d), st.gamma(0.3)),
    ("gamma", lambda k, s, d: random.gamma(k, 4.0, s, d), st.gamma(4)),
    ("loggamma", lambda k, s, d: random.loggamma(k, 0.3, s, d), st.loggamma(0.3)),
    ("beta", lambda k, s, d: random.beta(k, 0.5, 2.0, s, d), st.beta(0.5, 2)),
    ("chisquare", lambda k, s, d: random.chisquare(k, 3.0, s, d), st.chi2(3)),
    ("f", lambda k, s, d: random.f(k, 3.0, 7.0, s, d), st.f(3, 7)),
    ("t", lambda k, s, d: random.t(k, 3.0, s, d), st.t(3)),
    ("generalized normal", lambda k, s, d: random.generalized_normal(k, 1.5, s, d),
     st.gennorm(1.5)),
    ("dirichlet", lambda k, s, d: random.dirichlet(k, np.array([0.7, 1.0, 2.0]), s, d)[..., 0],
     st.beta(0.7, 3)),
]  # fmt: skip


@pytest.mark.parametrize("name, draw, distribution", AGAINST_SCIPY, ids=lambda x: str(x)[:12])
def test_the_distribution_is_scipys(name: str, draw: Draw, distribution: Any) -> None:
    for dtype in ("float64", "float32"):
        x = draw(KEY, (N,), dtype)
        assert x.shape == (N,)
        assert x.dtype == dtype
        assert np.isfinite(x).all()
        assert st.kstest(np.asarray(x, float), distribution.cdf).pvalue > 1e-3


RECORDED: list[tuple[str, Draw, list[float]]] = [
    ("normal", random.normal, [1.0114813355590866, -1.6910609087906374, -0.7554662899926428]),
    ("truncated", lambda k, s: random.truncated_normal(k, -1.0, 2.0, s),
     [1.034876278399035, -0.8566117260155717, -0.404761387816821]),
    ("exponential", random.exponential,
     [1.8585850522259963, 0.04647605816229587, 0.2548724120098844]),
    ("gumbel", random.gumbel, [1.7750434817033711, -1.12880713678253, -0.3999319680607421]),
    ("laplace", random.laplace, [-1.1654378716660514, 2.3988188263562535, 0.7985760288063726]),
    ("logistic", random.logistic, [1.6891089719953885, -3.0454899487539038, -1.2368507973564338]),
    ("cauchy", random.cauchy, [1.8759253820352535, -6.961667356611034, -1.1709640860639026]),
    ("pareto", lambda k, s: random.pareto(k, 2.0, s),
     [2.5327167126941506, 1.023510135731733, 1.1359124015395863]),
    ("weibull", lambda k, s: random.weibull_min(k, 2.0, 3.0, s),
     [2.4589940374201813, 0.7190731807275833, 1.268053582389897]),
    ("wald", lambda k, s: random.wald(k, 2.0, s),
     [1.222488559813012, 0.4505433598517179, 2.1349619813755516]),
    ("triangular", lambda k, s: random.triangular(k, 0.0, 1.0, 3.0, s),
     [2.0328607496818862, 0.3691039899269167, 0.8215557662621336]),
    ("lognormal", lambda k, s: random.lognormal(k, 0.5, s),
     [1.658213250861074, 0.4293295580461756, 0.6854133822539943]),
    ("maxwell", random.maxwell, [2.1103342874387123, 2.890289838360094, 1.3191661026399093]),
    ("double sided maxwell", lambda k, s: random.double_sided_maxwell(k, 1.0, 2.0, s),
     [3.4149009550420124, 3.902631450008386, -2.5768431911817977]),
]  # fmt: skip


@pytest.mark.parametrize("name, draw, recorded", RECORDED, ids=lambda x: str(x)[:12])
def test_draws_are_jaxs(name: str, draw: Draw, recorded: list[float]) -> None:
    np.testing.assert_allclose(draw(KEY, (3,)), recorded, rtol=1e-14)


def test_normal_numbers_of_small_dtypes_are_jaxs() -> None:
    for dtype, recorded in (
        ("float16", [-0.99267578125, -0.0189666748046875, -0.984375]),
        ("bfloat16", [-1.734375, -2.890625, 0.427734375]),
        ("float32", [0.4512351453304291, 1.9534509181976318, -0.5162394642829895]),
    ):
        got = random.normal(KEY, (3,), dtype).astype(float)
        np.testing.assert_allclose(got, recorded, rtol=1e-6 if dtype == "float32" else 1e-2)


def test_complex_normal_numbers() -> None:
    z = random.normal(KEY, (N,), "complex128")
    recorded = [0.2486219065895716 - 0.3681745440129854j, -0.816142769279704 - 0.2253882086257468j]
    np.testing.assert_allclose(random.normal(KEY, (2,), "complex128"), recorded, rtol=1e-14)
    np.testing.assert_allclose(np.mean(np.abs(z) ** 2), 1, rtol=0.05)
    assert random.normal(KEY, (2,), "complex64").dtype == np.complex64


REPARAMETERISED: list[tuple[str, Draw, list[float], Callable[..., Any]]] = [
    ("gamma", random.gamma, [2.0], lambda a: st.gamma(a).mean()),
    ("gamma small", random.gamma, [0.4], lambda a: st.gamma(a).mean()),
    ("beta", random.beta, [1.5, 2.5], lambda a, b: st.beta(a, b).mean()),
    ("chisquare", random.chisquare, [4.0], lambda d: st.chi2(d).mean()),
    ("pareto", random.pareto, [3.0], lambda b: st.pareto(b).mean()),
    ("rayleigh", random.rayleigh, [2.0], lambda s: st.rayleigh(0, s).mean()),
    ("wald", random.wald, [1.5], lambda m: m),
    ("weibull", random.weibull_min, [2.0, 1.5], lambda s, c: st.weibull_min(c, 0, s).mean()),
    ("triangular", random.triangular, [0.0, 1.0, 3.0], lambda a, b, c: (a + b + c) / 3),
    ("truncated", random.truncated_normal, [-1.0, 2.0], lambda a, b: st.truncnorm(a, b).mean()),
    ("lognormal", random.lognormal, [0.5], lambda s: st.lognorm(s).mean()),
]


@pytest.mark.parametrize("name, draw, params, mean", REPARAMETERISED, ids=lambda x: str(x)[:12])
def test_the_mean_gradient_is_the_gradient_of_the_mean(
    name: str, draw: Draw, params: list[float], mean: Callable[..., Any]
) -> None:
    def average(*values: Any) -> Any:
        return mul(reduce_sum(draw(KEY, *values, (N,)), (0,)), 1 / N)

    got = grad(average, tuple(range(len(params))))(*map(np.float64, params))
    h = 1e-4
    for i, slope in enumerate(got):
        up, down = list(params), list(params)
        up[i] += h
        down[i] -= h
        np.testing.assert_allclose(slope, (mean(*up) - mean(*down)) / (2 * h), rtol=0.08, atol=0.02)


def test_multivariate_normal() -> None:
    mean, cov = np.array([1.0, 2.0]), np.array([[2.0, 0.5], [0.5, 1.0]])
    recorded = [[2.430450622834912, 0.7757700204934421], [-0.06839067322328107, 0.3120403224088546]]
    np.testing.assert_allclose(random.multivariate_normal(KEY, mean, cov, (2,)), recorded)
    for method in ("cholesky", "eigh", "svd"):
        x = random.multivariate_normal(KEY, mean, cov, (N,), method=method)
        np.testing.assert_allclose(x.mean(0), mean, atol=0.05)
        np.testing.assert_allclose(np.cov(np.asarray(x).T), cov, atol=0.08)
    stacked = random.multivariate_normal(KEY, np.zeros((3, 2)), np.stack([cov] * 3))
    assert stacked.shape == (3, 2)
    with pytest.raises(ShapeError, match="mean"):
        random.multivariate_normal(KEY, np.zeros(3), cov)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("n, m", [(3, None), (2, 4), (4, 2)])
def test_orthogonal_matrices(n: int, m: int | None, dtype: str) -> None:
    q = np.asarray(random.orthogonal(KEY, n, (5,), dtype, m))
    assert q.shape == (5, n, m or n)
    adjoint = np.conj(np.swapaxes(q, -1, -2))
    product = q @ adjoint if n <= (m or n) else adjoint @ q
    np.testing.assert_allclose(
        product, np.broadcast_to(np.eye(min(n, m or n)), product.shape), atol=1e-12
    )


def test_orthogonal_matrices_are_jaxs() -> None:
    recorded = [
        [0.8011940556673438, -0.5984046165959227],
        [-0.5984046165959227, -0.8011940556673438],
    ]
    np.testing.assert_allclose(random.orthogonal(KEY, 2), recorded, rtol=1e-13)


def test_points_of_a_ball_are_uniform() -> None:
    for p in (1, 2, 3):
        x = np.asarray(random.ball(KEY, 3, p, (N,)))
        radius = (np.abs(x) ** p).sum(-1) ** (1 / p)
        assert st.kstest(radius**3, st.uniform.cdf).pvalue > 1e-3


def test_dirichlet_vectors_sum_to_one_even_for_tiny_parameters() -> None:
    x = random.dirichlet(KEY, np.full(5, 1e-4), (100,))
    np.testing.assert_allclose(x.sum(-1), 1)
    assert np.isfinite(x).all()


def test_parameters_broadcast_and_keys_map() -> None:
    keys = random.split(KEY, 3)
    a = np.array([0.5, 1.0, 2.0])
    for draw in (
        lambda k: random.gamma(k, a, (4, 3)),
        lambda k: random.normal(k, (4,)),
        lambda k: random.beta(k, a, 2.0),
        lambda k: random.dirichlet(k, a),
        lambda k: random.orthogonal(k, 2),
    ):
        np.testing.assert_allclose(vmap(draw)(keys), [draw(k) for k in keys], rtol=1e-12)
    with pytest.raises(ShapeError, match=r"random.gamma|random.loggamma"):
        random.gamma(KEY, a, (4,))
