"""Creation, elementwise and position functions: the traced path equals NumPy in dtype and value."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import fxla.numpy as fnp
from fxla.core.aval import Aval
from fxla.core.dtypes import default_dtype
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.core.trace import Tracer
from fxla.transforms.autodiff import grad
from fxla.transforms.jvp import jvp

A = np.array([[1.5, -2.0, 0.0], [3.25, -0.5, 2.5]])
Z = A + 1j * A[::-1]
V = np.array([3, -1, 2, 7])
SPECIAL = np.array([np.nan, np.inf, -np.inf, -0.0, 1.5])


def replay(f, *args):
    """The results of `f`, recorded and replayed, as a list."""
    kinds: list[type] = []

    def flat(*xs):
        out = f(*xs)
        kinds.append(type(out))
        return list(out) if isinstance(out, (tuple, list)) else [out]

    closed = trace_to_jaxpr(flat, [Aval(np.shape(a), np.asarray(a).dtype) for a in args])
    assert not any(a.weak_type for a in closed.jaxpr.out_avals)
    return list(eval_jaxpr(closed.jaxpr, *closed.consts, *args))


# name, arguments: arrays are traced, everything else is passed as it is.
CASES = [
    # creation
    *[("arange", a) for a in [(5,), (2, 7), (1.0, 2.0, 0.3), (5, 0, -2), (0,), (np.float32(2.5),)]],
    ("arange", (0, 1, 0.1), {"dtype": np.float32}),
    ("zeros", ((2, 3),)), ("zeros", (3, np.int8)), ("ones", ((),)), ("full", ((2,), 7)),
    ("full", (3, np.float32(2))), ("full", ((2, 3), A[0])), ("zeros_like", (A,)),
    ("ones_like", (V, np.float32)), ("full_like", (V, 2.7)), ("zeros_like", (A,), {"shape": (4,)}),
    ("eye", (3,)), ("eye", (2, 4, 1)), ("eye", (3, 2, -1, int)), ("identity", (2,)),
    *[("linspace", a, k) for a, k in [
        ((0.0, 1.0, 5), {}), ((0, 10, 4), {"endpoint": False}), ((1.0, 1.0, 3), {}),
        ((A[0], 2.0, 3), {"axis": 1}), ((0, 5, 4), {"dtype": int}), ((0.0, 1.0, 1), {}),
        ((0.0, 1.0, 0), {}), ((0.0, 1.0, 3), {"retstep": True}),
        ((np.float32(0), np.float32(1), 3), {}),
        ((1j, 2.0, 3), {}),
    ]],
    ("logspace", (0.0, 2.0, 4)), ("logspace", (0, 3, 4), {"base": 2}),
    ("geomspace", (1.0, 256.0, 9)), ("geomspace", (-1.0, -8.0, 4)), ("geomspace", (1j, 16j, 5)),
    ("array", (A,), {"ndmin": 3}), ("array", ([1, 2.5],)), ("asarray", (V, np.float32)),
    ("ascontiguousarray", (np.float64(3.0),)), ("copy", (A,)), ("astype", (A, np.int32)),
    ("tri", (3,)), ("tri", (2, 3, 1, int)), ("tril", (A,)), ("tril", (A, -1)), ("triu", (A, 1)),
    ("triu", (V,)), ("diag", (V,)), ("diag", (V, 2)), ("diag", (V, -1)), ("diag", (A, 1)),
    ("diag", (A, -5)), ("diagflat", (A, 1)), ("vander", (V,)), ("vander", (V, 2, True)),
    ("vander", (A[0], 4)), ("meshgrid", (V, A[0])), ("meshgrid", (V, A[0]), {"indexing": "ij"}),
    ("meshgrid", (V, A[0], V), {"sparse": True}), ("meshgrid", (V,)), ("indices", ((2, 3),)),
    ("indices", ((2, 3),), {"sparse": True}), ("fromfunction", (lambda i, j: i * j, (2, 3))),
    # parts, rounding, tests
    *[(n, (x,)) for n in ("real", "imag", "angle", "iscomplex", "isreal") for x in (A, Z, V)],
    ("angle", (Z, True)), *[("round", (A * 3.7, d)) for d in (0, 1, 3, -1)],
    ("round", (V * 17, -1)), ("round", (V, 2)), ("round", (Z, 1)), ("around", (A.astype("f4"), 1)),
    ("fix", (A,)), ("fix", (V,)), ("isposinf", (SPECIAL,)), ("isneginf", (SPECIAL,)),
    ("isposinf", (V,)), ("nan_to_num", (SPECIAL,)),
    ("nan_to_num", (SPECIAL.astype("f4"), True, 5.0)),
    ("nan_to_num", (SPECIAL, True, 1.0, 2.0, 3.0)), ("nan_to_num", (SPECIAL.astype(complex),)),
    ("nan_to_num", (V,)),
    *[("isclose", (SPECIAL, SPECIAL * s), {"equal_nan": e}) for s in (1, 1 + 1e-9, 2)
      for e in (False, True)],
    ("isclose", (V, V + 1e-9)), ("isclose", (Z, Z + 1e-9j)), ("allclose", (A, A + 1e-10)),
    ("allclose", (A, A + 1.0)), ("array_equal", (A, A)), ("array_equal", (A, -A)),
    ("array_equal", (SPECIAL, SPECIAL, True)), ("array_equiv", (np.ones(3), np.ones((2, 3)))),
    # special
    ("sinc", (A,)), ("sinc", (np.array([0.0, 1e-5, 1e-3, 0.01, 0.5]),)), ("i0", (A * 7,)),
    ("unwrap", (np.cumsum(A.ravel() * 2) % 6,)), ("unwrap", (A * 5,), {"axis": 0}),
    ("unwrap", (V,), {"period": 4}), ("unwrap", (A * 9,), {"discont": 4.0, "period": 3.0}),
    ("interp", (A, np.array([-1.0, 0.5, 2.0]), np.array([5.0, 1.0, 4.0]))),
    ("interp", (A, np.array([-1.0, 0.5, 2.0]), np.array([5.0, 1.0, 4.0]), -9.0, 9.0)),
    ("interp", (A, np.array([0.5, -1.0, 2.0]), np.array([5.0, 1.0, 4.0])), {"period": 2.5}),
    ("interp", (2, np.array([1, 2, 3]), np.array([1, 2, 5]))),
    ("interp", (A, np.array([0.0, 1.0]), np.array([1j, 2.0]))),
    # conditional
    ("where", (A > 0, A, 1)), ("where", (A[0] > 0, np.float32(1), V[:2, None])),
    ("where", (V, 1, 2.0)), ("where", (A > 0, np.int8(1), np.int8(2))),
    ("select", ([A > 1, A < 0], [A, A * 2], 7)), ("clip", (A, -1, 1)), ("clip", (A, None, 0.5)),
    ("clip", (V, 0, 2.5)), ("clip", (V, 0, 2)), ("clip", (A,), {"max": A[0]}), ("clip", (A, 2, 1)),
    ("clip", (V,)), ("choose", (np.array([0, 1, 0]), [A[0], A[1]])),
    ("choose", (np.array([0, 4, -1]), [A[0], A[1]]), {"mode": "wrap"}),
    ("choose", (np.array([0, 4, -1]), [A[0], A[1]]), {"mode": "clip"}),
    ("piecewise", (A, [A < 0, A >= 1], [lambda x: -x, lambda x: x**2, 7.0])),
    ("piecewise", (A, [A < 0], [1])),
    # positions
    ("take", (A, np.array([0, -1, 3]))), ("take", (A, np.array([[0, 1], [2, -3]]), 1)),
    ("take", (A, 1, 0)), ("take", (A, np.array([0, 5]), 1), {"mode": "wrap"}),
    ("take", (A, np.array([-1, 5]), 1), {"mode": "clip"}),
    ("take_along_axis", (A, np.array([[0, 2], [1, -1]]), 1)),
    ("take_along_axis", (A, np.array([[0, 1, 1]]), 0)),
    ("take_along_axis", (A, np.array([0, 5, 1]), None)),
    ("ix_", (np.array([0, 1]), np.array([2, 0]))),
    ("unravel_index", (np.array([0, 5, 23]), (2, 3, 4))),
    ("ravel_multi_index", ((np.array([0, 1]), np.array([2, 1])), (2, 3))),
    ("ravel_multi_index", ((np.array([0, 4]), np.array([2, -1])), (2, 3)), {"mode": "wrap"}),
    ("tril_indices_from", (A,)), ("diag_indices_from", (A[:, :2],)),
]  # fmt: skip


def is_traced(a):
    return isinstance(a, np.ndarray)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_traced_equals_numpy(case):
    name, args, *rest = case
    kwargs = rest[0] if rest else {}
    want = getattr(np, name)(*args, **kwargs)
    wants = list(want) if isinstance(want, (tuple, list)) else [want]
    traced = [a for a in args if is_traced(a)]

    def call(*xs):
        given = iter(xs)
        return getattr(fnp, name)(*[next(given) if is_traced(a) else a for a in args], **kwargs)

    got = replay(call, *traced)
    assert len(got) == len(wants)
    for g, w in zip(got, wants, strict=True):
        g, w = np.asarray(g), np.asarray(w)
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        tolerance = 8 * np.finfo(w.dtype).eps if w.dtype.kind in "fc" else 0
        np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance)
    eager = call(*traced)
    eagers = list(eager) if isinstance(eager, (tuple, list)) else [eager]
    for g, w in zip(eagers, wants, strict=True):
        assert isinstance(g, (fnp.ndarray, bool))
        np.testing.assert_array_equal(g, w)


def test_written_copies():
    i, v = np.array([[1], [2]]), np.array([[10.0], [20.0]])
    for name, args in [("put_along_axis", (A, i, v, 1)), ("put", (A, [0, -1], [7.0, 8.0])),
                       ("put", (A, [0, 1, 2], [7.0, 8.0])), ("fill_diagonal", (A, 5.0)),
                       ("fill_diagonal", (np.zeros((5, 2)), 5.0, True)),
                       ("fill_diagonal", (np.zeros((2, 2, 2)), 5.0))]:  # fmt: skip
        want = args[0].copy()
        getattr(np, name)(want, *args[1:])
        (got,) = replay(
            lambda x, n=name, r=args[1:]: getattr(fnp, n)(x, *r, inplace=False), args[0]
        )
        np.testing.assert_array_equal(got, want)
        mine = args[0].copy()
        assert getattr(fnp, name)(mine, *args[1:]) is None
        np.testing.assert_array_equal(mine, want)
        with pytest.raises(TypeError, match="inplace=False"):
            replay(lambda x, n=name, r=args[1:]: getattr(fnp, n)(x, *r), args[0])


def test_values_that_are_traced_go_into_new_arrays():
    np.testing.assert_array_equal(
        replay(lambda x: fnp.array([[x, 1.0], [2.0, x]]), 3.0)[0], [[3, 1], [2, 3]]
    )
    np.testing.assert_array_equal(replay(lambda x: fnp.full(3, x), 3.0)[0], [3, 3, 3])
    with pytest.raises(ValueError, match=r"np.array: elements of a nested list.*f64\[\], f64\[2\]"):
        replay(lambda x, y: fnp.array([x, y]), 3.0, np.zeros(2))


def test_concrete_data_stays_concrete_while_tracing():
    def f(x):
        assert not isinstance(fnp.array([1, 2]), Tracer)
        assert not isinstance(fnp.tril_indices(3)[0], Tracer)
        assert isinstance(fnp.zeros(3), Tracer)
        return x

    replay(f, 1.0)


def test_default_precision():
    with default_dtype("float32"):
        assert fnp.zeros(2).dtype == fnp.linspace(0, 1, 3).dtype == np.float32
        assert fnp.arange(3).dtype == np.int64
        assert fnp.arange(3.0).dtype == fnp.array([1.0, 2.0]).dtype == np.float32
        assert fnp.sin(np.arange(3)).dtype == fnp.divide(1, 2).dtype == np.float32
        assert fnp.sin(np.arange(3.0)).dtype == np.float64
        assert fnp.add(np.arange(3), 0.5).dtype == np.float32


def test_derivatives_are_finite_where_values_are():
    for f, x in [(fnp.sinc, 0.0), (lambda x: fnp.where(x > 0, fnp.log(x), 0.0), 0.0),
                 (lambda x: fnp.logaddexp(x, x), -np.inf), (fnp.i0, 0.0), (fnp.hypot, (0.0, 0.0)),
                 (lambda x: x**0.5, 0.0), (lambda x: fnp.power(x, 2), 0.0)]:  # fmt: skip
        args = x if isinstance(x, tuple) else (x,)
        _, t = jvp(f, args, tuple(1.0 for _ in args))
        assert np.isfinite(t)
    np.testing.assert_allclose(grad(grad(fnp.sinc))(0.0), -(np.pi**2) / 3)
    np.testing.assert_allclose(jvp(fnp.logaddexp, (1.0, 1.0), (1.0, 0.0))[1], 0.5)


def test_signatures_are_kept():
    assert list(inspect.signature(fnp.linspace).parameters)[:3] == ["start", "stop", "num"]
    assert fnp.linspace.__name__ == "linspace" and "numpy.linspace" in fnp.linspace.__doc__
