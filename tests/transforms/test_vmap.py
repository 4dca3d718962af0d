from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from fxla.core.aval import Aval
from fxla.core.check import check_jaxpr
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.core.trace import AxisFrame, axis_frame, state
from fxla.errors import AxisError
from fxla.ops.arithmetic import mul
from fxla.ops.elementwise import add
from fxla.ops.structure import reduce_sum, transpose
from fxla.ops.transcendental import sin
from fxla.transforms.jvp import jvp
from fxla.transforms.vmap import prefix_leaves, vmap, vmap_jaxpr

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 3))


def dot(a: Any, b: Any) -> Any:
    return reduce_sum(mul(a, b), (0,))


@pytest.mark.parametrize("in_axes", [(0, 0), (0, None), (None, 0), (-2, 0), (1, 1), (1, None)])
def test_in_axes(in_axes: tuple[int | None, int | None]) -> None:
    size = next(A.shape[a] for a in in_axes if a is not None)
    args = [
        x if a is not None else np.take(x, 0, in_axes[1 - k] or 0)
        for k, (x, a) in enumerate(zip((A, B), in_axes, strict=True))
    ]
    expected = []
    for i in range(size):
        a, b = (x if at is None else np.take(x, i, at) for x, at in zip(args, in_axes, strict=True))
        expected.append(np.sum(a * b))
    np.testing.assert_allclose(vmap(dot, in_axes)(*args), expected, rtol=1e-14)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_out_axes(axis: int) -> None:
    x = RNG.standard_normal((5, 2, 3))
    got = vmap(sin, out_axes=axis)(x)
    np.testing.assert_array_equal(got, np.moveaxis(np.sin(x), 0, axis))


@pytest.mark.parametrize("source, to", [*itertools.product([0, 1, 2], [0, 1, 2])])
def test_moves_an_axis(source: int, to: int) -> None:
    x = RNG.standard_normal((2, 3, 4))
    got = vmap(lambda y: transpose(y, (1, 0)), source, to)(x)
    expected = np.moveaxis(np.moveaxis(x, source, 0).transpose(0, 2, 1), 0, to)
    np.testing.assert_array_equal(got, expected)


def test_prefixes_in_and_out() -> None:
    tree = {"w": A, "b": (B, B.T)}
    axes = {"w": 0, "b": (0, 1)}

    def f(p: Any, scale: Any) -> Any:
        return {"sum": add(p["w"], p["b"][0]), "scaled": [mul(p["b"][1], scale), scale]}

    got = vmap(f, in_axes=(axes, None), out_axes={"sum": 1, "scaled": [0, None]})(tree, 2.0)
    np.testing.assert_array_equal(got["sum"], (A + B).T)
    np.testing.assert_array_equal(got["scaled"][0], B * 2)
    assert got["scaled"][1] == 2.0


def test_one_entry_stands_for_a_subtree() -> None:
    got = vmap(lambda p: add(p["a"], p["b"]["c"]), in_axes=({"a": 1, "b": None},))(
        {"a": A, "b": {"c": A[:, 0]}}
    )
    np.testing.assert_array_equal(got, (A + A[:, :1]).T)


def test_keyword_arguments_are_mapped_in_front() -> None:
    got = vmap(lambda a, b: dot(a, b), in_axes=0)(A, b=B)
    np.testing.assert_allclose(got, np.sum(A * B, 1), rtol=1e-14)


def test_results_that_do_not_differ_are_repeated() -> None:
    got = vmap(lambda x: (np.arange(2), 7.0))(A)
    np.testing.assert_array_equal(got[0], np.tile(np.arange(2), (4, 1)))
    np.testing.assert_array_equal(got[1], np.full(4, 7.0))


def test_axis_size_when_nothing_is_mapped() -> None:
    got = vmap(lambda x: x, in_axes=None, axis_size=3)(np.arange(2.0))
    np.testing.assert_array_equal(got, np.tile(np.arange(2.0), (3, 1)))


