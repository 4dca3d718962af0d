from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp

X = np.array([0.1, -0.4, 2.0])


def test_traces_once_for_each_type() -> None:
    seen = []

    @fxla.jit
    def f(x: Any) -> Any:
        seen.append(x.shape)
        return fnp.sin(x) * 2

    for _ in range(3):
        np.testing.assert_allclose(f(X), np.sin(X) * 2, rtol=1e-14)
    assert seen == [(3,)]
    f(X.astype(np.float32))
    f(np.ones(5))
    f(2.0)
    assert len(seen) == 4


def test_static_arguments_are_values() -> None:
    seen = []

    def f(x: Any, n: int, *, mode: str = "up") -> Any:
        seen.append((n, mode))
        return x * n if mode == "up" else x / n

    by_number = fxla.jit(f, static_argnums=1, static_argnames="mode")
    np.testing.assert_array_equal(by_number(X, 3), X * 3)
    np.testing.assert_array_equal(by_number(X, 3), X * 3)
    np.testing.assert_array_equal(by_number(X, 4, mode="down"), X / 4)
    assert seen == [(3, "up"), (4, "down")]


def test_trees_keywords_and_none() -> None:
    f = fxla.jit(lambda p, *, scale: {"y": (p["x"] * scale, None)})
    out = f({"x": X, "unused": None}, scale=2.0)
    assert out["y"][1] is None
    np.testing.assert_array_equal(out["y"][0], X * 2)


def test_results_never_alias_arguments() -> None:
    x = X.copy()
    y = fxla.jit(lambda x: x)(x)
    y[0] = 99.0
    assert x[0] == X[0]


def test_a_captured_array_is_read_at_each_call() -> None:
    table = np.ones(3)
    f = fxla.jit(lambda x: x + table)
    np.testing.assert_array_equal(f(X), X + 1)
    table[0] = 7.0
    np.testing.assert_array_equal(f(X), X + table)


def test_python_results_and_constants() -> None:
    one, two, three = fxla.jit(lambda x: (1.5, x.sum(), np.arange(3)))(X)
    assert (float(one), three.tolist()) == (1.5, [0, 1, 2])
    np.testing.assert_allclose(two, X.sum())


def test_stages_ahead_of_time() -> None:
    f = fxla.jit(lambda x: fnp.exp(x).sum())
    assert "exp" in str(f.trace(X).jaxpr)
    compiled = f.lower(X).compile()
    np.testing.assert_allclose(compiled(X), np.exp(X).sum(), rtol=1e-14)
    with pytest.raises(TypeError, match="was compiled for"):
        compiled(np.ones(7))


def test_disable_jit_runs_python() -> None:
    with fxla.disable_jit():
        assert fxla.jit(lambda x: "yes" if x > 0 else "no")(3.0) == "yes"


def test_methods_are_bound() -> None:
    class Model:
        scale = 3.0

        @fxla.jit
        def __call__(self, x: Any) -> Any:
            return x * 3.0

    with pytest.raises(TypeError):
        Model()(X)  # `self` is not an array: the message says how to make it static


def test_an_error_inside_leaves_no_trace_behind() -> None:
    def f(x: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fxla.jit(f)(X)
    assert float(fnp.sum(X)) == X.sum()
