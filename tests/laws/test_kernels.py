"""Compiled kernels agree with the primitive's own value, on every target.

A sample is compiled as a program of one equation: what a target makes of a primitive alone. Kernels
are shared between samples that differ only in sizes, as they are between a user's programs.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from fxla.compile.executable import compile_jaxpr
from fxla.core.primitive import Primitive
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import typeof
from tests.laws.sample import Sample, assert_ulps
from tests.laws.samples import cases

Case = tuple[str, Primitive, Sample]


def a_few(found: list[Case]) -> list[Case]:
    """One sample for each primitive and tuple of dtypes, and those with infinities and NaN."""
    kept: dict[Any, Case] = {}
    for name, primitive, sample in found:
        operands = sample.draw()
        dtypes = tuple(np.asarray(x).dtype for x in operands)
        key = (primitive.name, dtypes, sample.oracle is None)
        if key not in kept or any(np.size(x) == 0 for x in kept[key][2].draw()):
            kept[key] = (name, primitive, sample)
    return list(kept.values())


# numba compiles a kernel in 50 ms or more, the native target in 2
CASES = [(name, p, s, "native") for name, p, s in cases()]
CASES += [(name, p, s, "numba") for name, p, s in a_few(cases())]


@pytest.mark.parametrize(
    ("primitive", "sample", "target"),
    [(p, s, target) for _, p, s, target in CASES],
    ids=[f"{target}-{name}" for name, _, _, target in CASES],
)
def test_a_kernel_agrees_with_the_value(
    primitive: Primitive, sample: Sample, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = [sample.draw(seed) for seed in (0, 1)]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        # Before the target changes: jitted functions in samples keep the first program they got.
        values: list[Any] = [sample.value(primitive, *operands) for operands in drawn]
    monkeypatch.setenv("FXLA_TARGET", target)
    avals = [typeof(x) for x in sample.draw()]
    closed = trace_to_jaxpr(lambda *xs: sample.run(primitive, *xs), avals)
    program = compile_jaxpr(closed.jaxpr)
    for operands, expected in zip(drawn, values, strict=True):
        actual: Any = program(*closed.consts, *operands)
        if sample.canonical is not None and sample.oracle is not None:
            actual, expected = sample.canonical(*actual), sample.canonical(*expected)
        for a, e in zip(actual, expected, strict=True):
            assert_ulps(a, e, sample.kernel_ulps, sample.whole)
