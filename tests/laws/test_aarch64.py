"""Compiled programs agree with the primitive's own value on aarch64, under an emulator."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fxla.compile.build import build_program
from fxla.compile.passes.simplify import inline_calls, simplify
from fxla.compile.routines import fourier
from fxla.control.api import make_jaxpr
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import typeof
from fxla.loops.native.isa import NEON
from tests.laws.aarch64_run import Emulated, missing_tools
from tests.laws.sample import assert_ulps
from tests.laws.samples import cases
from tests.laws.test_kernels import Case

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(missing_tools()), reason=missing_tools() or "all are there"),
]


def value_of(case: Case) -> list[Any]:
    _, primitive, sample = case
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        return list(sample.value(primitive, *sample.draw()))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any] | str]:
    """What every sample gave, or ``left out: `` and why, or how it ended."""
    emulated = Emulated(tmp_path_factory.mktemp("aarch64"))
    found: dict[str, list[Any] | str] = {}
    names: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fourier, "host_isa", lambda: NEON)  # plans depend on the vectors' length
        for name, primitive, sample in cases():
            operands = sample.draw()
            avals = [typeof(x) for x in operands]
            closed = trace_to_jaxpr(lambda *xs, s=sample, p=primitive: s.run(p, *xs), avals)
            program = build_program(simplify(inline_calls(closed.jaxpr)), tiles=True, noted=False)
            why = emulated.add(program, [*closed.consts, *operands])
            if why:
                found[name] = f"left out: {why}"
            else:
                names.append(name)
    found |= dict(zip(names, emulated.run(), strict=True))
    return found


def test_most_samples_run(results: dict[str, list[Any] | str]) -> None:
    assert sum(isinstance(x, list) for x in results.values()) > 0.75 * len(results)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case[0])
def test_each_sample(case: Case, results: dict[str, list[Any] | str]) -> None:
    name, _, sample = case
    actual: Any = results[name]
    if isinstance(actual, str) and actual.startswith("left out"):
        pytest.skip(actual)
    assert not isinstance(actual, str), actual
    expected: Any = value_of(case)
    if sample.canonical is not None and sample.oracle is not None:
        actual, expected = sample.canonical(*actual), sample.canonical(*expected)
    for a, e in zip(actual, expected, strict=True):
        assert_ulps(a, e, sample.kernel_ulps, sample.whole)


def test_products_of_integers_by_tiles(tmp_path: Path) -> None:
    """With remainders of rows, columns and terms, which samples are too small for."""
    rng = np.random.default_rng(0)
    emulated, wants = Emulated(tmp_path), []
    for name in ("int8", "uint8", "int16", "uint16", "int32", "uint64", "bool"):
        for turned in (False, True):
            a, b = (rng.integers(-99, 99, shape).astype(name) for shape in ((37, 77), (77, 29)))
            wants.append(a @ b)
            given = np.ascontiguousarray(a.T) if turned else a
            f = (lambda x, y: x.T @ y) if turned else (lambda x, y: x @ y)
            jaxpr = inline_calls(make_jaxpr(f)(given, b).jaxpr)
            program = build_program(simplify(jaxpr), tiles=True, noted=False)
            assert any("[tile]" in str(kernel) for kernel in program.kernels())
            assert not emulated.add(program, [given, b])
    for got, want in zip(emulated.run(), wants, strict=True):
        assert isinstance(got, list)
        np.testing.assert_array_equal(got[0], want)
