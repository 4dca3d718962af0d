"""Sums, means, extremes and gathers over named axes, nested and differentiated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax

X = np.arange(6.0).reshape(2, 3)


def over(f: Any, *names: Any) -> Any:
    for name in reversed(names):
        f = fxla.vmap(f, axis_name=name)
    return f


@pytest.mark.parametrize("wrap", [lambda f: f, fxla.jit], ids=["eager", "jit"])
def test_reductions(wrap: Any) -> None:
    for collective, want in (
        (lax.psum, X.sum(0)),
        (lax.pmean, X.mean(0)),
        (lax.pmax, X.max(0)),
        (lax.pmin, X.min(0)),
    ):
        got = wrap(over(lambda x, c=collective: c(x, "i"), "i"))(X)
        np.testing.assert_array_equal(got, np.broadcast_to(want, (2, 3)))
    both = wrap(over(lambda x: lax.psum(x, ("i", "j")), "i", "j"))(X)
    np.testing.assert_array_equal(both, np.full((2, 3), 15.0))
    trees = over(lambda x: lax.psum({"a": x, "b": (x * 2,)}, "i"), "i")(X[:, 0])
    np.testing.assert_array_equal(trees["b"][0], [6.0, 6.0])


def test_each_name_means_its_own_axis() -> None:
    outer = over(lambda x: lax.psum(x, "i"), "i", "j")(X)
    np.testing.assert_array_equal(outer, np.broadcast_to(X.sum(0), (2, 3)))
    inner = over(lambda x: lax.psum(x, "j"), "i", "j")(X)
    np.testing.assert_array_equal(inner, np.broadcast_to(X.sum(1, keepdims=True), (2, 3)))
    shadowed = fxla.vmap(lambda x: over(lambda y: lax.psum(y, "i"), "i")(x), axis_name="i")(X)
    np.testing.assert_array_equal(shadowed, inner)


def test_what_is_not_mapped_counts_for_every_example() -> None:
    got = fxla.vmap(lambda x: lax.psum(3.0 * np.ones(()), "i") + 0 * x, axis_name="i")(X[0])
    np.testing.assert_array_equal(got, [9.0] * 3)
    assert over(lambda x: fnp.zeros(lax.psum(1, "i")), "i")(X).shape == (2, 2)
    assert over(lambda x: fnp.zeros(lax.axis_size(("i", "j"))), "i", "j")(X).shape == (2, 3, 6)
    np.testing.assert_array_equal(over(lambda x: lax.pmax(2.0, "i") + x, "i")(X), X + 2)


def test_index() -> None:
    got = over(lambda x: 10 * lax.axis_index("i") + lax.axis_index("j"), "i", "j")(X)
    np.testing.assert_array_equal(got, [[0, 1, 2], [10, 11, 12]])
    assert got.dtype == np.int32


def test_gather() -> None:
    got = over(lambda x: lax.all_gather(x, "i"), "i")(X)
    np.testing.assert_array_equal(got, [X, X])
    got = over(lambda x: lax.all_gather(x, "i", axis=1), "i")(X)
    np.testing.assert_array_equal(got, [X.T, X.T])
    got = over(lambda x: lax.all_gather(x, "i", tiled=True), "i")(X)
    np.testing.assert_array_equal(got, [X.ravel(), X.ravel()])
    got = over(lambda x: lax.all_gather(x, ("i", "j")), "i", "j")(X)
    np.testing.assert_array_equal(got, np.broadcast_to(X.ravel(), (2, 3, 6)))


def test_gather_inside_another_batch() -> None:
    """The new axis is in front of the batch axis of a vmap without that name."""
    got = fxla.vmap(fxla.vmap(lambda s: lax.all_gather(s, "i")), axis_name="i")(X)
    np.testing.assert_array_equal(got, [X.T, X.T])
    wide = np.stack([X, X + 10], -1)  # (i, 3, 2)
    got = fxla.vmap(fxla.vmap(lambda s: lax.all_gather(s, "i"), in_axes=1), axis_name="i")(wide)
    np.testing.assert_array_equal(got, [[X, X + 10]] * 2)


def test_derivatives() -> None:
    """Against the same computation written on the whole array."""

    def batch_norm(x: Any) -> Any:
        centred = x - lax.pmean(x, "i")
        return fnp.sin(centred / fnp.sqrt(lax.pmean(centred**2, "i") + 0.1))

    def whole(x: Any) -> Any:
        centred = x - x.mean(0)
        return fnp.sin(centred / fnp.sqrt((centred**2).mean(0) + 0.1))

    x, t = np.random.default_rng(0).standard_normal((2, 4, 3))
    mapped, compiled = over(batch_norm, "i"), over(fxla.jit(batch_norm), "i")
    want = fxla.grad(lambda x: whole(x).sum())(x), fxla.jvp(whole, (x,), (t,))[1]
    for f in (mapped, compiled):
        for wrap in (lambda f: f, fxla.jit):
            back = wrap(fxla.grad(lambda x, f=f: f(x).sum()))(x)
            forth = wrap(lambda x, f=f: fxla.jvp(f, (x,), (t,))[1])(x)
            np.testing.assert_allclose(back, want[0], rtol=1e-10, atol=1e-13)
            np.testing.assert_allclose(forth, want[1], rtol=1e-10, atol=1e-13)


def test_derivatives_of_extremes_and_gathers() -> None:
    x, w = np.array([1.0, 5.0, 3.0]), np.array([2.0, 3.0, 4.0])
    f = fxla.grad(lambda x: over(lambda a, b: b * lax.pmax(a, "i"), "i")(x, w).sum())
    np.testing.assert_array_equal(f(x), [0.0, 9.0, 0.0])
    g = fxla.grad(lambda x: over(lambda a, b: b * lax.pmin(a, "i"), "i")(x, w).sum())
    np.testing.assert_array_equal(g(np.array([1.0, 1.0, 2.0])), [4.5, 4.5, 0.0])
    h = fxla.grad(lambda x: over(lambda a: lax.all_gather(a, "i") @ w, "i")(x) @ w)
    np.testing.assert_array_equal(h(x), w * w.sum())
    inside = over(fxla.grad(lambda a: lax.psum(a, "i") ** 2), "i")
    np.testing.assert_array_equal(inside(x), [54.0] * 3)  # psum is its own transpose


def test_inside_loops_branches_and_calls() -> None:
    def f(x: Any) -> Any:
        def step(c: Any, _: Any) -> Any:
            return fxla.jit(lambda c: lax.psum(c, "i") / 3)(c) + x, None

        y = lax.scan(step, x, None, length=2)[0]
        z = lax.cond(y.sum() > -1e9, lambda: lax.pmean(y, "i"), lambda: y)
        return lax.while_loop(
            lambda c: lax.pmax(c, "i") < 100.0, lambda c: c * 2 + lax.pmin(c, "i"), z
        )

    x = np.array([1.0, 2.0, 4.0])
    y = x
    for _ in range(2):
        y = y.sum() / 3 + x
    z = np.full(3, y.mean())
    while z.max() < 100:
        z = z * 2 + z.min()
    np.testing.assert_allclose(over(f, "i")(x), z, rtol=1e-14)
    np.testing.assert_allclose(fxla.jit(over(f, "i"))(x), z, rtol=1e-14)


def test_a_compiled_function_is_retraced_for_another_axis() -> None:
    f = fxla.jit(lambda x: x / lax.psum(x, "i"))
    for n in (2, 3):
        np.testing.assert_allclose(over(f, "i")(np.ones(n)), np.full(n, 1 / n))
    with pytest.raises(NameError, match="'i' is not bound"):
        f(1.0)


def test_unknown_names() -> None:
    for call in (lax.psum, lax.pmean, lax.all_gather):
        with pytest.raises(NameError, match="Names in scope: 'i'"):
            over(lambda x, call=call: call(x, "k"), "i")(X)
    with pytest.raises(NameError, match="Names in scope: none"):
        lax.axis_index("i")
