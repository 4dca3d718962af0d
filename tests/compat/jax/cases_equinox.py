"""equinox: modules, filtered transformations, layers, and a training loop with optax."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax

X = np.random.default_rng(0).standard_normal((32, 3)).astype(np.float32)
Y = X @ np.float32([[1], [2], [-1]])
KEY = jr.PRNGKey(0)


def case_modules():
    class Dense(eqx.Module):
        w: jax.Array
        act: Callable = eqx.field(static=True)

        def __call__(self, x):
            return self.act(x @ self.w)

    dense = Dense(jnp.ones((3, 2)), jnp.tanh)
    assert [x.shape for x in jax.tree.leaves(dense)] == [(3, 2)]
    np.testing.assert_allclose(eqx.filter_jit(dense)(X), np.tanh(X @ np.ones((3, 2))), rtol=1e-5)
    zeroed = eqx.tree_at(lambda m: m.w, dense, jnp.zeros((3, 2)))
    assert (zeroed.w == 0).all() and (dense.w == 1).all()


def case_an_mlp_trains():
    model = eqx.nn.MLP(3, 1, 16, 2, key=KEY)
    tx = optax.adam(1e-2)
    state = tx.init(eqx.filter(model, eqx.is_array))

    @eqx.filter_value_and_grad
    def loss(model, x, y):
        return jnp.mean((jax.vmap(model)(x) - y) ** 2)

    @eqx.filter_jit
    def step(model, state, x, y):
        value, grads = loss(model, x, y)
        updates, state = tx.update(grads, state, eqx.filter(model, eqx.is_array))
        return eqx.apply_updates(model, updates), state, value

    values = []
    for _ in range(120):
        model, state, value = step(model, state, X, Y)
        values.append(float(value))
    assert values[-1] < 0.02 * values[0]
    assert model.layers[0].weight.dtype == jnp.float32


def case_filter_grad():
    layer = eqx.nn.Linear(3, 2, key=KEY)
    grads = eqx.filter_grad(lambda m, x: m(x).sum())(layer, X[0])
    np.testing.assert_allclose(grads.weight, [X[0], X[0]], rtol=1e-6)
    np.testing.assert_allclose(grads.bias, [1, 1])


def case_ensembles():
    made = eqx.filter_vmap(lambda key: eqx.nn.MLP(3, 1, 4, 1, key=key))(jr.split(KEY, 5))
    call = eqx.filter_vmap(lambda m, x: jax.vmap(m)(x), in_axes=(eqx.if_array(0), None))
    out = call(made, X)
    assert out.shape == (5, 32, 1)
    first = jax.tree.map(lambda x: x[0] if eqx.is_array(x) else x, made)
    np.testing.assert_allclose(out[0], jax.vmap(first)(X), rtol=1e-5, atol=1e-6)


def case_layers():
    assert eqx.nn.Conv2d(1, 4, 3, key=KEY)(jnp.ones((1, 8, 8))).shape == (4, 6, 6)
    assert eqx.nn.MaxPool2d(2, 2)(jnp.ones((1, 4, 4))).shape == (1, 2, 2)
    np.testing.assert_allclose(eqx.nn.LayerNorm(4)(jnp.arange(4.0)).mean(), 0, atol=1e-6)
    dropped = eqx.nn.Dropout(0.5)(jnp.ones(1000), key=KEY)
    assert set(np.unique(dropped)) == {0, 2} and 400 < (dropped == 0).sum() < 600
    assert eqx.nn.MultiheadAttention(2, 8, key=KEY)(*[jnp.ones((5, 8))] * 3).shape == (5, 8)
    assert jax.vmap(eqx.nn.Embedding(10, 4, key=KEY))(jnp.arange(3)).shape == (3, 4)
    layers = [
        eqx.nn.Linear(3, 4, key=KEY),
        eqx.nn.Lambda(jax.nn.relu),
        eqx.nn.Linear(4, 1, key=KEY),
    ]
    assert jax.vmap(eqx.nn.Sequential(layers))(X).shape == (32, 1)


def case_recurrent_layers():
    cell = eqx.nn.GRUCell(3, 4, key=KEY)

    def step(h, x):
        h = cell(x, h)
        return h, h

    last, all_of_them = jax.lax.scan(step, jnp.zeros(4), X)
    assert all_of_them.shape == (32, 4) and (all_of_them[-1] == last).all()
    h, c = eqx.nn.LSTMCell(3, 4, key=KEY)(X[0], (jnp.zeros(4), jnp.zeros(4)))
    assert h.shape == c.shape == (4,)


def case_batch_norm():
    class Model(eqx.Module):
        norm: eqx.nn.BatchNorm

        def __init__(self):
            self.norm = eqx.nn.BatchNorm(3, axis_name="batch", mode="batch")

        def __call__(self, x, state):
            return self.norm(x, state)

    model, state = eqx.nn.make_with_state(Model)()
    call = jax.vmap(model, in_axes=(0, None), out_axes=(0, None), axis_name="batch")
    out, state = call(X, state)
    np.testing.assert_allclose(out.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(out.std(0), 1, atol=1e-2)


def case_files():
    model = eqx.nn.MLP(3, 1, 4, 1, key=KEY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.eqx"
        eqx.tree_serialise_leaves(path, model)
        other = eqx.nn.MLP(3, 1, 4, 1, key=jr.PRNGKey(5))
        assert eqx.tree_equal(eqx.tree_deserialise_leaves(path, other), model)


def case_shapes_and_checkpoints():
    shape = eqx.filter_eval_shape(lambda x: x * 2, jnp.ones(3))
    assert shape.shape == (3,) and shape.dtype == jnp.float32
    f = eqx.filter_checkpoint(lambda x: jnp.sin(x).sum())
    np.testing.assert_allclose(jax.grad(f)(jnp.ones(2)), np.cos(1.0) * np.ones(2), rtol=1e-6)
    assert "Linear" in eqx.tree_pformat(eqx.nn.Linear(3, 2, key=KEY))


def case_errors_at_run_time():
    @eqx.filter_jit
    def f(x):
        return eqx.error_if(x, (x < 0).any(), "negative")

    np.testing.assert_array_equal(f(jnp.ones(2)), [1, 1])
    try:
        f(-jnp.ones(2))
    except RuntimeError as error:
        assert "negative" in str(error)
    else:
        raise AssertionError("no error")
