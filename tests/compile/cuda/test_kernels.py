"""Kernels for CUDA: PTX without a GPU, the simulator in a process of its own, and a GPU."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from fxla.compile.cuda.kernels import compile_cuda, to_device, to_host
from fxla.compile.cuda.memory import simulated
from fxla.errors import MissingExtraError
from fxla.loops.extents import parametrise
from tests.loops.nests import MAKERS, assert_gives, row_map
from tests.loops.scalar_cases import DTYPES, all_ops_kernel, expected, mismatches, samples


def run_nest(name):
    nest = MAKERS[name]()
    kernel, sizes = parametrise(nest.kernel)
    outputs = [np.full_like(want, 77) for want in nest.outputs]
    arrays = [to_device(a) for a in (*nest.inputs, *outputs)]
    compile_cuda(kernel).launch(arrays, sizes)
    assert_gives(nest, [to_host(a) for a in arrays[len(nest.inputs) :]])


def run_ops(dtype, count):
    operands = samples(dtype, count)
    n = len(operands[0])
    kernel, rows = all_ops_kernel(dtype, n)
    kernel, sizes = parametrise(kernel)
    arrays = [to_device(a) for a in (*operands, *[np.zeros(n, b.dtype) for b in kernel.outputs])]
    compile_cuda(kernel).launch(arrays, sizes)
    wrong = []
    for row, got in zip(rows, arrays[3:], strict=True):
        wrong += mismatches(row, operands, to_host(got), expected(row, operands))
    assert wrong == []


@pytest.mark.cudasim
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda t: t.name)
@pytest.mark.parametrize("cc", [(8, 0), (9, 0)], ids=["sm_80", "sm_90"])
def test_every_op_compiles_to_ptx(dtype, cc):
    kernel, _ = parametrise(all_ops_kernel(dtype, 1000)[0])
    ptx = compile_cuda(kernel).ptx(cc)
    assert f".target sm_{cc[0]}{cc[1]}" in ptx
    (entry,) = re.findall(r"\.entry\s+\w+\(([^)]*)\)", ptx)
    arguments = len(kernel.inputs) + len(kernel.outputs) + len(kernel.extents)
    assert entry.count(".param") == arguments
    assert ".extern" not in ptx, "a function is missing that the driver cannot link"


@pytest.mark.cudasim
@pytest.mark.parametrize("name", MAKERS)
def test_every_nest_compiles_to_ptx(name):
    kernel, _ = parametrise(MAKERS[name]().kernel)
    assert ".entry" in compile_cuda(kernel).ptx()


@pytest.mark.cudasim
def test_parallel_loops_stride_over_the_grid():
    nest = MAKERS["two_parallel"]()
    kernel, sizes = parametrise(nest.kernel)
    function = compile_cuda(kernel)
    assert "in range(cuda.grid(1), 7 * n0, cuda.gridsize(1)):" in function.source
    assert function.work(sizes) == 7 * 12
    serial = compile_cuda(parametrise(MAKERS["total"]().kernel)[0])
    assert "    if cuda.grid(1) == 0:\n" in serial.source
    assert serial.work((101,)) == 1


@pytest.mark.cudasim
def test_everything_runs_in_the_simulator():
    code = "from tests.compile.cuda.test_kernels import simulate; simulate()"
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    assert result.stdout.strip() == f"{len(MAKERS)} nests, {len(DTYPES)} dtypes"


def simulate():
    """Run in a process where numba.cuda is the simulator."""
    assert simulated()
    for name in MAKERS:
        run_nest(name)
    for dtype in DTYPES:
        run_ops(dtype, 12)
    print(f"{len(MAKERS)} nests, {len(DTYPES)} dtypes")


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(MissingExtraError, match=r'pip install "fxla\[cuda\]"'):
        to_device(np.zeros(3))
    monkeypatch.setenv("FXLA_CACHE", "0")
    monkeypatch.setitem(sys.modules, "numba.cuda", None)
    kernel, _ = parametrise(row_map(10, 20).kernel)
    with pytest.raises(MissingExtraError, match="numba-cuda"):
        compile_cuda(kernel).ptx()


def test_a_numpy_array_is_on_the_host_already():
    x = np.zeros(3)
    assert to_host(x) is x


@pytest.mark.gpu
@pytest.mark.parametrize("name", MAKERS)
def test_a_nest_computes_what_numpy_computes(name):
    run_nest(name)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda t: t.name)
def test_every_op_is_its_reference(dtype):
    run_ops(dtype, None)
