"""Samples under numba's CUDA simulator, in a process of its own: python -m tests.laws.cuda_run.

The simulator is chosen before numba is imported, so it cannot share a process with the other
targets. Each program's launches are interpreted here in order, on NumPy arrays; what a program does
beside launching kernels (library calls, loops, branches) is not CUDA code and is left out.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from typing import Any

import numpy as np

from fxla.compile.build import build_program
from fxla.compile.cuda.kernels import compile_cuda, to_device, to_host
from fxla.compile.program import Copy, Launch, Program
from fxla.core.primitive import Primitive
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import typeof
from tests.laws.sample import Sample, assert_ulps
from tests.laws.samples import cases
from tests.laws.test_kernels import a_few

__all__ = ["kernels_only", "program_of", "run"]


def program_of(primitive: Primitive, sample: Sample) -> Program:
    """The program of one sample, with contractions as generated loops."""
    avals = [typeof(x) for x in sample.draw()]
    closed = trace_to_jaxpr(lambda *xs: sample.run(primitive, *xs), avals)
    assert not closed.consts
    return build_program(closed.jaxpr, use_library=False)


def kernels_only(program: Program) -> bool:
    """Whether it does nothing but launch kernels and copy."""
    return all(isinstance(i, (Launch, Copy)) for i in program.body)


def run(program: Program, operands: tuple[Any, ...]) -> list[Any]:
    """Interpret a program that launches kernels only."""
    memory: dict[int, Any] = {}

    def array(buffer: Any) -> Any:
        if id(buffer) not in memory:
            memory[id(buffer)] = to_device(np.zeros(buffer.shape, buffer.dtype))
        return memory[id(buffer)]

    for buffer, x in zip(program.inputs, operands, strict=True):
        memory[id(buffer)] = to_device(np.array(x, buffer.dtype, order="C"))
    for buffer, value in program.constants:
        memory[id(buffer)] = to_device(np.array(value, buffer.dtype))
    for i in program.body:
        if isinstance(i, Launch):
            compile_cuda(i.kernel).launch([array(p.buffer) for p in i.args], i.sizes)
        elif isinstance(i, Copy):
            memory[id(i.destination.buffer)] = to_device(to_host(array(i.source.buffer)))
    return [to_host(array(b)) for b in program.outputs]


def main() -> int:
    """Compare every sample; print what fails."""
    assert os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
    count = failures = 0
    for name, primitive, sample in a_few(cases()):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                program = program_of(primitive, sample)
                if not kernels_only(program):
                    continue
                count += 1
                operands = sample.draw()
                expected: Any = sample.value(primitive, *operands)
                actual: Any = run(program, operands)
                for a, e in zip(actual, expected, strict=True):
                    assert_ulps(a, e, sample.kernel_ulps, sample.whole)
            except Exception:
                failures += 1
                print(f"{name}: {traceback.format_exc(limit=-2)}")
    print(f"{count} samples, {failures} failures")
    return 1 if failures or count < 300 else 0


if __name__ == "__main__":
    sys.exit(main())