def test_an_axis_of_size_0_or_1() -> None:
    assert vmap(dot)(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)
    np.testing.assert_allclose(vmap(dot)(A[:1], B[:1]), [A[0] @ B[0]], rtol=1e-14)


def test_nested_maps() -> None:
    outer = vmap(vmap(lambda x, y: mul(x, y), (None, 0)), (0, None))
    np.testing.assert_array_equal(outer(A[:, 0], B[:, 1]), np.outer(A[:, 0], B[:, 1]))


def test_closes_over_an_outer_example() -> None:
    def row(x: Any) -> Any:
        return vmap(lambda y: mul(y, reduce_sum(x, (0,))))(x)

    np.testing.assert_allclose(vmap(row)(A), A * A.sum(1, keepdims=True), rtol=1e-14)


def test_commutes_with_forward_mode() -> None:
    t = RNG.standard_normal(A.shape)
    _, one = jvp(vmap(lambda x: mul(sin(x), x)), (A,), (t,))
    two = vmap(lambda x, dx: jvp(lambda y: mul(sin(y), y), (x,), (dx,))[1])(A, t)
    np.testing.assert_allclose(one, two, rtol=1e-14)


def test_names_are_in_scope_inside_only() -> None:
    seen = []

    def f(x: Any) -> Any:
        seen.append(axis_frame("batch").size)
        return x

    vmap(f, axis_name="batch")(A)
    assert seen == [4]
    assert state.axes == ()
    with pytest.raises(NameError):
        axis_frame("batch")


def test_state_returns_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError):
        vmap(lambda x: 1 / 0, axis_name="i")(A)
    assert state.axes == ()


def test_of_a_program() -> None:
    vector = Aval((3,), np.dtype("float64"))
    jaxpr = trace_to_jaxpr(lambda x, y: [mul(sin(x), y), sin(y)], [vector, vector]).jaxpr
    batched, which = vmap_jaxpr(jaxpr, AxisFrame(None, 4), [True, False])
    check_jaxpr(batched)
    assert which == [True, False]
    out, same = eval_jaxpr(batched, A, B[0])
    np.testing.assert_array_equal(out, np.sin(A) * B[0])
    np.testing.assert_array_equal(same, np.sin(B[0]))
    forced, which = vmap_jaxpr(jaxpr, AxisFrame(None, 4), [True, False], True)
    assert which == [True, True]
    assert eval_jaxpr(forced, A, B[0])[1].shape == (4, 3)


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: vmap(dot)(A, B[:2]), ValueError, r"sizes of the mapped axes differ.*has 4.*has 2"),
        (lambda: vmap(dot, in_axes=5)(A, B), AxisError, "out of bounds for"),
        (lambda: vmap(dot, in_axes=(0, 0, 0))(A, B), ValueError, "does not fit the structure"),
        (lambda: vmap(dot, in_axes=None)(A, B), ValueError, "no argument is mapped"),
        (lambda: vmap(dot, in_axes=(0, "x"))(A, B), TypeError, "integers and None"),
        (lambda: vmap(dot, out_axes=1)(A, B), AxisError, "out_axes=1 is out of bounds"),
        (lambda: vmap(dot, out_axes=None)(A, B), ValueError, "differs between examples"),
        (lambda: vmap(dot, axis_size=3)(A, B), ValueError, "axis_size has 3"),
        (lambda: vmap(dot, out_axes=(0, 0))(A, B), ValueError, "out_axes"),
    ],
)
def test_bad_axes(call: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


def test_the_axis_error_is_numpys() -> None:
    with pytest.raises(np.exceptions.AxisError):
        vmap(sin, in_axes=2)(A)


def test_prefix_leaves() -> None:
    assert prefix_leaves(0, {"a": 1, "b": (2, 3)}, "t") == [0, 0, 0]
    assert prefix_leaves({"a": None, "b": 1}, {"a": 1, "b": (2, 3)}, "t") == [None, 1, 1]
    assert prefix_leaves((0, None), (1, None), "t") == [0]
    with pytest.raises(ValueError, match="does not fit"):
        prefix_leaves((0, 1), {"a": 1}, "t")
