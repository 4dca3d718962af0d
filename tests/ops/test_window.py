from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from fxla.core.trace import typeof
from fxla.errors import DtypeError, ShapeError
from fxla.ops.arithmetic import mul
from fxla.ops.structure import reduce_sum
from fxla.ops.window import (
    Window,
    reduce_window_max,
    reduce_window_max_p,
    reduce_window_min_p,
    reduce_window_sum_p,
)
from fxla.ops.window_arg import window_arg_p, window_pick_p, window_place_p
from fxla.transforms.autodiff import grad
from fxla.transforms.jacobians import hessian
from tests.ops.interpret import check_lower
from tests.ops.rules import check_batch, check_jvp, check_shapes, check_transpose, normal

CASES = [
    ((5,), Window((2,), (1,), ((0, 0),), (1,), (1,))),
    ((6,), Window((3,), (2,), ((1, 2),), (1,), (1,))),
    ((5,), Window((2,), (1,), ((1, 1),), (2,), (1,))),
    ((7,), Window((2,), (1,), ((0, 0),), (1,), (3,))),
    ((6,), Window((2,), (2,), ((-1, -1),), (1,), (1,))),
    ((4,), Window((3,), (1,), ((-2, 3),), (3,), (2,))),
    ((4,), Window((2,), (1,), ((2, -2),), (1,), (1,))),
    ((4, 5), Window((2, 3), (2, 1), ((0, 1), (1, 1)), (1, 1), (1, 1))),
    ((3, 4, 2), Window((2, 2, 1), (1, 2, 1), ((1, 0), (0, 0), (0, 0)), (1, 2, 1), (2, 1, 1))),
    ((2,), Window((5,), (1,), ((0, 0),), (1,), (1,))),
    ((3,), Window((1,), (1,), ((4, 4),), (1,), (1,))),
    ((0, 3), Window((2, 2), (1, 1), ((1, 1), (0, 0)), (1, 1), (1, 1))),
    ((), Window((), (), (), (), ())),
]
PRIMITIVES = [reduce_window_sum_p, reduce_window_max_p, reduce_window_min_p]


