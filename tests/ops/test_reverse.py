"""Reverse mode through the nonlinear rules: <ct, J t> = <J^T ct, t>, also under vmap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fxla.ops import cumulative, dynamic, index, reduce, shape, sort
from fxla.ops.arithmetic import mul
from fxla.ops.gather_dims import GatherDims
from fxla.ops.transcendental import sin
from fxla.transforms.autodiff import vjp
from fxla.transforms.jvp import jvp
from fxla.transforms.vmap import vmap

RNG = np.random.default_rng(6)
N = 6
POINTS = GatherDims((), (0,), (0,))
PLACES = np.array([1, 4, 1, 9, 0, 4])[:, None]

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "pad by an element": lambda x: shape.pad(sin(x), reduce.reduce_max(x, (0,)), (1,), (2,), (1,)),
    "concatenate": lambda x: shape.concatenate([x, mul(x, x), x], 0),
    "rev": lambda x: mul(shape.rev(x, (0,)), x),
    "dynamic_slice": lambda x: dynamic.dynamic_slice(sin(x), [np.int64(3)], (4,)),
    "dynamic_update_slice": lambda x: dynamic.dynamic_update_slice(
        mul(x, x), shape.slice_(x, (1,), (3,)), [np.int64(2)]
    ),
    "gather": lambda x: index.gather(mul(x, x), PLACES, POINTS, (1,), "fill", fill_value=0),
    "scatter": lambda x: index.scatter(mul(x, x), PLACES, sin(x), POINTS, (1,)),
    "scatter_add": lambda x: index.scatter_add(mul(x, x), PLACES, sin(x), POINTS, (1,)),
    "scatter_mul": lambda x: index.scatter_mul(mul(x, x), PLACES, sin(x), POINTS, (1,), "clip"),
    "scatter_max": lambda x: index.scatter_max(mul(x, x), PLACES, sin(x), POINTS, (1,)),
    "scatter_min": lambda x: index.scatter_min(x, PLACES, sin(x), POINTS, (1,)),
    "reduce_max": lambda x: reduce.reduce_max(mul(x, x), (0,)),
    "reduce_min": lambda x: reduce.reduce_min(sin(x), (0,)),
    "reduce_prod": lambda x: reduce.reduce_prod(sin(x), (0,)),
    "cumsum": lambda x: cumulative.cumsum(mul(x, x), 0, True),
    "cumprod": lambda x: cumulative.cumprod(mul(x, x), 0),
    "cummax": lambda x: cumulative.cummax(sin(x), 0),
    "cummin": lambda x: cumulative.cummin(sin(x), 0, True),
    "cumlogsumexp": lambda x: cumulative.cumlogsumexp(mul(x, x), 0),
    "linear_recurrence": lambda x: cumulative.linear_recurrence(sin(x), mul(x, x), 0),
    "sort": lambda x: sort.sort((mul(x, x),), 0)[0],
    "sort by a key": lambda x: sort.sort((sin(x), mul(x, x)), 0)[1],
    "top_k": lambda x: sort.top_k(mul(x, x), 3)[0],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_adjoint(name: str) -> None:
    f = FUNCTIONS[name]
    x, t = RNG.standard_normal((2, N))
    out, tangent = jvp(f, (x,), (t,))
    ct = RNG.standard_normal(np.shape(out))
    value, pull = vjp(f, x)
    np.testing.assert_array_equal(value, out)
    (found,) = pull(ct)
    np.testing.assert_allclose(np.sum(found * t), np.sum(ct * tangent), rtol=1e-12, atol=1e-13)
    h = 1e-6
    slope = (np.asarray(f(x + h * t)) - np.asarray(f(x - h * t))) / (2 * h)
    np.testing.assert_allclose(tangent, slope, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_adjoint_of_each_example(name: str) -> None:
    f = FUNCTIONS[name]
    xs = RNG.standard_normal((3, N))
    cts = RNG.standard_normal((3, *np.shape(f(xs[0]))))

    def pulled(x: Any, ct: Any) -> Any:
        return vjp(f, x)[1](ct)[0]

    expected = np.stack([pulled(x, ct) for x, ct in zip(xs, cts, strict=True)])
    np.testing.assert_allclose(vmap(pulled)(xs, cts), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_derivatives(name: str) -> None:
    """The tangent of the gradient is the central difference of the gradient."""
    f = FUNCTIONS[name]
    x, t = RNG.standard_normal((2, N))
    ct = RNG.standard_normal(np.shape(f(x)))

    def gradient(y: Any) -> Any:
        return vjp(f, y)[1](ct)[0]

    _, tangent = jvp(gradient, (x,), (t,))
    h = 1e-5
    slope = (np.asarray(gradient(x + h * t)) - np.asarray(gradient(x - h * t))) / (2 * h)
    np.testing.assert_allclose(tangent, slope, rtol=1e-6, atol=1e-6)
