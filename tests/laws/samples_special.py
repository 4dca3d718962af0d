"""Samples of the functions whose values are SciPy's: mpmath at 40 digits is the oracle.

SciPy promises no number of ulps; over these domains 1000 ulps in float64 hold for all, most are
within 20; in float32, 64. Kernels call the same function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.ops import special_bessel, special_error, special_gamma  # noqa: F401 - registers them
from tests.laws.sample import Sample, draw_float
from tests.laws.samples_elementwise import mp, on_python_numbers

__all__ = ["SAMPLES"]

ULPS = 1000
Domain = tuple[float, float]


SERIES_ULPS = 8
"""Of what compiled programs compute by the expressions of `fxla.ops.special_series`."""


def _row(
    oracle: Callable[..., Any],
    *domains: Domain,
    by: tuple[int, ...] | None = None,
    second: bool = True,
    dtypes: tuple[str, ...] = ("float64", "float32"),
    whole: tuple[int, ...] = (),
    result: str | None = None,
    holomorphic: bool = False,
    flat: bool = False,
    kernel_ulps: float = 0.0,
) -> list[Sample]:
    """Samples in each dtype, of one shape, and of scalars in the first.

    Derivatives by operands that are not in `by` are refused, or zero if `flat`.
    """
    made = []
    for name in dtypes:
        dtype = np.dtype(name)
        for shape in ((2, 3), ()) if name == dtypes[0] else ((5,),):
            draws = [draw_float(shape, dtype, *d) for d in domains]

            def operands(rng: np.random.Generator, draws: Any = draws) -> tuple[Any, ...]:
                drawn = [d(rng) for d in draws]
                return tuple(np.rint(x) if k in whole else x for k, x in enumerate(drawn))

            out = np.dtype(result) if result is not None else dtype
            if result is not None and name == "float32":
                out = np.dtype(np.complex64)
            smooth = name == dtypes[0]
            differentiable = tuple(range(len(domains))) if by is None else by
            made.append(
                Sample(
                    f"{name}-{'x'.join(map(str, shape)) or 'scalar'}",
                    operands,
                    oracle=on_python_numbers(oracle, out),
                    differentiable=differentiable if smooth else (),
                    ulps=ULPS if smooth else 64,
                    whole=name.startswith("complex"),
                    second=second,
                    defined=by is None or flat or (smooth and by != ()),
                    holomorphic=holomorphic,
                    kernel_ulps=kernel_ulps,
                )
            )
    return made


def _lower_gamma(a: Any, x: Any) -> Any:
    return mp.gammainc(a, 0, x, regularized=True)


def _upper_gamma(a: Any, x: Any) -> Any:
    return mp.gammainc(a, x, mp.inf, regularized=True)


def _beta_inc(a: Any, b: Any, x: Any) -> Any:
    return mp.betainc(a, b, 0, x, regularized=True)


def _root(f: Callable[[Any], Any], low: float, high: float) -> Any:
    """By bisection, to 35 digits or so."""
    a, b = mp.mpf(low), mp.mpf(high)
    for _ in range(120):
        middle = (a + b) / 2
        if f(middle) < 0:
            a = middle
        else:
            b = middle
    return (a + b) / 2


def _normal(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _binomial(n: Any, k: Any) -> Any:
    return mp.gamma(n + 1) / mp.gamma(k + 1) / mp.gamma(n - k + 1)


def _owens(h: Any, a: Any) -> Any:
    f = lambda t: mp.exp(-h * h * (1 + t * t) / 2) / (1 + t * t)  # noqa: E731
    return mp.quad(f, [0, a]) / (2 * mp.pi)


def _harmonic(n: Any, m: Any, theta: Any, phi: Any) -> Any:
    return mp.spherharm(int(n), int(m), theta, phi)


_AB: tuple[Domain, Domain] = ((0.5, 4.0), (0.5, 4.0))
_X: Domain = (0.6, 3.0)

SAMPLES: dict[str, list[Sample]] = {
    "gamma": _row(mp.gamma, (0.5, 5.0)),
    "gammasgn": _row(lambda x: mp.sign(mp.gamma(x)), (-1.9, -1.1)),
    "rgamma": _row(mp.rgamma, (0.5, 5.0)),
    "loggamma": _row(mp.loggamma, (2.5, 5.0)),
    "psi": _row(mp.digamma, (0.5, 3.0), by=(), dtypes=("complex128", "complex64")),
    "poch": _row(lambda z, m: mp.gamma(z + m) / mp.gamma(z), (0.5, 3.0), (0.3, 2.0)),
    "binom": _row(_binomial, (3.2, 5.0), (0.3, 2.0)),
    "gammainc": _row(_lower_gamma, (0.5, 4.0), (0.5, 4.0), second=False),
    "gammaincc": _row(_upper_gamma, (0.5, 4.0), (0.5, 4.0), second=False),
    "gammaincinv": _row(
        lambda a, p: _root(lambda x: _lower_gamma(a, x) - p, 0, 60),
        (0.8, 4.0), (0.2, 0.9), second=False,
    ),
    "gammainccinv": _row(
        lambda a, p: _root(lambda x: p - _upper_gamma(a, x), 0, 60),
        (0.8, 4.0), (0.2, 0.9), second=False,
    ),
    "beta": _row(mp.beta, *_AB),
    "betaln": _row(lambda a, b: mp.log(mp.beta(a, b)), (2.0, 4.0), (2.0, 4.0)),
    "betainc": _row(_beta_inc, *_AB, (0.1, 0.9), second=False),
    "betaincc": _row(lambda a, b, x: 1 - _beta_inc(a, b, x), *_AB, (0.1, 0.9), second=False),
    "betaincinv": _row(
        lambda a, b, p: _root(lambda x: _beta_inc(a, b, x) - p, 0, 1),
        (0.8, 4.0), (0.8, 4.0), (0.2, 0.8), second=False,
    ),
    "zeta": _row(mp.zeta, (1.4, 5.0), (0.5, 4.0)),
    "riemann_zeta": _row(mp.zeta, (1.4, 5.0)),
    "log_ndtr": _row(lambda x: mp.log(_normal(x)), (-9.0, 1.5), kernel_ulps=SERIES_ULPS),
    "ndtri": _row(
        lambda p: mp.sqrt(2) * mp.erfinv(2 * p - 1), (0.1, 0.45), kernel_ulps=SERIES_ULPS
    ),
    "erfcinv": _row(lambda p: mp.erfinv(1 - p), (0.1, 0.9), kernel_ulps=SERIES_ULPS),
    "erfcx": _row(lambda x: mp.exp(x * x) * mp.erfc(x), (-2.0, 5.0)),
    "dawsn": _row(lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x), (0.2, 0.8)),
    "wofz": _row(
        lambda z: mp.exp(-z * z) * mp.erfc(-1j * z), (0.5, 2.0), dtypes=("complex128", "complex64"),
        holomorphic=True,
    ),
    "owens_t": _row(_owens, (0.3, 2.0), (0.3, 2.0)),
    "exp1": _row(mp.e1, _X),
    "expi": _row(mp.ei, _X),
    "expn": _row(mp.expint, (2.0, 4.0), _X, by=(1,), whole=(0,)),
    "spence": _row(lambda x: mp.polylog(2, 1 - x).real, (0.2, 0.9)),
    "si": _row(mp.si, _X),
    "ci": _row(mp.ci, (0.7, 3.0)),
    "fresnel_s": _row(mp.fresnels, (0.3, 1.5)),
    "fresnel_c": _row(mp.fresnelc, (0.3, 1.5)),
    "i0": _row(lambda x: mp.besseli(0, x), _X, kernel_ulps=SERIES_ULPS),
    "i0e": _row(lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), _X, kernel_ulps=SERIES_ULPS),
    "i1": _row(lambda x: mp.besseli(1, x), _X, kernel_ulps=SERIES_ULPS),
    "i1e": _row(lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), _X, kernel_ulps=SERIES_ULPS),
    "k0": _row(lambda x: mp.besselk(0, x), _X),
    "k0e": _row(lambda x: mp.besselk(0, x) * mp.exp(x), _X),
    "k1": _row(lambda x: mp.besselk(1, x), _X),
    "k1e": _row(lambda x: mp.besselk(1, x) * mp.exp(x), _X),
    "j0": _row(lambda x: mp.besselj(0, x), (0.5, 2.0)),
    "j1": _row(lambda x: mp.besselj(1, x), _X),
    "y0": _row(lambda x: mp.bessely(0, x), (1.2, 3.0)),
    "y1": _row(lambda x: mp.bessely(1, x), (0.5, 1.8)),
    "jv": _row(mp.besselj, (0.5, 2.5), _X, by=(1,)),
    "yv": _row(mp.bessely, (0.5, 1.5), (0.5, 1.3), by=(1,)),
    "iv": _row(mp.besseli, (0.5, 2.5), _X, by=(1,)),
    "ive": _row(lambda v, x: mp.besseli(v, x) * mp.exp(-abs(x)), (0.5, 2.5), _X, by=(1,)),
    "kv": _row(mp.besselk, (0.5, 2.5), _X, by=(1,)),
    "kve": _row(lambda v, x: mp.besselk(v, x) * mp.exp(x), (0.5, 2.5), _X, by=(1,)),
    "hyp0f1": _row(mp.hyp0f1, (0.5, 2.5), _X, by=(1,)),
    "hyp1f1": _row(mp.hyp1f1, (0.5, 2.5), (0.5, 2.5), _X, by=(2,)),
    "hyp2f1": _row(mp.hyp2f1, (0.5, 2.5), (0.5, 2.5), (0.5, 2.5), (-0.6, 0.6), by=(3,)),
    "sph_harm_y": _row(
        _harmonic, (3.0, 5.0), (-2.0, 2.0), (0.5, 1.4), (0.3, 3.0), by=(2, 3), whole=(0, 1),
        result="complex128", flat=True,
    ),
}  # fmt: skip

_MEANS = ("betainc_mean_a", "betainc_mean_b")
SAMPLES |= {
    name: [
        Sample(
            "float64",
            lambda rng: (rng.uniform(0.5, 4, 4), rng.uniform(0.5, 4, 4), rng.uniform(0.1, 0.4, 4)),
            oracle=on_python_numbers(
                lambda a, b, x, k=k: _mean_of_harmonics(k, a, b, x), np.dtype(np.float64)
            ),
            ulps=256,  # a sum of some hundred terms of either sign
            kernel_ulps=64,
            defined=False,
        )
    ]
    for k, name in enumerate(_MEANS)
}


def _mean_of_harmonics(k: int, a: Any, b: Any, x: Any) -> Any:
    """The derivative of log of 2F1(a + b, 1; a + 1; x), in which a + b and a + 1 move apart."""
    series = lambda top, bottom: mp.hyp2f1(top, 1, bottom, x)  # noqa: E731
    by_top = mp.diff(lambda t: series(t, a + 1), a + b)
    by_bottom = mp.diff(lambda u: series(a + b, u), a + 1) if k == 0 else mp.mpf(0)
    return (by_top + by_bottom) / series(a + b, a + 1)
