"""Reductions over windows against windows written out."""

from __future__ import annotations

import itertools
import operator

import numpy as np
import pytest

import fxla.numpy as fnp
from fxla import lax
from fxla.control.api import make_jaxpr
from tests.lax.checks import agree, gradients_agree

X = np.random.default_rng(2).permutation(30).reshape(5, 6) * 0.25 - 3

WINDOWS = [
    ((2, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1)),
    ((2, 2), (2, 3), ((1, 0), (0, 2)), (1, 1), (1, 1)),
    ((2, 1), (1, 2), ((0, 1), (1, 1)), (2, 1), (1, 1)),
    ((2, 3), (1, 1), ((1, 1), (2, 0)), (1, 1), (3, 2)),
]


def reference(combine, init, x, sizes, strides, pads, base, dilation):
    for a in range(2):
        shape = list(x.shape)
        shape[a] = (shape[a] - 1) * base[a] + 1
        spread = np.full(shape, init, x.dtype)
        spread[(slice(None),) * a + (slice(None, None, base[a]),)] = x
        x = spread
    x = np.pad(x, pads, constant_values=init)
    spans = [(k - 1) * d + 1 for k, d in zip(sizes, dilation, strict=True)]
    shape = [(n - m) // s + 1 for n, m, s in zip(x.shape, spans, strides, strict=True)]
    out = np.zeros(shape, x.dtype)
    for i in np.ndindex(*shape):
        value = init
        for k in itertools.product(*map(range, sizes)):
            value = combine(
                value, x[tuple(p * s + o * d for p, s, o, d in zip(i, strides, k, dilation))]
            )
        out[i] = value
    return out


MONOIDS = {
    "add": (lax.add, np.add, 0.0),
    "max": (lax.max, np.maximum, -np.inf),
    "min": (lax.min, np.minimum, np.inf),
    "mul": (lax.mul, np.multiply, 1.0),
    "add-from-1": (lax.add, None, 1.0),
    "logaddexp": (fnp.logaddexp, np.logaddexp, -np.inf),
}


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", ["add", "max", "min", "mul", "logaddexp"])
def test_values_and_derivatives(name, window):
    ours, numpys, init = MONOIDS[name]
    f = lambda x: lax.reduce_window(x, init, ours, *window)  # noqa: E731
    agree(f, lambda x: reference(numpys, init, x, *window), X)
    if name != "logaddexp":  # of -inf and -inf its derivative is not defined
        finite = np.isfinite(f(X))  # a window of padding only has the value `init`
        gradients_agree(lambda x: fnp.where(finite, f(x), 0.0), X, rtol=1e-6)


def primitives(f):
    return [eqn.primitive.name for eqn in make_jaxpr(f)(X).jaxpr.eqns]


@pytest.mark.parametrize(
    ("function", "init", "kernel"),
    [
        (operator.add, 0, "reduce_window_sum"),
        (lambda a, b: b + a, 0.0, "reduce_window_sum"),
        (np.maximum, -np.inf, "reduce_window_max"),
        (fnp.minimum, fnp.inf, "reduce_window_min"),
        (lax.max, -fnp.inf, "reduce_window_max"),
    ],
)
def test_known_operations_have_kernels_however_they_are_written(function, init, kernel):
    f = lambda x: lax.reduce_window(x, init, function, (2, 2), (1, 1), "VALID")  # noqa: E731
    assert primitives(f) == [kernel]


def test_what_only_looks_known_has_not():
    cases = [(lax.add, 1.0), (lax.max, 0.0), (lambda a, b: a + a, 0.0), (lax.mul, 1.0)]
    for function, init in cases:
        f = lambda x: lax.reduce_window(x, init, function, (2, 2), (1, 1), "VALID")  # noqa: B023,E731
        assert not any(name.startswith("reduce_window") for name in primitives(f))
    top = lax.reduce_window(X, 2.0, lax.max, (2, 2), (1, 1), "VALID")
    np.testing.assert_array_equal(
        top, reference(np.maximum, 2.0, X, (2, 2), (1, 1), ((0, 0),) * 2, (1, 1), (1, 1))
    )


def test_integers_and_booleans():
    whole = np.arange(12).reshape(3, 4)
    low = np.iinfo(np.int64).min
    f = lambda x: lax.reduce_window(x, low, lax.max, (2, 2), (1, 1), "SAME")  # noqa: E731
    agree(f, lambda x: x[np.ix_([1, 2, 2], [1, 2, 3, 3])], whole)
    odd = whole % 5 == 0
    g = lambda x: lax.reduce_window(x, False, operator.or_, (2, 2), (1, 1), "VALID")  # noqa: E731
    agree(g, lambda x: x[1:, 1:] | x[:-1, 1:] | x[1:, :-1] | x[:-1, :-1], odd)


def test_pytrees_reduce_together():
    place = np.arange(30).reshape(5, 6)

    def larger(a, b):
        first = a[0] >= b[0]
        return fnp.where(first, a[0], b[0]), fnp.where(first, a[1], b[1])

    values, places = lax.reduce_window((X, place), (-np.inf, -1), larger, (2, 2), (1, 1), "VALID")
    np.testing.assert_array_equal(X.ravel()[places], values)
    np.testing.assert_array_equal(
        values, lax.reduce_window(X, -np.inf, lax.max, (2, 2), (1, 1), "VALID")
    )


def test_shapes_and_errors():
    assert lax.reduce_window_shape_tuple((5, 6), (2, 3), (2, 1), "SAME") == (3, 6)
    assert lax.reduce_window(X, 0.0, lax.add, (9, 2), (1, 1), "VALID").shape == (0, 5)
    assert lax.reduce_window(X, 1.0, lax.mul, (9, 2), (1, 1), "VALID").shape == (0, 5)
    with pytest.raises(ValueError, match="each of 2 axes"):
        lax.reduce_window(X, 0.0, lax.add, (2,), (1,), "VALID")
    with pytest.raises(ValueError, match="positive"):
        lax.reduce_window(X, 0.0, lax.add, (0, 1), (1, 1), "VALID")
