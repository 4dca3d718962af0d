"""Programs of science and engineering, beside the same program in NumPy and Python loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from scipy.special import erf

import fxla
import fxla.numpy as fnp
from fxla import lax
from tests.programs.program import program

# ------------------------------------------------------------------------------------ likelihoods


def _covariance(xp: Any, p: Any, x: Any) -> Any:
    apart = xp.sum((x[:, None] - x[None]) ** 2, axis=-1)
    length, size, noise = xp.exp(p["length"]), xp.exp(p["size"]), xp.exp(p["noise"])
    return size * xp.exp(-apart / (2 * length**2)) + noise * xp.eye(len(x), dtype=x.dtype)


def _gp(p: Any, x: Any, y: Any) -> Any:
    k = _covariance(np, p, x)
    return 0.5 * y @ np.linalg.solve(k, y) + 0.5 * np.linalg.slogdet(k)[1]


def _gp_at(rng: np.random.Generator) -> Any:
    params = {"length": np.array(0.1), "size": np.array(0.3), "noise": np.array(-1.5)}
    return params, rng.standard_normal((12, 2)), rng.standard_normal(12)


@program(_gp, _gp_at)
def gaussian_process_likelihood(p: Any, x: Any, y: Any) -> Any:
    factor = fnp.linalg.cholesky(_covariance(fnp, p, x))
    white = lax.linalg.triangular_solve(factor, y[:, None], left_side=True, lower=True)
    return 0.5 * fnp.sum(white**2) + fnp.sum(fnp.log(fnp.diagonal(factor)))


def _kalman_step(xp: Any, p: Any, mean: Any, cov: Any, y: Any) -> Any:
    a, h = p["move"], p["look"]
    mean = a @ mean
    cov = a @ cov @ a.T + xp.exp(p["q"]) * xp.eye(2, dtype=y.dtype)
    error = y - h @ mean
    spread = h @ cov @ h.T + xp.exp(p["r"]) * xp.eye(1, dtype=y.dtype)
    gain = xp.linalg.solve(spread, h @ cov).T
    density = -0.5 * (error @ xp.linalg.solve(spread, error) + xp.linalg.slogdet(spread)[1])
    return mean + gain @ error, cov - gain @ h @ cov, density


def _kalman(p: Any, ys: Any) -> Any:
    mean, cov, total = np.zeros(2, ys.dtype), np.eye(2, dtype=ys.dtype), 0.0
    for y in ys:
        mean, cov, density = _kalman_step(np, p, mean, cov, y)
        total = total + density
    return total


def _kalman_at(rng: np.random.Generator) -> Any:
    params = {
        "move": np.array([[1.0, 0.1], [-0.1, 0.95]]),
        "look": np.array([[1.0, 0.2]]),
        "q": np.array(-2.0),
        "r": np.array(-1.0),
    }
    return params, np.cumsum(rng.standard_normal((20, 1)), 0) * 0.3


@program(_kalman, _kalman_at)
def kalman_filter(p: Any, ys: Any) -> Any:
    def step(state: Any, y: Any) -> Any:
        *state, density = _kalman_step(fnp, p, *state, y)
        return state, density

    start = [fnp.zeros(2, dtype=ys.dtype), fnp.eye(2, dtype=ys.dtype)]
    return fnp.sum(lax.scan(step, start, ys)[1])


# --------------------------------------------------------------------------------------- dynamics


def _n_body(xp: Any, p: Any) -> Any:
    apart = p["where"][:, None] - p["where"][None]
    squares = xp.sum(apart**2, axis=-1)
    pairs = p["mass"][:, None] * p["mass"][None]
    n = len(p["mass"])
    attraction = xp.where(xp.eye(n, dtype=bool), 0.0, pairs / xp.sqrt(squares + 1e-3))
    moving = 0.5 * xp.sum(p["mass"] * xp.sum(p["speed"] ** 2, axis=-1))
    return moving - 0.5 * xp.sum(attraction)


def _n_body_at(rng: np.random.Generator) -> Any:
    return (
        {
            "where": rng.standard_normal((6, 3)),
            "speed": rng.standard_normal((6, 3)),
            "mass": rng.uniform(0.5, 2.0, 6),
        },
    )


@program(lambda p: _n_body(np, p), _n_body_at)
def n_body_energy(p: Any) -> Any:
    return _n_body(fnp, p)


def _lorenz_change(xp: Any, p: Any, s: Any) -> Any:
    x, y, z = s[0], s[1], s[2]
    sigma, rho, beta = p["rates"][0], p["rates"][1], p["rates"][2]
    return xp.stack([sigma * (y - x), x * (rho - z) - y, x * y - beta * z])


def _lorenz(p: Any) -> Any:
    s = p["start"]
    total = 0.0
    for _ in range(60):
        s = s + 0.01 * _lorenz_change(np, p, s)
        total = total + s[0]
    return total / 60


def _lorenz_at(rng: np.random.Generator) -> Any:
    return ({"start": rng.standard_normal(3), "rates": np.array([10.0, 28.0, 8 / 3])},)


@program(_lorenz, _lorenz_at)
def lorenz(p: Any) -> Any:
    def step(s: Any, _: Any) -> Any:
        s = s + 0.01 * _lorenz_change(fnp, p, s)
        return s, s[0]

    return fnp.mean(lax.scan(step, p["start"], None, length=60)[1])


def _rotations(p: Any, turns: Any) -> Any:
    m = p["start"]
    for turn in turns:
        m = np.tanh(m @ p["by"]) + turn * m.T
    return np.sum(m**2)


def _rotations_at(rng: np.random.Generator) -> Any:
    params = {"start": rng.standard_normal((3, 3)), "by": rng.standard_normal((3, 3)) * 0.5}
    return params, rng.uniform(0.1, 0.5, 30)


@program(_rotations, _rotations_at)
def small_matrix_carry(p: Any, turns: Any) -> Any:
    def step(m: Any, turn: Any) -> Any:
        return fnp.tanh(m @ p["by"]) + turn * m.T, None

    return fnp.sum(lax.scan(step, p["start"], turns)[0] ** 2)


def _decay(xp: Any, p: Any, y: Any) -> Any:
    return xp.tanh(p["w"] @ y) - p["rate"] * y


def _runge_kutta(change: Any, y: Any, dt: float) -> Any:
    k1 = change(y)
    k2 = change(y + dt / 2 * k1)
    k3 = change(y + dt / 2 * k2)
    k4 = change(y + dt * k3)
    return y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


STEPS, DT = 40, 0.05


def _solved(p: Any, y: Any) -> Any:
    for _ in range(STEPS):
        y = _runge_kutta(lambda y: _decay(np, p, y), y, DT)
    return np.sum(y**2)


def _solved_at(rng: np.random.Generator) -> Any:
    return {"w": rng.standard_normal((4, 4)), "rate": np.array(0.3)}, rng.standard_normal(4)


@program(_solved, _solved_at)
def runge_kutta_solver(p: Any, y: Any) -> Any:
    y = lax.fori_loop(0, STEPS, lambda _, y: _runge_kutta(lambda y: _decay(fnp, p, y), y, DT), y)
    return fnp.sum(y**2)


@fxla.custom_vjp
def _solution(p: Any, y: Any) -> Any:
    return lax.fori_loop(0, STEPS, lambda _, y: _runge_kutta(lambda y: _decay(fnp, p, y), y, DT), y)


def _solution_forward(p: Any, y: Any) -> Any:
    end = _solution(p, y)
    return end, (p, end)


def _solution_backward(kept: Any, ct: Any) -> Any:
    """Pontryagin's adjoint, solved backward in time together with the state."""
    p, end = kept

    def back(state: Any) -> Any:
        y, a, _ = state
        change, pull = fxla.vjp(lambda p, y: _decay(fnp, p, y), p, y)
        slope, pulled = pull(a)
        return [-change, pulled, slope]

    def step(_: Any, state: Any) -> Any:
        def moved(by: float, k: Any) -> Any:
            return fxla.tree.map(lambda s, d: s + by * d, state, k)

        k1 = back(state)
        k2 = back(moved(DT / 2, k1))
        k3 = back(moved(DT / 2, k2))
        k4 = back(moved(DT, k3))
        return fxla.tree.map(
            lambda s, a, b, c, d: s + DT / 6 * (a + 2 * b + 2 * c + d), state, k1, k2, k3, k4
        )

    start = [end, ct, fxla.tree.map(fnp.zeros_like, p)]
    _, at_start, slopes = lax.fori_loop(0, STEPS, step, start)
    return slopes, at_start


