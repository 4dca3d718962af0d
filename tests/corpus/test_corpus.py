"""Plain NumPy functions, unchanged: compiled they give NumPy's results, and derivatives too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
from tests.corpus import images, learning, puzzles, recipes, simulations
from tests.corpus.case import Case, cases

assert all((images, learning, puzzles, recipes, simulations))  # importing them fills the list


def _flat(out: Any) -> list[Any]:
    return [np.asarray(x) for x in (out if isinstance(out, (list, tuple)) else [out])]


def _check(case: Case, found: Any) -> None:
    wanted = _flat(case.function(*case.args))
    got = _flat(found)
    assert len(got) == len(wanted)
    for g, w in zip(got, wanted, strict=True):
        assert g.shape == w.shape and g.dtype == w.dtype
        np.testing.assert_allclose(g, w, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("case", cases, ids=str)
def test_compiled(case: Case) -> None:
    if case.broken:
        pytest.xfail(case.broken)
    compiled = fxla.jit(case.function, static_argnums=case.static)
    _check(case, compiled(*case.args))
    _check(case, compiled(*case.args))  # what a call writes to is made anew


def _smooth(case: Case) -> list[int]:
    return [
        k
        for k, x in enumerate(case.args)
        if k not in case.static and np.asarray(x).dtype.kind == "f"
    ]


_WEIGHTS = [0.7, -1.3, 0.4, 1.1, -0.6, 0.9]


@pytest.mark.parametrize("case", [c for c in cases if c.differentiable], ids=str)
def test_compiled_gradient(case: Case) -> None:
    """Along two directions the gradient is what differences of the NumPy function are."""
    if case.broken:
        pytest.xfail(case.broken)

    def loss(*args: Any) -> Any:
        out = case.function(*args)
        total = 0.0
        for w, x in zip(_WEIGHTS, out if isinstance(out, (list, tuple)) else [out], strict=False):
            weights = np.cos(np.arange(np.size(x))).reshape(np.shape(x))
            total = total + w * np.sum(np.where(np.abs(x) < 1e6, x, 0.0) * weights)
        return total

    places = _smooth(case)
    gradient = fxla.jit(fxla.grad(loss, argnums=places), static_argnums=case.static)(*case.args)
    rng = np.random.default_rng(1)
    for _ in range(2):
        along = [rng.uniform(-1, 1, np.shape(case.args[k])) for k in places]
        wanted = _difference(loss, case.args, places, along)
        got = sum(float(np.sum(g * d)) for g, d in zip(gradient, along, strict=True))
        assert got == pytest.approx(wanted, rel=2e-5, abs=2e-6)


def _difference(loss: Any, args: Any, places: list[int], along: list[Any]) -> float:
    """The derivative along a direction, by differences of fourth order."""

    def at(h: float) -> float:
        moved = list(args)
        for k, d in zip(places, along, strict=True):
            moved[k] = args[k] + h * d
        return float(loss(*moved))

    h = 1e-4
    return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)


def test_the_corpus_is_large() -> None:
    assert len(cases) >= 100
    assert sum(bool(c.broken) for c in cases) <= 5
