from __future__ import annotations

import pytest

from bench.ceilings import Ceilings, threads_here
from bench.floor import ceilings_page, floor_page
from bench.workloads import TUNED


class Fixed(Ceilings):
    """Ceilings of a machine with round numbers."""

    def _flops(self, dtype: str, threads: int) -> float:
        return {"float32": 2e11, "float64": 1e11}[dtype] * threads

    def _rate(self, kind: str, size: int, threads: int) -> float:
        return 1e10


def test_the_ceilings_on_one_thread_and_all() -> None:
    page = ceilings_page(Fixed(), 2)
    assert "| ceiling | 1 thread | 2 threads |" in page
    assert "| multiply-adds, float64 | 100 GFLOP/s | 200 GFLOP/s |" in page
    assert "| copy, 1e7 float32 | 10.0 GB/s | 10.0 GB/s |" in page


def test_threads_are_those_that_fxla_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FXLA_NUM_THREADS", "3")
    assert threads_here() == 3
    monkeypatch.delenv("FXLA_NUM_THREADS")
    assert threads_here() >= 1


def test_workloads_without_a_floor_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.floor.Ceilings", Fixed)
    names = ["x + 1, 10 floats", "1000 products of 32x32", "softmax 10000x100"]
    page = floor_page({name: TUNED[name] for name in names}, 0.01)
    assert "x + 1" not in page
    assert "| 1000 products of 32x32 | " in page
    assert "GFLOP/s" in page.split("| 1000 products")[1]
    assert "GB/s" in page.split("| softmax")[1]
