"""Which results may be written over which inputs, and what becomes of donated arrays."""

from __future__ import annotations

import gc
import sys
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.build import build_program
from fxla.compile.donation import in_place
from fxla.compile.program import Instruction

X = np.linspace(-1.0, 1.0, 12).reshape(3, 4)


def plan(f: Any, *args: Any, donated: Any = None) -> dict[int, int]:
    program = build_program(fxla.make_jaxpr(f)(*args).jaxpr)
    return in_place(program, range(len(args)) if donated is None else donated)


def adam(p: Any, m: Any, v: Any, g: Any) -> Any:
    m = 0.9 * m + 0.1 * g
    v = 0.99 * v + 0.01 * g * g
    return p - 1e-3 * m / (fnp.sqrt(v + 1.0) + 1e-8), m, v


def test_element_by_element() -> None:
    assert plan(lambda x: x + 1, X) == {0: 0}
    assert plan(lambda x, y: x * y + x, X, X, donated=[1]) == {0: 1}
    taken = plan(adam, X, X, X, X, donated=[0, 1, 2])
    assert sorted(taken.values()) == [0, 1, 2] and sorted(taken) == [0, 1, 2]


def test_only_what_is_given_and_of_the_type_of_the_result() -> None:
    assert plan(lambda x: x + 1, X, donated=[]) == {}
    assert plan(lambda x: (x + 1).astype(np.float32), X) == {}
    assert plan(lambda x: x.sum(), X) == {}
    assert plan(lambda x: x.reshape(4, 3) + 1, X) == {}
    assert plan(lambda x: x + 1, 2.0) == {}


def test_nothing_is_written_over_what_is_read_later() -> None:
    assert 0 not in plan(lambda x: (fnp.sort(x, 0), fnp.cumsum(x, 1)), X)
    assert 1 not in plan(lambda x: (fnp.cumsum(x, 1), fnp.sort(x, 0))[::-1], X)