_solution.defvjp(_solution_forward, _solution_backward)


@program(_solved, _solved_at)
def ode_adjoint(p: Any, y: Any) -> Any:
    return fnp.sum(_solution(p, y) ** 2)


# ---------------------------------------------------------------------------------------- signals


def _blur(p: Any, image: Any) -> Any:
    weights = np.exp(p) / np.sum(np.exp(p))
    rows, columns = image.shape
    seen = np.zeros((rows - 2, columns - 2), image.dtype)
    for i in range(rows - 2):
        for j in range(columns - 2):
            seen[i, j] = np.sum(image[i : i + 3, j : j + 3] * weights)
    return np.sum(np.abs(seen[1:] - seen[:-1]) ** 1.5)


@program(_blur, lambda rng: (rng.standard_normal((3, 3)), rng.standard_normal((9, 8))))
def image_filter(p: Any, image: Any) -> Any:
    weights = fnp.exp(p) / fnp.sum(fnp.exp(p))
    seen = lax.conv(image[None, None], weights[None, None], (1, 1), "VALID")[0, 0]
    return fnp.sum(fnp.abs(seen[1:] - seen[:-1]) ** 1.5)


def _echo(p: Any, signal: Any) -> Any:
    return np.sum(np.tanh(np.convolve(p, signal)) ** 2)


