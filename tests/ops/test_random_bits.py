"""Recorded values are those of jax 0.10.2, ``jax.random.bits(jnp.array([1, 2], uint32), ...)``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.core.trace import typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops.ir import Expr
from fxla.ops.random_bits import random_bits, random_bits_p
from tests.ops.interpret import Interpreter
from tests.ops.rules import check_shapes

KEY = np.array([1, 2], np.uint32)
ZERO = np.uint64(0)
RECORDED = {
    8: [[215, 28, 177], [95, 90, 50]],
    16: [[40407, 40476, 61873], [60255, 4698, 6962]],
    32: [[2932776407, 1811914268, 2110255537], [172616543, 1466569306, 3408927538]],
    64: [
        [2701842238948786916, 2701551558830737608, 17731830556134730816],
        [8815831521254558544, 5269427476832638469, 11138098446242833076],
    ],
}


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_bits_are_jaxs(width: int) -> None:
    got = random_bits(KEY, width, (2, 3))
    assert got.dtype == np.dtype(f"uint{width}")
    assert got.tolist() == RECORDED[width]
    check_shapes(random_bits_p, KEY, ZERO, bit_width=width, shape=(2, 3))


def test_long_draws_are_jaxs() -> None:
    got = random_bits(KEY, 32, (20000,))
    assert got[[8191, 8192, 19999]].tolist() == [3438376594, 2333377746, 3784163831]


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_an_element_depends_on_the_key_and_its_position_only(width: int) -> None:
    whole = random_bits(KEY, width, (9000,))
    for begin, n in ((0, 1), (3, 5), (8190, 700)):
        part = random_bits(KEY, width, (n,), np.uint64(begin))
        np.testing.assert_array_equal(part, whole[begin : begin + n])
    np.testing.assert_array_equal(random_bits(KEY, width, (90, 100)).ravel(), whole)


def test_the_counter_has_64_bits_and_wraps() -> None:
    near_end = random_bits(KEY, 64, (20,), np.uint64(2**64 - 1))
    assert near_end[1:].tolist() == random_bits(KEY, 64, (19,)).tolist()
    high = random_bits(KEY, 64, (20,), np.uint64(2**32 - 1))
    assert high[0] == random_bits(KEY, 64, (), np.uint64(2**32 - 1))
    assert high[1] == random_bits(KEY, 64, (), np.uint64(2**32))
    assert high[1] != random_bits(KEY, 64, ())


def test_several_keys_draw_what_each_draws_alone() -> None:
    keys = np.arange(12, dtype=np.uint32).reshape(2, 3, 2)
    start = np.arange(6, dtype=np.uint64).reshape(2, 3)
    got = random_bits(keys, 32, (11,), start)
    assert got.shape == (2, 3, 11)
    for b in np.ndindex(2, 3):
        np.testing.assert_array_equal(got[b], random_bits(keys[b], 32, (11,), start[b]))


class Sharing(Interpreter):
    """Evaluates an expression that several others hold once: the cipher shares every round."""

    def bind(self, indices: Any, at: Any) -> None:
        super().bind(indices, at)
        self.known: dict[int, Any] = {}

    def value(self, e: Expr) -> Any:
        if id(e) not in self.known:
            self.known[id(e)] = super().value(e)
        return self.known[id(e)]


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_the_lowered_cipher_is_the_same(width: int) -> None:
    keys = np.array([[1, 2], [3, 2**32 - 1]], np.uint32)
    start = np.array([0, 2**32 - 2], np.uint64)
    machine = Sharing()
    (view,) = random_bits_p.lower(
        machine.view(keys), machine.view(start), bit_width=width, shape=(2, 3)
    )
    np.testing.assert_array_equal(
        machine.result(view), random_bits(keys, width, (2, 3), start), strict=True
    )


def test_bits_are_balanced() -> None:
    """Each bit is one half of the time, within six standard deviations."""
    bits = np.unpackbits(random_bits(KEY, 32, (1 << 16,)).view(np.uint8)).reshape(-1, 32)
    assert np.abs(bits.mean(0) - 0.5).max() < 6 * 0.5 / np.sqrt(1 << 16)


def test_what_is_not_a_key_is_named() -> None:
    with pytest.raises(DtypeError, match="u32"):
        random_bits_p.abstract_eval(typeof(np.zeros(2)), typeof(ZERO), bit_width=32, shape=())
    with pytest.raises(ShapeError, match=r"u32\[3\]"):
        random_bits_p.abstract_eval(
            typeof(np.zeros(3, np.uint32)), typeof(ZERO), bit_width=32, shape=()
        )
