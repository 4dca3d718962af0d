"""Elementary functions of the native target: worst errors over random bits, and special values."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest

from fxla.compile.backend.llvm import host_isa
from fxla.compile.backend.native import compile_native
from fxla.loops.ir import INDEX, Buffer, Expr, Extent, For, Index, Kernel, Load, Store
from fxla.loops.native.isa import AVX2, AVX512, BASELINE, Isa
from fxla.loops.scalar import SCALAR_OPS
from fxla.loops.view import op

_ORDER = {"baseline": 0, "avx2": 1, "avx512": 2}
ISAS = [BASELINE] + [x for x in (AVX2, AVX512) if _ORDER[x.name] <= _ORDER[host_isa().name]]

# worst errors in ulps that the table in fxla.loops.native.math promises: f32, f64
PROMISED = {
    "exp": (1.1, 1.1),
    "exp2": (1.1, 1.1),
    "expm1": (2.0, 2.0),
    "log": (1.0, 1.0),
    "log2": (1.5, 1.5),
    "log10": (2.0, 2.0),
    "log1p": (1.5, 1.5),
    "sin": (2.5, 2.0),
    "cos": (2.5, 2.0),
    "tan": (3.0, 3.0),
    "asin": (2.5, 2.5),
    "acos": (1.5, 1.5),
    "atan": (3.0, 2.5),
    "atan2": (3.0, 2.5),
    "sinh": (2.5, 3.0),
    "cosh": (1.5, 1.6),
    "tanh": (6.0, 3.0),
    "asinh": (2.5, 2.5),
    "acosh": (2.5, 2.5),
    "atanh": (2.5, 2.5),
    "logistic": (2.5, 2.5),
    "hypot": (0.6, 1.5),
    "cbrt": (0.6, 0.8),
    "rsqrt": (1.5, 1.5),
    "sqrt": (0.51, 0.51),
    "pow": (0.6, 1.0),
    "erf": (6.0, 2.0),
    "erfc": (3.0, 6.0),
    "erfinv": (4.0, 4.0),
}
LGAMMA = (5.0, 5.0)
"""... and for lgamma of positive numbers."""


@functools.cache
def compiled(name: str, dtype: np.dtype[Any], isa: Isa) -> Callable[..., np.ndarray]:
    """A function of arrays that applies the op to each element."""
    i, n = Index(INDEX, "i"), Extent(INDEX, 8, "n")
    xs = tuple(Buffer(f"x{k}", dtype, (n,)) for k in range(SCALAR_OPS[name].arity))
    out = Buffer("out", dtype, (n,))
    value: Expr = op(name, dtype, *[Load(dtype, x, (i,)) for x in xs])
    kernel = Kernel(name, xs, (out,), (n,), (For(i, n, (Store(out, (i,), value),), "parallel"),))
    address = compile_native(kernel, isa).address
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)

    def run(*arrays: np.ndarray) -> np.ndarray:
        given = [np.ascontiguousarray(a, dtype) for a in arrays]
        y = np.empty_like(given[0])
        slots = np.array([a.ctypes.data for a in [*given, y]] + [y.size], np.int64)
        function(slots.ctypes.data, 0, y.size)
        return y

    return run


def arguments(dtype: np.dtype[Any], n: int, seed: int) -> np.ndarray:
    """Random bits, values of common size, values near 0 and 1, and all special ones."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 256, n * dtype.itemsize, dtype=np.uint8).view(dtype)
    info = np.finfo(dtype)
    special = [0.0, 1.0, 0.5, 2.0, np.inf, np.nan, info.max, info.tiny, info.smallest_subnormal]
    with np.errstate(all="ignore"):
        parts = [
            bits,
            rng.uniform(-1, 1, n),
            rng.uniform(-30, 30, n),
            rng.standard_normal(n) * 10.0 ** rng.uniform(-8, 2.9, n),
            1 + rng.standard_normal(n) * 10.0 ** rng.uniform(-8, 0, n),
            np.array(special),
            -np.array(special),
        ]
        return np.concatenate([p.astype(dtype) for p in parts])


_PRECISE: dict[str, Callable[[Any], Any]] = {
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
    "erfinv": mpmath.erfinv,
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
}
_LONG: dict[str, Callable[..., Any]] = {
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "rsqrt": lambda x: 1 / np.sqrt(x),
}


