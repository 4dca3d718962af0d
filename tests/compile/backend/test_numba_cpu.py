"""Kernels compiled by numba for the CPU, against NumPy; and the cache."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from fxla.compile.backend import disk, numba_cpu
from fxla.compile.backend.numba_cpu import compile_numba
from fxla.errors import CacheWarning
from fxla.loops.check import check_kernel
from fxla.loops.extents import parametrise
from tests.loops.nests import MAKERS, assert_gives, parallel_range, row_map
from tests.loops.scalar_cases import DTYPES, all_ops_kernel, expected, mismatches, samples


@pytest.mark.parametrize("name", MAKERS)
def test_a_nest_computes_what_numpy_computes(name):
    nest = MAKERS[name]()
    check_kernel(nest.kernel)
    kernel, sizes = parametrise(nest.kernel)
    check_kernel(kernel, "parametrise")
    function = compile_numba(kernel)
    for run in (function, function.run_python):
        outputs = [np.full_like(want, 77) for want in nest.outputs]
        run([*nest.inputs, *outputs], sizes, *parallel_range(nest))
        assert_gives(nest, outputs)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda t: t.name)
def test_every_op_is_its_reference(dtype):
    operands = samples(dtype)
    n = len(operands[0])
    kernel, rows = all_ops_kernel(dtype, n)
    kernel, sizes = parametrise(kernel)
    outputs = [np.zeros(n, b.dtype) for b in kernel.outputs]
    compile_numba(kernel)([*operands, *outputs], sizes, 0, n)
    wrong = []
    for row, got in zip(rows, outputs, strict=True):
        wrong += mismatches(row, operands, got, expected(row, operands))
    assert wrong == []


def test_a_range_of_the_parallel_loop_leaves_the_rest_alone():
    nest = row_map(10, 9)
    kernel, sizes = parametrise(nest.kernel)
    out = np.full((10, 9), 5, np.float32)
    compile_numba(kernel)([*nest.inputs, out], sizes, 3, 6)
    np.testing.assert_allclose(out[3:6], nest.outputs[0][3:6], rtol=1e-5, atol=1e-6)
    assert (out[:3] == 5).all() and (out[6:] == 5).all()


def test_one_function_serves_every_size():
    functions = set()
    for n, m in ((10, 20), (300, 11)):
        nest = row_map(n, m)
        kernel, sizes = parametrise(nest.kernel)
        function = compile_numba(kernel)
        functions.add(function.address)
        out = np.empty((n, m), np.float32)
        function([*nest.inputs, out], sizes, 0, n)
        assert_gives(nest, [out])
    assert len(functions) == 1


def test_the_source_is_a_file_that_tracebacks_and_debuggers_find():
    kernel, _ = parametrise(row_map(10, 20).kernel)
    function = compile_numba(kernel)
    assert Path(function.python.__code__.co_filename).read_text() == function.source
    assert function.source.startswith("import math\n")
    compile(function.source, "kernel.py", "exec")


PROGRAM = """
import sys, warnings
import numpy as np
from fxla.compile.backend.numba_cpu import compile_numba
from fxla.loops.extents import parametrise
from tests.loops.nests import row_map, assert_gives
nest = row_map(10, 20)
kernel, sizes = parametrise(nest.kernel)
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    function = compile_numba(kernel)
out = np.empty((10, 20), np.float32)
function([*nest.inputs, out], sizes, 0, 10)
assert_gives(nest, [out])
print("numba" in sys.modules, [w.category.__name__ for w in seen])
"""


def in_another_process(directory):
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)],
        env={**os.environ, "FXLA_CACHE_DIR": str(directory), "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_a_second_process_compiles_nothing_and_damage_costs_one_warning(tmp_path):
    assert in_another_process(tmp_path) == "True []"
    assert in_another_process(tmp_path) == "False []"
    (entry,) = (tmp_path / "numba").rglob("*.ll")
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 1
    entry.write_bytes(content)
    assert in_another_process(tmp_path) == "True ['CacheWarning']"
    assert in_another_process(tmp_path) == "False []"


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no directory")
    monkeypatch.setenv("FXLA_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(disk, "_warned", False)
    monkeypatch.setattr(numba_cpu, "_compiled", {})
    nest = row_map(3, 12)
    kernel, sizes = parametrise(nest.kernel)
    with pytest.warns(CacheWarning):
        function = compile_numba(kernel)
    out = np.empty((3, 12), np.float32)
    function([*nest.inputs, out], sizes, 0, 3)
    assert_gives(nest, [out])


def test_importing_fxla_does_not_import_numba():
    code = (
        "import sys, fxla.compile.backend.numba_cpu, fxla.compile.cuda.kernels;"
        "print('numba' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
