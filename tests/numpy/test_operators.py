"""Operators and methods of tracers are NumPy's; weak operands stay weak."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import fxla.numpy as fnp
from fxla.core.aval import Aval
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.core.trace import _METHODS, array_methods

A = np.array([[1.5, -2.0, 0.5], [3.25, -0.5, 2.5]])
N = np.array([[3, -2, 5], [7, 1, 2]])
BINARY = "add sub mul truediv floordiv mod pow eq ne lt le gt ge".split()
BITS = "and_ or_ xor lshift rshift".split()


def program(f, *args, weak=False):
    return trace_to_jaxpr(
        lambda *xs: [f(*xs)], [Aval(np.shape(a), np.asarray(a).dtype, weak) for a in args]
    )


def replay(f, *args):
    closed = program(f, *args)
    return eval_jaxpr(closed.jaxpr, *closed.consts, *args)[0]


@pytest.mark.parametrize("name", BINARY + BITS)
def test_binary(name):
    f = getattr(operator, name)
    x = N if name in BITS else abs(A)
    for other in (abs(x[0]), x.dtype.type(2), 2):
        for left in (True, False):
            want = f(x, other) if left else f(other, x)
            if left or not isinstance(other, np.ndarray | np.generic):
                got = replay(lambda x, o=other, s=left: f(x, o) if s else f(o, x), x)
            else:
                got = replay(lambda x, o=other: f(o, x), x)
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want, rtol=1e-15)


def test_unary_and_special():
    for f in (
        operator.neg,
        operator.pos,
        abs,
        lambda x: x.T,
        lambda x: x.real,
    ):
        np.testing.assert_array_equal(replay(f, A), f(A))
    np.testing.assert_array_equal(replay(lambda x: ~x, N), ~N)
    np.testing.assert_array_equal(replay(lambda x: round(x, 1), A / 3), np.round(A / 3, 1))
    for k in range(2):
        np.testing.assert_array_equal(replay(lambda x, k=k: divmod(x, 3)[k], N), divmod(N, 3)[k])
        np.testing.assert_array_equal(
            replay(lambda x, k=k: divmod(100, x)[k], N), divmod(100, N)[k]
        )
    np.testing.assert_allclose(replay(lambda x: x @ A.T, A), A @ A.T)
    np.testing.assert_allclose(replay(lambda x: A.T @ x, A), A.T @ A)
    np.testing.assert_array_equal(replay(lambda x: [2.0, 1.0, 0.0] * x, A), A * [2, 1, 0])


def test_powers_by_python_numbers():
    text = str(program(lambda x: x**2 + x**-1.0, A).jaxpr)
    assert "integer_pow" in text and " pow" not in text
    assert "sqrt" in str(program(lambda x: x**0.5, A).jaxpr)
    assert "integer_pow" in str(program(lambda x: x**3, N).jaxpr)
    assert replay(lambda x: x**3, N).dtype == np.int64
    with pytest.raises(ValueError, match="negative integer powers"):
        replay(lambda x: x**-2, N)


def test_weak_operands_stay_weak_and_functions_give_strong_results():
    def dtype_of(f, *args):
        aval = program(f, *args, weak=True).jaxpr.out_avals[0]
        return aval.dtype, aval.weak_type

    for f in (lambda x: x * 2, lambda x: 1.5 + x, lambda x: -x, lambda x: x / 2, lambda x: x**2,
              lambda x: x + x, lambda x: abs(x) // 2):  # fmt: skip
        assert dtype_of(f, 3.0) == (np.float64, True)
    assert dtype_of(lambda n: n + 1, 3) == (np.int64, True)
    assert dtype_of(lambda n: n / 2, 3) == (np.float64, True)
    assert dtype_of(lambda n: n < 2, 3) == (np.bool_, False)
    assert dtype_of(fnp.sin, 3.0) == (np.float64, False)
    assert dtype_of(lambda x: fnp.add(x, x), 3.0) == (np.float64, False)
    half = np.ones(2, np.float32)
    assert dtype_of(lambda x: x * half, 3.0) == (np.float32, False)
    assert dtype_of(lambda x: (x * 2 + 1) * half, 3.0) == (np.float32, False)
    assert dtype_of(lambda n: n * half, 3) == (np.float32, False)
    assert dtype_of(lambda x: x * np.float64(2) * half, 3.0) == (np.float64, False)
    assert dtype_of(lambda x: x * np.ones(2, int), 3.0) == (np.float64, False)


METHODS = {
    "sum": (A,), "sum:axis": (A, 0), "mean": (A,), "max": (A, 1), "argmin": (A,), "prod": (A,),
    "std": (A,), "var": (A, 0), "all": (A > 0,), "any": (A > 0,), "cumsum": (A, 1),
    "ravel": (A,), "flatten": (A,), "reshape": (A, 3, 2), "reshape:tuple": (A, (3, -1)),
    "transpose": (A,), "transpose:axes": (A, 1, 0), "swapaxes": (A, 0, 1), "squeeze": (A[:1],),
    "astype": (A, np.float32), "clip": (A, -1, 1), "conj": (A,), "copy": (A,), "diagonal": (A,),
    "trace": (A,), "dot": (A, A.T), "repeat": (A, 2), "round": (A, 1), "take": (A, [0, 1], 1),
    "argsort": (A, 1), "cumprod": (A, 0), "choose": (N > 2, [A, -A]), "view": (A, np.int64),
    "searchsorted": (np.arange(4.0), A),
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    x, *rest = METHODS[name]
    method = name.partition(":")[0]
    want = getattr(x, method)(*rest)
    got = replay(lambda x: getattr(x, method)(*rest), x)
    assert (got.dtype, got.shape) == (np.asarray(want).dtype, np.shape(want))
    np.testing.assert_allclose(got, want, rtol=1e-14)


def test_every_name_in_the_tracers_table_means_something():
    for name in _METHODS:
        assert name in array_methods, name


def test_errors_of_methods():
    with pytest.raises(TypeError, match=r"item|float"):
        replay(lambda x: fnp.asarray(x[0, 0].item()), A)
    with pytest.raises(TypeError, match="by the rule 'safe'"):
        replay(lambda x: x.astype(np.int8, casting="safe"), A)
    with pytest.raises(TypeError):
        replay(lambda x: x + "a", A)
    assert replay(lambda x: fnp.asarray(x == None), A) == False  # noqa: E711, E712


def test_another_class_may_answer():
    class Quantity:
        __array_ufunc__ = None

        def __radd__(self, other):
            return fnp.zeros(2)

    np.testing.assert_array_equal(replay(lambda x: x + Quantity(), A), [0, 0])
