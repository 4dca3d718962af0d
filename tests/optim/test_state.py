"""Values of a state by name."""

from __future__ import annotations

import numpy as np
import pytest

from fxla import optim

PARAMS = {"w": np.ones(2), "b": np.zeros(1)}
TX = optim.chain(
    optim.masked(optim.adam(optim.linear_schedule(0.1, 0.0, 5)), {"w": True, "b": False}),
    optim.inject_hyperparams(optim.sgd)(learning_rate=0.5),
)


def test_get():
    state = TX.init(PARAMS)
    np.testing.assert_array_equal(optim.tree_get(state, "mu")["w"], 0)
    assert optim.tree_get(state, "learning_rate") == 0.5
    assert optim.tree_get(state, "nothing", "else") == "else"
    assert optim.tree_get(state, "ScaleByAdamState").count == 0
    with pytest.raises(KeyError, match="'count' is found 3 times"):
        optim.tree_get(state, "count")
    adams = optim.tree_get(state, "count", filtering=lambda path, _: "Adam" in path[-1])
    assert adams == 0


def test_set():
    state = optim.tree_set(TX.init(PARAMS), learning_rate=0.25)
    assert optim.tree_get(state, "learning_rate") == 0.25
    np.testing.assert_array_equal(optim.tree_get(state, "mu")["w"], 0)
    assert type(state[0]) is optim.MaskedState
    state = optim.tree_set(state, lambda path, _: "Adam" in path[-1], count=7)
    counts = [int(v) for _, v in optim.tree_get_all_with_path(state, "count")]
    assert counts == [7, 0, 0]
    with pytest.raises(KeyError, match="nothing in the state is named 'rate'"):
        optim.tree_set(state, rate=1.0)


def test_map_params():
    tx = optim.adam(0.1)
    state = optim.tree_map_params(
        tx, lambda x, p: x + p, tx.init(PARAMS), PARAMS, transform_non_params=lambda c: c + 5
    )
    np.testing.assert_array_equal(state[0].mu["w"], PARAMS["w"])
    assert state[0].count == 5
