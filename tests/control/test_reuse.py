"""A loop's trace serves again only while the function would do the same again."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import numpy as np

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.control import reuse
from fxla.control.reuse import behaviour, reused

SCALE = 2.0


def scaled(carry: Any, x: Any) -> Any:
    print("traced")
    return carry + SCALE * x, None


def last(step: Any) -> float:
    """The final carry of a scan over 1, 2, 3."""
    return float(lax.scan(step, 0.0, np.arange(1.0, 4.0))[0])


def test_a_body_is_traced_once_for_its_types(capsys: Any) -> None:
    last(scaled)
    last(scaled)
    capsys.readouterr()
    assert last(scaled) == 12.0 and not capsys.readouterr().out
    lax.scan(scaled, np.zeros(2), np.ones((3, 2)))
    assert "traced" in capsys.readouterr().out


def test_a_global_that_changes_is_seen(monkeypatch: Any) -> None:
    assert last(scaled) == 12.0
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert last(scaled) == 18.0


def test_closures_count_by_value(capsys: Any) -> None:
    def step_of(scale: Any) -> Any:
        def step(carry: Any, x: Any) -> Any:
            print("traced")
            return carry + scale * x, None

        return step

    for scale, wanted in ((2.0, 12.0), (2.0, 12.0), (-1.0, -6.0), (2, 12.0)):
        assert last(step_of(scale)) == wanted
    capsys.readouterr()
    assert last(step_of(2.0)) == 12.0 and not capsys.readouterr().out


def test_arrays_changed_in_place_are_seen() -> None:
    weights, settings = np.ones(1), {"scale": 2.0}
    by_array = lambda c, x: (c + weights[0] * x, None)  # noqa: E731
    by_dict = lambda c, x: (c + settings["scale"] * x, None)  # noqa: E731
    assert (last(by_array), last(by_dict)) == (6.0, 12.0)
    weights[0], settings["scale"] = 5.0, 1.0
    assert (last(by_array), last(by_dict)) == (30.0, 6.0)


def test_tracers_closed_over() -> None:
    """Each derivative has tracers of its own."""
    f = lambda w: lax.scan(lambda c, x: (c + w * x, None), 0.0, np.arange(3.0))[0]  # noqa: E731
    for w in (1.0, 2.0):
        assert float(fxla.grad(f)(w)) == 3.0
        assert float(fxla.jit(f)(w)) == 3.0 * w


def test_other_loops() -> None:
    for n in (1, 1, 2):
        assert int(lax.fori_loop(0, 3, lambda i, v, n=n: v + n, 0)) == 3 * n
        assert int(lax.while_loop(lambda v, n=n: v < 10 * n, lambda v: v + 1, 0)) == 10 * n
        for which in (True, False):
            out = lax.cond(which, lambda v, n=n: v * n, lambda v: -v, 3.0)
            assert float(out) == (3.0 * n if which else -3.0)
        np.testing.assert_array_equal(lax.map(lambda x, n=n: x * n, np.ones(2)), [n, n])


def test_keys_of_functions() -> None:
    def helper(x: Any) -> Any:
        return x + 1

    same = [behaviour(lambda x: fnp.sin(helper(x))) for _ in range(2)]
    assert same[0] == same[1] is not None
    assert behaviour(functools.partial(helper, 1)) == behaviour(functools.partial(helper, 1))
    assert behaviour(functools.partial(helper, 1)) != behaviour(functools.partial(helper, 1.0))
    assert behaviour(fnp.tanh) == behaviour(fnp.tanh) != behaviour(fnp.sin)
    listed: list[int] = []
    assert behaviour(lambda x: x + len(listed)) is None
    assert behaviour(lambda x: x * object_of_mine) is None
    big = np.zeros(1 << 20)
    assert behaviour(lambda x: x + big) is None
    assert behaviour(lambda x: x * 0.0) != behaviour(lambda x: x * -0.0)


object_of_mine = type("Mine", (), {})()
settings = ModuleType("settings")
settings.rate = 1.0  # type: ignore[attr-defined]


def test_what_a_module_of_the_users_holds_is_compared() -> None:
    step = lambda c, x: (c + settings.rate * x, None)  # noqa: E731
    assert last(step) == 6.0
    settings.rate = 2.0  # type: ignore[attr-defined]
    assert last(step) == 12.0
    settings.rate = 1.0  # type: ignore[attr-defined]


def test_what_captured_a_tracer_is_not_kept() -> None:
    made: list[Any] = []

    def make() -> list[Any]:
        made.append(1)
        return captured

    captured: list[Any] = []
    fxla.jit(lambda x: captured.append(x) or x)(1.0)
    for _ in range(4):
        reused([fnp.sin], "a signature of this test", make, lambda found: found)
    assert len(made) == 4


def test_what_comes_once_is_not_kept_and_what_is_kept_has_a_bound() -> None:
    made: list[int] = []

    def make() -> list[int]:
        made.append(1)
        return made

    for signature in range(300):
        for _ in range(4):
            reused([fnp.sin], signature, make, lambda found: ())
    assert len(made) == 600
    assert len(reuse._known) <= reuse._CAPACITY
