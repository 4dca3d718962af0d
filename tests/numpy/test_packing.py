"""Bits as bytes and back; elements one by one."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp

from .agreement import agree, same_error

BITS = np.random.default_rng(0).integers(0, 2, (3, 11))


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("order", ["big", "little"])
def test_bits(axis, order):
    agree(
        lambda x: fnp.packbits(x, axis=axis, bitorder=order),
        lambda x: np.packbits(x, axis=axis, bitorder=order),
        BITS,
    )
    packed = np.packbits(BITS, axis=1)
    for count in (None, 0, 5, 11, 60, -3):
        agree(
            lambda x, n=count: fnp.unpackbits(x, axis=axis, count=n, bitorder=order),
            lambda x, n=count: np.unpackbits(x, axis=axis, count=n, bitorder=order),
            packed,
        )
    agree(lambda x: fnp.packbits(x > 0, axis), lambda x: np.packbits(x > 0, axis), BITS)


def test_errors():
    same_error(fnp.packbits, np.packbits, np.ones(3))
    same_error(fnp.unpackbits, np.unpackbits, np.ones(3, int))
    same_error(
        lambda x: fnp.packbits(x, bitorder="up"), lambda x: np.packbits(x, bitorder="up"), BITS
    )


def test_elements_one_by_one():
    x = np.arange(6.0).reshape(2, 3)

    def total(x):
        return sum(a * (i + 10 * j) for (i, j), a in fnp.ndenumerate(x))

    want = sum(a * (i + 10 * j) for (i, j), a in np.ndenumerate(x))
    assert float(total(x)) == float(fxla.jit(total)(x)) == want
