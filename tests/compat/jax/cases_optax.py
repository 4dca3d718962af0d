"""optax: its optimisers beside fxla.optim's, and the same losses on real images."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import sklearn.datasets

import fxla
from fxla import optim
from tests.optim import trajectories as given

OURS = SimpleNamespace(
    **{name: getattr(optim, name) for name in optim.__all__}, transforms=optim, schedules=optim
)
given.PARAMS = {k: jnp.asarray(v) for k, v in given.PARAMS.items()}
given.GRADS = [{k: jnp.asarray(v) for k, v in g.items()} for g in given.GRADS]
for name in "LOGITS PROBABILITIES BINARY SIGNS LOGS FRAMES PADS LABEL_PADS IMAGE REGION".split():
    setattr(given, name, jnp.asarray(getattr(given, name)))


def close(theirs, ours, tolerance, name):
    for a, b in zip(theirs, ours, strict=True):
        assert a.dtype == np.float32, name
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=name)


def trained(library, jax, xp, losses):
    """The losses of 60 steps of clipped AdamW with a cosine schedule on digits."""
    digits = sklearn.datasets.load_digits()
    x, y = (digits.data / 16).astype(np.float32), digits.target
    rng = np.random.default_rng(0)
    params = {
        "w1": (rng.standard_normal((64, 32)) / 8).astype(np.float32),
        "b1": np.zeros(32, np.float32),
        "w2": (rng.standard_normal((32, 10)) / 6).astype(np.float32),
        "b2": np.zeros(10, np.float32),
    }
    tx = library.chain(
        library.clip_by_global_norm(0.5),
        library.adamw(library.cosine_decay_schedule(0.01, 60)),
    )

    def loss(p, x, y):
        logits = xp.tanh(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]
        return losses.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    @jax.jit
    def step(p, s, x, y):
        value, grads = jax.value_and_grad(loss)(p, x, y)
        updates, s = tx.update(grads, s, p)
        return library.apply_updates(p, updates), s, value

    state, values = tx.init(params), []
    for i in range(60):
        rows = slice(100 * (i % 10), 100 * (i % 10) + 100)
        params, state, value = step(params, state, x[rows], y[rows])
        values.append(float(value))
    return np.array(values)


def case_trains_digits_to_the_same_losses():
    theirs = trained(optax, jax, jnp, optax.losses)
    ours = trained(optim, fxla, fxla.numpy, optim.losses)
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
    assert ours[-1] < 0.2 * ours[0]


COMMON = (
    "nesterov adam nadam adamw amsgrad adamax radam adabelief lion lamb lars adagrad rmsprop "
    "adadelta adafactor clip_norm ema masked partition finite multi_steps schedule injected"
).split()


def case_optimizers():
    for name in COMMON:
        theirs = given.optimizer_run(optax, name, jax.jit)
        close(theirs, given.optimizer_run(OURS, name, fxla.jit), 2e-5, name)


def case_line_searches():
    for name in ("lbfgs", "backtracking_kept", "polyak"):
        theirs = given.minimised(optax, jax, name)
        close(theirs[:6], given.minimised(OURS, fxla, name)[:6], 1e-3, name)


def case_schedules():
    for name, make in given.SCHEDULES.items():
        theirs = [float(make(optax)(c)) for c in range(25)]
        ours = [float(make(optim)(c)) for c in range(25)]
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-6, err_msg=name)


def case_losses():
    for name in given.LOSSES:
        theirs = given.loss_and_gradient(optax.losses, jax, name)
        ours = given.loss_and_gradient(optim.losses, fxla, name)
        for a, b in zip(theirs, ours, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=name)


def case_eager_updates():
    tx = optax.adamw(1e-2)
    params = {"w": jnp.ones(3)}
    state = tx.init(params)
    for _ in range(3):
        updates, state = tx.update({"w": jnp.ones(3)}, state, params)
        params = optax.apply_updates(params, updates)
    assert params["w"].dtype == jnp.float32
    assert state[0].count == 3 and state[0].count.dtype == jnp.int32


def case_projections_and_contrib():
    simplex = optax.projections.projection_simplex(jnp.array([2.0, 0.5, 0.1]))
    np.testing.assert_allclose(simplex, [1.0, 0.0, 0.0], atol=1e-6)
    tx = optax.contrib.schedule_free_adamw(0.1)
    params = jnp.array([1.0, -2.0])
    state = tx.init(params)
    for _ in range(20):
        updates, state = tx.update(2 * params, state, params)
        params = optax.apply_updates(params, updates)
    assert float((params**2).sum()) < 1.0
