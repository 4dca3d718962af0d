from __future__ import annotations

from typing import Any

import numpy
import pytest

import fxla
import fxla.lax
import fxla.numpy
from bench.heldout import HELD_OUT
from bench.peers import PEERS, leaves
from bench.workloads import TUNED, Workload
from bench.workloads.maps import Normals, Saxpy

EVERY = {**TUNED, **HELD_OUT}
# One instance of each class: sizes do not matter to what is tested here.
CLASSES = {type(w): name for name, w in reversed(EVERY.items())}
COMPARABLE = [name for c, name in CLASSES.items() if c.comparable]


class Eager:
    """The package with a `jit` that compiles nothing: NumPy alone runs the workload."""

    def __getattr__(self, name: str) -> Any:
        return getattr(fxla, name)

    @staticmethod
    def jit(f: Any) -> Any:
        return f


def run(workload: Workload, package: Any) -> list[Any]:
    function = workload.xla(package, fxla.numpy, fxla.lax)
    return [numpy.asarray(x) for x in leaves(function(*workload.arguments()))]


def assert_close(a: list[Any], b: list[Any], tolerance: float) -> None:
    assert [x.shape for x in a] == [x.shape for x in b]
    for x, y in zip(a, b, strict=True):
        scale = max(1e-6, float(numpy.abs(y).max()))
        numpy.testing.assert_allclose(x / scale, y / scale, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", COMPARABLE)
def test_compiled_agrees_with_eager(name: str) -> None:
    workload = EVERY[name].tiny()
    compiled, eager = run(workload, fxla), run(workload, Eager())
    assert [x.dtype for x in compiled] == [x.dtype for x in eager]
    assert_close(compiled, eager, 1e-4)


@pytest.mark.parametrize("name", [n for n in COMPARABLE if EVERY[n].numpy()])
def test_compiled_agrees_with_numpy(name: str) -> None:
    workload = EVERY[name].tiny()
    by_numpy = workload.numpy()
    assert by_numpy is not None
    expected = [numpy.asarray(x) for x in leaves(by_numpy(*workload.arguments()))]
    assert_close(run(workload, fxla), expected, 1e-4)


@pytest.mark.parametrize("name", list(CLASSES.values()))
def test_floating_results_have_the_dtype_that_the_workload_names(name: str) -> None:
    workload = EVERY[name].tiny()
    floating = {str(x.dtype) for x in run(workload, fxla) if x.dtype.kind == "f"}
    assert floating <= {workload.dtype}


@pytest.mark.parametrize("name", list(CLASSES.values()))
def test_results_are_finite_and_not_all_zero(name: str) -> None:
    results = run(EVERY[name].tiny(), fxla)
    assert all(numpy.isfinite(x).all() for x in results)
    assert any(x.any() for x in results)


def test_there_are_at_least_forty_of_them_under_distinct_names() -> None:
    assert len(TUNED) >= 40
    assert not set(TUNED) & set(HELD_OUT)
    assert all(w.has("fxla") and w.has("jax") for w in EVERY.values())


def test_random_normals_have_the_moments_of_normals() -> None:
    (drawn,) = run(Normals(200_000), fxla)
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01


def test_a_workload_is_asked_only_of_packages_it_is_written_for() -> None:
    saxpy, lorenz = Saxpy(), EVERY["Lorenz scan, 1e5 steps"]
    assert [p for p in PEERS if saxpy.has(p)] == ["jax", "torch", "torch-compile", "numpy", "numba"]
    assert [p for p in PEERS if lorenz.has(p)] == ["jax", "numba"]
    assert not EVERY["eager tanh MLP, gradient"].has("torch-compile")


def test_other_sizes_are_the_same_program() -> None:
    assert Saxpy().resized({"n": 5}).arguments()[1].shape == (5,)
    assert Saxpy(why="because").tiny().why == "because"
