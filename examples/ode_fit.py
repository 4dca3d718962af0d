"""Fit the Lotka-Volterra equations to 21 years of pelts, by gradients through a solver.

    python examples/ode_fit.py

The differential equation is solved by the classical Runge-Kutta method inside `lax.scan`; its six
unknowns are found by gradient descent on the squared error of the logarithms. The gradient goes
backward through all solver steps; nothing but the equation and the error is written by hand.

The figures are thousands of pelts collected by the Hudson's Bay Company, as given by Howard (2009)
and analysed in Carpenter (2018), "Predator-prey population dynamics: the Lotka-Volterra model in
Stan", whose posterior means are printed beside the fit.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy
from tqdm import tqdm

import fxla
import fxla.numpy as np
from fxla import lax

YEARS = numpy.arange(1900, 1921)
HARES = numpy.array(
    "30.0 47.2 70.2 77.4 36.3 20.6 18.1 21.4 22.0 25.4 27.1 40.3 57.0 76.6 52.3 19.5 11.2 7.6 14.6 "
    "16.2 24.7".split(),
    dtype=float,
)
LYNXES = numpy.array(
    "4.0 6.1 9.8 35.2 59.4 41.7 19.0 13.0 8.3 9.1 7.4 8.0 12.3 19.5 45.7 51.1 29.7 15.8 9.7 10.1 "
    "8.6".split(),
    dtype=float,
)
PELTS = numpy.stack([HARES, LYNXES], axis=1)

NAMES = "hare births,hares eaten,lynx deaths,lynx births,hares in 1900,lynx in 1900".split(",")
PUBLISHED = numpy.array([0.55, 0.028, 0.80, 0.024, 33.9, 5.9])
# A cycle takes about 2 pi / sqrt(a c) = 10 years, and the means are c / d = 34 and a / b = 20. A
# guess with another period would end in a local minimum: some cycles out of step.
GUESS = numpy.array([0.63, 0.63 / 20, 0.63, 0.63 / 34, 30.0, 4.0])
STEPS_A_YEAR = 10


def change(rates: Any, animals: Any) -> Any:
    """Lotka-Volterra: du/dt = (a - b v) u,  dv/dt = (d u - c) v."""
    a, b, c, d = rates
    u, v = animals
    return np.stack([(a - b * v) * u, (d * u - c) * v])


def runge_kutta(rates: Any, animals: Any, h: float) -> Any:
    """One step of the classical fourth-order method."""
    k1 = change(rates, animals)
    k2 = change(rates, animals + h / 2 * k1)
    k3 = change(rates, animals + h / 2 * k2)
    k4 = change(rates, animals + h * k3)
    return animals + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def populations(theta: Any) -> Any:
    """Hares and lynxes at each year's start. theta: f64[6] -> f64[21,2]."""
    rates, start = theta[:4], theta[4:]

    def step(animals: Any, _: Any) -> tuple[Any, None]:
        return runge_kutta(rates, animals, 1 / STEPS_A_YEAR), None

    def year(animals: Any, _: Any) -> tuple[Any, Any]:
        later, _none = lax.scan(step, animals, None, length=STEPS_A_YEAR)
        return later, animals

    _end, yearly = lax.scan(year, start, None, length=len(YEARS))
    return yearly


def error(log_theta: Any) -> Any:
    """Mean squared error of the logarithms; unknowns are logarithms too, so they stay positive."""
    return np.mean((np.log(populations(np.exp(log_theta))) - np.log(PELTS)) ** 2)


def adam_step(i: Any, state: Any, rate: float) -> Any:
    """One step of Adam (Kingma and Ba 2015): gradient descent with a step size for each unknown."""
    theta, mean, square, _value = state
    value, slope = fxla.value_and_grad(error)(theta)
    mean = 0.9 * mean + 0.1 * slope
    square = 0.999 * square + 0.001 * slope**2
    unbiased = mean / (1 - 0.9 ** (i + 1.0))
    scale = np.sqrt(square / (1 - 0.999 ** (i + 1.0))) + 1e-8
    return theta - rate * unbiased / scale, mean, square, value


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Fit and report; returns the figures that were printed."""
    parser = argparse.ArgumentParser(description="Fit the Lotka-Volterra equations to pelt counts.")
    parser.add_argument("--steps", type=int, default=600, help="steps of gradient descent")
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)

    start = np.log(GUESS)
    state = (start, np.zeros(6), np.zeros(6), np.zeros(()))
    step = fxla.jit(lambda i, s: adam_step(i, s, options.rate))
    first = float(error(start))
    began = time.perf_counter()
    progress = tqdm(range(options.steps), desc="fitting", unit="step", disable=options.quiet)
    for i in progress:
        state = step(float(i), state)
        if i % 100 == 0:
            progress.set_postfix(error=f"{float(state[3]):.4f}")
    seconds = time.perf_counter() - began

    fitted, last = np.exp(state[0]), float(error(state[0]))
    slope = float(np.linalg.norm(fxla.grad(error)(state[0])))
    solver_steps = len(YEARS) * STEPS_A_YEAR
    print(f"{options.steps} gradients through {solver_steps} solver steps: {seconds:.1f} s")
    print(f"mean squared error of the logarithms: {first:.3f} -> {last:.4f} (slope {slope:.1e})\n")
    print(f"{'':16}{'guess':>10}{'fitted':>10}{'published':>11}")
    for name, guess, value, published in zip(NAMES, GUESS, fitted, PUBLISHED, strict=True):
        print(f"{name:16}{guess:10.3f}{float(value):10.3f}{published:11.3f}")
    print("\nyear   hares  fitted   lynxes  fitted")
    for year, (u, v), (fit_u, fit_v) in zip(YEARS, PELTS, populations(fitted), strict=True):
        print(f"{year}  {u:6.1f}  {float(fit_u):6.1f}   {v:6.1f}  {float(fit_v):6.1f}")
    return {"first": first, "last": last, "slope": slope, "fitted": numpy.asarray(fitted)}


if __name__ == "__main__":
    main()
