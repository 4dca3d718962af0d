"""Types of carries: weak numbers settle, and what does not settle is named."""

from __future__ import annotations

import numpy as np
import pytest

from fxla.control.carry import check_carry, initial_types, settle_types, type_differences
from fxla.core.aval import Aval
from fxla.core.pytree import tree_flatten

F32, F64, I64 = (np.dtype(t) for t in ("float32", "float64", "int64"))


def test_initial_types() -> None:
    avals, weak = initial_types([0.0, 1, np.ones(3, F32), np.float64(2)])
    assert weak == [True, True, False, False]
    assert [str(a) for a in avals] == ["f64[]", "i64[]", "f32[3]", "f64[]"]


def test_settling() -> None:
    """A weak leaf takes the dtype it comes out with if it may; a typed one never changes."""
    tree = tree_flatten((0, 0, 0, 0))[1]
    avals = [Aval((), F64, True), Aval((), F64, True), Aval((), I64, True), Aval((), F64)]
    weak = [True, True, True, False]
    outs = [Aval((), F32), Aval((), F64, True), Aval((), F64, True), Aval((), F32)]
    grown = settle_types(avals, weak, outs, tree, tree)
    assert grown == [Aval((), F32), Aval((), F64, True), Aval((), F64, True), Aval((), F64)]
    assert weak == [False, True, True, False]
    assert settle_types(grown, weak, outs, tree, tree) is None


def test_a_float_is_not_made_an_integer() -> None:
    """0.5 in, an integer out: the carry stays floating and the mistake is reported."""
    tree = tree_flatten((0,))[1]
    avals, weak = initial_types([0.5])
    grown = settle_types(avals, weak, [Aval((), I64)], tree, tree)
    assert grown == [Aval((), F64)]
    assert settle_types(grown, weak, [Aval((), I64)], tree, tree) is None
    with pytest.raises(TypeError, match=r"carry\[0\]: f64\[\] became i64\[\]"):
        check_carry("lax.scan", "f", grown, [Aval((), I64)], tree, tree)


def test_differences_are_named_by_path() -> None:
    tree = tree_flatten({"x": [0, 1]})[1]
    found = type_differences(
        [Aval((3,), F64), Aval((), F64)], [Aval((3,), F32), Aval((), F64)], tree, "carry"
    )
    assert found == ["carry['x'][0]: f64[3] became f32[3]"]


def test_another_structure() -> None:
    one, two = tree_flatten(0)[1], tree_flatten((0, 1))[1]
    assert settle_types([Aval((), F64, True)], [True], [Aval((), F32)], one, two) is None
    with pytest.raises(TypeError, match="structure"):
        check_carry("lax.scan", "f", [], [], one, two)
