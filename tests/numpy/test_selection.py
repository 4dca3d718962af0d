"""Arrays whose size depends on values: ``x[mask]`` and its kin mean under jit what NumPy means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.errors import NonConcreteBooleanIndexError
from tests.numpy.agreement import differences

X = np.array([4.0, -1.5, 9.0, 0.25, 2.5, -3.0, 2.75, 7.0])
Y = fnp.arange(8.0) - 2.0
A = fnp.array(np.random.default_rng(3).standard_normal((8, 3)) + 0.2)

VALUES: dict[str, Callable[..., Any]] = {
    "elements": lambda x: x[x > 0],
    "none": lambda x: x[x > 100],
    "all": lambda x: x[x < 100],
    "function": lambda x: np.sqrt(x[x > 0]),
    "two functions": lambda x: np.log(x[x > 0]) + x[x > 0] ** 2,
    "one mask, two arrays": lambda x: x[x > 0] * Y[x > 0],
    "several results": lambda x: np.modf(x[x > 0]),
    "comparison": lambda x: x[x > 0] > 3,
    "where": lambda x: np.where(x[x > 0] > 3, x[x > 0], 0),
    "scalar on the left": lambda x: 2 - x[x > 0],
    "astype": lambda x: x[x > 0].astype(np.int32),
    "rows": lambda x: A[x > 0],
    "rows, scaled": lambda x: A[x > 0] * x[x > 0][:, None] + np.arange(3.0),
    "columns": lambda x: A.T[:, x > 0],
    "part of the rows": lambda x: A[x > 0, 1:],
    "mask of two axes": lambda x: np.outer(x, x)[np.outer(x, Y) > 1],
    "mask of two axes of three": lambda x: (A[:, None] * x[:, None])[np.outer(x, Y) > 1],
    "sum of rows": lambda x: A[x > 0].sum(axis=0),
    "sum along rows": lambda x: A[x > 0].sum(axis=1),
    "mean, kept": lambda x: A[x > 0].mean(axis=0, keepdims=True),
    "by keyword": lambda x: np.sum(a=A[x > 0], axis=0),
    "mean": lambda x: x[x > 0].mean(),
    "var": lambda x: x[x > 0].var(ddof=1),
    "std": lambda x: np.std(x[x > 0]),
    "extremes": lambda x: (x[x > 0].max(), np.min(x[x > 0]), np.ptp(x[x > 0])),
    "extremes of rows": lambda x: (A[x > 0].max(0), A[x > 0].min(1)),
    "logic": lambda x: (np.all(x[x > 0] > 1), np.any(x[x > 0] > 8)),
    "positions of extremes": lambda x: (np.argmax(x[x > 0]), np.argmin(x[x > 0])),
    "product": lambda x: np.prod(x[x > 0]),
    "no elements": lambda x: (x[x > 100].sum(), np.prod(x[x > 100]), np.any(x[x > 100])),
    "count": lambda x: np.count_nonzero(x[x > 0] > 3),
    "average": lambda x: np.average(x[x > 0], weights=Y[x > 0] ** 2),
    "nan": lambda x: np.nansum(np.where(x[x > 0] > 3, np.nan, x[x > 0])),
    "median": lambda x: np.median(x[x > 0]),
    "quantile": lambda x: np.quantile(x[x > 0], 0.3),
    "percentiles": lambda x: np.percentile(x[x > 0], [10, 50, 90]),
    "median of nan": lambda x: np.median(np.where(x[x > 0] > 8, np.nan, x[x > 0])),
    "norm": lambda x: (np.linalg.norm(x[x > 0]), np.linalg.norm(A[x > 0], axis=1)),
    "cumsum": lambda x: np.cumsum(x[x > 0]),
    "cumprod of rows": lambda x: np.cumprod(A[x > 0], axis=0),
    "cumsum along rows": lambda x: np.cumsum(A[x > 0], axis=1),
    "sort": lambda x: np.sort(x[x != 9]),
    "sort with nan": lambda x: np.sort(np.where(x[x > 0] > 8, np.nan, x[x > 0])),
    "sort of integers": lambda x: np.sort(x.astype(np.int64)[x > 0]),
    "sorted rows": lambda x: np.sort(A[x > 0], axis=1),
    "flip": lambda x: np.flip(x[x > 0]),
    "reversed": lambda x: x[x > 0][::-1],
    "first": lambda x: x[x > 0][0],
    "last": lambda x: x[x > 0][-1],
    "second row": lambda x: A[x > 0][1],
    "column": lambda x: A[x > 0][:, 1],
    "slice": lambda x: x[x > 0][1:3],
    "tail": lambda x: x[x > 0][-2:],
    "but the last": lambda x: x[x > 0][:-1],
    "beyond the end": lambda x: x[x > 0][3:100],
    "several": lambda x: x[x > 0][np.array([0, -1, 1])],
    "mask of a selection": lambda x: x[x > 0][x[x > 0] > 3],
    "nonzero": lambda x: np.nonzero(x > 0),
    "nonzero of two axes": lambda x: np.nonzero(np.outer(x, Y) > 1),
    "where, positions": lambda x: np.where(x > 0)[0],
    "flatnonzero": lambda x: np.flatnonzero(x > 0) * 2,
    "argwhere": lambda x: np.argwhere(np.outer(x, Y) > 1),
    "positions of a selection": lambda x: np.nonzero(x[x > 0] > 3)[0],
    "gather": lambda x: Y[np.flatnonzero(x > 0)],
    "gather of rows": lambda x: A[np.flatnonzero(x > 0)],
    "gather at pairs": lambda x: np.outer(x, Y)[np.nonzero(np.outer(x, Y) > 1)],
    "compress": lambda x: np.compress(x > 0, A, axis=0),
    "extract": lambda x: np.extract(x > 0, Y),
    "unique": lambda x: np.unique(x.round()),
    "unique of nan": lambda x: np.unique(np.where(x > 3, np.nan, x)),
    "unique, all": lambda x: np.unique(x, True, True, True),
    "unique of a selection": lambda x: np.unique(x[x > 0]),
    "unique rows": lambda x: np.unique(np.stack([x, x]).round().T, axis=0),
    "number of unique": lambda x: np.unique(x).size,
    "shape": lambda x: A[x > 0].shape[0] * 2,
    "size": lambda x: np.size(A[x > 0]),
    "concatenate": lambda x: np.concatenate([x[x > 0], Y, x[x < 0]]),
    "append": lambda x: np.append(x[x > 0], 1.0),
    "stack": lambda x: np.stack([x[x > 0], Y[x > 0]], axis=1),
    "reshape": lambda x: x[x > 0].reshape(-1, 1) + np.arange(3.0),
    "new axis": lambda x: np.expand_dims(x[x > 0], 0),
    "transpose": lambda x: A[x > 0].T,
    "dot": lambda x: np.dot(x[x > 0], Y[x > 0]),
    "normal equations": lambda x: A[x > 0].T @ A[x > 0],
    "matrix times vector": lambda x: A[x > 0] @ np.arange(3.0),
    "vector times matrix": lambda x: x[x > 0] @ A[x > 0],
    "matrix times selection": lambda x: np.ones((2, 3)) @ A.T[:, x > 0],
    "least squares": lambda x: np.linalg.lstsq(A[x > 0], x[x > 0])[0],
    "polyfit": lambda x: np.polyfit(Y[x > 0], x[x > 0], 1),
    "interp": lambda x: np.interp(x[x > 0], np.arange(4.0), np.arange(4.0) ** 2),
    "searchsorted": lambda x: np.searchsorted(np.arange(4.0), x[x > 0]),
    "isin": lambda x: np.isin(x[x > 0], [2.5, 9.0]),
    "bincount": lambda x: np.bincount(np.abs(x[x > 0]).astype(int), minlength=12)[:12],
    "histogram": lambda x: np.histogram(x[x > 0], bins=4)[0],
    "histogram, weighted": lambda x: np.histogram(x[x > 0], 3, (0, 9), weights=Y[x > 0])[0],
    "zeros like": lambda x: np.zeros_like(x[x > 0]),
}  # fmt: skip


def leaves(out: Any) -> list[Any]:
    return list(out) if isinstance(out, (tuple, list)) else [out]


@pytest.mark.parametrize("name", VALUES)
def test_value(name: str) -> None:
    f = VALUES[name]
    if name == "bincount":  # the length of the counts is a size too
        f = lambda x: np.bincount(np.abs(x[x > 0]).astype(int), minlength=12)  # noqa: E731
        ours = fxla.jit(lambda x: fnp.bincount(np.abs(x[x > 0]).astype(int), length=12))
    else:
        ours = fxla.jit(f)
    for x in (X, X[::-1].copy(), np.abs(X)):
        for got, want in zip(leaves(ours(x)), leaves(f(x)), strict=True):
            assert isinstance(got, np.ndarray)
            assert got.shape == np.shape(want), name
            assert got.dtype == np.asarray(want).dtype
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


GRADIENTS: dict[str, Callable[..., Any]] = {
    "log": lambda x: np.log(x[x > 0]).sum(),
    "mean over maximum": lambda x: (x[x > 0] ** 2).mean() / x[x > 0].max(),
    "product of sorted": lambda x: np.sort(x[x < 8])[1:].prod(),
    "gather": lambda x: np.sqrt(x[np.nonzero(x > 0)[0]]).std(),
    "median": lambda x: np.median(x[x > 0]),
    "cumsum": lambda x: (np.cumsum(x[x > 0]) ** 2).sum(),
    "rows": lambda x: np.linalg.norm(A[x > 0] * x[x > 0][:, None]),
    "dot": lambda x: np.dot(x[x > 0], x[x > 0]) * x.sum(),
    "nothing": lambda x: np.log(x[x > 100]).sum() + x[0],
    "nested": lambda x: np.log(x[x > 0][x[x > 0] > 1]).sum(),
    "least squares": lambda x: np.linalg.lstsq(A[x > 0], x[x > 0])[0].sum(),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradient(name: str) -> None:
    f = GRADIENTS[name]
    want = differences(f, (X,), 0)
    with np.errstate(all="raise", under="ignore"):
        for transformed in (fxla.jit(fxla.grad(f)), fxla.grad(fxla.jit(f)), fxla.grad(f)):
            np.testing.assert_allclose(transformed(X), want, rtol=1e-6, atol=1e-7)
    (tangent,) = [fxla.jvp(fxla.jit(f), (X,), (np.cos(Y),))[1]]
    np.testing.assert_allclose(tangent, want @ np.cos(Y), rtol=1e-6)


@pytest.mark.parametrize("name", GRADIENTS)
def test_each_example_has_its_own_size(name: str) -> None:
    f = GRADIENTS[name]
    rows = np.stack([X, X[::-1], np.abs(X) + Y * 0.01])
    np.testing.assert_allclose(fxla.vmap(f)(rows), [f(r) for r in rows], rtol=1e-12)
    each = fxla.jit(fxla.vmap(fxla.grad(f)))(rows)
    want = [differences(f, (r,), 0) for r in rows]
    np.testing.assert_allclose(each, want, rtol=1e-6, atol=1e-7)


def test_writes() -> None:
    def where_positive(x: Any) -> Any:
        x = fnp.asarray(x)
        return (
            x.at[x > 0].set(np.sqrt(x[x > 0])),
            fnp.zeros(8).at[np.flatnonzero(x > 0)].add(x[x > 0]),
            fnp.zeros((8, 3)).at[np.flatnonzero(x > 0)].set(A[x > 0]),
            fnp.zeros(3).at[np.flatnonzero(x > 0) % 3].add(1.0),
        )

    first, second = X.copy(), np.where(X > 0, X, 0)
    first[X > 0] = np.sqrt(X[X > 0])
    third = np.where((X > 0)[:, None], A, 0)
    counts = np.bincount(np.flatnonzero(X > 0) % 3, minlength=3)
    for got, want in zip(fxla.jit(where_positive)(X), (first, second, third, counts), strict=True):
        np.testing.assert_array_equal(got, want)


def test_writes_into_a_selection() -> None:
    def f(x: Any) -> Any:
        chosen = x[x > 0]
        chosen[chosen > 5] = 5.0
        chosen[0] = -1.0
        chosen.sort()
        chosen += 1
        return chosen

    np.testing.assert_array_equal(fxla.jit(f)(X), f(X))


def test_through_control_flow() -> None:
    def f(x: Any) -> Any:
        chosen = x[x > 0]
        step = lambda k, c: np.sqrt(c + 1)  # noqa: E731
        chosen = fxla.lax.fori_loop(0, 3, step, chosen)
        return fxla.lax.cond(x[0] > 0, lambda c: c.sum(), lambda c: c.max(), chosen)

    want = X[X > 0]
    for _ in range(3):
        want = np.sqrt(want + 1)
    np.testing.assert_allclose(fxla.jit(f)(X), want.sum())
    np.testing.assert_allclose(
        fxla.jit(lambda x: fxla.jit(np.sqrt)(x[x > 0]))(X), np.sqrt(X[X > 0])
    )


ERRORS: dict[str, Callable[..., Any]] = {
    "len": lambda x: len(x[x > 0]),
    "iteration": lambda x: list(x[x > 0]),
    "fft": lambda x: np.fft.fft(x[x > 0]),
    "another size": lambda x: x[x > 0] + x,
    "another mask": lambda x: x[x > 0] + x[x > 1],
    "shape": lambda x: x[x > 0].reshape(2, 3),
    "lax": lambda x: fxla.lax.sin(x[x > 0]),
    "asarray": lambda x: np.asarray(x[x > 0]).tolist(),
    "two axes": lambda x: x[x > 0][:, None] * x[x > 0][None, :],
    "two masks": lambda x: np.outer(x, x)[x > 0, Y > 0],
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_needs_a_size_says_so(name: str) -> None:
    with pytest.raises((IndexError, TypeError)) as caught:
        fxla.jit(ERRORS[name])(X)
    text = str(caught.value)
    assert "test_selection.py" in text
    assert "size=" in text or ".shape[0]" in text
    assert "known while tracing" in text


def test_a_batch_of_selections_has_no_shape() -> None:
    with pytest.raises(NonConcreteBooleanIndexError, match="own number of elements"):
        fxla.vmap(lambda x: x[x > 0])(np.stack([X, Y]))


def test_a_mask_that_does_not_fit() -> None:
    with pytest.raises(IndexError, match="did not match"):
        fxla.jit(lambda x: A[x[:3] > 0])(X)


def test_many_lengths_are_one_program() -> None:
    f = fxla.jit(lambda x: (np.sqrt(x[x > 0.5]).sum(), x[x > 0.5]))
    rng = np.random.default_rng(0)
    for n in range(2, 40):
        f(rng.random(n))
    kernels = set(f.inspect(rng.random(40)).source.split("define"))
    for n in (41, 333, 5000):
        x = rng.random(n)
        total, chosen = f(x)
        np.testing.assert_allclose(total, np.sqrt(x[x > 0.5]).sum())
        np.testing.assert_array_equal(chosen, x[x > 0.5])
        assert set(f.inspect(x).source.split("define")) == kernels
