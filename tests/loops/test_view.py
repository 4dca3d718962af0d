"""Building expressions: index arithmetic with the trivial cases folded, and nothing else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxla.loops.ir import INDEX, Cast, Const, Extent, Op
from fxla.loops.view import (
    View,
    binary,
    cast,
    compare,
    const,
    extent,
    fresh_index,
    fresh_local,
    int_const,
    select,
    unravel,
)  # fmt: skip
from tests.ops.interpret import Interpreter

PYTHON = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b,
}  # fmt: skip


@given(
    st.sampled_from(sorted(PYTHON)),
    st.integers(-20, 20),
    st.integers(1, 20),
    st.tuples(st.booleans(), st.booleans()),
)
def test_folding_changes_no_value(name: str, a: int, b: int, varies: tuple[bool, bool]) -> None:
    x, y = (extent(n) if v else int_const(n) for n, v in zip((a, b), varies, strict=True))
    assert int(Interpreter().value(binary(name, x, y))) == PYTHON[name](a, b)


def test_sizes_are_never_folded() -> None:
    """A kernel is compiled for sizes that vary: only what is the same for all may vanish."""
    i = fresh_index()
    assert binary("add", i, int_const(0)) is i
    assert binary("mul", int_const(1), i) is i
    assert binary("floordiv", i, int_const(1)) is i
    assert binary("mul", i, int_const(0)) == int_const(0)
    assert binary("add", int_const(2), int_const(3)) == int_const(5)
    for name, n in itertools.product(PYTHON, (0, 1)):
        if not (name in ("floordiv", "mod") and n == 0):
            assert isinstance(binary(name, i, extent(n)), Op)
    assert isinstance(extent(1), Extent)
    assert isinstance(int_const(1), Const)


def test_casts_to_the_same_dtype_vanish() -> None:
    x = const(2.5, np.dtype("float32"))
    assert cast(x, np.dtype("float32")) is x
    assert isinstance(cast(x, np.dtype("float64")), Cast)


def test_constants_have_the_dtype_to_the_bit() -> None:
    assert const(0.1, np.dtype("float32")).value == np.float32(0.1)
    assert const(300, np.dtype("uint8")).value == np.asarray(300).astype(np.uint8)
    assert np.signbit(const(-0.0, np.dtype("float16")).value)


def test_names_are_fresh() -> None:
    names = [fresh_index().name for _ in range(3)] + [fresh_local(INDEX).name for _ in range(3)]
    assert len(set(names)) == 6


@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (3, 1, 4)])
def test_unravel_is_numpys(shape: tuple[int, ...]) -> None:
    machine = Interpreter()
    for flat in range(int(np.prod(shape))):
        at = tuple(int(machine.value(e)) for e in unravel(int_const(flat), shape))
        assert at == tuple(map(int, np.unravel_index(flat, shape)))


def test_views_compose() -> None:
    x = View((4,), INDEX, lambda i: binary("mul", i[0], int_const(10)))
    flipped = View((4,), INDEX, lambda i: x[(binary("sub", extent(3), i[0]),)])
    picked = View(
        (4,), INDEX, lambda i: select(compare("lt", i[0], int_const(2)), x[i], flipped[i])
    )
    assert picked.ndim == 1
    np.testing.assert_array_equal(Interpreter().result(picked), [0, 10, 10, 0])
