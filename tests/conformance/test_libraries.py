"""Libraries of arrays on fxla's: NumPy is what they must agree with."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp

ROOT = Path(__file__).parents[2]
X = np.random.default_rng(0).normal(size=(6, 4))


def near(loss, x, at, step=1e-5):
    """The derivative by one element, by differences."""
    moved = np.zeros(x.shape)
    moved[at] = step
    return (loss(x + moved) - loss(x - moved)) / (2 * step)


def check(f, *, traced=True):
    """A function of a matrix: of an fxla array, compiled, batched, differentiated."""
    want = np.asarray(f(X))
    np.testing.assert_allclose(f(fnp.asarray(X)), want, rtol=1e-12, atol=1e-14)
    if traced:
        np.testing.assert_allclose(fxla.jit(f)(X), want, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(fxla.vmap(f)(np.stack([X, -X]))[0], want, rtol=1e-12, atol=1e-14)
        slope = fxla.grad(lambda x: (f(x) ** 2).sum())(X)[2, 1]
        want = near(lambda x: np.sum(f(x) ** 2), X, (2, 1))
        np.testing.assert_allclose(slope, want, rtol=1e-6, atol=1e-9)


# --- array-api-compat and array-api-strict ----------------------------------------------------


def test_array_api_compat_knows_arrays():
    compat = pytest.importorskip("array_api_compat")
    x = fnp.ones((2, 3))
    assert compat.is_array_api_obj(x) and compat.is_numpy_array(x)
    assert compat.device(x) == "cpu" and compat.size(x) == 6
    assert compat.to_device(x, "cpu") is x and not compat.is_lazy_array(x)
    assert compat.array_namespace(x).__name__ == "array_api_compat.numpy"


def test_array_api_compat_knows_tracers():
    compat = pytest.importorskip("array_api_compat")
    found = {}

    def f(x):
        found["namespace"] = compat.array_namespace(
            x, x.__array_namespace__().ones(3), 2.0
        ).__name__
        found["kinds"] = [getattr(compat, f"is_{n}_array")(x) for n in ("numpy", "jax", "torch")]
        found["is"] = (
            compat.is_array_api_obj(x),
            compat.is_lazy_array(x),
            compat.is_writeable_array(x),
        )
        found["device"] = compat.device(x), compat.size(x), compat.to_device(x, "cpu") is x
        return x

    fxla.jit(f)(X)
    assert found == {
        "namespace": "fxla.numpy", "kinds": [False, False, False], "is": (True, True, True),
        "device": ("cpu", 24, True),
    }  # fmt: skip


def test_functions_of_the_namespace():
    compat = pytest.importorskip("array_api_compat")

    def f(x):
        xp = compat.array_namespace(x)
        y = xp.concat([xp.permute_dims(x, (1, 0)), xp.matrix_transpose(x)], axis=0)
        y = xp.astype(y, xp.float64) * xp.asarray(2.0, device=compat.device(x)) + x.mT[:1]
        return xp.cumulative_sum(y, axis=0) / xp.vecdot(y, y)[:, None]

    check(f)


def test_what_array_api_strict_makes_and_takes():
    strict = pytest.importorskip("array_api_strict")
    theirs = strict.asarray(X)
    np.testing.assert_array_equal(fnp.from_dlpack(theirs), X)
    np.testing.assert_array_equal(np.asarray(strict.from_dlpack(fnp.asarray(X))), X)
    for name in "acos bitwise_invert cumulative_sum matrix_transpose unique_values vecdot".split():
        assert callable(getattr(strict, name)) and callable(getattr(fnp, name))
    public = [n for n in strict.__all__ if callable(getattr(strict, n)) and n.islower()]
    ours = (
        "set_array_api_strict_flags get_array_api_strict_flags reset_array_api_strict_flags".split()
    )
    absent = [n for n in public if n not in ours and not hasattr(fnp, n)]
    assert sorted(set(absent) - {"ArrayAPIStrictFlags"}) == []


# --- SciPy and scikit-learn -------------------------------------------------------------------


def test_scipy_and_scikit_learn_through_the_array_api():
    for name in ("array_api_compat", "sklearn"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance.dispatching"],
        capture_output=True, text=True, check=False, env=environment, cwd=ROOT, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 50


# --- xarray, pandas, matplotlib ---------------------------------------------------------------

OF_DATA_ARRAYS = {
    "arithmetic": lambda x: (x * 2 + x.isel(b=0)).data,
    "mean": lambda x: x.mean("a").data,
    "normalised": lambda x: ((x - x.mean("b")) / x.std("b")).data,
    "ufunc": lambda x: np.sin(x).data,
    "where": lambda x: x.where(x > 0, 0.0).data,
    "select": lambda x: x.sel(a=2).data * x.isel(a=slice(1, 4)).data,
    "transpose": lambda x: x.transpose("b", "a").data,
    "dot": lambda x: x.dot(x, dim="a").data,
    "cumsum": lambda x: x.cumsum("a").data,
    "rolling": lambda x: x.rolling(a=3).construct("w").mean("w").data[2:],
}


@pytest.mark.parametrize("name", OF_DATA_ARRAYS)
def test_xarray(name):
    xarray = pytest.importorskip("xarray")
    f = OF_DATA_ARRAYS[name]

    def of_array(x):
        return f(xarray.DataArray(x, dims=("a", "b"), coords={"a": np.arange(x.shape[0])}))

    check(of_array)


def test_pandas():
    pandas = pytest.importorskip("pandas")
    x = fxla.jit(lambda x: x * 2)(X)
    frame = pandas.DataFrame(x, columns=list("abcd"))
    np.testing.assert_allclose(frame.mean().to_numpy(), (2 * X).mean(0))
    series = pandas.Series(x[:, 0])
    assert type(fxla.jit(fnp.sum)(series.to_numpy())) is fxla.Array


def test_matplotlib():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    x = fxla.jit(lambda x: x * 2)(X)
    (line,) = axes.plot(x[:, 0])
    np.testing.assert_array_equal(line.get_ydata(), 2 * X[:, 0])
    np.testing.assert_array_equal(axes.imshow(x).get_array(), 2 * X)
