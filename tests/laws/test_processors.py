"""Compiled kernels agree with the primitive's own value on older processors, too.

The native target generates code for what this machine offers. Here it generates for less: AVX2, and
plain 128-bit vectors without masks, which this machine runs as well. For aarch64 the same text
becomes objects, which `tests.laws.test_aarch64` runs.
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import replace
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest

from fxla.compile.backend import compiled
from fxla.compile.backend.llvm import host_isa
from fxla.compile.backend.native import Batch
from fxla.compile.executable import compile_jaxpr
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import typeof
from fxla.loops.native.isa import AVX2, BASELINE, NEON, Isa
from fxla.loops.native.printer import print_native
from tests.laws.sample import assert_ulps
from tests.laws.samples import cases
from tests.laws.test_kernels import Case

ISAS = [BASELINE] + ([AVX2] if host_isa().name in ("avx2", "avx512") else [])


def of_each_primitive() -> list[Case]:
    """The first sample of every primitive."""
    found: dict[str, Case] = {}
    for case in cases():
        found.setdefault(case[1].name, case)
    return list(found.values())


def program_of(case: Case) -> tuple[Any, Any]:
    _, primitive, sample = case
    avals = [typeof(x) for x in sample.draw()]
    closed = trace_to_jaxpr(lambda *xs: sample.run(primitive, *xs), avals)
    return compile_jaxpr(closed.jaxpr), closed.consts


def check(case: Case, isa: Isa, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels of a sample, compiled for a part of this machine, agree with its value."""
    _, primitive, sample = case
    monkeypatch.setattr(compiled, "_compiled", {})
    monkeypatch.setattr(compiled, "Batch", functools.partial(Batch, isa))
    program, consts = program_of(case)
    operands = sample.draw()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        expected: Any = sample.value(primitive, *operands)
    actual: Any = program(*consts, *operands)
    if sample.canonical is not None and sample.oracle is not None:
        actual, expected = sample.canonical(*actual), sample.canonical(*expected)
    for a, e in zip(actual, expected, strict=True):
        assert_ulps(a, e, sample.kernel_ulps, sample.whole)


@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: isa.name)
@pytest.mark.parametrize("case", of_each_primitive(), ids=lambda case: case[0])
def test_each_primitive(case: Case, isa: Isa, monkeypatch: pytest.MonkeyPatch) -> None:
    check(case, isa, monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: isa.name)
@pytest.mark.parametrize("case", cases(), ids=lambda case: case[0])
def test_each_sample(case: Case, isa: Isa, monkeypatch: pytest.MonkeyPatch) -> None:
    check(case, isa, monkeypatch)


def test_kernels_become_objects_for_aarch64() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple = "aarch64-unknown-linux-gnu"
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu="generic", opt=2)
    for case in of_each_primitive():
        for kernel in program_of(case)[0].program.kernels():
            layout = f'target triple = "{triple}"\ntarget datalayout = "{machine.target_data}"\n'
            named = replace(kernel, name=f"kernel.{kernel.name}")
            module = llvm.parse_assembly(layout + print_native(named, NEON))
            module.verify()
            code = machine.emit_object(module)
            assert code[:4] == b"\x7fELF" and code[18:20] == b"\xb7\x00", case[0]
