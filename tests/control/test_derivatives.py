"""custom_jvp, custom_vjp, stop_gradient, checkpoint, closure_convert, eval_shape, make_jaxpr."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax

X = np.array([0.3, -0.8, 1.1])


def test_custom_jvp_is_used_in_every_mode() -> None:
    @fxla.custom_jvp
    def f(x: Any) -> Any:
        return fnp.sin(x)

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        return f(primals[0]), 7.0 * tangents[0]

    np.testing.assert_array_equal(f(X), np.sin(X))
    assert fxla.jvp(f, (0.5,), (1.0,))[1] == 7.0
    assert fxla.grad(f)(0.5) == 7.0
    assert fxla.jit(fxla.grad(f))(0.5) == 7.0
    np.testing.assert_array_equal(fxla.vmap(fxla.grad(f))(X), np.full(3, 7.0))
    np.testing.assert_array_equal(fxla.grad(lambda x: fxla.vmap(f)(x).sum())(X), np.full(3, 7.0))


def test_custom_jvp_with_a_function_that_is_not_differentiated() -> None:
    @functools.partial(fxla.custom_jvp, nondiff_argnums=(0,))
    def apply(g: Any, x: Any) -> Any:
        return g(x)

    @apply.defjvp
    def rule(g: Any, primals: Any, tangents: Any) -> Any:
        return g(primals[0]), 2 * g(primals[0]) * tangents[0]

    np.testing.assert_allclose(fxla.grad(lambda x: apply(fnp.exp, x))(0.5), 2 * np.exp(0.5))


def test_custom_vjp_is_used_under_jit_and_vmap() -> None:
    @fxla.custom_vjp
    def clipped(x: Any) -> Any:
        return x * 1.0

    clipped.defvjp(lambda x: (x * 1.0, None), lambda _, ct: (fnp.clip(ct, -1.0, 1.0),))

    def loss(x: Any) -> Any:
        return (clipped(x) * 10.0).sum()

    for g in (fxla.grad(loss), fxla.jit(fxla.grad(loss)), fxla.grad(fxla.jit(loss))):
        np.testing.assert_array_equal(g(X), np.ones(3))
    np.testing.assert_array_equal(fxla.vmap(fxla.grad(lambda x: clipped(x) * 10.0))(X), np.ones(3))


def test_custom_vjp_with_static_arguments() -> None:
    @functools.partial(fxla.custom_vjp, nondiff_argnums=(1,))
    def power(x: Any, n: int) -> Any:
        return x**n

    power.defvjp(lambda x, n: (x**n, x), lambda n, x, ct: (ct * n * x ** (n - 1) + 1.0,))
    np.testing.assert_allclose(fxla.grad(lambda x: power(x, 3))(2.0), 13.0)


def test_stop_gradient() -> None:
    f = lambda x: (lax.stop_gradient(x) * x).sum()  # noqa: E731
    np.testing.assert_array_equal(fxla.grad(f)(X), X)
    np.testing.assert_array_equal(fxla.jit(fxla.grad(f))(X), X)
    assert fxla.jvp(lax.stop_gradient, (1.0,), (1.0,)) == (1.0, 0.0)


@pytest.mark.parametrize("policy", [None, "everything_saveable", "nothing_saveable"])
def test_checkpoint_changes_what_is_kept_and_not_the_gradient(policy: str | None) -> None:
    chosen = getattr(fxla.checkpoint_policies, policy) if policy else None

    def block(x: Any) -> Any:
        return fnp.sin(fnp.sin(fnp.sin(x)) * x)

    plain = fxla.grad(lambda x: block(x).sum())(X)
    kept = fxla.checkpoint(block, policy=chosen)
    for g in (fxla.grad, lambda f: fxla.jit(fxla.grad(f))):
        np.testing.assert_allclose(g(lambda x: kept(x).sum())(X), plain, rtol=1e-13)


def test_checkpoint_recomputes() -> None:
    def block(x: Any) -> Any:
        return fnp.sin(fnp.sin(x))

    def count(f: Any) -> int:
        return str(fxla.make_jaxpr(fxla.grad(lambda x: f(x).sum()))(X)).count(" sin ")

    assert count(fxla.checkpoint(block)) > count(block)


def test_eval_shape_runs_nothing() -> None:
    def f(p: Any) -> Any:
        assert not isinstance(p["x"], np.ndarray)
        return p["x"] @ p["x"].T, p["x"].sum()

    spec = fxla.ShapeDtypeStruct((3, 4), np.dtype("float32"))
    square, total = fxla.eval_shape(f, {"x": spec})
    assert (square.shape, square.dtype) == ((3, 3), np.float32)
    assert total.shape == ()


def test_make_jaxpr_is_a_program_with_types() -> None:
    closed = fxla.make_jaxpr(lambda x: fnp.sin(x) + 1)(X)
    assert [e.primitive.name for e in closed.eqns] == ["sin", "add"]
    assert [str(a) for a in closed.out_avals] == ["f64[3]"]


def test_closure_convert_lifts_what_is_traced() -> None:
    def outer(w: Any, x: Any) -> Any:
        closed, consts = fxla.closure_convert(lambda v: fnp.sin(w * v).sum(), x)
        return closed(x, *consts)

    np.testing.assert_allclose(outer(2.0, X), np.sin(2 * X).sum())
    np.testing.assert_allclose(fxla.grad(outer)(2.0, X), (X * np.cos(2 * X)).sum(), rtol=1e-13)


def test_collectives_give_what_the_batch_holds() -> None:
    def f(x: Any) -> Any:
        return (
            x - lax.pmean(x, "i"), lax.psum(1, "i"), lax.axis_index("i"), lax.pmax(x, "i"),
            lax.all_gather(x, "i"),
        )  # fmt: skip

    centred, size, index, largest, everything = fxla.vmap(f, axis_name="i")(X)
    np.testing.assert_allclose(centred, X - X.mean(), rtol=1e-14)
    assert np.broadcast_to(size, 3).tolist() == [3, 3, 3]
    assert index.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(largest, np.full(3, X.max()))
    np.testing.assert_array_equal(everything, np.tile(X, (3, 1)))
