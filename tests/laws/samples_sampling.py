"""Samples of the loops that draw gamma, Poisson and binomial numbers, and of their derivatives.

Distributions are tested in tests/random; here are parameters for which the number drawn is certain,
and agreement of kernels and batches with the value. The derivative of a gamma number at a fixed
value of its distribution function is compared with a numerical derivative at 40 digits.
"""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np

from fxla.ops import sampling
from tests.laws.sample import BFLOAT16, Sample, draw_float

__all__ = ["SAMPLES"]

# sums of some ten positive terms, with an exponential and a digamma function in each result
DERIVATIVE_ULPS = 64


def _key(rng: np.random.Generator) -> Any:
    return rng.integers(0, 2**32, 2, dtype=np.uint32)


def _drawn(
    label: str,
    low: float,
    high: float,
    dtype: Any = "f8",
    second: tuple[float, float] | None = None,
) -> Sample:
    """Numbers of which only the distribution is known."""
    draws = [draw_float((5,), dtype, low, high)]
    if second is not None:
        draws.append(draw_float((5,), dtype, *second))
    # all arithmetic is in float64, in another order where a kernel fuses it
    return Sample(
        f"{label}-{np.dtype(dtype).name}",
        lambda rng: (_key(rng), *[d(rng) for d in draws]),
        kernel_ulps=64 if dtype == "f8" else 1,
        defined=False,
    )


def _certain(label: str, *params: float, expected: float) -> Sample:
    return Sample(
        label,
        lambda rng: (_key(rng), *[np.full(4, p) for p in params]),
        oracle=lambda *operands: np.full(4, expected),
        defined=False,
    )


def _slope(a: Any, log_x: Any) -> float:
    """d log x / d a at a fixed value of the gamma distribution function."""
    with mpmath.workdps(40):
        a, x = mpmath.mpf(float(a)), mpmath.exp(mpmath.mpf(float(log_x)))
        lower = mpmath.diff(lambda b: mpmath.gammainc(b, 0, x, regularized=True), a)
        density = x**a * mpmath.exp(-x) / mpmath.gamma(a)
        return float(-lower / density)


def _gamma_slope(label: str, low: float, high: float) -> Sample:
    """Where x / a is between `low` and `high`."""

    def operands(rng: np.random.Generator) -> tuple[Any, ...]:
        a = rng.uniform(0.5, 6.0, 4)
        return a, np.log((a + 1) * rng.uniform(low, high, 4))

    return Sample(
        label,
        operands,
        oracle=lambda a, log_x: np.array([_slope(p, q) for p, q in zip(a, log_x, strict=True)]),
        ulps=DERIVATIVE_ULPS,
        kernel_ulps=DERIVATIVE_ULPS,
        whole=True,
        defined=False,
    )


def _passed_on(position: int, arity: int, dtype: Any) -> Sample:
    """The value is that of one operand; only the derivative is its own."""
    draws = [draw_float((3,), dtype, 0.5, 2.0) for _ in range(arity)]
    return Sample(
        np.dtype(dtype).name,
        lambda rng: tuple(d(rng) for d in draws),
        oracle=lambda *xs: xs[position].copy(),
    )


SAMPLES: dict[str, list[Sample]] = {
    "random_log_gamma": [
        _drawn("any", 0.2, 5.0),
        _drawn("any", 0.2, 5.0, "f4"),
        _certain("negative", -1.0, expected=np.nan),
    ],
    "random_poisson": [
        _drawn("small", 0.1, 5.0),
        _drawn("large", 20.0, 40.0, "f4"),
        _certain("zero", 0.0, expected=0.0),
        _certain("negative", -1.0, expected=np.nan),
    ],
    "random_binomial": [
        _drawn("any", 5.0, 50.0, "f8", (0.1, 0.9)),
        _certain("never", 7.0, 0.0, expected=0.0),
        _certain("always", 7.0, 1.0, expected=7.0),
    ],
    "gamma_series": [_gamma_slope("below", 0.1, 0.95)],
    "gamma_fraction": [_gamma_slope("above", 1.05, 3.0)],
    "implicit_gamma": [_passed_on(1, 2, "f8"), _passed_on(1, 2, "f4")],
    "implicit_wald": [_passed_on(1, 2, "f8"), _passed_on(1, 2, "f4")],
    "constant": [_passed_on(0, 1, "f8"), _passed_on(0, 1, BFLOAT16)],
}
assert sampling  # its import registers the primitives these rows name
