"""Which programs are compiled in haste at first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.backend import haste
from fxla.compile.backend.haste import in_haste
from fxla.core.aval import Aval


def hasty(f: Callable[..., Any], *shapes: tuple[int, ...]) -> bool:
    avals = [Aval(shape, np.dtype(np.float32)) for shape in shapes]
    return in_haste(fxla.make_jaxpr(f)(*avals).jaxpr)


@pytest.fixture(autouse=True)
def _exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haste, "haste_keeps_bits", lambda: True)


def test_a_program_of_small_arrays_is() -> None:
    assert hasty(lambda x, y: fnp.tanh(x @ y) + 1, (32, 64), (64, 10))


def test_one_whose_arrays_take_longer_than_the_compiler_is_not() -> None:
    assert not hasty(lambda x: fnp.sin(x) * 2, (10_000_000,))


def test_more_equations_make_up_for_larger_arrays() -> None:
    def chain(x: Any, n: int) -> Any:
        for _ in range(n):
            x = fnp.sin(x[::2])
        return x

    assert not hasty(lambda x: chain(x, 1), (6_000_000,))
    assert hasty(lambda x: chain(x, 8), (6_000_000,))


def test_what_sorts_counts_more() -> None:
    shape = (200_000,)
    assert hasty(fnp.exp, shape)
    assert not hasty(fnp.sort, shape)


def test_the_steps_of_a_loop_are_counted() -> None:
    def run(x: Any, n: int) -> Any:
        return lax.scan(lambda c, _: (c * 0.5 + 1, None), x, None, n)[0]

    assert hasty(lambda x: run(x, 100), (50,))
    assert not hasty(lambda x: run(x, 1_000_000), (50,))


def test_nobody_knows_how_long_a_while_loop_takes() -> None:
    assert not hasty(lambda x: lax.while_loop(lambda c: c < 9, lambda c: c * 2, x), ())


def test_where_bits_would_differ_none_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haste, "haste_keeps_bits", lambda: False)
    assert not hasty(lambda x: x + 1, (3,))
