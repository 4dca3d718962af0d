"""Counted loops: values, carries, derivatives and batches against a Python loop."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.errors import ShapeError

RNG = np.random.default_rng(0)


def loop(f: Any, carry: Any, xs: Any, reverse: bool = False) -> tuple[Any, Any]:
    """`scan` of arrays by Python."""
    order = range(len(xs))
    ys: list[Any] = [None] * len(xs)
    for i in reversed(order) if reverse else order:
        carry, ys[i] = f(carry, xs[i])
    return carry, np.stack(ys)


def cell(c: Any, x: Any) -> tuple[Any, Any]:
    c = np.tanh(0.5 * c + x)
    return c, c * x


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("wrap", [lambda f: f, fxla.jit], ids=["eager", "jit"])
def test_is_a_loop(wrap: Any, reverse: bool) -> None:
    xs, c = RNG.standard_normal((7, 3)), RNG.standard_normal(3)
    got = wrap(lambda c, xs: lax.scan(cell, c, xs, reverse=reverse))(c, xs)
    for a, b in zip(got, loop(cell, c, xs, reverse), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-16)


def test_trees_of_carries_and_elements() -> None:
    xs = {"a": np.arange(4.0), "b": (np.ones((4, 2)), None)}

    def f(c: Any, x: Any) -> Any:
        assert x["b"][1] is None
        return {"n": c["n"] + 1, "s": c["s"] + x["b"][0] * x["a"]}, [x["a"], {"c": c["n"]}]

    carry, ys = lax.scan(f, {"n": 0, "s": fnp.zeros(2)}, xs)
    assert carry["n"] == 4
    np.testing.assert_array_equal(carry["s"], [6.0, 6.0])
    np.testing.assert_array_equal(ys[0], np.arange(4.0))
    np.testing.assert_array_equal(ys[1]["c"], np.arange(4))


def test_without_elements_the_length_says_how_often() -> None:
    assert lax.scan(lambda c, x: (c * 2, None), 1, None, length=5) == (32, None)
    with pytest.raises(ValueError, match="length must be given"):
        lax.scan(lambda c, x: (c, None), 1)


def test_lengths_must_agree() -> None:
    with pytest.raises(ShapeError, match="leading axes differ"):
        lax.scan(lambda c, x: (c, None), 1, (np.ones(3), np.ones(4)))
    with pytest.raises(ShapeError, match="length=4"):
        lax.scan(lambda c, x: (c, None), 1, np.ones(3), length=4)
    with pytest.raises(ShapeError, match="leading axis"):
        lax.scan(lambda c, x: (c, None), 1, 3.0)


@pytest.mark.parametrize("wrap", [lambda f: f, fxla.jit], ids=["eager", "jit"])
def test_no_iterations(wrap: Any) -> None:
    carry, ys = wrap(lambda c, xs: lax.scan(cell, c, xs))(np.ones(3), np.zeros((0, 3)))
    np.testing.assert_array_equal(carry, np.ones(3))
    assert ys.shape == (0, 3)
    slope = fxla.grad(lambda c: lax.scan(cell, c, np.zeros((0, 3)))[0].sum())
    np.testing.assert_array_equal(wrap(slope)(np.ones(3)), np.ones(3))


def test_a_scalar_carry_takes_the_dtype_it_meets() -> None:
    """A Python number is weak: it becomes what the body makes of it, and nothing else does."""
    xs = np.arange(3, dtype=np.float32)
    assert lax.scan(lambda c, x: (c + x, None), 0.0, xs)[0].dtype == np.float32
    assert lax.scan(lambda c, x: (c + x, None), 0, xs)[0].dtype == np.float32
    assert lax.scan(lambda c, x: (c + 1, None), 0, xs)[0].dtype == np.int64
    with pytest.raises(TypeError, match=r"carry: f32\[\] became f64\[\]"):
        lax.scan(lambda c, x: (c + np.float64(x.size), None), np.float32(0), xs)
    with pytest.raises(TypeError, match=r"f64\[2\] became f64\[4\]"):
        lax.scan(lambda c, x: (fnp.concatenate([c, c]), None), np.zeros(2), xs)
    with pytest.raises(TypeError, match="structure"):
        lax.scan(lambda c, x: ((c, c), None), 0.0, xs)
    with pytest.raises(TypeError, match="must return a pair"):
        lax.scan(lambda c, x: c, 0.0, xs)


def test_weakness_of_a_carry_settles_in_steps() -> None:
    """The second carry becomes f32 only once the first is."""
    (a, b), _ = lax.scan(
        lambda c, x: ((c[0] + x, c[1] + c[0]), None), (0, 0), np.ones(3, np.float32)
    )
    assert (a.dtype, b.dtype) == (np.float32, np.float32)
    assert (float(a), float(b)) == (3.0, 3.0)


def test_a_carry_may_trade_places() -> None:
    """(a, b) -> (b, a) and duplicates: every buffer of a pair is written after both are read."""
    f = fxla.jit(lambda n: lax.scan(lambda c, _: ((c[1], c[0], c[0]), c[2]), n, None, length=5))
    (a, b, c), ys = f((np.arange(3.0), np.ones(3), np.zeros(3)))
    np.testing.assert_array_equal(a, np.ones(3))
    np.testing.assert_array_equal(b, np.arange(3.0))
    np.testing.assert_array_equal(c, np.arange(3.0))
    np.testing.assert_array_equal(ys[:3], [np.zeros(3), np.arange(3.0), np.ones(3)])


def losses(c: Any, w: Any, xs: Any, scan: Any = lax.scan) -> Any:
    def step(c: Any, x: Any) -> Any:
        c = fnp.tanh(w * c + x)
        return c, fnp.sin(c * w)

    last, ys = scan(step, c, xs)
    return (last**2).sum() + (ys * xs).sum()


def unrolled(f: Any, c: Any, xs: Any) -> Any:
    ys = []
    for i in range(xs.shape[0]):
        c, y = f(c, xs[i])
        ys.append(y)
    return c, fnp.stack(ys)


@pytest.mark.parametrize("wrap", [lambda f: f, fxla.jit], ids=["eager", "jit"])
def test_gradients_are_those_of_the_unrolled_loop(wrap: Any) -> None:
    args = (RNG.standard_normal(3), RNG.standard_normal(3), RNG.standard_normal((5, 3)))
    for transform in (
        lambda f: fxla.grad(f, (0, 1, 2)),
        lambda f: fxla.jacfwd(f, (0, 1, 2)),
        lambda f: fxla.jacfwd(fxla.grad(f, 1), (0, 1, 2)),
        lambda f: fxla.jacrev(fxla.grad(f, 2), (0, 1)),
    ):
        got = wrap(transform(losses))(*args)
        want = transform(lambda c, w, xs: losses(c, w, xs, unrolled))(*args)
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_gradient_of_a_loop_in_a_loop() -> None:
    def outer(scan: Any) -> Any:
        def f(c: Any, xs: Any) -> Any:
            def step(c: Any, x: Any) -> Any:
                inner, ys = scan(lambda d, y: (fnp.sin(d * y + c), d * c), c, x)
                return inner + c, ys.sum() * c

            last, ys = scan(step, c, xs)
            return last + ys.sum()

        return f

    c, xs = 0.3, RNG.standard_normal((3, 4))
    got = fxla.jit(fxla.grad(outer(lax.scan), (0, 1)))(c, xs)
    want = fxla.grad(outer(unrolled), (0, 1))(c, xs)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


def test_what_does_not_depend_on_the_input_is_not_carried_back() -> None:
    """The counter of a loop is known: it must not stand among the cotangents."""

    def f(x: Any) -> Any:
        (_, last), _ = lax.scan(lambda c, _: ((c[0] + 1, c[1] * (c[0] + x)), None), (0, x), None, 3)
        return last

    value = np.poly1d([1, 0]) * np.poly1d([1, 0]) * np.poly1d([1, 1]) * np.poly1d([1, 2])
    np.testing.assert_allclose(fxla.grad(f)(1.5), value.deriv()(1.5))
    backward = str(fxla.make_jaxpr(fxla.grad(f))(1.5))
    assert "i64[]" in backward.split("scan[")[1]  # the way there counts
    assert "i64[]" not in backward.split("scan[")[2]  # the way back does not


def test_residuals_that_are_inputs_are_not_stacked() -> None:
    """``w`` is the same in every iteration: the backward loop reads it, not n copies of it."""
    w, xs = RNG.standard_normal((8, 8)), RNG.standard_normal((5, 8))
    closed = fxla.make_jaxpr(
        fxla.grad(
            lambda w: lax.scan(lambda c, x: (fnp.tanh(w @ c + x), None), np.zeros(8), xs)[0].sum()
        )
    )(w)
    assert "f64[5,8,8]" not in str(closed)


def test_batches_are_those_of_a_python_loop() -> None:
    c, xs, w = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 5, 3)), RNG.standard_normal(3)
    for axes in [(0, None, None), (None, None, 0), (0, None, 0), (None, None, None)]:
        args = tuple(
            x if a == 0 else x[0] if n < 3 and x is not w else x
            for n, (x, a) in enumerate(zip((c, w, xs), axes, strict=True))
        )
        if axes == (None, None, None):
            continue
        got = fxla.vmap(losses, axes)(*args)
        want = [
            losses(*(x[i] if a == 0 else x for x, a in zip(args, axes, strict=True)))
            for i in range(4)
        ]
        np.testing.assert_allclose(got, want, rtol=1e-13)


def test_a_carry_that_becomes_batched_in_the_body() -> None:
    ws = np.arange(3.0)
    got = fxla.vmap(lambda w: lax.scan(lambda c, x: (c * w + x, c), 1.0, np.arange(4.0)))(ws)
    want = [lax.scan(lambda c, x, w=w: (c * w + x, c), 1.0, np.arange(4.0)) for w in ws]
    np.testing.assert_allclose(got[0], [w[0] for w in want])
    np.testing.assert_allclose(got[1], [w[1] for w in want])


def test_integer_carries_and_elements_have_no_derivative() -> None:
    def f(x: Any) -> Any:
        (n, y), ks = lax.scan(lambda c, k: ((c[0] + k, c[1] * x), k), (0, x), np.arange(3))
        return y * ks.sum() * n

    np.testing.assert_allclose(fxla.grad(f)(2.0), 4 * 8.0 * 9)


def test_fori_loop_in_both_forms() -> None:
    def power(n: Any, x: Any) -> Any:
        return lax.fori_loop(0, n, lambda i, y: y * x, 1.0)

    assert float(power(5, 2.0)) == 32.0
    assert float(fxla.jit(power)(5, 2.0)) == 32.0  # a while loop: n is traced
    assert float(fxla.grad(power, 1)(5, 2.0)) == 80.0
    assert float(fxla.jvp(lambda x: fxla.jit(power)(5, x), (2.0,), (1.0,))[1]) == 80.0
    with pytest.raises(TypeError, match="reverse-mode"):
        fxla.grad(fxla.jit(power), 1)(5, 2.0)
    assert int(lax.fori_loop(3, 6, lambda i, t: t + i, 0)) == 12
    assert int(lax.fori_loop(6, 3, lambda i, t: t + i, 0)) == 0
    assert int(fxla.jit(lambda a, b: lax.fori_loop(a, b, lambda i, t: t + i, 0))(6, 3)) == 0


def test_map() -> None:
    xs = {"a": np.arange(3.0), "b": np.ones((3, 2))}
    got = lax.map(lambda x: x["a"] * x["b"], xs)
    np.testing.assert_array_equal(got, np.arange(3.0)[:, None] * np.ones((3, 2)))


def test_an_eager_loop_leaves_nothing_behind() -> None:
    """Programs made on the fly are collected: a training loop must not grow."""
    bodies: list[Any] = []

    def f(c: Any, x: Any) -> Any:
        return c + x * (len(bodies) + 1), None

    before = lax.scan.__globals__["scan_p"].impl

    def spy(*args: Any, **params: Any) -> Any:
        bodies.append(weakref.ref(params["body"]))
        return before(*args, **params)

    lax.scan.__globals__["scan_p"].impl = spy
    try:
        fxla.grad(lambda c: lax.scan(f, c, np.arange(3.0))[0])(1.0)
        lax.scan(f, 1.0, np.arange(3.0))
    finally:
        del lax.scan.__globals__["scan_p"].impl
    gc.collect()
    assert bodies
    assert all(ref() is None for ref in bodies)
