"""Every function of the corpus gives under transformations what it gives in plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
from tests.capturing.corpus import CASES, Case

NAMES = list(CASES)


def _flat(x: Any) -> np.ndarray[Any, Any]:
    parts = x if isinstance(x, tuple) else (x,)
    return np.concatenate([np.ravel(np.asarray(p, float)) for p in parts])


@pytest.mark.parametrize("name", NAMES)
def test_jit(name: str) -> None:
    case = CASES[name]
    compiled = fxla.jit(case.f, control_flow="capture")
    for args in case.calls:
        expected = case.f(*args)
        found = compiled(*args)
        assert isinstance(found, tuple) == isinstance(expected, tuple)
        np.testing.assert_allclose(_flat(found), _flat(expected), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_transformation_it_is_python(name: str) -> None:
    case = CASES[name]
    for args in case.calls:
        np.testing.assert_array_equal(_flat(fxla.capture(case.f)(*args)), _flat(case.f(*args)))


def _differences(case: Case, args: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    x = np.asarray(args[0], float)
    found = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        h = np.zeros(x.shape)
        h[i] = 1e-6
        up, down = [_flat(case.f(x + s * h if x.shape else float(x + s * h), *args[1:])).sum()
                    for s in (1, -1)]  # fmt: skip
        found[i] = (up - down) / 2e-6
    return found


def _total(case: Case) -> Any:
    captured = fxla.capture(case.f)

    def total(x: Any, *rest: Any) -> Any:
        out = captured(x, *rest)
        return sum([p.sum() for p in (out if isinstance(out, tuple) else (out,))])

    return total


@pytest.mark.parametrize("name", [n for n in NAMES if CASES[n].reverse])
def test_reverse_mode(name: str) -> None:
    case = CASES[name]
    gradient = fxla.jit(fxla.grad(_total(case)))
    for args in case.calls:
        args = (np.asarray(args[0], float), *args[1:])
        np.testing.assert_allclose(gradient(*args), _differences(case, args), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in NAMES if CASES[n].forward])
def test_forward_mode(name: str) -> None:
    case = CASES[name]
    gradient = fxla.jit(fxla.jacfwd(_total(case)))
    for args in case.calls:
        args = (np.asarray(args[0], float), *args[1:])
        np.testing.assert_allclose(gradient(*args), _differences(case, args), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in NAMES if CASES[n].batch])
def test_vmap(name: str) -> None:
    case = CASES[name]
    args = [np.stack([np.asarray(c[k]) for c in case.calls]) for k in range(len(case.calls[0]))]
    found = fxla.jit(fxla.vmap(fxla.capture(case.f)))(*args)
    for i, call in enumerate(case.calls):
        mine = tuple(p[i] for p in found) if isinstance(found, tuple) else found[i]
        np.testing.assert_allclose(_flat(mine), _flat(case.f(*call)), rtol=1e-9, atol=1e-9)
