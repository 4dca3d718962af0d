from __future__ import annotations

from typing import Any

import pytest

from examples import digits


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return digits.main(["--quiet"])


def test_reads_digits_it_has_not_seen(figures: dict[str, Any]) -> None:
    assert figures["accuracy"] >= 0.96
    assert figures["loss"] < 0.05


def test_times_the_three_ways(figures: dict[str, Any]) -> None:
    assert len(figures["timed"]) == 3
    for name, (first, typical) in figures["timed"].items():
        assert typical > 0
        assert typical < first or "jit" not in name  # the first call of a jitted function compiles


def test_an_untrained_network_only_guesses() -> None:
    assert digits.main(["--quiet", "--epochs", "1", "--rate", "0"])["accuracy"] < 0.3


def test_mean_of_the_gradients_of_each_image_is_the_gradient_of_the_batch() -> None:
    import fxla

    images, labels = digits.load("digits")
    params = digits.initial(fxla.random.key(1), [64, 16, 10])
    whole = fxla.grad(digits.loss)(params, images[:7], labels[:7])
    each = fxla.vmap(fxla.grad(digits.loss), in_axes=(None, 0, 0))(params, images[:7], labels[:7])
    for a, b in zip(fxla.tree.leaves(whole), fxla.tree.leaves(each), strict=True):
        assert abs(b.mean(axis=0) - a).max() < 1e-6
