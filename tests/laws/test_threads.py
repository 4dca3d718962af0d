"""Bits do not depend on how many threads compute, for any primitive.

Samples are small, and one thread would do them. Here they are batched, and chunks of work have a
few elements, so that most kernels are shared out, as they are at sizes that are worth it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
from fxla.compile.backend.pool import pool
from fxla.compile.build import build_program
from fxla.compile.executable import Executable, executable_from
from fxla.compile.fusion import grain
from fxla.compile.passes.simplify import inline_calls, simplify
from fxla.compile.program import Launch, walk_instructions
from fxla.core.primitive import Primitive
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import typeof
from tests.laws.sample import Sample
from tests.laws.samples import cases

Case = tuple[str, Primitive, Sample]


def the_largest(found: list[Case]) -> list[Case]:
    """One sample for each primitive and tuple of dtypes: that of the most elements."""
    kept: dict[Any, tuple[int, Case]] = {}
    for name, primitive, sample in found:
        operands = [np.asarray(x) for x in sample.draw()]
        key = primitive.name, tuple([x.dtype for x in operands])
        size = sum(x.size for x in operands)
        if key not in kept or size > kept[key][0]:
            kept[key] = size, (name, primitive, sample)
    return [case for _, case in kept.values()]


CASES = the_largest(cases())
NUMBERS = (2, 3, 7)
BATCH = 40


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of single iterations, where the work of an iteration does not ask for less."""
    monkeypatch.setattr(grain, "CHUNK_WORK", 1)
    monkeypatch.setattr(grain, "ALIGNED", 1)


def compiled(primitive: Primitive, sample: Sample) -> tuple[Executable, list[Any]]:
    """A program of a batch of samples, not the one that other tests have of it; and operands."""
    drawn = zip(*[sample.draw(seed) for seed in range(BATCH)], strict=True)
    operands = [np.stack([np.asarray(x) for x in column]) for column in drawn]
    function = lambda *xs: sample.run(primitive, *xs)  # noqa: E731
    batched = fxla.vmap(function, axis_size=BATCH) if operands else function
    closed = trace_to_jaxpr(batched, [typeof(x) for x in operands])
    program = build_program(simplify(inline_calls(closed.jaxpr)), tiles=True)
    return executable_from(program), [*closed.consts, *operands]


def bits(results: Any) -> list[bytes]:
    return [np.ascontiguousarray(x).tobytes() for x in results]


@pytest.mark.parametrize(
    ("primitive", "sample"), [(p, s) for _, p, s in CASES], ids=[name for name, _, _ in CASES]
)
def test_bits_do_not_depend_on_threads(
    primitive: Primitive, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FXLA_TARGET", "native")
    program, operands = compiled(primitive, sample)
    with np.errstate(all="ignore"):
        with fxla.threads(1):
            serial = bits(program(*operands))
        for n in NUMBERS:
            with fxla.threads(n):
                assert bits(program(*operands)) == serial, f"{n} threads"


def test_most_kernels_were_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FXLA_TARGET", "native")
    shared = total = 0
    for _, primitive, sample in CASES[::7]:
        program, _ = compiled(primitive, sample)
        launches = [i for i in walk_instructions(program.program.body) if isinstance(i, Launch)]
        total += len(launches)
        shared += sum(bool(i.grain) and i.count > i.grain for i in launches)
    assert total > 100
    assert shared > 0.7 * total, f"{shared} of {total}"
    with fxla.threads(max(NUMBERS)):
        assert pool().limit == max(NUMBERS)
        assert pool().workers == max(NUMBERS) - 1
