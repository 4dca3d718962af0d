"""Forward rules of the user's: used under every transformation, with trees and options."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax

BOTH = pytest.mark.parametrize("wrap", [lambda f: f, fxla.jit], ids=["eager", "jit"])


def marked() -> Any:
    """sin with a derivative of 10 t: no other path gives it."""

    @fxla.custom_jvp
    def f(x: Any) -> Any:
        return fnp.sin(x)

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        return f(*primals), 10.0 * tangents[0]

    return f


@BOTH
def test_the_rule_is_used(wrap: Any) -> None:
    f = marked()
    xs = np.arange(3.0)
    np.testing.assert_allclose(wrap(f)(xs), np.sin(xs), rtol=1e-15)
    assert float(wrap(fxla.grad(f))(1.0)) == 10.0
    np.testing.assert_array_equal(wrap(lambda x: fxla.jvp(f, (x,), (x,)))(xs)[1], 10 * xs)
    np.testing.assert_array_equal(wrap(fxla.vmap(fxla.grad(f)))(xs), [10.0] * 3)
    np.testing.assert_array_equal(wrap(fxla.grad(lambda x: fxla.vmap(f)(x).sum()))(xs), [10.0] * 3)
    np.testing.assert_array_equal(wrap(fxla.grad(lambda x: fxla.jit(f)(x)))(1.0), 10.0)

    def looped(x: Any) -> Any:
        return lax.scan(lambda c, _: (f(c), None), x, None, length=2)[0]

    assert float(wrap(fxla.grad(looped))(1.0)) == 100.0
    assert float(wrap(fxla.grad(lambda x: lax.cond(x > 0, f, lambda x: x, x)))(1.0)) == 10.0


def test_higher_derivatives_are_of_the_rule() -> None:
    @fxla.custom_jvp
    def f(x: Any) -> Any:
        return x**2

    f.defjvp(lambda p, t: (f(*p), p[0] ** 4 * t[0]))
    assert float(fxla.grad(fxla.grad(f))(2.0)) == 32.0
    assert float(fxla.jit(fxla.grad(fxla.jit(fxla.grad(f))))(2.0)) == 32.0


def test_options_come_first_and_are_not_traced() -> None:
    def value(kind: Any, x: Any, n: Any) -> Any:
        assert isinstance(n, int)
        return kind(x) ** n

    power = fxla.custom_jvp(value, nondiff_argnums=(0, 2))

    @power.defjvp
    def rule(kind: Any, n: Any, primals: Any, tangents: Any) -> Any:
        (x,), (t,) = primals, tangents
        return power(kind, x, n), n * t

    assert float(fxla.grad(power, 1)(fnp.cos, 0.5, 3)) == 3.0
    assert float(fxla.grad(lambda x: power(fnp.cos, n=4, x=x))(0.5)) == 4.0
    np.testing.assert_array_equal(
        fxla.vmap(fxla.grad(lambda x: power(fnp.cos, x, 3)))(np.ones(2)), [3, 3]
    )


def test_one_rule_for_each_argument() -> None:
    @fxla.custom_jvp
    def f(x: Any, y: Any, z: Any) -> Any:
        return x * y * z

    f.defjvps(lambda t, out, x, y, z: 2.0 * t, None, lambda t, out, x, y, z: out * t)
    got = fxla.grad(f, (0, 1, 2))(3.0, 5.0, 7.0)
    np.testing.assert_array_equal(got, [2.0, 0.0, 105.0])
    g = fxla.custom_jvp(lambda x: x * 2.0)
    g.defjvps(None)
    assert float(fxla.grad(g)(1.0)) == 0.0


def test_trees_and_integers() -> None:
    @fxla.custom_jvp
    def f(p: Any) -> Any:
        return {"a": p["x"] * p["n"], "n": p["n"] + 1}

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        out = f(*primals)
        return out, {"a": 5.0 * tangents[0]["x"], "n": tangents[0]["n"]}

    out, tangent = fxla.jvp(
        lambda x: f({"x": x, "n": np.int64(3)})["a"], (np.ones(2),), (np.ones(2),)
    )
    np.testing.assert_array_equal(out, [3.0, 3.0])
    np.testing.assert_array_equal(tangent, [5.0, 5.0])
    grads = fxla.grad(lambda x: f({"x": x, "n": 3})["a"].sum())(np.ones(2))
    np.testing.assert_array_equal(grads, [5.0, 5.0])


def test_values_closed_over_are_seen_by_the_rule() -> None:
    def outer(a: Any, x: Any) -> Any:
        @fxla.custom_jvp
        def f(x: Any) -> Any:
            return a * x

        f.defjvp(lambda p, t: (f(*p), a * t[0]))
        return f(x)

    assert float(fxla.grad(outer, 1)(3.0, 2.0)) == 3.0
    assert float(fxla.jit(fxla.grad(outer, 1))(3.0, 2.0)) == 3.0


def test_batches_of_some_operands() -> None:
    @fxla.custom_jvp
    def f(x: Any, y: Any) -> Any:
        return x * y, y

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x, y), (tx, ty) = primals, tangents
        return f(x, y), (3.0 * tx + ty * x, 2.0 * ty)

    xs, y = np.arange(3.0), 2.0
    for wrap in (lambda f: f, fxla.jit):
        g = wrap(fxla.vmap(fxla.grad(lambda x, y: sum(f(x, y)), (0, 1)), (0, None)))
        gx, gy = g(xs, y)
        np.testing.assert_array_equal(gx, [3.0] * 3)
        np.testing.assert_array_equal(gy, xs + 2)
        whole = wrap(
            fxla.grad(lambda x, y: sum(o.sum() for o in fxla.vmap(f, (0, None))(x, y)), (0, 1))
        )
        gx, gy = whole(xs, y)
        np.testing.assert_array_equal(gx, [3.0] * 3)
        np.testing.assert_array_equal(gy, (xs + 2).sum())


def test_mistakes_are_named() -> None:
    f = fxla.custom_jvp(lambda x: x)
    with pytest.raises(AttributeError, match="has no derivative yet"):
        f(1.0)
    f.defjvp(lambda p, t: p[0])
    with pytest.raises(TypeError, match="must return a pair"):
        fxla.grad(f)(1.0)
    f.defjvp(lambda p, t: ((p[0], p[0]), t[0]))
    with pytest.raises(TypeError, match="structure"):
        fxla.grad(f)(1.0)
    f.defjvp(lambda p, t: (p[0], fnp.ones(3)))
    with pytest.raises(TypeError, match=r"tangent f64\[3\] for a value f64\[\]"):
        fxla.grad(f)(1.0)
    g = fxla.custom_jvp(lambda x: x)
    g.defjvp(lambda p, t: (p[0] * t[0], t[0]))
    with pytest.raises(TypeError, match="depends on the tangent"):
        fxla.grad(g)(1.0)
