"""Programs as straight-line NumPy: the values of NumPy's own functions, and nothing overwritten."""

from __future__ import annotations

import threading
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.errors import LeakedTracerError
from fxla.transforms.straight_line import straight_line

RNG = np.random.default_rng(0)
LARGE = RNG.standard_normal((80, 100))


def evaluate(f: Callable[..., Any], *args: Any) -> Any:
    """The results of `f` by the program that it traces to."""
    closed = fxla.make_jaxpr(f)(*args)
    return straight_line(closed.jaxpr)([*closed.consts, *args])


@pytest.mark.parametrize(
    ("f", "wanted"),
    [
        (lambda x: fnp.tanh(x) * fnp.tanh(x) + 1.0, lambda x: np.tanh(x) ** 2 + 1.0),
        (lambda x: x + x[0] * 2.0, lambda x: x + x[0] * 2.0),
        (lambda x: x * x[:, :1], lambda x: x * x[:, :1]),
        (lambda x: fnp.where(x > 0, x, 0.0), lambda x: np.where(x > 0, x, 0.0)),
        (lambda x: (x.T @ x).T, lambda x: (x.T @ x).T),
        (lambda x: x.sum(0) - x.mean(), lambda x: x.sum(0) - x.mean()),
        (lambda x: x.reshape(-1, 4).astype(np.float32), lambda x: np.float32(x.reshape(-1, 4))),
    ],
)
def test_values_are_numpys(f: Any, wanted: Any) -> None:
    for x in (LARGE, LARGE[:4, :8]):
        before = x.copy()
        (found,) = evaluate(f, x)
        np.testing.assert_allclose(found, wanted(x), rtol=1e-12)
        np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(
    "view", [lambda x: x.T, lambda x: x.reshape(-1), lambda x: x[:, 3:], fnp.real, fnp.ravel]
)
def test_a_temporary_with_a_view_is_kept(view: Callable[[Any], Any]) -> None:
    """The last equation to read exp(x) must not write over it: a view of it is read later."""

    def f(x: Any) -> Any:
        e = fnp.exp(x)
        v = view(e)
        c = e * 2.0
        return v + 1.0, c

    v, c = evaluate(f, LARGE)
    np.testing.assert_array_equal(v, view(np.exp(LARGE)) + 1.0)
    np.testing.assert_array_equal(c, np.exp(LARGE) * 2.0)


def test_a_function_of_two_operands_writes_into_one() -> None:
    """NumPy warns of a third operand of maximum that is not named."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = evaluate(lambda x: fnp.maximum(fnp.exp(x), 2.0 * x), LARGE)
    np.testing.assert_array_equal(found, np.maximum(np.exp(LARGE), 2.0 * LARGE))


def test_a_temporary_is_freed_when_it_is_read_for_the_last_time() -> None:
    """A long chain of matrix products holds two of its matrices at a time, not all."""

    def f(x: Any) -> Any:
        for _ in range(20):
            x = x @ x
        return x

    x = np.eye(200)
    closed = fxla.make_jaxpr(f)(x)
    run = straight_line(closed.jaxpr)
    run([x])
    tracemalloc.start()
    run([x])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * x.nbytes


def test_a_temporary_that_is_read_again_is_kept() -> None:
    """exp(x) is an operand of two sums and a result: none may be written over it."""

    def f(x: Any) -> Any:
        e = fnp.exp(x)
        a = e + 1.0
        b = a * 2.0
        return e, b, e - b

    e, b, c = evaluate(f, LARGE)
    np.testing.assert_array_equal(e, np.exp(LARGE))
    np.testing.assert_array_equal(b, (np.exp(LARGE) + 1.0) * 2.0)
    np.testing.assert_array_equal(c, e - b)


def test_a_broadcast_result_is_an_array_of_its_shape() -> None:
    (found,) = evaluate(lambda x: fnp.broadcast_to(x, (3, 2)), np.ones(2))
    assert found.shape == (3, 2) and found.flags.writeable
    found[0, 0] = 5.0
    assert found[1, 0] == 1.0


def test_python_numbers_and_arrays_of_fxla_are_taken() -> None:
    closed = fxla.make_jaxpr(lambda x, y: x * y)(2.0, fnp.ones(2))
    (found,) = straight_line(closed.jaxpr)([3.0, fnp.ones(2)])
    assert type(found) is np.ndarray and found.tolist() == [3.0, 3.0]


def test_no_floating_point_warnings_and_the_users_settings_stay() -> None:
    program = fxla.make_jaxpr(lambda x: fnp.log(x) / x)(0.0).jaxpr
    run = straight_line(program)
    results: list[Any] = []

    def work() -> None:
        with warnings.catch_warnings(), np.errstate(all="raise"):
            results.append(run([np.float64(0.0)])[0])
            results.append(np.geterr()["divide"])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    work()
    assert results == [-np.inf, "raise"] * 2


def test_a_tracer_of_an_ended_trace_is_reported() -> None:
    kept: list[Any] = []
    fxla.jit(lambda x: kept.append(x) or x)(1.0)
    program = fxla.make_jaxpr(lambda x, y: x + y)(1.0, 1.0).jaxpr
    for args in ([kept[0], 1.0], [fnp.ones(()), kept[0]]):
        with pytest.raises(LeakedTracerError):
            straight_line(program)(args)
