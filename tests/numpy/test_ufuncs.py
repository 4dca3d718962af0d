"""Every ufunc on every dtype: the traced path gives NumPy's dtype and NumPy's values."""

from __future__ import annotations

import numpy as np
import pytest

from fxla.core.aval import Aval
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.numpy import logic, rounding, ufuncs

DTYPES = (
    "bool int8 uint8 int16 int32 uint32 int64 uint64 float16 float32 float64 complex64 complex128"
)
ALL = {getattr(module, name) for module in (ufuncs, logic, rounding) for name in module.__all__}
TABLE = sorted(ALL, key=lambda f: f.__name__)
UNARY = [f for f in TABLE if getattr(np, f.__name__).nin == 1]
BINARY = [f for f in TABLE if getattr(np, f.__name__).nin == 2]

# NumPy divides by zero, or shifts by a negative count, as the processor happens to do.
NONZERO = {"floor_divide", "remainder", "fmod", "divmod", "reciprocal"}
SHIFTS = {"left_shift", "right_shift"}


def traced(f, *args):
    """What `f` computes when it is recorded and replayed, with the recorded dtypes."""
    closed = trace_to_jaxpr(
        lambda *xs: out if isinstance(out := f(*xs), tuple) else (out,),
        [Aval(np.shape(a), np.asarray(a).dtype) for a in args],
    )
    outs = eval_jaxpr(closed.jaxpr, *closed.consts, *args)
    for out, aval in zip(outs, closed.jaxpr.out_avals, strict=True):
        assert (out.shape, out.dtype) == (aval.shape, aval.dtype)
        assert not aval.weak_type
    return outs


def sample(dtype: str, seed: int, nonzero: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype).kind
    if kind == "b":
        return np.ones(6, bool) if nonzero else rng.integers(0, 2, 6).astype(bool)
    if kind in "iu":
        low = 1 if nonzero else (-7 if kind == "i" else 0)
        x = rng.integers(low, 8, 6)
        return np.where(rng.integers(0, 2, 6) & (kind == "i") & nonzero, -x, x).astype(dtype)
    x = np.concatenate([rng.normal(size=6) * 2, [0.0, -0.0, 1.0, -1.0, 0.5, 2.5]])
    if kind == "c":
        return (x + 1j * np.roll(x, 3))[:9].astype(dtype)
    if nonzero:
        return (np.sign(x + 0.1) * (abs(x) + 0.1)).astype(dtype)
    return np.concatenate([x, [np.inf, -np.inf, np.nan, 1e-6]]).astype(dtype)


def compare(f, *args):
    numpy_f = getattr(np, f.__name__)
    with np.errstate(all="ignore"):
        try:
            want = numpy_f(*args)
        except TypeError:
            with pytest.raises(TypeError, match=f"np.{f.__name__}: "):
                traced(f, *args)
            return
        except ValueError as error:
            assert "negative integer powers" in str(error)
            return
    got = traced(f, *args)
    wants = want if isinstance(want, tuple) else (want,)
    for g, w in zip(got, wants, strict=True):
        assert g.dtype == w.dtype, (f.__name__, [np.asarray(a).dtype for a in args])
        assert g.shape == np.shape(w)
        if w.dtype.kind in "fc":
            eps = float(np.finfo(w.dtype).eps)
            np.testing.assert_allclose(g, w, rtol=8 * eps, atol=8 * eps)
            if w.dtype.kind == "f":
                zeros = w == 0
                np.testing.assert_array_equal(np.signbit(g[zeros]), np.signbit(w[zeros]))
        else:
            np.testing.assert_array_equal(g, w)


@pytest.mark.parametrize("f", UNARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", DTYPES.split())
def test_unary(f, dtype):
    compare(f, sample(dtype, 1, f.__name__ in NONZERO))


@pytest.mark.parametrize("f", BINARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("left", DTYPES.split())
def test_binary(f, left):
    for right in DTYPES.split():
        divisor = f.__name__ in NONZERO
        x, y = sample(left, 2), sample(right, 3, divisor)
        if f.__name__ in SHIFTS or (f.__name__ == "power" and y.dtype.kind == "i"):
            y = abs(y)
        n = min(len(x), len(y))
        compare(f, x[:n], y[:n])


@pytest.mark.parametrize("f", BINARY, ids=lambda f: f.__name__)
def test_python_scalars_are_weak(f):
    for dtype in ("int8", "uint8", "float16", "float32", "complex64"):
        x = sample(dtype, 4, nonzero=True)
        for scalar in (3, 2.5):
            if f.__name__ == "ldexp" and scalar == 2.5:
                continue
            want = traced_scalar(getattr(np, f.__name__), x, scalar)
            if want is None:
                continue
            got = traced(lambda x, s=scalar: f(x, s), x)
            assert [g.dtype for g in got] == [w.dtype for w in want]
            for g, w in zip(got, want, strict=True):
                tolerance = 16 * float(np.finfo(w.dtype).eps) if w.dtype.kind in "fc" else 0
                np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance)


def traced_scalar(numpy_f, x, scalar):
    with np.errstate(all="ignore"):
        try:
            want = numpy_f(x, scalar)
        except TypeError:
            return None
    return want if isinstance(want, tuple) else (want,)


@pytest.mark.parametrize("f", TABLE, ids=lambda f: f.__name__)
def test_eager_is_numpy(f):
    numpy_f = getattr(np, f.__name__)
    args = [np.asarray([1, 2], "int32"), np.asarray([3, 1], "int32")][: numpy_f.nin]
    with np.errstate(all="ignore"):
        got, want = f(*args), numpy_f(*args)
    for g, w in zip(
        got if isinstance(got, tuple) else [got], want if isinstance(want, tuple) else [want]
    ):
        assert type(g).__name__ == "Array"
        np.testing.assert_array_equal(g, w)