def test_each_input_once() -> None:
    taken = plan(lambda x: (x + 1, x * 2), X)
    assert list(taken.values()) == [0]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x[::-1] + x,
        lambda x: x + x[0],
        lambda x: x - x.mean(),
        lambda x: fnp.cumsum(x, 0),
        lambda x: fnp.roll(x, 1, 1) + x,
        lambda x: (x + 1, x[::-1] * 2)[::-1],
        lambda x: x / fnp.sqrt((x * x).sum(1, keepdims=True)),
        lambda x: fnp.sort(x, 0) + x,
        lambda x: (x @ x.T) @ x,
        lambda x: lax.scan(lambda c, r: (c + r, c), x[0], x)[1],
        lambda x: lax.cond(x.sum() > 0, lambda v: v[::-1] + v, lambda v: v * 2, x),
        lambda x: fnp.where(x > 0, x, x[:, ::-1]),
        lambda x: lax.fori_loop(0, 3, lambda k, c: c[::-1] + x, x),
        lambda x: (x + 1, fnp.exp(x) * (x + 1)),
        lambda x: fnp.broadcast_to(x[0], x.shape) + 0.0,
        lambda x: fnp.exp(x - x.max(1, keepdims=True)),
        lambda x: (fnp.sort(x, 0), fnp.cumsum(x, 1)),
    ],
)
@pytest.mark.parametrize("shape", [(3, 4), (33, 33), (5, 129)])
def test_the_results_are_those_without_donation(f: Any, shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    usual, donating = fxla.jit(f), fxla.jit(f, donate_argnums=0)
    for _ in range(4):
        wanted = usual(x)
        got = donating(x.copy())
        fxla.tree.map(np.testing.assert_array_equal, got, wanted)


def test_an_unknown_instruction_is_left_alone() -> None:
    program = build_program(fxla.make_jaxpr(lambda x: x + 1)(X).jaxpr)

    class Another(Instruction):
        pass

    program.body.append(Another())
    assert in_place(program, [0]) == {}


def place(x: Any) -> int:
    found: int = x.__array_interface__["data"][0]
    return found


def donating(f: Any, *args: Any, **options: Any) -> Any:
    """A jitted function that has been called often enough for its arguments to be donated."""
    jitted = fxla.jit(f, **options)
    for _ in range(3):
        jitted(*fxla.tree.map(np.array, args))
    return jitted


def test_a_step_allocates_nothing() -> None:
    step = donating(lambda s, g: dict(zip("pmv", adam(s["p"], s["m"], s["v"], g), strict=True)),
                    dict.fromkeys("pmv", X), X, donate_argnums=0)  # fmt: skip
    state: Any = {k: np.array(X) for k in "pmv"}
    state = step(state, X)
    places = {k: place(v) for k, v in state.items()}
    want = {k: np.array(v) for k, v in state.items()}
    for _ in range(5):
        state = step(state, X)
        assert {k: place(v) for k, v in state.items()} == places
        want = dict(zip("pmv", adam(want["p"], want["m"], want["v"], X), strict=True))
        for k in "pmv":
            np.testing.assert_allclose(state[k], want[k], rtol=1e-12)


def test_a_donated_array_is_empty() -> None:
    f = donating(lambda x: x + 1, X, donate_argnums=0)
    x = np.array(X)
    at = place(x)
    y = f(x)
    assert x.shape == (0, 0) and x.size == 0 and x.tolist() == []
    assert place(y) == at
    assert type(y) is fxla.Array and y.base is None
    flags = y.flags
    assert flags.owndata and flags.writeable and flags.c_contiguous and not flags.f_contiguous
    np.testing.assert_array_equal(y, X + 1)
    del x
    gc.collect()
    y[0, 0] = 5.0
    assert y[0, 0] == 5.0
    row = donating(lambda x: x * 2, X[0], donate_argnames="x")
    z = np.array(X[0])
    assert row(z).flags.f_contiguous and z.shape == (0,)


def test_memory_lives_as_long_as_a_view_of_it() -> None:
    f = donating(lambda x: x + 1, X, donate_argnums=0)

    def view_only() -> Any:
        x = np.array(X)
        view = x[1:]
        return f(view.base), view

    y, view = view_only()
    np.testing.assert_array_equal(y, X + 1)
    del y
    gc.collect()
    rubbish = [np.full(X.shape, 7.0) for _ in range(50)]
    assert view.base.base is not None or (view == X[1:]).all()
    assert view.shape == (2, 4) and rubbish


def test_what_is_not_taken() -> None:
    f = donating(lambda x, y: x + y, X, X, donate_argnums=0)
    x = np.array(X)

    def kept(given: Any, other: Any = X) -> None:
        before = np.array(given)
        np.testing.assert_array_equal(f(given, other), before + other)
        np.testing.assert_array_equal(given, before)
        assert given.shape == X.shape

    view = x[:]
    f(x, X)
    assert x.shape == X.shape  # a view of it is alive
    kept(view)
    del view
    another_name = x
    f(x, X)
    assert another_name.shape == X.shape
    del another_name
    kept(x, x)
    kept(x, x[::1])
    kept(x.T.copy().T)
    x.flags.writeable = False
    kept(x)
    memory = memoryview(np.array(X))
    kept(np.asarray(memory))
    held = [x]
    kept(held[0])


def test_the_first_calls_and_other_scopes_take_nothing() -> None:
    f = fxla.jit(lambda x: x + 1, donate_argnums=0)
    for _ in range(2):
        x = np.array(X)
        f(x)
        np.testing.assert_array_equal(x, X)
    with fxla.disable_jit():
        f(x)
    np.testing.assert_array_equal(fxla.grad(lambda x: f(x).sum())(x), np.ones_like(X))
    np.testing.assert_array_equal(x, X)


def test_a_failure_takes_nothing_away() -> None:
    f = donating(lambda x, a: (x + 1, fnp.linalg.cholesky(a)), X, np.eye(3), donate_argnums=0)
    x = np.array(X)
    with pytest.raises(np.linalg.LinAlgError):
        f(x, -np.eye(3))
    assert x.shape == X.shape
    count = sys.getrefcount(x)
    with pytest.raises(np.linalg.LinAlgError):
        f(x, -np.eye(3))
    assert sys.getrefcount(x) == count
    y, _ = f(x, np.eye(3))
    assert y.shape == X.shape and x.size == 0


def test_references() -> None:
    f = donating(lambda s: [v * 1.0 for v in s], [X, X], donate_argnums=0)
    dtype = np.dtype("f8")
    state = [np.array(X), np.array(X)]
    before = sys.getrefcount(dtype), sys.getallocatedblocks()
    for _ in range(20_000):
        state = f(state)
    assert abs(sys.getrefcount(dtype) - before[0]) < 50
    assert sys.getallocatedblocks() - before[1] < 500
    np.testing.assert_array_equal(state[0], X)


def test_positions_and_names() -> None:
    def f(n: int, x: Any, *, y: Any, z: Any) -> Any:
        return x * n, y + z

    g = fxla.jit(f, static_argnums=0, donate_argnames=("x", "z"))
    for _ in range(3):
        x, y, z = np.array(X), np.array(X), np.array(X)
        got = g(2, x, z=z, y=y)
    assert (x.size, y.size, z.size) == (0, 12, 0)
    np.testing.assert_array_equal(got[0], 2 * X)
    np.testing.assert_array_equal(got[1], 2 * X)
    with pytest.raises(ValueError, match="donate_argnames has 'w'"):
        fxla.jit(f, donate_argnames="w")


def test_large_arrays_keep_their_allocator() -> None:
    n = 200_000
    f = donating(lambda x: x + 1, np.ones(n), donate_argnums=0)
    x = np.ones(n)
    y = f(x)
    assert x.size == 0
    assert np._core.multiarray.get_handler_name(y) == "default_allocator"  # the memory's, still
    for _ in range(5):
        y = f(y)
    np.testing.assert_array_equal(y, 7.0)
    y.resize(3, refcheck=False)
