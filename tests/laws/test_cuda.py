"""Kernels for CUDA, without a GPU: run under numba's simulator, and compiled to PTX.

On a machine with a GPU the tests marked `gpu` run the same samples for real.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

from fxla.compile.cuda.kernels import compile_cuda
from fxla.compile.program import Launch
from tests.laws.cuda_run import kernels_only, program_of, run
from tests.laws.sample import assert_ulps
from tests.laws.samples import cases
from tests.laws.test_kernels import Case, a_few


@pytest.mark.cudasim
def test_every_kernel_runs_in_the_simulator() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.laws.cuda_run"],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def families() -> dict[str, list[Case]]:
    """The samples to compile, by the file of their primitive."""
    found: dict[str, list[Case]] = {}
    for case in a_few(cases()):
        found.setdefault(type(case[1]).__module__.rsplit(".", 1)[-1], []).append(case)
    return found


def compile_family(family: str, found: list[Case]) -> None:
    compiled = set()
    for name, primitive, sample in found:
        for i in program_of(primitive, sample).body:
            if isinstance(i, Launch):
                function = compile_cuda(i.kernel)
                if function.source in compiled:
                    continue
                compiled.add(function.source)
                for cc in ((8, 0), (9, 0)):
                    text = function.ptx(cc)
                    assert f".target sm_{cc[0]}{cc[1]}" in text, f"{name}: {text[:300]}"
                    assert ".entry" in text
                    assert ".extern" not in text, f"{name} calls what is not there"


@pytest.mark.cudasim
@pytest.mark.parametrize("family", families())
def test_every_kernel_compiles_to_ptx(family: str) -> None:
    compile_family(family, families()[family])


@pytest.mark.gpu
@pytest.mark.parametrize("family", families())
def test_kernels_on_a_gpu_agree_with_the_value(family: str) -> None:
    for _, primitive, sample in families()[family]:
        program = program_of(primitive, sample)
        if not kernels_only(program):  # library calls, loops and branches are the host's
            continue
        operands = sample.draw()
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
            expected: Any = sample.value(primitive, *operands)
        for a, e in zip(run(program, operands), expected, strict=True):
            assert_ulps(a, e, sample.kernel_ulps, sample.whole)
