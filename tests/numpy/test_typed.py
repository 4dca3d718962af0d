"""Programs of public functions: what NumPy gives, for every call of the same types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.numpy.typed import typed

A = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def repeated(f: Any, *args: Any) -> Any:
    """The last of some jitted calls that each trace anew; they all give the same."""
    found = [fxla.jit(lambda *xs: f(*xs))(*args) for _ in range(4)]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
        assert other.dtype == found[0].dtype
    return found[0]


@pytest.mark.parametrize(
    "f",
    [
        lambda np, x: x * 2 + 0.5,
        lambda np, x: 1 - x,
        lambda np, x: x**2 + x**0.5,
        lambda np, x: 2.0**x,
        lambda np, x: np.sum(x, axis=0, keepdims=True),
        lambda np, x: np.mean(x, 1),
        lambda np, x: np.concatenate([x, x], axis=1),
        lambda np, x: np.where(x > 1, x, 7.0),
        lambda np, x: np.clip(x, 1.0, 2.5),
        lambda np, x: np.divmod(x, 2.0)[1],
        lambda np, x: x.reshape(3, 2).T @ np.ones((3, 2), np.float32),
        lambda np, x: x + np.float64(1.0),
    ],
)
def test_values_and_dtypes_are_numpys(f: Any) -> None:
    wanted = f(np, A)
    found = repeated(lambda x: f(fnp, x), A)
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_numbers_of_other_values_are_other_values() -> None:
    found = [float(fxla.grad(lambda x, c=c: x * c + c)(3.0)) for c in (0.5, 1.5, 2, -4.0, 7)]
    assert found == [0.5, 1.5, 2.0, -4.0, 7.0]


def test_exponents_and_axes_count_by_value() -> None:
    for n in (2, 3, 2, 3, 2, 3):
        assert float(fxla.grad(lambda x, n=n: x**n)(2.0)) == n * 2.0 ** (n - 1)
        shape = fxla.jit(lambda x, n=n: fnp.sum(x, axis=n - 2))(A).shape
        assert shape == np.sum(A, axis=n - 2).shape


def test_an_integer_that_does_not_fit_is_refused_as_by_numpy() -> None:
    x = np.arange(3, dtype=np.uint8)
    for n in (1, 2, 300):
        f = fxla.jit(lambda x, n=n: x + n)
        if n == 300:
            with pytest.raises(OverflowError):
                f(x)
        else:
            assert f(x).dtype == np.uint8


def test_mistakes_are_reported_every_time() -> None:
    for _ in range(4):
        with pytest.raises(ValueError, match="do not broadcast"):
            fxla.grad(lambda x: fnp.sum(x + np.ones(2)))(np.ones(3))


def test_what_looks_at_values_still_may() -> None:
    """Not a function of types: it is called as it is, each time."""
    calls = []

    def f(x: Any) -> Any:
        calls.append(x.concrete())
        return x * float(x.concrete())

    g = typed(f)
    for v in (2.0, 3.0):
        assert float(fxla.grad(lambda x: g(x))(v)) == v
    assert 2.0 in calls and 3.0 in calls


def test_default_precision_is_part_of_the_type() -> None:
    for dtype in ("float64", "float32", "float64", "float32"):
        with fxla.default_dtype(dtype):
            assert fxla.jit(lambda n: fnp.sin(n))(np.arange(3)).dtype == dtype


def test_an_array_that_the_function_made_is_part_of_the_program() -> None:
    g = typed(lambda x: x * fnp.asarray(np.array([1.0, 2.0])))
    for _ in range(4):
        assert fxla.jit(lambda x: g(x))(np.ones(2)).tolist() == [1.0, 2.0]
        assert fxla.grad(lambda x: g(x).sum())(np.ones(2)).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "index",
    [0, -1, slice(1, None), slice(None, None, -2), (0, None, ..., slice(0, 2)), (slice(1, 2), 1)],
)
def test_basic_indexing(index: Any) -> None:
    x = np.arange(12.0).reshape(3, 4)
    wanted = np.zeros_like(x)
    wanted[index] = 2.0
    for _ in range(4):
        found = fxla.grad(lambda x: fnp.sum(x[index]) * 2.0)(x)
        np.testing.assert_array_equal(found, wanted)


def test_positions_are_checked_every_time() -> None:
    for _ in range(4):
        with pytest.raises(IndexError):
            fxla.grad(lambda x: x[np.array([5])].sum())(np.ones(3))
        with pytest.raises(IndexError):
            fxla.grad(lambda x: x[5])(np.ones(3))
