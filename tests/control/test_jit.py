"""Compiled functions: signatures, static arguments, stages, state, threads."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import eval_trace, state
from fxla.errors import LeakedTracerError

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


def test_static_arguments_by_position_name_and_default() -> None:
    calls: list[Any] = []

    def f(x: Any, n: int = 2, *, mode: str = "a") -> Any:
        calls.append((n, mode))
        return x * n if mode == "a" else x + n

    g = fxla.jit(f, static_argnums=1, static_argnames="mode")
    assert [float(v) for v in (g(3.0), g(3.0, 5), g(3.0, n=5), g(3.0, 5, mode="b"))] == [
        6.0, 15.0, 15.0, 8.0,
    ]  # fmt: skip
    assert calls == [(2, "a"), (5, "a"), (5, "a"), (5, "b")]
    assert float(g(4.0, 5)) == 20.0
    assert len(calls) == 4
    last = fxla.jit(lambda x, n: x**n, static_argnums=-1)
    assert float(last(3.0, 2)) == 9.0
    assert float(last(3.0, True)) == 3.0  # True == 1, yet another version
    with pytest.raises(TypeError, match=r"list.*not hashable"):
        g(3.0, [1])
    with pytest.raises(ValueError, match="static_argnames has 'nope'"):
        fxla.jit(f, static_argnames="nope")
    with pytest.raises(TypeError, match="remove it from static_argnums"):
        fxla.grad(lambda n: g(3.0, n))(2.0)


def test_signatures_that_differ_are_told_apart() -> None:
    """Kind of Python number, dtype, rank, tree, default precision: each its own program."""
    seen: list[str] = []
    f = fxla.jit(lambda x: seen.append(1) or fnp.asarray(x) * 2)
    results = [
        f(x).dtype
        for x in (1, 1.0, True, 1j, np.float32(1), np.int8(1), np.ones(()), np.ones(1), np.ones(2))
    ]
    assert results == [np.dtype(t) for t in ("i8", "f8", "i8", "c16", "f4", "i1", "f8", "f8", "f8")]
    n = len(seen)
    f(2), f(2.5), f(np.zeros(2))
    assert len(seen) == n
    with fxla.default_dtype("float32"):
        assert f(1.0).dtype == np.float32
    assert f(1.0).dtype == np.float64


def test_under_a_trace_closures_of_tracers_are_not_remembered() -> None:
    """The jitted function closes over another tracer at each call."""

    def outer(x: Any) -> Any:
        return inner_of(x)

    inner = fxla.jit(lambda y: y * held[-1])
    held: list[Any] = []

    def inner_of(x: Any) -> Any:
        held.append(x)
        return inner(2.0)

    assert float(fxla.grad(outer)(3.0)) == 2.0
    assert float(fxla.grad(outer)(4.0)) == 2.0
    held.append(np.float64(5.0))
    assert float(inner(2.0)) == 10.0


def test_state_survives_exceptions_of_every_kind() -> None:
    for wrap in (
        fxla.jit,
        fxla.grad,
        fxla.vmap,
        fxla.checkpoint,
        fxla.make_jaxpr,
        lambda f: lambda x: fxla.jvp(f, (x,), (x,)),
        lambda f: lambda x: lax.scan(lambda c, _: (f(c), None), x, None, 2),
        lambda f: lambda x: lax.while_loop(lambda c: True, f, x),
        lambda f: lambda x: lax.cond(True, f, f, x),
        lambda f: fxla.vmap(fxla.jit(fxla.grad(f)), axis_name="i"),
    ):

        def broken(x: Any) -> Any:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            wrap(broken)(np.ones(2))
        assert state.trace is eval_trace
        assert state.axes == ()


def test_leaks_are_reported_where_they_are_used() -> None:
    kept: list[Any] = []

    @fxla.jit
    def leaky(x: Any) -> Any:
        kept.append(x * 2)
        return x

    leaky(1.0)
    with pytest.raises(LeakedTracerError, match='jit of "leaky"'):
        kept[0] + 1
    with pytest.raises(LeakedTracerError):
        fxla.jit(lambda y: y + kept[0])(1.0)


def test_arguments_that_are_not_arrays() -> None:
    f = fxla.jit(lambda x: x)
    for bad in ("text", object(), np.array(["a"]), np.array([None])):
        with pytest.raises(TypeError, match=r"not an array|cannot be traced"):
            f(bad)
    with pytest.raises(TypeError, match="expected a function"):
        fxla.jit(3)
    assert f(None) is None
    assert f({}) == {}


def test_threads_trace_and_run_at_once() -> None:
    """The current trace, the mode and the arena belong to each thread."""
    f = fxla.jit(lambda x, n: fnp.sort(fnp.sin(x) * n).sum(), static_argnums=1)
    xs = np.linspace(0, 1, 100)
    wrong: list[Any] = []

    def work(k: int) -> None:
        for n in range(k, k + 10):
            got = fxla.grad(f)(xs, n % 7)
            if not np.allclose(got, np.cos(xs) * (n % 7), rtol=1e-12):
                wrong.append((k, n))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
