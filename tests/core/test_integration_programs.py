"""Programs of unusual shape: deep, wide, long. They compile in bounded depth and linear time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
from fxla.compile.build import build_program
from fxla.compile.fusion.group import MAX_MEMBERS


def shared_chain(x: Any, n: int) -> Any:
    """Every value is used twice by the next one: 2^n operations if sharing were lost."""
    for _ in range(n):
        x = x * 0.5 + abs(x) * x * 0.25
    return x


def square_chain(x: Any, n: int) -> Any:
    for _ in range(n):
        x = x * x - 0.5
    return x


@pytest.mark.parametrize("chain", [square_chain, shared_chain])
def test_deep_chains_do_not_exhaust_the_stack(chain: Any) -> None:
    x = np.linspace(-0.4, 0.9, 7)
    compiled = fxla.jit(lambda x: chain(x, 300))(x)
    np.testing.assert_allclose(compiled, chain(x, 300), rtol=1e-9, atol=1e-12)


def test_kernels_of_wide_programs_are_bounded() -> None:
    def wide(x: Any) -> list[Any]:
        return [x * float(i) + 1.0 for i in range(200)]

    x = np.arange(3.0)
    for i, y in enumerate(fxla.jit(wide)(x)):
        np.testing.assert_array_equal(y, x * i + 1.0)
    program = build_program(fxla.make_jaxpr(wide)(x).jaxpr)
    assert len(program.body) >= 200 // MAX_MEMBERS


def test_static_arguments_that_are_equal_but_not_the_same() -> None:
    @fxla.jit(static_argnums=1)
    def f(x: Any, n: Any) -> Any:
        return x * (n[0] if isinstance(n, tuple) else np.copysign(1.0, n))

    assert [float(f(1.0, n)) for n in (0.0, -0.0)] == [1.0, -1.0]
    assert [f(np.int32(3), n).dtype for n in ((1,), (1.0,))] == [np.int32, np.float64]