def _by_mpmath(name: str, x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        out: np.ndarray = SCALAR_OPS[name].reference(x).astype(np.longdouble)
    big = 1e4 if name.startswith("erf") else np.inf
    with mpmath.workprec(120):
        for k in np.flatnonzero(np.isfinite(out) & (x != 0) & (np.abs(x) < big)):
            y = mpmath.nstr(_PRECISE[name](mpmath.mpf(float(x[k]))), 25)
            exponent = int(y.split("e")[1]) if "e" in y else 0
            out[k] = np.longdouble(y) if exponent > -4900 else 0
    return out


def reference(name: str, xs: list[np.ndarray]) -> np.ndarray:
    """The op in higher precision."""
    out = _reference(name, xs)
    if name == "erfinv":
        out[xs[0] == 0] = xs[0][xs[0] == 0]  # SciPy loses the sign of a zero
    return out


def _reference(name: str, xs: list[np.ndarray]) -> np.ndarray:
    with np.errstate(all="ignore"):
        if xs[0].dtype == np.float32:
            return np.asarray(SCALAR_OPS[name].reference(*[x.astype(np.float64) for x in xs]))
        if name in _PRECISE:
            return _by_mpmath(name, xs[0])
        f = _LONG.get(name, SCALAR_OPS[name].reference)
        return np.asarray(f(*[x.astype(np.longdouble) for x in xs]))


def worst_error(got: np.ndarray, exact: np.ndarray) -> float:
    """In ulps; infinite if a NaN, an infinity or the sign of a zero differs."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(got.dtype)
        ulp = np.maximum(np.spacing(np.abs(rounded)), np.finfo(got.dtype).smallest_subnormal)
        error = np.abs(got.astype(np.longdouble) - exact) / ulp
    special = ~np.isfinite(rounded)
    error[special] = np.where((got == rounded) | (np.isnan(got) & np.isnan(rounded)), 0.0, np.inf)[
        special
    ]
    error[np.isnan(error)] = np.inf
    error[(rounded == 0) & (got == 0) & (np.signbit(got) != np.signbit(rounded))] = np.inf
    return float(error.max())


@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: isa.name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(PROMISED))
def test_worst_error(name: str, dtype: str, isa: Isa) -> None:
    kind = np.dtype(dtype)
    n = 300 if kind == np.float64 and name in _PRECISE else 20000
    if kind == np.float64 and np.finfo(np.longdouble).nmant < 63 and name not in _PRECISE:
        pytest.skip("needs an 80-bit long double as reference")
    rng = np.random.default_rng(1)
    xs = [arguments(kind, n, 7)]
    if SCALAR_OPS[name].arity == 2:
        xs.append(rng.permutation(arguments(kind, n, 8)))
    error = worst_error(compiled(name, kind, isa)(*xs), reference(name, xs))
    assert error <= PROMISED[name][kind == np.float64], error


@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: isa.name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_up_to_the_ends_of_the_range(dtype: str, isa: Isa) -> None:
    """There an error of the logarithm is magnified most."""
    kind = np.dtype(dtype)
    if kind == np.float64 and np.finfo(np.longdouble).nmant < 63:
        pytest.skip("needs an 80-bit long double as reference")
    rng = np.random.default_rng(0)
    low, high = np.log(np.finfo(kind).smallest_subnormal), np.log(np.finfo(kind).max)
    x = np.abs(np.r_[rng.uniform(0.4, 2.5, 40000), 10.0 ** rng.uniform(-30, 30, 10000)])
    y = (rng.uniform(1.01 * low, 1.01 * high, x.size) / np.log(x)).astype(kind)
    xs = [x.astype(kind), y]
    error = worst_error(compiled("pow", kind, isa)(*xs), reference("pow", xs))
    assert error <= PROMISED["pow"][kind == np.float64], error


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nextafter(dtype: Any) -> None:
    x = arguments(np.dtype(dtype), 500, 1)
    y = np.random.default_rng(0).permutation(x)
    x[:200] = y[:200]
    got = compiled("nextafter", np.dtype(dtype), host_isa())(x, y)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got, np.nextafter(x, y))


@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: isa.name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_worst_error_of_lgamma(dtype: str, isa: Isa) -> None:
    """Of positive numbers, relative to its values beside its zeros at 1 and 2, too."""
    kind = np.dtype(dtype)
    rng = np.random.default_rng(2)
    beside = [c + rng.standard_normal(200) * 10.0 ** rng.uniform(-6, -1, 200) for c in (1, 2)]
    pieces = [rng.uniform(low, high, 300) for low, high in ((0, 1), (1, 3), (3, 8), (8, 40))]
    x = np.abs(np.concatenate([arguments(kind, 100, 9), *beside, *pieces])).astype(kind)
    exact = np.full(x.shape, np.inf, np.longdouble)
    with mpmath.workprec(150):
        for k, value in enumerate(x):
            if np.isnan(value) or 0 < value < np.inf:
                exact[k] = np.longdouble(mpmath.nstr(mpmath.loggamma(float(value)), 30))
    with np.errstate(all="ignore"):
        error = worst_error(compiled("lgamma", kind, isa)(x), exact)
    assert error <= LGAMMA[kind == np.float64], error


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["lgamma", "digamma"])
def test_gamma_functions(name: str, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    x = np.r_[rng.uniform(-20, 20, 5000), rng.uniform(0, 1e6, 1000), np.arange(-5, 30)]
    x = np.r_[x, 0.0, -0.0, np.inf, -np.inf, np.nan, 1e-20].astype(dtype)
    with np.errstate(all="ignore"):
        expected = SCALAR_OPS[name].reference(x.astype(np.float64)).astype(dtype)
    got = compiled(name, np.dtype(dtype), host_isa())(x)
    eps = float(np.finfo(dtype).eps)
    # relative to the function beside its zeros and poles, which move with the argument's last bit
    if name == "digamma":
        expected[x == -np.inf] = got[x == -np.inf]  # SciPy's -inf, where there is no limit
    np.testing.assert_allclose(got, expected, rtol=1e4 * eps, atol=40 * eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["sin", "cos", "tanh", "erf", "logistic"])
def test_bounded_functions_stay_within_bounds(name: str, dtype: Any) -> None:
    x = np.linspace(-40, 40, 200001).astype(dtype)
    assert np.abs(compiled(name, np.dtype(dtype), host_isa())(x)).max() <= 1
