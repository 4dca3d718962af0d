"""Where an axis is in the operands and in the result of an equation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.stretches.axes import RESULT, is_pointwise, links, passes_axes
from fxla.core.jaxpr import Eqn

X = np.ones((2, 3, 4))


def equation(name: str, f: Any, *args: Any) -> Eqn:
    return next(e for e in fxla.make_jaxpr(f)(*args).eqns if e.primitive.name == name)


@pytest.mark.parametrize(
    ("name", "f", "args", "expected"),
    [
        ("mul", lambda x, y: x * y, (X, X), [{0: a, 1: a, RESULT: a} for a in range(3)]),
        ("mul", lambda x: x * 3.0, (X,), [{0: a, RESULT: a} for a in range(3)]),
        ("transpose", lambda x: fnp.transpose(x, (2, 0, 1)), (X,),
         [{0: 2, RESULT: 0}, {0: 0, RESULT: 1}, {0: 1, RESULT: 2}]),
        ("broadcast_in_dim", lambda x: fnp.broadcast_to(x, (5, 2, 3, 4)), (X,),
         [{RESULT: 0}, {0: 0, RESULT: 1}, {0: 1, RESULT: 2}, {0: 2, RESULT: 3}]),
        ("reshape", lambda x: x.reshape(2, 1, 12), (X,), [{0: 0, RESULT: 0}]),
        ("reshape", lambda x: x.reshape(6, 4), (X,), [{0: 2, RESULT: 1}]),
        ("reshape", lambda x: x.reshape(1, 2, 3, 4), (X,),
         [{0: 0, RESULT: 1}, {0: 1, RESULT: 2}, {0: 2, RESULT: 3}]),
        ("reduce_sum", lambda x: x.sum(1), (X,), [{0: 0, RESULT: 0}, {0: 1}, {0: 2, RESULT: 1}]),
        ("reduce_max", lambda x: x.max(1), (X,), [{0: 0, RESULT: 0}, {0: 1}, {0: 2, RESULT: 1}]),
        ("dot_general", lambda x, y: fnp.einsum("bij,bkj->bik", x, y), (X, np.ones((2, 5, 4))),
         [{0: 2, 1: 2}, {0: 0, 1: 0, RESULT: 0}, {0: 1, RESULT: 1}, {1: 1, RESULT: 2}]),
    ],
)  # fmt: skip
def test_links(name: str, f: Any, args: Any, expected: list[dict[int, int]]) -> None:
    eqn = equation(name, f, *args)
    assert passes_axes(eqn)
    assert [link.at for link in links(eqn)] == expected


def test_only_sums_are_summed() -> None:
    assert [n.summed for n in links(equation("reduce_sum", lambda x: x.sum(1), X))] == [
        False, True, False,
    ]  # fmt: skip
    assert not any(n.summed for n in links(equation("reduce_max", lambda x: x.max(1), X)))
    product = links(equation("dot_general", lambda x: x @ x.T, X[0]))
    assert [n.summed for n in product] == [True, False, False]


def test_what_does_not_go_slice_by_slice() -> None:
    assert not passes_axes(equation("cumsum", lambda x: fnp.cumsum(x, 1), X))
    assert is_pointwise(equation("select", lambda x: fnp.where(x > 1, x, 0), X))
    assert not is_pointwise(equation("reduce_max", lambda x: x.max(1), X))