def by_definition(x: Any, window: Window, identity: float, combine: Any) -> Any:
    """The loop that the words describe, element by element."""
    out = np.full(window.output_shape(x.shape), identity)
    for i in np.ndindex(out.shape):
        for k in itertools.product(*map(range, window.sizes)):
            at = [
                o * s + p * d - low
                for o, p, s, d, (low, _) in zip(
                    i, k, window.strides, window.window_dilation, window.padding, strict=True
                )
            ]
            holes = [a % b for a, b in zip(at, window.base_dilation, strict=True)]
            place = [a // b for a, b in zip(at, window.base_dilation, strict=True)]
            inside = all(0 <= a < n for a, n in zip(place, x.shape, strict=True))
            if inside and not any(holes):
                out[i] = combine(out[i], x[tuple(place)])
    return out


@pytest.mark.parametrize("shape, window", CASES)
def test_values_are_those_of_the_definition(shape: tuple[int, ...], window: Window) -> None:
    x = normal(np.random.default_rng(6), shape, "float64")
    for p, identity, combine in (
        (reduce_window_sum_p, 0.0, np.add),
        (reduce_window_max_p, -np.inf, np.maximum),
        (reduce_window_min_p, np.inf, np.minimum),
    ):
        got = p.bind1(x, window=window)
        np.testing.assert_allclose(got, by_definition(x, window, identity, combine), atol=1e-12)


@pytest.mark.parametrize("shape, window", CASES)
def test_rules(shape: tuple[int, ...], window: Window) -> None:
    x = normal(np.random.default_rng(6), shape, "float64")
    for p in PRIMITIVES:
        check_shapes(p, x, window=window)
        check_batch(p, x, window=window)
        check_lower(p, x, window=window, rtol=1e-12, atol=1e-12)
    check_jvp(reduce_window_sum_p, x, window=window)
    check_transpose(reduce_window_sum_p, x, window=window)
    for kind in ("max", "min"):
        check_shapes(window_arg_p, x, window=window, kind=kind)
        check_batch(window_arg_p, x, window=window, kind=kind)
        check_lower(window_arg_p, x, window=window, kind=kind)


@pytest.mark.parametrize("shape, window", CASES)
@pytest.mark.parametrize("p", [reduce_window_max_p, reduce_window_min_p])
def test_the_tangent_is_that_of_the_winner(p: Any, shape: tuple[int, ...], window: Window) -> None:
    x, t = (normal(np.random.default_rng(k), shape, "float64") for k in (6, 7))
    _, (tangent,) = p.jvp((x,), (t,), window=window)
    h = 1e-7
    high, low = (p.impl(x + s * h * t, window=window)[0] for s in (1, -1))
    with np.errstate(invalid="ignore"):
        slope = np.where(np.isfinite(high), (high - low) / (2 * h), 0)
    np.testing.assert_allclose(tangent, slope, atol=1e-6)


@pytest.mark.parametrize("shape, window", CASES)
def test_pick_and_place(shape: tuple[int, ...], window: Window) -> None:
    x = normal(np.random.default_rng(6), shape, "float64")
    winner = window_arg_p.impl(x, window=window, kind="max")[0]
    ct = normal(np.random.default_rng(8), winner.shape, "float64")
    place = {"window": window, "shape": shape}
    check_shapes(window_pick_p, x, winner, window=window)
    check_shapes(window_place_p, ct, winner, **place)
    check_transpose(window_pick_p, x, winner, window=window)
    check_transpose(window_place_p, ct, winner, **place)
    check_jvp(window_pick_p, x, winner, wrt=[0], window=window)
    check_jvp(window_place_p, ct, winner, wrt=[0], **place)
    check_lower(window_pick_p, x, winner, window=window)
    check_lower(window_place_p, ct, winner, rtol=1e-12, atol=1e-12, **place)
    check_batch(window_pick_p, x, winner, window=window)
    check_batch(window_place_p, ct, winner, **place)


def test_the_first_of_equals_wins_and_nan_beats_all() -> None:
    window = Window((3,), (1,), ((0, 0),), (1,), (1,))
    x = np.array([1.0, 1.0, 0.0, np.nan, 5.0, np.nan])
    for kind in ("max", "min"):
        winner = window_arg_p.impl(x, window=window, kind=kind)[0]
        assert winner.tolist() == ([0, 2, 1, 0] if kind == "max" else [2, 2, 1, 0])
        check_lower(window_arg_p, x, window=window, kind=kind)
    assert np.isnan(reduce_window_max(x, window)).tolist() == [False, True, True, True]
    lowest = np.full(3, -np.inf)
    assert window_arg_p.impl(lowest, window=window, kind="max")[0].tolist() == [0]


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "float32"])
def test_other_dtypes(dtype: str) -> None:
    x = normal(np.random.default_rng(6), (4, 4), dtype)
    window = Window((2, 2), (1, 1), ((1, 1), (0, 0)), (1, 1), (1, 1))
    for p in PRIMITIVES:
        check_shapes(p, x, window=window)
        check_lower(p, x, window=window, rtol=1e-6)
    check_lower(window_arg_p, x, window=window, kind="max")


def test_second_derivatives_of_a_maximum() -> None:
    window = Window((2,), (2,), ((0, 0),), (1,), (1,))

    def f(x: Any) -> Any:
        y = reduce_window_max(x, window)
        return reduce_sum(mul(y, mul(y, y)), (0,))

    x = np.array([1.0, 2.0, 4.0, 3.0])
    np.testing.assert_allclose(grad(f)(x), [0, 12, 48, 0])
    np.testing.assert_allclose(hessian(f)(x), np.diag([0, 12, 24, 0]))


def test_what_does_not_fit_is_named() -> None:
    window = Window((2,), (1,), ((0, 0),), (1,), (1,))
    with pytest.raises(ShapeError, match="one entry for each axis of f64\\[2,2\\]"):
        reduce_window_sum_p.abstract_eval(typeof(np.ones((2, 2))), window=window)
    with pytest.raises(DtypeError, match="c128"):
        reduce_window_max_p.abstract_eval(typeof(np.ones(2, complex)), window=window)
    with pytest.raises(ShapeError, match="positive"):
        reduce_window_sum_p.abstract_eval(
            typeof(np.ones(2)), window=Window((0,), (1,), ((0, 0),), (1,), (1,))
        )
