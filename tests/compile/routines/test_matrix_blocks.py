"""What is computed in blocks of matrices: its bits on any number of threads, older processors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
from fxla.compile.backend import compiled
from fxla.compile.backend.llvm import host_isa
from fxla.compile.backend.native import Batch
from fxla.compile.build import build_program
from fxla.compile.executable import Executable, executable_from
from fxla.compile.fusion import grain
from fxla.compile.program import HostCall, walk_instructions
from fxla.loops.native.isa import AVX2, BASELINE, Isa
from fxla.ops.linalg import cholesky, linear_solve, lu, triangular_solve

RNG = np.random.default_rng(0)
ISAS = [BASELINE] + ([AVX2] if host_isa().name in ("avx2", "avx512") else [])


def positive(dtype: str) -> Any:
    x = RNG.standard_normal((150, 150))
    return (x @ x.T / 150 + np.eye(150)).astype(dtype)


def right(a: Any, b: Any) -> Any:
    return triangular_solve(a, b, left_side=False, lower=False)


PROGRAMS: dict[str, tuple[Callable[..., Any], Callable[[str], tuple[Any, ...]]]] = {
    "cholesky": (cholesky, lambda dtype: (positive(dtype),)),
    "lu": (lu, lambda dtype: (RNG.standard_normal((150, 140)).astype(dtype),)),
    "left": (
        functools.partial(triangular_solve, left_side=True, lower=True),
        lambda dtype: (positive(dtype), positive(dtype)),
    ),
    "right": (right, lambda dtype: (positive(dtype), positive(dtype)[:90])),
}


def own_program(f: Callable[..., Any], operands: Any, numpys: bool = False) -> Executable:
    """A program that no other test has."""
    program = build_program(fxla.make_jaxpr(f)(*operands).jaxpr, tiles=not numpys)
    calls = [i for i in walk_instructions(program.body) if isinstance(i, HostCall)]
    assert bool([c for c in calls if c.name != "raise"]) == numpys
    return executable_from(program)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_bits_do_not_depend_on_threads(
    name: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grain, "CHUNK_WORK", 1)
    f, draw = PROGRAMS[name]
    operands = draw(dtype)
    program = own_program(f, operands)
    with fxla.threads(1):
        want = [np.asarray(x).tobytes() for x in program(*operands)]
    for n in (2, 3, 7):
        with fxla.threads(n):
            for _ in range(3):
                assert [np.asarray(x).tobytes() for x in program(*operands)] == want


@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: isa.name)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_older_processors(name: str, dtype: str, isa: Isa, monkeypatch: pytest.MonkeyPatch) -> None:
    f, draw = PROGRAMS[name]
    operands = draw(dtype)
    want = own_program(f, operands, numpys=True)(*operands)  # LAPACK's
    monkeypatch.setattr(compiled, "_compiled", {})
    monkeypatch.setattr(compiled, "Batch", functools.partial(Batch, isa))
    for x, y in zip(own_program(f, operands)(*operands), want, strict=True):
        np.testing.assert_allclose(x, y, rtol=0, atol=np.abs(y).max() * 1e4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("f", [cholesky, lu, lambda a: linear_solve(a, a)])
def test_memory_of_stacks_of_small_matrices(f: Callable[..., Any]) -> None:
    """Temporaries are not much larger than what they are made of."""
    a = np.zeros((1000, 9, 9), "f4")
    program = build_program(fxla.make_jaxpr(f)(a).jaxpr, tiles=True)
    assert program.arena < 30 * a.nbytes
