"""Each primitive as a program in the CUDA simulator, library calls included, against its value.

By default the smallest sample of each primitive; with ``--long`` one for each tuple of dtypes.
`tests/laws/test_cuda.py` compiles the kernels of all samples to PTX.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable

import numpy as np
import pytest

from fxla.compile.cuda.devices import device_get, device_put
from fxla.compile.cuda.memory import simulated
from fxla.compile.cuda.program import CudaExecutable, compile_jaxpr_for_cuda
from fxla.core.primitive import Primitive
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import typeof
from tests.laws.sample import Sample, assert_ulps
from tests.laws.samples import cases

Case = tuple[str, Primitive, Sample]


def elements(sample: Sample) -> int:
    """Elements of the operands; a sample without any says little, so it comes last."""
    sizes = [int(np.size(x)) for x in sample.draw()]
    return sum(sizes) if all(sizes) else sys.maxsize


def smallest(key: Callable[[Case], object]) -> list[Case]:
    """The smallest sample of each kind."""
    kept: dict[object, tuple[int, Case]] = {}
    for case in cases():
        size = elements(case[2])
        if key(case) not in kept or size < kept[key(case)][0]:
            kept[key(case)] = size, case
    return [case for _, case in kept.values()]


def of_each_primitive() -> list[Case]:
    return smallest(lambda case: case[1].name)


def of_each_dtype() -> list[Case]:
    return smallest(lambda case: (case[1].name, *(typeof(x).dtype for x in case[2].draw())))


def executable(primitive: Primitive, sample: Sample) -> tuple[CudaExecutable, list[object]]:
    avals = [typeof(x) for x in sample.draw()]
    closed = trace_to_jaxpr(lambda *xs: sample.run(primitive, *xs), avals)
    return compile_jaxpr_for_cuda(closed.jaxpr), list(closed.consts)


def run_device(found: list[Case]) -> list[str]:
    """Names of the samples whose program does not give the primitive's value, and how."""
    wrong = []
    for name, primitive, sample in found:
        operands = sample.draw()
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
            expected = sample.value(primitive, *operands)
        program, consts = executable(primitive, sample)
        actual = device_get(program(*consts, *device_put(list(operands), "cuda")))
        if sample.canonical is not None and sample.oracle is not None:
            actual, expected = sample.canonical(*actual), sample.canonical(*expected)
        try:
            for a, e in zip(actual, expected, strict=True):
                assert_ulps(a, e, sample.kernel_ulps, sample.whole)
        except AssertionError as error:
            wrong.append(f"{name}: {error}")
    return wrong


def simulate(which: str) -> None:
    """Run in a process where numba.cuda is the simulator; prints what is wrong."""
    assert simulated()
    found = {f.__name__: f for f in (of_each_primitive, of_each_dtype)}[which]()
    assert len(found) > 100
    print("\n".join(run_device(found)))


def assert_simulates(samples: Callable[[], list[Case]]) -> None:
    code = f"from tests.compile.cuda.test_laws import simulate; simulate({samples.__name__!r})"
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    assert result.stdout.strip() == ""


@pytest.mark.cudasim
def test_each_primitive_is_its_value_in_the_simulator():
    assert_simulates(of_each_primitive)


@pytest.mark.cudasim
@pytest.mark.long
def test_each_dtype_is_its_value_in_the_simulator():
    assert_simulates(of_each_dtype)


@pytest.mark.gpu
def test_each_dtype_is_its_value_on_a_device():
    assert run_device(of_each_dtype()) == []
