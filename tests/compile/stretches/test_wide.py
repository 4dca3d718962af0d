"""Stretches of programs through large arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

import fxla
import fxla.numpy as fnp
from fxla import nn
from fxla.compile.passes.simplify import simplify
from fxla.compile.stretches.wide import Wide, is_wide_product
from fxla.core.jaxpr import Jaxpr

Q = np.zeros((1024, 16), "f4")


def attention(q: Any, k: Any, v: Any) -> Any:
    return nn.softmax(q @ k.T) @ v


def traced(f: Any, *args: Any) -> Jaxpr:
    return simplify(fxla.make_jaxpr(f)(*args).jaxpr)


def names(jaxpr: Jaxpr, positions: set[int]) -> list[str]:
    return [jaxpr.eqns[k].primitive.name for k in sorted(positions)]


def test_from_product_to_product() -> None:
    jaxpr = traced(lambda q, k, v: fnp.tanh(attention(fnp.sin(q), k, v)), Q, Q, Q)
    (stretch,) = Wide(jaxpr).stretches()
    found = names(jaxpr, stretch.own)
    assert (found[0], found[-1]) == ("dot_general", "dot_general")
    assert {"reduce_max", "exp", "reduce_sum", "div"} <= set(found)
    assert not {"sin", "tanh", "transpose"} & set(found)


def test_a_gradient_computes_again_what_it_reads() -> None:
    jaxpr = traced(fxla.grad(lambda q: (attention(q, q, q) ** 2).sum()), Q)
    wide = Wide(jaxpr)
    forward, backward = wide.stretches()
    wide.recompute([forward, backward])
    assert "dot_general" in names(jaxpr, backward.again)
    assert "reduce_sum" not in names(jaxpr, backward.again)  # a row's sum is small, and kept
    assert backward.again & forward.own
    assert not backward.own & forward.own
    assert forward.wide & backward.wide
    wide.recompute([backward])  # what no other stretch has is read from memory
    assert not backward.again & forward.own


def test_wide_products() -> None:
    def first(m: int, depth: int, n: int) -> bool:
        x, y = np.zeros((m, depth), "f4"), np.zeros((depth, n), "f4")
        return is_wide_product(traced(lambda x, y: x @ y, x, y).eqns[0])

    assert first(1024, 128, 1024)
    assert not first(1023, 128, 1024)  # smaller than 4 MB
    assert not first(1024, 129, 1024)  # not much larger than its operands
    assert not first(1024, 7, 1024)  # computed where it is read
    assert not is_wide_product(traced(fnp.sin, Q).eqns[0])
