"""Whether stretches are cut, along what, and why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import nn
from fxla.compile.passes.simplify import simplify
from fxla.compile.stretches.cuts import BLOCK_BYTES, Cut, plan_cuts
from fxla.compile.stretches.wide import Wide


def shaped(*shape: int) -> Any:
    return fxla.ShapeDtypeStruct(shape, np.float32)


def planned(f: Any, *args: Any) -> tuple[list[Cut], list[str]]:
    jaxpr = simplify(fxla.make_jaxpr(f)(*args).jaxpr)
    notes: list[str] = []
    return plan_cuts(jaxpr, Wide(jaxpr), notes), notes


def attention(q: Any, k: Any, v: Any) -> Any:
    return nn.softmax(fnp.einsum("...td,...sd->...ts", q, k), axis=-1) @ v


@pytest.mark.parametrize(
    ("shape", "size", "block"),
    [
        ((3, 2048, 64), 3, 1),  # a head at a time
        ((64, 512, 32), 64, 1),
        ((1, 2048, 64), 2048, 128),  # rows, which read all keys
        ((1, 1500, 64), 1500, 167),  # blocks of about one size
        ((1, 16384, 32), 16384, 64),  # no fewer rows than a product is fast for
    ],
)
def test_axis_and_block(shape: tuple[int, ...], size: int, block: int) -> None:
    (cut,), notes = planned(attention, *[shaped(*shape)] * 3)
    assert (cut.size, cut.block) == (size, block)
    assert not notes
    width = shape[-2] * 4 * (shape[-2] if size == shape[0] else 1)
    assert block == 1 or block == 64 or block * width <= BLOCK_BYTES


def test_sums_over_the_axis() -> None:
    f = fxla.grad(lambda q, k, v: (attention(q, k, v) ** 2).sum(), argnums=(0, 1, 2))
    forward, backward = planned(f, *[shaped(2048, 64)] * 3)[0]
    assert (len(forward.sums), len(backward.sums)) == (0, 2)  # of keys and values
    assert len(backward.exits) == 3


def test_operands_that_would_be_read_again_and_again() -> None:
    cuts, (note,) = planned(lambda x, w: nn.softmax(x @ w).max(1), shaped(4096, 128),
                            shaped(128, 20000))  # fmt: skip
    assert not cuts
    assert note == (
        "dot_general f32[4096,20000]: kept whole, "
        "for each block would read 10240000 bytes of operands again"
    )


def test_no_axis() -> None:
    cuts, (note,) = planned(lambda q: nn.softmax(nn.softmax(q @ q.T, 0), 1).sum(), shaped(2048, 8))
    assert not cuts
    assert "f32[2048,2048] has no axis along which all is computed slice by slice" in note
