from __future__ import annotations

import pytest

from bench.page import markdown, readable, sized, summary
from bench.record import Measured

FAST = Measured(
    "fast",
    first_call={"fxla": [0.1, 0.2, 0.05], "jax": [0.4]},
    rounds={"fxla": [1.0], "jax": [4.0], "torch": [2.0], "torch-compile": [3.0]},
    second_process={"fxla": [0.01], "jax": [0.2]},
    memory={"fxla": 1000, "jax": 2_000_000, "torch": 3000},
    code=1234,
    generator=0.005,
)
SLOW = Measured(
    "slow", "the peer caches", {"fxla": [0.3], "jax": [0.4]}, {"fxla": [4.0], "jax": [1.0]}
)
BROKEN = Measured("broken", notes=["fxla: ValueError: no"])
VERSIONS = {"fxla": "0", "jax": "1", "torch": "2", "torch-compile": "2"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.0, "2 s"), (0.9999, "1 s"), (0.5e-3, "500 us"), (1e-9, "1 ns"), (None, "-")],
)
def test_readable(seconds: float | None, text: str) -> None:
    assert readable(seconds) == text


def test_sized() -> None:
    assert [sized(1e6), sized(999), sized(None)] == ["1.0 MB", "1.0 kB", "-"]


def test_the_tables() -> None:
    page = markdown({"tuned": [FAST, SLOW, BROKEN]}, VERSIONS, {"fxla": 0.1, "jax": 0.5})
    assert "| fast | 1 s | 4 s | 2 s | 3 s | 4.00 | 2.00 | 2.00 |" in page
    assert "| slow | 4 s | 1 s | - | - | **0.25** | - | **0.25** |" in page
    assert "| broken | - | - | - | - | - | - | - |" in page
    assert "| fast | 100 ms | 400 ms | - | 0.25 | 10 ms | 0.02 | 200 ms |" in page
    assert "| slow | 300 ms | 400 ms | - | **0.75** | - | - | - |" in page
    assert "| fast | 1.0 kB | 2.0 MB | 3.0 kB | - | 5 ms | 1.2 kB |" in page
    assert "- broken: fxla: ValueError: no" in page
    assert "Start-up: fxla 100 ms, jax 500 ms." in page
    assert "times are minima" not in page


def test_the_page_says_when_times_are_minima() -> None:
    least = Measured("w", rounds={"fxla": [1.0]}, minima=True)
    assert "times are minima" in markdown({"tuned": [least]}, {"fxla": "0"}, {})


def test_the_summary_has_both_sets_side_by_side_and_explains_what_is_behind() -> None:
    text = summary({"tuned": [FAST, SLOW, BROKEN], "held out": [FAST]})
    assert "| geometric means | workloads | over JAX | over torch's best |" in text
    tuned = (
        "| tuned | 3 | 1.00 (of 2) | 2.00 (of 1) | 0.71 (of 2) | 0.43 (of 2) | 0.03 (of 1) | 1 |"
    )
    assert tuned in text
    assert "| held out | 1 | 4.00 | 2.00 | 2.00 | 0.25 | 0.03 | 0 |" in text
    assert "- slow: 0.25 of jax's speed: the peer caches" in text


def test_alone_has_no_columns_for_a_peer() -> None:
    page = markdown(
        {"tuned": [Measured("w", "", {"fxla": [1.0]}, {"fxla": [1.0]})]}, {"fxla": "0"}, {}
    )
    assert "| w | 1 s |\n" in page
    assert "| w | 1 s | - |\n" in page
    assert "| jax |" not in page
