from __future__ import annotations

import sys

from bench.scaling import new_sizes_page, scaled, scaling_page
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
    assert [line.split(" | ")[1] for line in page.splitlines() if line.startswith("| Hessian")] == [
        "6",
        "25",
        "100",
        "400",
    ]


def test_new_sizes_are_first_calls_of_one_function() -> None:
    page = new_sizes_page({"fxla": sys.executable, "numpy": sys.executable}, 3)
    assert "| package | 3 sizes | slowest | median |" in page
    assert page.count("| fxla | ") == 1
    assert "| numpy |" not in page
