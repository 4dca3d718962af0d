"""Rematerialisation: the same derivatives, and only what the policy names is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.control.checkpoint import checkpoint_name
from fxla.core.trace import typeof
from fxla.transforms.tape import record

POLICIES = fxla.checkpoint_policies
RNG = np.random.default_rng(3)
W, V, X = RNG.standard_normal((5, 4)), RNG.standard_normal((4, 3)), RNG.standard_normal((2, 5))


def layers(w: Any, v: Any, x: Any) -> Any:
    h = checkpoint_name(fnp.tanh(x @ w), "hidden")
    return fnp.sin(fnp.exp(-((h @ v) ** 2)))


def loss(f: Any) -> Any:
    return lambda w, v, x: f(w, v, x).sum()


def residuals(f: Any) -> list[str]:
    """Types of the arrays that the tape keeps, inputs aside."""
    _, tape = record(lambda *args: [f(*args)], [W, V, X], "vjp", "f")
    kept = {id(r): r for _, residuals, _ in tape.steps for r in residuals if np.ndim(r)}
    return sorted(str(typeof(r)) for r in kept.values() if not any(r is a for a in (W, V, X)))


@pytest.mark.parametrize(
    "policy",
    [
        None,
        POLICIES.everything_saveable,
        POLICIES.nothing_saveable,
        POLICIES.dots_saveable,
        POLICIES.dots_with_no_batch_dims_saveable,
        POLICIES.save_only_these_names("hidden"),
        POLICIES.save_any_names_but_these("hidden"),
        POLICIES.save_from_both_policies(
            POLICIES.dots_saveable, POLICIES.save_only_these_names("hidden")
        ),
    ],
)
def test_derivatives_are_the_same(policy: Any) -> None:
    plain, kept = loss(layers), loss(fxla.checkpoint(layers, policy=policy))
    for transform in (
        lambda f: fxla.grad(f, (0, 1, 2)),
        lambda f: fxla.jit(fxla.grad(f, (0, 1, 2))),
        lambda f: lambda *args: fxla.jvp(f, args, args),
        lambda f: fxla.vmap(fxla.grad(f, 2), (None, None, 0)),
        lambda f: lambda w, v, x: fxla.jvp(lambda x: fxla.grad(f, 2)(w, v, x), (x,), (x,)),
    ):
        for a, b in zip(transform(kept)(W, V, X), transform(plain)(W, V, X), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_what_is_kept() -> None:
    """Counted: nothing but inputs, the products, the named value."""
    plain = residuals(layers)
    assert len(plain) > 3
    assert residuals(fxla.checkpoint(layers)) == []
    dots = residuals(fxla.checkpoint(layers, policy=POLICIES.dots_saveable))
    assert dots == ["f64[2,3]", "f64[2,4]"]
    named = residuals(
        fxla.checkpoint(layers, policy=POLICIES.save_only_these_names("hidden", "other"))
    )
    assert named == ["f64[2,4]"]
    others = residuals(fxla.checkpoint(layers, policy=POLICIES.save_any_names_but_these("hidden")))
    assert others == []


def test_batched_products_are_told_apart() -> None:
    f = fxla.checkpoint(
        lambda a, b, x: fnp.sin(fnp.einsum("bij,bjk->bik", a, b)) @ x,
        policy=POLICIES.dots_with_no_batch_dims_saveable,
    )
    a, b, x = np.ones((2, 3, 4)), np.ones((2, 4, 3)), np.ones((3, 3))
    text = str(fxla.make_jaxpr(fxla.grad(lambda *args: f(*args).sum(), (0, 1, 2)))(a, b, x))
    assert text.count("sin") >= 1
    assert text.count("= cos ") == 1


def test_recomputation_survives_common_subexpressions() -> None:
    """Compiled, the tangents of a chain are computed from the input again, not kept."""

    def chain(x: Any) -> Any:
        for _ in range(4):
            x = fnp.sin(x)
        return x

    def sines(f: Any) -> int:
        text = fxla.jit(fxla.grad(lambda x: f(x).sum())).inspect(np.ones(100)).loops
        return text.count("sin(")

    assert sines(fxla.checkpoint(chain)) >= sines(chain)
    text = str(fxla.make_jaxpr(fxla.grad(lambda x: fxla.checkpoint(chain)(x).sum()))(np.ones(3)))
    assert "optimization_barrier" in text


def test_memory_of_a_checkpointed_loop() -> None:
    """A scan over a checkpointed body stacks its carry only."""

    def body(c: Any, _: Any) -> Any:
        return fnp.sin(fnp.exp(-c) * fnp.tanh(c)), None

    def total(f: Any) -> Any:
        return lambda c: lax.scan(f, c, None, length=11)[0].sum()

    c = np.full(7, 0.3)
    plain = str(fxla.make_jaxpr(fxla.grad(total(body)))(c)).count(":f64[11,7]")
    small = str(fxla.make_jaxpr(fxla.grad(total(fxla.checkpoint(body))))(c)).count(":f64[11,7]")
    assert small == 1 < plain
    np.testing.assert_allclose(
        fxla.grad(total(fxla.checkpoint(body)))(c), fxla.grad(total(body))(c), rtol=1e-13
    )


def test_options_trees_and_keywords() -> None:
    @fxla.checkpoint(static_argnums=(1,))
    def f(p: Any, kind: str, *, scale: Any) -> Any:
        return {"out": getattr(fnp, kind)(p["x"]) * scale}

    grads = fxla.grad(lambda p: f(p, "sin", scale=2.0)["out"])({"x": 0.5})
    np.testing.assert_allclose(grads["x"], 2 * np.cos(0.5), rtol=1e-15)
    assert fxla.remat is fxla.checkpoint
    with pytest.raises(TypeError, match="not an array"):
        fxla.checkpoint(lambda x: x)("text")


def test_in_and_around_everything_else() -> None:
    f = fxla.checkpoint(lambda x: lax.cond(x > 0, fnp.sin, fnp.cos, x) ** 2)
    g = fxla.jit(fxla.vmap(fxla.grad(fxla.checkpoint(lambda x: f(fxla.jit(f)(x))))))
    plain = lambda x: lax.cond(x > 0, fnp.sin, fnp.cos, x) ** 2  # noqa: E731
    xs = np.linspace(-1, 1, 5)
    np.testing.assert_allclose(
        g(xs), fxla.vmap(fxla.grad(lambda x: plain(plain(x))))(xs), rtol=1e-13
    )
