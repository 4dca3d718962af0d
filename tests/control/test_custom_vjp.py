"""Reverse rules of the user's: used under every transformation, with trees, options and None."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.errors import NotDifferentiableError

BOTH = pytest.mark.parametrize("wrap", [lambda f: f, fxla.jit], ids=["eager", "jit"])


def marked() -> Any:
    """x * y with cotangents 10 ct y and 100 ct."""

    @fxla.custom_vjp
    def f(x: Any, y: Any) -> Any:
        return x * y

    f.defvjp(lambda x, y: (x * y, y), lambda y, ct: (10.0 * ct * y, 100.0 * ct))
    return f


@BOTH
def test_the_rule_is_used(wrap: Any) -> None:
    f = marked()
    xs = np.arange(3.0)
    np.testing.assert_array_equal(wrap(f)(xs, xs), xs * xs)
    assert [float(g) for g in wrap(fxla.grad(f, (0, 1)))(2.0, 3.0)] == [30.0, 100.0]
    assert float(wrap(fxla.grad(fxla.jit(f)))(2.0, 3.0)) == 30.0
    np.testing.assert_array_equal(wrap(fxla.vmap(fxla.grad(f), (0, None)))(xs, 3.0), [30.0] * 3)
    gx, gy = wrap(fxla.grad(lambda x, y: fxla.vmap(f, (0, None))(x, y).sum(), (0, 1)))(xs, 3.0)
    np.testing.assert_array_equal(gx, [30.0] * 3)
    assert float(gy) == 300.0  # one y for all examples: its cotangents add up

    def looped(x: Any) -> Any:
        return lax.scan(lambda c, _: (f(c, 2.0), None), x, None, length=2)[0]

    assert float(wrap(fxla.grad(looped))(1.0)) == 400.0
    assert (
        float(wrap(fxla.grad(lambda x: lax.cond(x > 0, lambda x: f(x, 2.0), fnp.sin, x)))(1.0))
        == 20.0
    )
    hundred = wrap(fxla.vmap(fxla.grad(looped)))(xs)
    np.testing.assert_array_equal(hundred, [400.0] * 3)


@BOTH
def test_second_derivatives_are_of_the_rule(wrap: Any) -> None:
    @fxla.custom_vjp
    def f(x: Any) -> Any:
        return x**2

    f.defvjp(lambda x: (x**2, x), lambda x, ct: (ct * x**4,))
    assert float(wrap(fxla.grad(fxla.grad(f)))(2.0)) == 32.0
    assert float(wrap(fxla.jacfwd(fxla.grad(f)))(2.0)) == 32.0


def test_forward_mode_is_refused() -> None:
    with pytest.raises(NotDifferentiableError, match="custom_jvp"):
        fxla.jvp(marked(), (1.0, 2.0), (1.0, 1.0))


def test_options_and_keywords() -> None:
    def power(x: Any, n: int, kind: Any = fnp.cos) -> Any:
        assert isinstance(n, int)
        return kind(x) ** n

    f = fxla.custom_vjp(power, nondiff_argnums=(1, 2))
    f.defvjp(lambda x, n, kind: (power(x, n, kind), x), lambda n, kind, x, ct: (ct * n * kind(x),))
    np.testing.assert_allclose(fxla.grad(f)(0.5, 3), 3 * np.cos(0.5))
    np.testing.assert_allclose(fxla.grad(lambda x: f(x, kind=fnp.sin, n=2))(0.5), 2 * np.sin(0.5))
    np.testing.assert_allclose(
        fxla.jit(fxla.vmap(fxla.grad(lambda x: f(x, 2))))(np.zeros(2)), [2.0, 2.0]
    )
    g = fxla.custom_vjp(lambda x, *, k: x)
    g.defvjp(lambda x, k: (x, None), lambda r, ct: (ct,))
    with pytest.raises(TypeError, match="keyword-only"):
        g(1.0, k=2)
    squared = fxla.custom_vjp(lambda x, n=2, kind=fnp.cos: kind(x) ** n, nondiff_argnums=(1, 2))
    squared.defvjp(lambda x, n, kind: (kind(x) ** n, None), lambda n, kind, r, ct: (ct,))
    np.testing.assert_allclose(squared(0.5, kind=fnp.sin), np.sin(0.5) ** 2)
    h = fxla.custom_vjp(lambda x, *, k=3: fnp.sin(k * x))  # k keeps its default
    h.defvjp(lambda x: (fnp.sin(3 * x), x), lambda x, ct: (ct * fnp.cos(3 * x),))
    np.testing.assert_allclose((h(0.5), fxla.grad(h)(0.5)), (np.sin(1.5), np.cos(1.5)))


def test_none_is_zero_and_integers_get_nothing() -> None:
    @fxla.custom_vjp
    def f(x: Any, n: Any, y: Any) -> Any:
        return x * n + y

    f.defvjp(lambda x, n, y: (f(x, n, y), n), lambda n, ct: (ct * n, None, None))
    assert [float(g) for g in fxla.grad(lambda x, y: f(x, 3, y), (0, 1))(2.0, 1.0)] == [3.0, 0.0]
    value, pullback = fxla.vjp(f, 2.0, 3, 1.0)
    gx, gn, gy = pullback(1.0)
    assert (float(value), float(gx), float(gy)) == (7.0, 3.0, 0.0)
    assert gn.dtype.names == ("float0",) or gn.dtype == fxla.core.dtypes.float0


def test_trees_of_arguments_residuals_and_cotangents() -> None:
    @fxla.custom_vjp
    def f(p: Any, x: Any) -> Any:
        return {"y": p["w"] * x, "z": (p["b"], None)}

    def fwd(p: Any, x: Any) -> Any:
        return f(p, x), {"kept": (p, [x]), "nothing": None}

    def bwd(res: Any, ct: Any) -> Any:
        _, (x,) = res["kept"]
        assert res["nothing"] is None
        assert ct["z"][1] is None
        return {"w": ct["y"] * x, "b": 7.0 * ct["z"][0]}, None

    f.defvjp(fwd, bwd)
    p = {"w": 2.0, "b": 3.0}

    def loss(p: Any, x: Any) -> Any:
        out = f(p, x)
        return out["y"] + out["z"][0]

    for wrap in (lambda f: f, fxla.jit):
        gp, gx = wrap(fxla.grad(loss, (0, 1)))(p, 5.0)
        assert (float(gp["w"]), float(gp["b"]), float(gx)) == (5.0, 7.0, 0.0)
        gp = wrap(fxla.vmap(fxla.grad(loss), (None, 0)))(p, np.arange(2.0))
        np.testing.assert_array_equal(gp["w"], [0.0, 1.0])
        np.testing.assert_array_equal(gp["b"], [7.0, 7.0])


def test_a_prefix_of_the_arguments_is_enough() -> None:
    """None for a whole subtree."""
    f = fxla.custom_vjp(lambda p, x: p["a"] * p["b"] * x)
    f.defvjp(lambda p, x: (f(p, x), x), lambda x, ct: (None, ct))
    gp, gx = fxla.grad(f, (0, 1))({"a": 2.0, "b": 3.0}, 4.0)
    assert (float(gp["a"]), float(gp["b"]), float(gx)) == (0.0, 0.0, 1.0)


def test_cotangents_are_given_as_zeros_not_missing() -> None:
    """A result nobody uses: bwd gets zeros of its shape."""
    seen = []
    f = fxla.custom_vjp(lambda x: (x, x * np.ones(3)))

    def bwd(_: Any, cts: Any) -> Any:
        seen.append(fnp.shape(cts[1]))
        return (cts[0] + cts[1].sum(),)

    f.defvjp(lambda x: (f(x), None), bwd)
    assert float(fxla.grad(lambda x: f(x)[0])(1.0)) == 1.0
    assert seen == [(3,)]


def test_a_value_closed_over_must_not_be_differentiated_by() -> None:
    """The rule gives no cotangent for it, so its derivative would silently be zero."""

    def outer(a: Any, x: Any) -> Any:
        f = fxla.custom_vjp(lambda x: a * x)
        f.defvjp(lambda x: (x, None), lambda _, ct: (ct,))
        return f(x)

    with pytest.raises(NotDifferentiableError, match="closes over"):
        fxla.grad(outer)(3.0, 2.0)
    assert float(fxla.grad(outer, 1)(3.0, 2.0)) == 1.0
    assert float(fxla.jit(outer)(3.0, 2.0)) == 6.0


def test_a_compiled_function_is_differentiated_again_and_again() -> None:
    """One traced program, several shapes of use: residual trees must not be mixed up."""
    f = fxla.jit(marked())
    for _ in range(2):
        assert float(fxla.grad(f)(2.0, 3.0)) == 30.0
        np.testing.assert_array_equal(fxla.vmap(fxla.grad(f))(np.ones(2), np.ones(2)), [10.0, 10.0])
        assert float(fxla.grad(lambda x: f(x, 2.0) + f(x, 3.0))(2.0)) == 50.0


def test_mistakes_are_named() -> None:
    f = fxla.custom_vjp(lambda x, y: x * y)
    with pytest.raises(AttributeError, match="has no derivative yet"):
        f(1.0, 2.0)
    f.defvjp(lambda x, y: x, lambda r, ct: (ct, ct))
    with pytest.raises(TypeError, match="must return a pair"):
        fxla.grad(f)(1.0, 2.0)
    f.defvjp(lambda x, y: ((x, y), None), lambda r, ct: (ct, ct))
    with pytest.raises(TypeError, match="structure"):
        fxla.grad(f)(1.0, 2.0)
    f.defvjp(lambda x, y: (x, None), lambda r, ct: (ct,))
    with pytest.raises(TypeError, match=r"tuple with 2 cotangents.*tuple of 1"):
        fxla.grad(f)(1.0, 2.0)
    f.defvjp(lambda x, y: (x, None), lambda r, ct: (fnp.ones(2), ct))
    with pytest.raises(TypeError, match=r"f64\[2\] as the cotangent of args\[0\].*f64\[\]"):
        fxla.grad(f)(1.0, 2.0)


def test_outside_of_transformations_it_is_the_function():
    """A solver of another library's may be called in it, with arrays that have values."""

    @fxla.custom_vjp
    def solved(x):
        return np.array([float(x[0]) / 2, float(x[1]) / 4])

    solved.defvjp(lambda x: (x, None), lambda _, g: (g,))
    out = solved(fnp.array([2.0, 4.0]))
    assert type(out) is fxla.Array
    np.testing.assert_array_equal(out, [1.0, 1.0])
