"""Pulling a usual tape as one program: the very numbers of pulling it step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.core.patience import Patience
from fxla.transforms import whole_pull
from fxla.transforms.whole_pull import WholePull

RNG = np.random.default_rng(3)
ENOUGH = 70
"""Calls after which a tape is usual."""


@pytest.fixture(autouse=True)
def none_known(monkeypatch: Any) -> None:
    monkeypatch.setattr(whole_pull, "_wholes", {})


def wholes() -> list[WholePull]:
    return [x for x in whole_pull._wholes.values() if isinstance(x, WholePull)]


def loss(w: Any, b: Any, x: Any) -> Any:
    h = fnp.tanh(x @ w + b)
    picked = fnp.where(h > 0, fnp.log(fnp.abs(h)), h)  # a masked cotangent
    low, high = fnp.split(h * 2.0, 2)  # a step of several results
    return fnp.sum(picked * h) + fnp.sum(low[:1]) - fnp.sum(high**2)


def test_a_usual_tape_gives_the_same_bits() -> None:
    gradient = fxla.value_and_grad(loss, (0, 1))
    points = [
        [fnp.asarray(RNG.standard_normal(s).astype("f4")) for s in ((5, 3), (3,), (4, 5))]
        for _ in range(4)
    ]
    for _ in range(5):  # the rules are made
        gradient(*points[0])
    by_steps = [gradient(*p) for p in points]
    assert not wholes()
    for _ in range(ENOUGH):
        gradient(*points[0])
    assert len(wholes()) == 1
    for p, (value, (dw, db)) in zip(points, by_steps, strict=True):
        again, (dw_again, db_again) = gradient(*p)
        assert again == value
        np.testing.assert_array_equal(dw, dw_again)
        np.testing.assert_array_equal(db, db_again)
        assert type(dw_again) is fxla.Array
        assert dw_again.dtype == np.float32


def test_tapes_that_differ_are_told_apart(monkeypatch: Any) -> None:
    """By what was done, on what, to which results; all are pulled as one program at once."""
    monkeypatch.setattr(Patience, "scale", 0)

    def f(x: Any, y: Any, way: int) -> Any:
        if way == 0:
            return fnp.sum(x * y)
        if way == 1:
            return fnp.sum(y * y)
        return fnp.sum(x - y) if way == 2 else fnp.sum(y - x)

    x, y = np.array([1.0, 2.0]), np.array([5.0, 7.0])
    wanted = [(y, x), (0 * x, 2 * y), (1 + 0 * x, -1 + 0 * x), (-1 + 0 * x, 1 + 0 * x)]
    for _ in range(3):
        for way, gradients in enumerate(wanted):
            found = fxla.grad(lambda x, y, way=way: f(x, y, way), (0, 1))(x, y)
            np.testing.assert_array_equal(found, gradients)
    assert len(wholes()) >= 4


def test_cotangents_of_some_results(monkeypatch: Any) -> None:
    monkeypatch.setattr(Patience, "scale", 0)
    x = np.array([0.5, 2.0])
    for _ in range(3):
        _, pullback = fxla.vjp(lambda x: (x * 2.0, fnp.floor(x), x), x)
        (found,) = pullback((np.ones(2), np.ones(2), np.array([10.0, 20.0])))
        np.testing.assert_array_equal(found, [12.0, 22.0])
        (found,) = pullback((np.zeros(2), np.ones(2), np.ones(2)))
        np.testing.assert_array_equal(found, [1.0, 1.0])


def test_a_function_of_pythons_is_pulled_by_steps() -> None:
    """A rule that the user wrote in Python is called in every turn."""
    calls = []

    @fxla.custom_vjp
    def f(x: Any) -> Any:
        return x * 3.0

    def backward(_: Any, ct: Any) -> Any:
        calls.append(1)
        return (ct * 3.0,)

    f.defvjp(lambda x: (f(x), None), backward)
    for _ in range(ENOUGH):
        assert float(fxla.grad(lambda x: f(x) * 2.0)(1.0)) == 6.0
    assert len(calls) == ENOUGH
    assert not wholes()


def test_numpy_keeps_its_warnings_to_itself() -> None:
    """A pull that overflows says nothing, first and last."""
    gradient = fxla.grad(lambda x: fnp.sum(fnp.exp(x * 100.0)))
    with np.errstate(all="raise"):
        for _ in range(ENOUGH):
            assert np.isinf(gradient(np.full(3, 1e3, np.float32))).all()
