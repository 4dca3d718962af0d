"""Every function of the corpus: Python's values, and the slopes that differences give."""

from typing import Any

import numpy as np
import pytest
from tests.kernels.corpus import CASES, Case

import fxla
from fxla.core.pytree import tree_flatten
from fxla.kernels.api import kernel

KERNELS = {c.name: kernel(c.f) for c in CASES}
CASE = pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
SMOOTH = pytest.mark.parametrize("case", [c for c in CASES if c.smooth], ids=lambda c: c.name)


def copies(args: tuple[Any, ...]) -> list[Any]:
    return [x.copy() if isinstance(x, np.ndarray) else x for x in args]


def leaves(x: Any) -> list[Any]:
    return [np.asarray(v) for v in tree_flatten(x)[0]]


def is_float(x: Any) -> bool:
    return np.asarray(x).dtype.kind == "f"


def weighted(case: Case, f: Any) -> Any:
    """A number of the floats among the arguments: a sum of the results with fixed weights."""
    places = [k for k, x in enumerate(case.args) if is_float(x)]
    outs = leaves(case.f(*copies(case.args)))
    rng = np.random.default_rng(3)
    weights = [rng.standard_normal(o.shape) for o in outs]

    def loss(*floats: Any) -> Any:
        args = copies(case.args)
        for k, x in zip(places, floats, strict=True):
            args[k] = x
        found = tree_flatten(f(*args))[0]
        return sum((w * o).sum() for w, o in zip(weights, found, strict=True))

    return loss, [np.asarray(case.args[k], float) for k in places]


def slope(loss: Any, xs: list[Any], ds: list[Any], h: float = 1e-6) -> float:
    """A central difference."""
    up = loss(*[x + h * d for x, d in zip(xs, ds, strict=True)])
    down = loss(*[x - h * d for x, d in zip(xs, ds, strict=True)])
    return float((up - down) / (2 * h))


def directions(xs: list[Any]) -> list[Any]:
    rng = np.random.default_rng(5)
    return [np.asarray(rng.standard_normal(x.shape)) for x in xs]


@CASE
def test_value(case: Case) -> None:
    want = leaves(case.f(*copies(case.args)))
    arrays = [k for k, x in enumerate(case.args) if isinstance(x, np.ndarray)]

    def compiled(*given: Any) -> Any:
        args = list(case.args)
        for k, x in zip(arrays, given, strict=True):
            args[k] = x
        return KERNELS[case.name](*args)

    eager = leaves(KERNELS[case.name](*copies(case.args)))
    jitted = leaves(fxla.jit(compiled)(*[case.args[k].copy() for k in arrays]))
    for found in (eager, jitted):
        assert [x.shape for x in found] == [x.shape for x in want]
        assert [x.dtype.kind for x in found] == [x.dtype.kind for x in want]
        for a, b in zip(found, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@SMOOTH
def test_forward_derivative(case: Case) -> None:
    plain, xs = weighted(case, case.f)
    loss, _ = weighted(case, KERNELS[case.name])
    ds = directions(xs)
    value, found = fxla.jvp(loss, tuple(xs), tuple(ds))
    np.testing.assert_allclose(value, plain(*copies(tuple(xs))), rtol=1e-12)
    np.testing.assert_allclose(found, slope(plain, xs, ds), rtol=2e-6, atol=1e-8)


@SMOOTH
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_reverse_derivative(case: Case, compiled: bool) -> None:
    plain, xs = weighted(case, case.f)
    loss, _ = weighted(case, KERNELS[case.name])
    gradient = fxla.grad(loss, argnums=tuple(range(len(xs))))
    gradient = fxla.jit(gradient) if compiled else gradient
    found = gradient(*xs)
    ds = directions(xs)
    inner = sum(float(np.sum(g * d)) for g, d in zip(found, ds, strict=True))
    np.testing.assert_allclose(inner, slope(plain, xs, ds), rtol=2e-6, atol=1e-8)


@SMOOTH
def test_batch(case: Case) -> None:
    loss, xs = weighted(case, KERNELS[case.name])
    plain, _ = weighted(case, case.f)
    stacked = [np.stack([x, 0.99 * x, 1.01 * x]) for x in xs]
    found = fxla.vmap(loss)(*stacked)
    want = [plain(*[s[k] for s in stacked]) for k in range(3)]
    np.testing.assert_allclose(found, want, rtol=1e-11, atol=1e-12)
