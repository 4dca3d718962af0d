from __future__ import annotations

import sys

import pytest

from bench.scaling import new_sizes_page, scaled, scaling_page, threads_table
from bench.workloads import TUNED
from bench.workloads.dispatch import AddOne
from bench.workloads.rows import Softmax


def test_sizes_grow_by_four() -> None:
    assert scaled(Softmax(160, 3)) == [{"rows": n} for n in (10, 40, 160, 640)]
    assert scaled(AddOne()) == []


def test_every_scaled_workload_names_one_of_its_sizes() -> None:
    assert sum(bool(w.scales) for w in TUNED.values()) > 40
    for workload in TUNED.values():
        assert not workload.scales or isinstance(getattr(workload, workload.scales), int)


def test_a_row_for_each_size_and_a_column_for_each_number_of_threads() -> None:
    name = "Hessian of Rosenbrock, 100 unknowns"
    page = scaling_page({name: TUNED[name]}, 0.005, [1, 2])
    assert "| workload | size | 1 thread | 2 threads | gain |" in page
    _, _, by_size = page.partition("## Size")
    rows = [line.split(" | ") for line in by_size.splitlines() if line.startswith("| Hessian")]
    assert [row[1] for row in rows] == ["6", "25", "100", "400"]


def test_workloads_of_a_millisecond_are_in_the_table_of_threads() -> None:
    names = ["x + 1, 10 floats", "sum over axis 0, 256x256x256"]
    found = threads_table({name: TUNED[name] for name in names}, 0.005, [1, 2])
    assert "| workload | 1 thread | 2 threads | gain |" in found
    assert names[0] not in found
    assert f"| {names[1]} |" in found
    assert "Geometric mean of the gains" in found


def test_a_small_gain_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["Kalman filter, 1000 steps, float64", "GEMM 256"]
    monkeypatch.setattr("bench.scaling.times", lambda *_: [[4e-3, 3e-3]])
    found = threads_table({name: TUNED[name] for name in names}, 0.005, [1, 2])
    assert f"- {names[0]}, 1.33: {TUNED[names[0]].serial}" in found
    assert f"- {names[1]}, 1.33: unexplained" in found
    assert "| **1.33** |" in found


def test_new_sizes_are_first_calls_of_one_function() -> None:
    page = new_sizes_page({"fxla": sys.executable, "numpy": sys.executable}, 3)
    assert "| package | 3 sizes | slowest | median |" in page
    assert page.count("| fxla | ") == 1
    assert "| numpy |" not in page
