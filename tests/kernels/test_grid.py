"""Kernels on a GPU: a thread for each example, as PTX and in the simulator."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
from fxla.compile.cuda.memory import simulated
from fxla.compile.cuda.program import CudaExecutable, compile_jaxpr_for_cuda
from fxla.compile.program import HostCall, walk_instructions
from fxla.core.pytree import tree_flatten
from tests.kernels.corpus import CASES, Case

COMPILED = ["prefix_sum", "cholesky", "n_body", "soft_dynamic_time_warping", "mandelbrot"]
ON_THE_HOST = ["viterbi", "knapsack", "conjugate_gradients"]
"""They make arrays in loops, or arrays whose size is an argument."""


def mapped(case: Case) -> tuple[Callable[..., Any], list[Any], list[int]]:
    """The kernel over a batch of its float arguments, those arguments, and which they are."""
    places = [k for k, x in enumerate(case.args) if np.asarray(x).dtype.kind == "f"]
    kernel = fxla.kernel(case.f)

    def f(*floats: Any) -> Any:
        args = list(case.args)
        for k, x in zip(places, floats, strict=True):
            args[k] = x + 0  # some kernels write into what they are given
        return kernel(*args)

    stacked = [
        np.stack([np.asarray(case.args[k]) * (1 + 0.01 * b) for b in range(3)]) for k in places
    ]
    return fxla.vmap(f), stacked, places


def executable(f: Callable[..., Any], args: list[Any]) -> CudaExecutable:
    return compile_jaxpr_for_cuda(fxla.make_jaxpr(f)(*args).jaxpr)


def consts(f: Callable[..., Any], args: list[Any]) -> list[Any]:
    return list(fxla.make_jaxpr(f)(*args).consts)


def calls_the_host(run: CudaExecutable) -> bool:
    return any(isinstance(i, HostCall) for i in walk_instructions(run.program.body))


def named(name: str) -> Case:
    return next(c for c in CASES if c.name == name)


@pytest.mark.cudasim
@pytest.mark.parametrize("name", COMPILED)
def test_a_kernel_compiles_to_ptx(name: str) -> None:
    run = executable(*mapped(named(name))[:2])
    assert not calls_the_host(run)
    texts = [k.ptx((9, 0)) for k in run.kernels]
    assert any(f"{name}_grid" in t for t in texts)
    assert all(".target sm_90" in t and ".extern" not in t for t in texts)


@pytest.mark.cudasim
def test_a_derivative_without_stacks_compiles_to_ptx() -> None:
    f, args, _ = mapped(named("prefix_sum"))
    run = executable(fxla.grad(lambda x: f(x).sum()), args)
    assert not calls_the_host(run)
    assert any(
        "prefix_sum_jvp" in t or "prefix_sum_vjp" in t for t in (k.ptx() for k in run.kernels)
    )


@pytest.mark.parametrize("name", ON_THE_HOST)
def test_what_needs_memory_of_unknown_size_runs_on_the_host(name: str) -> None:
    assert calls_the_host(executable(*mapped(named(name))[:2]))


def test_one_example_runs_on_the_host() -> None:
    case = named("prefix_sum")
    assert calls_the_host(executable(fxla.kernel(case.f), list(case.args)))


@pytest.mark.cudasim
def test_every_kernel_runs_in_the_simulator() -> None:
    code = "from tests.kernels.test_grid import simulate; simulate()"
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    assert result.stdout.endswith(" kernels\n"), result.stdout
    assert result.stdout.count("\n") == 1, result.stdout
    assert int(result.stdout.split()[0]) >= 40


def simulate() -> None:
    """Run in a process where numba.cuda is the simulator; prints what fails."""
    assert simulated()
    count = 0
    for case in CASES:
        f, args, places = mapped(case)
        if not places:
            continue
        run = executable(f, args)
        if calls_the_host(run):
            continue
        count += 1
        try:
            _check(case, run, [*consts(f, args), *args], args, places)
        except Exception:
            print(f"{case.name}:\n{traceback.format_exc(limit=-4)}")
    print(f"{count} kernels")


def _check(
    case: Case, run: CudaExecutable, operands: list[Any], args: list[Any], places: list[int]
) -> None:
    found = [np.asarray(fxla.device_get(x)) for x in run(*operands)]
    for b in range(3):
        given = [np.copy(x) if np.ndim(x) else x for x in case.args]
        for k, x in zip(places, args, strict=True):
            given[k] = x[b] if np.ndim(x[b]) else float(x[b])
        want = tree_flatten(case.f(*given))[0]
        for got, w in zip(found, want, strict=False):
            np.testing.assert_allclose(got[b], w, rtol=1e-11, atol=1e-12)
