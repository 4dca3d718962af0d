"""What optimisers, schedules and losses compute, by fxla.optim or by optax: one text for both.

`python trajectories.py optax OUT.npz` runs it by optax, in an environment that has it.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

STEPS = 8
RNG = np.random.default_rng(3)
PARAMS = {"w": RNG.standard_normal((3, 4)), "b": RNG.standard_normal(4)}
GRADS = [
    {"w": RNG.standard_normal((3, 4)) * 10.0**k, "b": RNG.standard_normal(4) * 10.0**k}
    for k in RNG.integers(-2, 2, STEPS)
]
MASK = {"w": True, "b": False}

OPTIMIZERS = {
    "sgd": lambda o: o.sgd(0.1),
    "momentum": lambda o: o.sgd(0.1, momentum=0.9),
    "nesterov": lambda o: o.sgd(0.1, momentum=0.9, nesterov=True),
    "adam": lambda o: o.adam(0.1),
    "adam_root": lambda o: o.adam(0.1, eps_root=1e-3, nesterov=True),
    "nadam": lambda o: o.nadam(0.1),
    "adamw": lambda o: o.adamw(0.1, weight_decay=0.1, mask=MASK),
    "nadamw": lambda o: o.nadamw(0.1),
    "amsgrad": lambda o: o.amsgrad(0.1),
    "adamax": lambda o: o.adamax(0.1),
    "adamaxw": lambda o: o.adamaxw(0.1, weight_decay=0.1),
    "radam": lambda o: o.radam(0.1),
    "radam_soon": lambda o: o.radam(0.1, b2=0.9, threshold=4.5),
    "yogi": lambda o: o.yogi(0.1),
    "adabelief": lambda o: o.adabelief(0.1),
    "adabelief_ahead": lambda o: o.adabelief(0.1, nesterov=True),
    "adan": lambda o: o.adan(0.1, weight_decay=0.1),
    "lion": lambda o: o.lion(0.1),
    "lion_smooth": lambda o: o.chain(o.scale_by_lion(mode="smooth"), o.scale(-0.1)),
    "lion_refined": lambda o: o.chain(o.scale_by_lion(mode="refined"), o.scale(-0.1)),
    "lamb": lambda o: o.lamb(0.1, weight_decay=0.1),
    "novograd": lambda o: o.novograd(0.1, weight_decay=0.1),
    "novograd_root": lambda o: o.chain(
        o.scale_by_novograd(0.8, 0.5, eps_root=1e-3), o.scale(-0.1)
    ),
    "sm3": lambda o: o.sm3(0.1),
    "sm3_decay": lambda o: o.chain(o.scale_by_sm3(0.8, 0.9), o.scale(-0.1)),
    "sam": lambda o: o.contrib.sam(
        o.adam(0.1), o.chain(o.normalize_by_update_norm(), o.sgd(0.05)), sync_period=3
    ),
    "sam_kept": lambda o: o.contrib.sam(
        o.sgd(0.1, momentum=0.9), o.adam(0.05), reset_state=False
    ),
    "lars": lambda o: o.lars(0.1, weight_decay=0.1, weight_decay_mask=MASK),
    "adagrad": lambda o: o.adagrad(0.1),
    "rmsprop": lambda o: o.rmsprop(0.1),
    "rmsprop_torch": lambda o: o.rmsprop(0.1, eps_in_sqrt=False, momentum=0.9),
    "rmsprop_centered": lambda o: o.rmsprop(0.1, centered=True, nesterov=True, momentum=0.5),
    "rmsprop_corrected": lambda o: o.rmsprop(0.1, bias_correction=True, initial_scale=0.1),
    "adadelta": lambda o: o.adadelta(0.1, weight_decay=0.1),
    "sign_sgd": lambda o: o.sign_sgd(0.1),
    "signum": lambda o: o.signum(0.1),
    "optimistic": lambda o: o.optimistic_gradient_descent(0.1, 0.9, 1.1),
    "adafactor": lambda o: o.adafactor(0.1, min_dim_size_to_factor=3, weight_decay_rate=0.01),
    "adafactor_whole": lambda o: o.adafactor(0.1, factored=False, momentum=0.9),
    "clip": lambda o: o.chain(o.clip(0.5), o.sgd(0.1)),
    "clip_norm": lambda o: o.chain(o.clip_by_global_norm(0.5), o.sgd(0.1)),
    "clip_rms": lambda o: o.chain(o.clip_by_block_rms(0.5), o.sgd(0.1)),
    "clip_adaptive": lambda o: o.chain(o.adaptive_grad_clip(0.05), o.sgd(0.1)),
    "centralize": lambda o: o.chain(o.centralize(), o.sgd(0.1)),
    "ema": lambda o: o.chain(o.ema(0.9), o.scale(-0.1)),
    "ema_plain": lambda o: o.chain(o.ema(0.9, debias=False), o.scale(-0.1)),
    "apply_every": lambda o: o.chain(o.apply_every(3), o.scale(-0.1)),
    "normalized": lambda o: o.chain(o.normalize_by_update_norm(2.0), o.scale(-0.1)),
    "block_norm": lambda o: o.chain(o.scale_by_param_block_norm(), o.scale(-0.1)),
    "block_rms": lambda o: o.chain(o.scale_by_param_block_rms(), o.scale(-0.1)),
    "masked": lambda o: o.masked(o.adam(0.1), MASK),
    "frozen": lambda o: o.chain(o.adam(0.1), o.transforms.freeze(MASK)),
    "partition": lambda o: o.partition(
        {"a": o.adam(0.1), "b": o.sgd(0.1, momentum=0.5)}, {"w": "a", "b": "b"}
    ),
    "nonnegative": lambda o: o.chain(o.sgd(0.1), o.keep_params_nonnegative()),
    "finite": lambda o: o.apply_if_finite(o.adam(0.1), 2),
    "multi_steps": lambda o: o.MultiSteps(o.adam(0.1), 3).gradient_transformation(),
    "schedule": lambda o: o.adam(o.cosine_decay_schedule(0.1, 6)),
    "decay_schedule": lambda o: o.chain(
        o.add_decayed_weights(o.linear_schedule(0.0, 0.1, 5)), o.sgd(0.1)
    ),
    "injected": lambda o: o.inject_hyperparams(o.adamw)(
        o.warmup_cosine_decay_schedule(0.0, 0.1, 2, 7), b1=0.8
    ),
    "named": lambda o: o.named_chain(("a", o.clip(1.0)), ("b", o.adam(0.1))),
}  # fmt: skip

WITH_VALUE = {
    "lbfgs": lambda o: o.lbfgs(),
    "lbfgs_small": lambda o: o.lbfgs(memory_size=2, scale_init_precond=False),
    "lbfgs_rate": lambda o: o.lbfgs(0.5, linesearch=None),
    "zoom": lambda o: o.chain(o.sgd(1.0), o.scale_by_zoom_linesearch(15)),
    "zoom_most": lambda o: o.chain(o.sgd(1.0), o.scale_by_zoom_linesearch(15, 0.002)),
    "backtracking": lambda o: o.chain(o.sgd(1.0), o.scale_by_backtracking_linesearch(25)),
    "backtracking_kept": lambda o: o.chain(
        o.sgd(1.0), o.scale_by_backtracking_linesearch(25, store_grad=True)
    ),
    "polyak": lambda o: o.polyak_sgd(0.1),
}

SCHEDULES = {
    "polynomial": lambda o: o.polynomial_schedule(1.0, 0.1, 2, 10, 3),
    "linear": lambda o: o.linear_schedule(1.0, 0.1, 10, 3),
    "cosine": lambda o: o.cosine_decay_schedule(1.0, 12, 0.1, 1.5),
    "exponential": lambda o: o.exponential_decay(1.0, 4, 0.5, 3),
    "staircase": lambda o: o.exponential_decay(1.0, 4, 0.5, 3, True, 0.2),
    "growth": lambda o: o.exponential_decay(1.0, 4, 2.0, 0, False, 5.0),
    "piecewise": lambda o: o.piecewise_constant_schedule(1.0, {4: 0.5, 9: 0.1}),
    "interpolated": lambda o: o.piecewise_interpolate_schedule("linear", 1.0, {4: 2.0, 9: 0.1}),
    "interpolated_cosine": lambda o: o.piecewise_interpolate_schedule("cosine", 1.0, {4: 2.0}),
    "one_cycle": lambda o: o.linear_onecycle_schedule(20, 1.0),
    "one_cycle_cosine": lambda o: o.cosine_onecycle_schedule(20, 1.0),
    "warmup": lambda o: o.warmup_cosine_decay_schedule(0.0, 1.0, 4, 15, 0.1),
    "warmup_constant": lambda o: o.schedules.warmup_constant_schedule(0.0, 1.0, 4),
    "warmup_exponential": lambda o: o.warmup_exponential_decay_schedule(0.0, 1.0, 4, 3, 0.5),
    "sgdr": lambda o: o.sgdr_schedule(
        [{"init_value": 0.0, "peak_value": 1.0 / k, "warmup_steps": 2, "decay_steps": 6}
         for k in (1, 2)]
    ),
}  # fmt: skip

LOGITS = RNG.standard_normal((5, 4)) * 3
PROBABILITIES = np.exp(LOGITS[::-1]) / np.exp(LOGITS[::-1]).sum(1, keepdims=True)
CLASSES = np.array([0, 3, 2, 1, 1])
BINARY = (LOGITS > 0.5).astype(float)
SIGNS = 2 * BINARY - 1
LOGS = np.log(PROBABILITIES)[::-1].copy()
SEEN = RNG.random((5, 4)) > 0.3
SEEN[:, 0] = True
FRAMES = RNG.standard_normal((2, 7, 4))
PADS = np.array([[0.0] * 7, [0.0] * 5 + [1.0] * 2])
LABELS = np.array([[1, 1, 2], [3, 2, 0]])
LABEL_PADS = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
IMAGE, REGION = RNG.standard_normal((2, 3, 3, 4)), np.eye(4)[RNG.integers(0, 4, (2, 3, 3))]

LOSSES = {
    "squared_error": lambda n, x: n.squared_error(x, BINARY),
    "l2_loss": lambda n, x: n.l2_loss(x, BINARY),
    "huber_loss": lambda n, x: n.huber_loss(x, BINARY, delta=0.7),
    "log_cosh": lambda n, x: n.log_cosh(x, BINARY),
    "cosine_similarity": lambda n, x: n.cosine_similarity(x, BINARY + 0.1),
    "cosine_distance": lambda n, x: n.cosine_distance(x, LOGS, epsilon=1e-3, where=SEEN),
    "sigmoid_binary_cross_entropy": lambda n, x: n.sigmoid_binary_cross_entropy(x, BINARY),
    "sigmoid_focal_loss": lambda n, x: n.sigmoid_focal_loss(x, BINARY, alpha=0.3),
    "softmax_cross_entropy": lambda n, x: n.softmax_cross_entropy(x, PROBABILITIES),
    "softmax_cross_entropy_0": lambda n, x: n.softmax_cross_entropy(x, PROBABILITIES, axis=0),
    "softmax_cross_entropy_seen": lambda n, x: n.softmax_cross_entropy(x, BINARY, where=SEEN),
    "safe_softmax_cross_entropy": lambda n, x: n.safe_softmax_cross_entropy(x, BINARY),
    "integer": lambda n, x: n.softmax_cross_entropy_with_integer_labels(x, CLASSES),
    "integer_seen": lambda n, x: n.softmax_cross_entropy_with_integer_labels(
        x, np.zeros(5, int), where=SEEN
    ),
    "integer_axes": lambda n, x: n.softmax_cross_entropy_with_integer_labels(
        x.reshape(5, 2, 2), CLASSES, axis=(1, 2)
    ),
    "poly_loss": lambda n, x: n.poly_loss_cross_entropy(x, PROBABILITIES, epsilon=1.5),
    "hinge_loss": lambda n, x: n.hinge_loss(x, SIGNS),
    "perceptron_loss": lambda n, x: n.perceptron_loss(x, SIGNS),
    "sparsemax_loss": lambda n, x: n.sparsemax_loss(x, BINARY),
    "multiclass_hinge": lambda n, x: n.multiclass_hinge_loss(x, CLASSES),
    "multiclass_perceptron": lambda n, x: n.multiclass_perceptron_loss(x, CLASSES),
    "kl": lambda n, x: n.kl_divergence(x, BINARY / 2),
    "kl_seen": lambda n, x: n.kl_divergence(x, PROBABILITIES, where=SEEN),
    "kl_logs": lambda n, x: n.kl_divergence_with_log_targets(x, LOGS),
    "kl_generalized": lambda n, x: n.generalized_kl_divergence(x, PROBABILITIES),
    "smooth_labels": lambda n, x: n.smooth_labels(x, 0.2),
    "ranking": lambda n, x: n.ranking_softmax_loss(x, BINARY),
    "ranking_seen": lambda n, x: n.ranking_softmax_loss(
        x, BINARY, where=SEEN, weights=PROBABILITIES, reduce_fn=None
    ),
    "triplet": lambda n, x: n.triplet_margin_loss(x, LOGS, PROBABILITIES),
    "ntxent": lambda n, x: n.ntxent(x, np.array([0, 0, 1, 1, 1])),
    "ctc": lambda n, x: n.ctc_loss(FRAMES + x[0], PADS, LABELS, LABEL_PADS),
    "dice": lambda n, x: n.dice_loss(IMAGE + x[0], REGION, alpha=0.3, ignore_background=True),
    "dice_binary": lambda n, x: n.binary_dice_loss(x, BINARY),
    "dice_generalized": lambda n, x: n.multiclass_generalized_dice_loss(IMAGE + x[0], REGION),
}


def rosenbrock(p: Any) -> Any:
    """A curved valley in all the parameters."""
    w = p["w"] + p["b"]
    return ((1 - w[:, :-1]) ** 2).sum() + 3 * ((w[:, 1:] - w[:, :-1] ** 2) ** 2).sum()


def optimizer_run(library: Any, name: str, jit: Any) -> list[np.ndarray[Any, Any]]:
    """The parameters after each of the updates with the given gradients."""
    tx = OPTIMIZERS[name](library)
    update = jit(tx.update) if jit else tx.update
    params, state = PARAMS, tx.init(PARAMS)
    kept = []
    for i, grads in enumerate(GRADS):
        if name == "finite" and i in (2, 5):
            grads = {"w": grads["w"] * np.nan, "b": grads["b"]}
        updates, state = update(grads, state, params)
        params = library.apply_updates(params, updates)
        kept += [params["w"], params["b"]]
    return [np.asarray(x) for x in kept]


def minimised(library: Any, jax: Any, name: str) -> list[np.ndarray[Any, Any]]:
    """The parameters on the way down `rosenbrock`."""
    tx = WITH_VALUE[name](library)

    def step(params: Any, state: Any) -> Any:
        value, grad = jax.value_and_grad(rosenbrock)(params)
        updates, state = tx.update(grad, state, params, value=value, grad=grad, value_fn=rosenbrock)
        return library.apply_updates(params, updates), state

    step = jax.jit(step)
    params, state = PARAMS, tx.init(PARAMS)
    kept = []
    for _ in range(STEPS):
        params, state = step(params, state)
        kept += [params["w"], params["b"]]
    return [np.asarray(x) for x in kept]


def loss_and_gradient(losses: Any, jax: Any, name: str) -> list[np.ndarray[Any, Any]]:
    """A loss of LOGITS, and the gradient of its weighted sum."""

    def total(x: Any) -> Any:
        value = LOSSES[name](losses, x)
        return (value * np.arange(1.0, 1.0 + value.size).reshape(value.shape)).sum()

    return [np.asarray(LOSSES[name](losses, LOGITS)), np.asarray(jax.grad(total)(LOGITS))]


def everything(library: Any, losses: Any, jax: Any) -> dict[str, list[np.ndarray[Any, Any]]]:
    """All of it."""
    made = {f"optimizer {name}": optimizer_run(library, name, jax.jit) for name in OPTIMIZERS}
    made |= {f"value {name}": minimised(library, jax, name) for name in WITH_VALUE}
    counts = np.arange(25)
    made |= {
        f"schedule {name}": [np.array([float(make(library)(c)) for c in counts])]
        for name, make in SCHEDULES.items()
    }
    made |= {f"loss {name}": loss_and_gradient(losses, jax, name) for name in LOSSES}
    return made


if __name__ == "__main__":
    import jax
    import optax

    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    fields = dict(vars(optax))
    PARAMS = {k: jnp.asarray(v) for k, v in PARAMS.items()}
    GRADS = [{k: jnp.asarray(v) for k, v in g.items()} for g in GRADS]
    made = everything(SimpleNamespace(**fields), optax.losses, jax)
    np.savez(sys.argv[1], **{f"{k} {i}": x for k, v in made.items() for i, x in enumerate(v)})
