"""chex: assertions, dataclasses, counted traces."""

import chex
import jax
import jax.numpy as jnp
import numpy as np


def fails(check, *args, **kwargs):
    try:
        check(*args, **kwargs)
    except AssertionError:
        return
    raise RuntimeError(f"{check} accepts {args}")


def case_assertions():
    x = jnp.ones((2, 3))
    chex.assert_shape(x, (2, None))
    fails(chex.assert_shape, x, (3, 2))
    chex.assert_rank(x, 2)
    fails(chex.assert_rank, x, 3)
    chex.assert_type([x], jnp.float32)
    fails(chex.assert_type, x, int)
    chex.assert_equal_shape([x, x])
    chex.assert_axis_dimension(x, 0, 2)
    chex.assert_trees_all_close({"a": x}, {"a": x + 1e-8})
    fails(chex.assert_trees_all_close, {"a": x}, {"a": x + 1})
    chex.assert_trees_all_equal({"a": x}, {"a": x})
    chex.assert_trees_all_equal_structs({"a": x}, {"a": 0})
    chex.assert_trees_all_equal_shapes({"a": x}, {"a": x})
    chex.assert_tree_all_finite({"a": x})
    fails(chex.assert_tree_all_finite, {"a": x * jnp.nan})
    chex.assert_tree_shape_prefix({"a": x}, (2,))
    chex.assert_shape(x, chex.Dimensions(A=2, B=3)["AB"])
    chex.assert_numerical_grads(lambda x: (x**3).sum(), (jnp.ones(3),), order=2)


def case_assertions_in_traced_functions():
    @jax.jit
    def f(x):
        chex.assert_shape(x, (3,))
        return x

    f(jnp.ones(3))
    fails(f, jnp.ones(2))


def case_dataclasses_are_trees():
    @chex.dataclass(frozen=True)
    class State:
        x: chex.Array
        n: chex.Array

    state = State(x=jnp.array([1.0, 2.0]), n=jnp.array(3.0))
    moved = jax.tree.map(lambda v: v + 1, state)
    assert moved.x.tolist() == [2, 3] and moved["n"] == 4
    grads = jax.jit(jax.grad(lambda s: (s.x**2).sum() * s.n))(state)
    np.testing.assert_allclose(grads.x, [6, 12])
    assert grads.n == 5
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    assert sorted(paths) == [".n", ".x"]
    assert state.replace(n=jnp.array(0.0)).n == 0


def case_traces_are_counted():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def f(x):
        return x + 1

    f(1.0)
    f(2.0)
    fails(f, jnp.ones(3))


def case_without_jit():
    with chex.fake_jit():
        seen = []
        jax.jit(lambda x: seen.append(isinstance(x, jax.core.Tracer)))(1.0)
        assert seen == [False]
