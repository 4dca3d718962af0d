"""Types without values, jaxprs, stopped gradients, closures made explicit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import eval_trace, state


def test_shapes_without_values() -> None:
    def f(p: Any, *, k: Any) -> Any:
        return {"y": p["x"] @ k, "n": p["x"].shape[0]}

    x = fxla.ShapeDtypeStruct((10**6, 10**6), np.float32)
    out = fxla.eval_shape(f, {"x": x}, k=fxla.ShapeDtypeStruct((10**6, 3), np.float32))
    assert out["y"] == fxla.ShapeDtypeStruct((10**6, 3), np.float32)
    assert out["n"].shape == ()
    assert (x.ndim, x.size) == (2, 10**12)
    assert len({x, fxla.ShapeDtypeStruct((10**6, 10**6), "float32")}) == 1


def test_jaxpr_options() -> None:
    f = lambda x, n, *, y=1.0: (x * n, y)  # noqa: E731
    for static in (1, (1,), -1, [-1]):
        closed = fxla.make_jaxpr(f, static_argnums=static)(np.ones(2), 3, y=2.0)
        assert [str(a) for a in closed.in_avals] == ["f64[2]", "f64[]"]
        assert "mul a 3.0" in str(closed)
    closed, shapes = fxla.make_jaxpr(f, static_argnums=1, return_shape=True)(np.ones(2), 3)
    assert shapes[0] == fxla.ShapeDtypeStruct((2,), float)
    closed = fxla.make_jaxpr(lambda x: lax.psum(x, "i"), axis_env=[("i", 4)])(1.0)
    assert "psum[axis_name=('i',)]" in str(closed)
    with pytest.raises(NameError):
        fxla.make_jaxpr(lambda x: lax.psum(x, "i"))(1.0)
    assert state.trace is eval_trace
    assert state.axes == ()


def test_jaxpr_of_types() -> None:
    closed = fxla.make_jaxpr(fnp.sin)(fxla.ShapeDtypeStruct((3,), np.float32))
    assert [str(a) for a in closed.out_avals] == ["f32[3]"]


def test_stopped_gradients() -> None:
    def f(x: Any) -> Any:
        held = lax.stop_gradient({"a": x * 2, "n": 3})
        return x * held["a"] * held["n"]

    for wrap in (lambda f: f, fxla.jit):
        assert float(wrap(fxla.grad(f))(2.0)) == 12.0
        assert float(wrap(fxla.grad(fxla.grad(f)))(2.0)) == 0.0
        assert float(wrap(lambda x: fxla.jvp(f, (x,), (1.0,))[1])(2.0)) == 12.0
        np.testing.assert_array_equal(wrap(fxla.vmap(fxla.grad(f)))(np.ones(2)), [6.0, 6.0])
    assert lax.stop_gradient("text") == "text"


def test_closures_made_explicit() -> None:
    a = np.arange(3.0)

    def outer(x: Any) -> Any:
        g, consts = fxla.closure_convert(lambda y: {"z": y * x + a}, 1.0)
        assert len(consts) == 2
        return g(2.0, *[c * 1.0 for c in consts])["z"].sum()

    value, slope = fxla.value_and_grad(outer)(5.0)
    assert (float(value), float(slope)) == (33.0, 6.0)
    g, _ = fxla.closure_convert(lambda y: y * a, 1.0)
    with pytest.raises(TypeError, match="expected 1 consts"):
        g(2.0)


def test_custom_gradients() -> None:
    @fxla.custom_gradient
    def f(x: Any, y: Any) -> Any:
        return x * y, lambda ct: (ct * 10.0 * y, ct * x)

    for wrap in (lambda f: f, fxla.jit):
        assert [float(g) for g in wrap(fxla.grad(f, (0, 1)))(2.0, 3.0)] == [30.0, 2.0]
        np.testing.assert_array_equal(
            wrap(fxla.vmap(fxla.grad(f), (0, None)))(np.arange(2.0), 3.0), [30.0, 30.0]
        )


def test_custom_gradients_of_several_calls_do_not_mix() -> None:
    """Each call's pullback was made for its own shapes and Python values."""

    @fxla.custom_gradient
    def f(x: Any) -> Any:
        n = x.shape[0]
        return x.sum(), lambda ct: ct * n * fnp.arange(n)

    def both(x: Any, y: Any) -> Any:
        return f(x) + 2.0 * f(y)

    for wrap in (lambda f: f, fxla.jit):
        gx, gy = wrap(fxla.grad(both, (0, 1)))(np.ones(3), np.ones(4))
        np.testing.assert_array_equal(gx, 3.0 * np.arange(3))
        np.testing.assert_array_equal(gy, 8.0 * np.arange(4))