@program(_echo, lambda rng: (rng.standard_normal(5), rng.standard_normal(12)))
def fft_convolution(p: Any, signal: Any) -> Any:
    n = len(p) + len(signal) - 1
    product = fnp.fft.rfft(p, n) * fnp.fft.rfft(signal, n)
    return fnp.sum(fnp.tanh(fnp.fft.irfft(product, n)) ** 2)


# ---------------------------------------------------------------------------------------- finance


def _black_scholes(xp: Any, erf_of: Any, p: Any, strikes: Any) -> Any:
    spot, rate, spread, years = p["spot"], p["rate"], p["spread"], p["years"]
    wide = spread * xp.sqrt(years)
    d1 = (xp.log(spot / strikes) + (rate + spread**2 / 2) * years) / wide

    def below(x: Any) -> Any:
        return 0.5 * (1 + erf_of(x / np.sqrt(2.0).astype(strikes.dtype)))

    calls = spot * below(d1) - strikes * xp.exp(-rate * years) * below(d1 - wide)
    return xp.sum(calls)


def _options_at(rng: np.random.Generator) -> Any:
    params = {
        "spot": np.array(100.0),
        "rate": np.array(0.02),
        "spread": np.array(0.3),
        "years": np.array(0.75),
    }
    return params, rng.uniform(80, 120, 9)


@program(lambda *a: _black_scholes(np, erf, *a), _options_at)
def black_scholes(p: Any, strikes: Any) -> Any:
    return _black_scholes(fnp, lax.erf, p, strikes)


# ----------------------------------------------------------------------------------------- solvers


def _implicit(p: Any, b: Any) -> Any:
    x = scipy.linalg.solve(p @ p.T + np.eye(len(p), dtype=p.dtype), b, assume_a="pos")
    return np.sum(np.log1p(x**2))


@program(_implicit, lambda rng: (rng.standard_normal((4, 4)), rng.standard_normal(4)))
def linear_system(p: Any, b: Any) -> Any:
    x = fnp.linalg.solve(p @ p.T + fnp.eye(len(p), dtype=p.dtype), b)
    return fnp.sum(fnp.log1p(x**2))


def _unrolled_newton(p: Any) -> Any:
    x = np.ones_like(p)
    for _ in range(8):
        x = x - (x**3 + x - p) / (3 * x**2 + 1)
    return np.sum(x**2)


@program(_unrolled_newton, lambda rng: (rng.uniform(0.5, 4.0, 6),))
def newton_roots(p: Any) -> Any:
    return fnp.sum(fxla.vmap(_root)(p) ** 2)


def _root(a: Any) -> Any:
    """The real root of x^3 + x = a."""

    def step(_: Any, x: Any) -> Any:
        return x - (x**3 + x - a) / (3 * x**2 + 1)

    return lax.fori_loop(0, 8, step, fnp.ones_like(a))


def _rosenbrock(xp: Any, x: Any) -> Any:
    return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@program(lambda x: _rosenbrock(np, x), lambda rng: (rng.standard_normal(7),))
def rosenbrock(x: Any) -> Any:
    return _rosenbrock(fnp, x)
