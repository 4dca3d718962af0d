from __future__ import annotations

import pytest

from bench.table import Measured, markdown, readable


def test_a_ratio_is_the_median_of_the_rounds_not_the_ratio_of_medians() -> None:
    m = Measured("w", rounds={"fxla": [1.0, 4.0, 9.0], "jax": [1.0, 2.0, 30.0]})
    assert m.ratio("fxla", "jax") == 1.0
    assert m.typical("fxla") == 4.0
    assert m.ratio("fxla", "torch") is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.0, "2 s"), (0.9999, "1 s"), (0.5e-3, "500 us"), (1e-9, "1 ns"), (None, "-")],
)
def test_readable(seconds: float | None, text: str) -> None:
    assert readable(seconds) == text


def test_a_slow_row_stands_out_and_a_failure_is_told() -> None:
    slow = Measured("slow", {"fxla": 0.1, "jax": 0.2}, {"fxla": [4.0], "jax": [1.0]}, 0.01)
    broken = Measured("broken", notes=["fxla: ValueError: no"])
    page = markdown([slow, broken], {"fxla": "0", "jax": "1"}, {"fxla": 0.1}, "jax")
    assert "| slow | 4 s | 1 s | **4.00** | 100 ms | 200 ms | 0.50 | 10 ms |" in page
    assert "| broken | - | - | - | - | - | - | - |" in page
    assert "- broken: fxla: ValueError: no" in page


def test_alone_has_no_columns_for_a_peer() -> None:
    page = markdown([Measured("w", {"fxla": 1.0}, {"fxla": [1.0]})], {"fxla": "0"}, {}, "jax")
    assert "| w | 1 s | 1 s | - |" in page
    assert "jax" not in page
