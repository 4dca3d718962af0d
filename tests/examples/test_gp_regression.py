from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats

from examples import gp_regression as gp


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return gp.main([])


def negative_log_posterior(theta: Any, x: Any, y: Any) -> float:
    """What `gp.objective` is, by SciPy's density of a Gaussian and explicit distances."""
    scaled = x / np.exp(theta[:-2])
    apart = ((scaled[:, None] - scaled[None]) ** 2).sum(axis=-1)
    covariance = np.exp(2 * theta[-2]) * np.exp(-apart / 2) + np.exp(2 * theta[-1]) * np.eye(len(y))
    density = scipy.stats.multivariate_normal(np.zeros(len(y)), covariance).logpdf(y)
    return float(((theta - gp.PRIOR_MEAN) ** 2).sum() / 2 - density)


def test_objective_is_the_negative_log_posterior() -> None:
    x, y, _, _, _ = gp.load(342)
    theta = gp.PRIOR_MEAN + np.linspace(-0.5, 0.5, 12)
    assert float(gp.objective(theta, x, y)) == pytest.approx(
        negative_log_posterior(theta, x, y), rel=1e-9
    )


def test_newton_ends_where_a_derivative_free_search_finds_nothing_better(
    figures: dict[str, Any],
) -> None:
    x, y, _, _, _ = gp.load(142)
    best = figures["theta"]
    assert figures["objective"] == pytest.approx(negative_log_posterior(best, x, y), rel=1e-9)
    for direction in np.random.default_rng(0).normal(size=(12, 12)):
        step = 1e-3 * direction
        assert negative_log_posterior(best + step, x, y) > figures["objective"]


def test_newton_converges_quadratically(figures: dict[str, Any]) -> None:
    slopes = figures["slopes"]
    assert slopes[0] > 1
    assert slopes[-1] < 1e-6


def test_predicts_better_than_a_straight_line_and_knows_its_error(figures: dict[str, Any]) -> None:
    assert figures["r2"] > 0.49
    assert figures["r2"] > figures["linear_r2"]
    assert 0.9 < figures["covered"] < 0.99
    assert np.all(figures["spread"] > 0)
