from __future__ import annotations

import pytest

from bench.record import Measured, geometric_mean


def test_a_speed_up_is_the_median_of_the_rounds_not_the_ratio_of_medians() -> None:
    m = Measured("w", rounds={"fxla": [1.0, 4.0, 9.0], "jax": [1.0, 2.0, 90.0]})
    assert m.speed_up("jax") == 1.0
    assert m.typical("fxla") == 4.0
    assert m.speed_up("torch") is None


def test_minima_compare_the_fastest_rounds() -> None:
    rounds = {"fxla": [1.0, 4.0, 9.0], "jax": [30.0, 2.0, 90.0]}
    m = Measured("w", rounds=rounds, minima=True)
    assert m.speed_up("jax") == 2.0
    assert m.typical("jax") == 2.0


def test_the_best_peer_and_the_best_of_torch() -> None:
    rounds = {"fxla": [1.0], "jax": [3.0], "torch": [2.0], "torch-compile": [5.0], "numpy": [0.5]}
    m = Measured("w", rounds=rounds)
    assert (m.best(), m.over_best(), m.over_torch()) == ("numpy", 0.5, 2.0)
    alone = Measured("w", rounds={"fxla": [1.0]})
    assert (alone.best(), alone.over_best(), alone.over_torch()) == (None, None, None)


def test_first_calls_are_compared_with_the_peers_empty_cache() -> None:
    m = Measured(
        "w",
        first_call={"fxla": [1.0, 9.0, 0.5], "jax": [4.0]},
        second_process={"fxla": [0.5], "jax": [1.0]},
    )
    assert m.first_ratio("jax") == 0.25
    assert m.second_ratio("jax") == 0.125
    assert m.first_ratio("torch") is None


def test_the_geometric_mean_leaves_out_what_was_not_measured() -> None:
    assert geometric_mean([2.0, None, 8.0]) == pytest.approx(4.0)
    assert geometric_mean([None]) is None
