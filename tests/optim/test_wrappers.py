"""What goes around optimisers: conditions, accumulation, hyperparameters, averages, corrections."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import optim

P = {"w": np.array([1.0, -2.0]), "b": np.float32(0.5)}
G = {"w": np.array([0.5, 4.0]), "b": np.float32(-1.0)}
BAD = {"w": np.array([0.5, np.nan]), "b": np.float32(-1.0)}


@pytest.mark.parametrize("compiled", [False, True])
def test_apply_if_finite(compiled):
    tx = optim.apply_if_finite(optim.sgd(0.1, momentum=0.9), max_consecutive_errors=1)
    update = fxla.jit(tx.update) if compiled else tx.update
    state = tx.init(P)
    updates, state = update(BAD, state, P)
    np.testing.assert_array_equal(updates["w"], 0)
    assert (int(state.notfinite_count), bool(state.last_finite)) == (1, False)
    updates, state = update(G, state, P)
    np.testing.assert_allclose(updates["w"], -0.1 * G["w"])
    assert (int(state.notfinite_count), int(state.total_notfinite)) == (0, 1)
    for _ in range(2):
        updates, state = update(BAD, state, P)
    assert np.isnan(updates["w"][1])  # two in a row are more than one
    assert updates["b"].dtype == np.float32


def test_conditions():
    def every_other(step, **extra):
        return step % 2 == extra.get("phase", 0)

    for make, otherwise in (
        (optim.conditionally_transform, G["w"]),
        (optim.conditionally_mask, 0 * G["w"]),
    ):
        tx = make(optim.scale(3.0), every_other, forward_extra_args=True)
        state = tx.init(P)
        for phase, wanted in ((0, 3 * G["w"]), (0, otherwise), (1, otherwise)):
            updates, state = fxla.jit(tx.update)(G, state, P, phase=phase)
            np.testing.assert_allclose(updates["w"], wanted)


@pytest.mark.parametrize("mean", [True, False])
def test_accumulated_gradients_are_one_update(mean):
    optimizer = optim.MultiSteps(optim.adam(0.1), 3, use_grad_mean=mean)
    grads = [{"w": G["w"] * k, "b": G["b"] * np.float32(k)} for k in (1.0, 2.0, 6.0)]
    state, update = optimizer.init(P), fxla.jit(optimizer.update)
    for i, g in enumerate(grads):
        updates, state = update(g, state, P)
        assert bool(optimizer.has_updated(state)) is (i == 2)
        if i < 2:
            np.testing.assert_array_equal(updates["w"], 0)
    one = optim.adam(0.1)
    total = {"w": G["w"] * (3 if mean else 9), "b": G["b"] * np.float32(3 if mean else 9)}
    wanted, inner = one.update(total, one.init(P), P)
    np.testing.assert_allclose(updates["w"], wanted["w"], rtol=1e-12)
    np.testing.assert_allclose(state.inner_opt_state[0].mu["w"], inner[0].mu["w"], rtol=1e-12)
    assert updates["b"].dtype == np.float32
    assert (int(state.mini_step), int(state.gradient_step)) == (0, 1)


def test_skipped_batches_do_not_count():
    optimizer = optim.MultiSteps(
        optim.sgd(1.0), lambda step: 2, should_skip_update_fn=optim.skip_not_finite
    )
    state = optimizer.init(P)
    for g in (G, BAD, G):
        updates, state = optimizer.update(g, state, P)
    np.testing.assert_allclose(updates["w"], -G["w"])
    assert not state.skip_state["should_skip"]
    assert bool(optim.skip_large_updates(G, 0, P, 1.0)[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hyperparameters_are_in_the_state(dtype):
    params = P["w"].astype(dtype)
    tx = optim.inject_hyperparams(optim.adamw)(
        learning_rate=lambda count: 0.1 / (count + 1), b1=0.5, weight_decay=0.0
    )
    state, update = tx.init(params), fxla.jit(tx.update)
    assert state.hyperparams["b1"].dtype == dtype
    for i in range(3):
        _, state = update(params, state, params)
        np.testing.assert_allclose(state.hyperparams["learning_rate"], 0.1 / (i + 1), rtol=1e-6)
    state.hyperparams["b1"] = np.asarray(0.0, dtype)
    updates, after = update(G["w"].astype(dtype), state, params)
    np.testing.assert_allclose(after.inner_state[0].mu, G["w"], rtol=1e-6)
    assert updates.dtype == dtype
    with pytest.raises(ValueError, match=r"\['rate'\] are no arguments of sgd"):
        optim.inject_hyperparams(optim.sgd, static_args="rate")


def test_stateful_schedules():
    class Plateau:
        def init(self):
            return {"best": np.inf}

        def update(self, state, *, value, **extra):
            return {"best": np.minimum(state["best"], value)}

        def __call__(self, state, **extra):
            return np.where(np.isinf(state["best"]), 1.0, 0.5)

    tx = optim.inject_hyperparams(optim.sgd)(Plateau())
    state = tx.init(P["w"])
    first, state = tx.update(G["w"], state, P["w"], value=3.0)
    second, state = tx.update(G["w"], state, P["w"], value=2.0)
    np.testing.assert_allclose([first, second], [-G["w"], -0.5 * G["w"]])


def test_averages_and_accumulation():
    tx, state, mean = optim.ema(0.9), optim.ema(0.9).init(P["w"]), 0.0
    for t in range(1, 4):
        out, state = tx.update(G["w"] * t, state)
        mean = 0.9 * mean + 0.1 * G["w"] * t
        np.testing.assert_allclose(out, mean / (1 - 0.9**t), rtol=1e-12)
    tx = optim.apply_every(3)
    state, outs = tx.init(P["w"]), []
    for t in range(6):
        out, state = tx.update(G["w"] * t, state)
        outs.append(out)
    np.testing.assert_allclose(outs[2::3], [3 * G["w"], 12 * G["w"]])
    assert not np.any([outs[0], outs[1], outs[3], outs[4]])
    assert state.count.dtype == np.int32


def test_averages_of_parameters():
    np.testing.assert_allclose(
        optim.incremental_update(G, P, 0.25)["w"], 0.25 * G["w"] + 0.75 * P["w"]
    )
    assert optim.incremental_update(G, P, np.float64(0.25))["b"].dtype == np.float32
    np.testing.assert_array_equal(optim.periodic_update(G, P, 4, 2)["w"], G["w"])
    np.testing.assert_array_equal(optim.periodic_update(G, P, 3, 2)["w"], P["w"])


def test_lookahead():
    tx = optim.lookahead(optim.sgd(0.1), sync_period=2, slow_step_size=0.5)
    params = optim.LookaheadParams.init_synced(P["w"])
    state, fast, slow = tx.init(params), P["w"], P["w"]
    for t in range(4):
        updates, state = tx.update(G["w"], state, params)
        params = optim.apply_updates(params, updates)
        fast = fast - 0.1 * G["w"]
        if t % 2:
            slow = fast = slow + 0.5 * (fast - slow)
        np.testing.assert_allclose(params.fast, fast, rtol=1e-12)
        np.testing.assert_allclose(params.slow, slow, rtol=1e-12)
    with pytest.raises(ValueError, match="sync_period must be at least 1"):
        optim.lookahead(optim.sgd(0.1), 0, 0.5)


def test_corrections():
    tx = optim.chain(optim.zero_nans(), optim.sgd(1.0), optim.keep_params_nonnegative())
    params = np.array([1.0, 1.0, 1.0])
    updates, state = tx.update(np.array([0.5, 3.0, np.nan]), tx.init(params), params)
    np.testing.assert_allclose(updates, [-0.5, -1.0, 0.0])
    assert bool(state[0].found_nan)


def test_weight_decay_by_schedule():
    tx = optim.add_decayed_weights(lambda count: 0.1 * (count + 1))
    state = tx.init(P)
    for t in range(2):
        out, state = tx.update(G, state, P)
        np.testing.assert_allclose(out["w"], G["w"] + 0.1 * (t + 1) * P["w"])
    assert out["b"].dtype == np.float32
    with pytest.raises(ValueError, match=r"optim.add_decayed_weights: .* call optimizer.update"):
        tx.update(G, state)


def test_updates_of_none_leave_leaves_alone():
    params = {"w": np.float32([1.0]), "steps": np.array([3])}
    moved = optim.apply_updates(params, {"w": np.array([0.5]), "steps": None})
    assert moved["w"].dtype == np.float32
    assert moved["steps"] is params["steps"]


def test_chains():
    tx = optim.named_chain(("clip", optim.clip(1.0)), ("adam", optim.adam(0.1)))
    _, state = tx.update(P, tx.init(P))
    assert list(state) == ["clip", "adam"]
    with pytest.raises(ValueError, match="names must differ"):
        optim.named_chain(("a", optim.clip(1.0)), ("a", optim.clip(1.0)))
    with pytest.raises(ValueError, match=r"2 transformations and a state of 1"):
        optim.chain(optim.clip(1.0), optim.clip(1.0)).update(P, (optim.EmptyState(),))


def test_own_transformations_chain_with_others():
    doubled = optim.stateless(lambda updates, params: fxla.tree.map(lambda u: 2 * u, updates))
    plain = optim.GradientTransformation(lambda p: (), lambda u, s, p=None: (u, s))
    tx = optim.chain(doubled, plain, optim.polyak_sgd())
    updates, _ = tx.update(G["w"], tx.init(P["w"]), P["w"], value=1.0)
    np.testing.assert_allclose(updates, -2 * G["w"] * min(1.0, 1 / (4 * (G["w"] ** 2).sum())))


def test_counts_stop_at_the_largest():
    most = np.iinfo(np.int32).max
    assert int(optim.safe_increment(np.int32(most))) == most
    assert optim.safe_increment(np.int32(3)).dtype == np.int32
    assert optim.safe_increment(np.float32(3)) == 4
