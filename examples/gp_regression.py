"""Gaussian-process regression with error bars on its hyperparameters, by gradient and Hessian.

    python examples/gp_regression.py

From ten measurements on each of 442 patients (scikit-learn's diabetes data) the process predicts
how far the disease has progressed a year later. A length for each measurement says how much that
one matters. The lengths are found where their posterior is highest, by Newton's method with the
`grad` and the `hessian` of the marginal likelihood, through a Cholesky factor. The Hessian at the
maximum also gives each length its error bar: Laplace's approximation of the posterior.
See Rasmussen and Williams (2006), "Gaussian Processes for Machine Learning", chapter 5.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy
from sklearn.datasets import load_diabetes

import fxla
import fxla.numpy as np
from fxla import lax

PRIOR_MEAN = numpy.array([numpy.log(3.0)] * 10 + [0.0, numpy.log(0.7)])
"""Of the logarithms: ten lengths, the size of the signal, the noise."""
PRIOR_SPREAD = 1.0
"""Standard deviation of each of them."""


def load(held_out: int) -> tuple[Any, Any, Any, Any, list[str]]:
    """Standardised inputs and targets, to learn from and held out; names of the inputs."""
    data = load_diabetes()
    mixed = numpy.random.default_rng(0).permutation(len(data.target))
    x, y = data.data[mixed], data.target[mixed]
    x = (x - x[held_out:].mean(axis=0)) / x[held_out:].std(axis=0)
    y = (y - y[held_out:].mean()) / y[held_out:].std()
    return x[held_out:], y[held_out:], x[:held_out], y[:held_out], list(data.feature_names)


def kernel(theta: Any, a: Any, b: Any) -> Any:
    """s^2 exp(-|a - b|^2 / 2), each input divided by its length. [n,d], [m,d] -> [n,m]."""
    lengths, size = np.exp(theta[:-2]), np.exp(theta[-2])
    a, b = a / lengths, b / lengths
    apart = np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1)[None, :] - 2 * a @ b.T
    return size**2 * np.exp(-0.5 * apart)


def factor(theta: Any, x: Any) -> Any:
    """The Cholesky factor L of the covariance of the observations, K + noise^2 I = L L^T."""
    return np.linalg.cholesky(kernel(theta, x, x) + np.exp(2 * theta[-1]) * np.eye(len(x)))


def whiten(lower: Any, y: Any) -> Any:
    """L^-1 y."""
    return lax.linalg.triangular_solve(lower, y[:, None], left_side=True, lower=True)[:, 0]


def objective(theta: Any, x: Any, y: Any) -> Any:
    """-log p(y, theta | x): half |L^-1 y|^2, the log determinant, and the prior."""
    lower = factor(theta, x)
    fit = 0.5 * np.sum(whiten(lower, y) ** 2)
    volume = np.sum(np.log(np.diagonal(lower))) + 0.5 * len(y) * np.log(2 * np.pi)
    return fit + volume + 0.5 * np.sum(((theta - PRIOR_MEAN) / PRIOR_SPREAD) ** 2)


def predict(theta: Any, x: Any, y: Any, new: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of the observations at new inputs."""
    lower = factor(theta, x)
    across = lax.linalg.triangular_solve(lower, kernel(theta, x, new), left_side=True, lower=True)
    mean = across.T @ whiten(lower, y)
    variance = np.exp(2 * theta[-2]) + np.exp(2 * theta[-1]) - np.sum(across**2, axis=0)
    return mean, np.sqrt(variance)


def newton(theta: Any, x: Any, y: Any, steps: int) -> tuple[Any, Any, list[float]]:
    """Newton's method; a step that would go uphill is taken back, and the next one is shorter.

    Gives the minimum, the Hessian there, and the size of the slope at every step.
    """
    value_and_slope = fxla.jit(fxla.value_and_grad(objective))
    hessian = fxla.jit(fxla.hessian(objective))
    damping = 1.0
    value, slope = value_and_slope(theta, x, y)
    curvature = hessian(theta, x, y)
    slopes = [float(np.linalg.norm(slope))]
    for _ in range(steps):
        trial = theta - np.linalg.solve(curvature + damping * np.eye(len(theta)), slope)
        new_value, new_slope = value_and_slope(trial, x, y)
        if float(new_value) <= float(value):
            theta, value, slope = trial, new_value, new_slope
            curvature = hessian(theta, x, y)
            damping /= 10
        else:
            damping *= 10
        slopes.append(float(np.linalg.norm(slope)))
    return theta, curvature, slopes


def score(predicted: Any, y: Any) -> float:
    """R^2: the share of the variance that the prediction explains."""
    return 1 - float(numpy.sum((predicted - y) ** 2) / numpy.sum((y - y.mean()) ** 2))


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Fit, predict and report; returns the figures that were printed."""
    parser = argparse.ArgumentParser(description="Gaussian-process regression on diabetes data.")
    parser.add_argument("--steps", type=int, default=6, help="steps of Newton's method")
    parser.add_argument("--held-out", type=int, default=142, help="patients kept for the test")
    options = parser.parse_args(arguments)

    x, y, new_x, new_y, names = load(options.held_out)
    began = time.perf_counter()
    theta, curvature, slopes = newton(PRIOR_MEAN, x, y, options.steps)
    spread = np.sqrt(np.diagonal(np.linalg.inv(curvature)))
    mean, deviation = predict(theta, x, y, new_x)
    seconds = time.perf_counter() - began

    process = score(numpy.asarray(mean), new_y)
    line = score(new_x @ numpy.linalg.lstsq(x, y, rcond=None)[0], new_y)
    covered = float(np.mean(np.abs(mean - new_y) < 1.96 * deviation))
    evidence = -float(objective(theta, x, y)) - 0.5 * float(np.linalg.slogdet(curvature)[1])

    print(f"{len(y)} patients to learn from, {len(new_y)} held out; fitted in {seconds:.1f} s")
    print("slope at each Newton step: " + "  ".join(f"{s:.1e}" for s in slopes))
    print("\nhow much each measurement matters (1 / length, with Laplace's standard error)")
    order = sorted(range(len(names)), key=lambda i: float(theta[i]))
    for i in order:
        weight = float(np.exp(-theta[i]))
        bar = "#" * round(100 * weight)
        print(f"  {names[i]:4}{weight:7.3f} x/÷ {float(np.exp(spread[i])):.2f}  {bar}")
    print(f"\nlog evidence, by Laplace's approximation: {evidence:.1f}")
    print(f"held-out R^2: {process:.3f} (a straight line by least squares: {line:.3f})")
    print(f"held-out patients inside the 95% error bars: {100 * covered:.0f}%")
    return {
        "r2": process,
        "linear_r2": line,
        "covered": covered,
        "slopes": slopes,
        "spread": numpy.asarray(spread),
        "theta": numpy.asarray(theta),
        "evidence": evidence,
        "objective": float(objective(theta, x, y)),
    }


if __name__ == "__main__":
    main()
