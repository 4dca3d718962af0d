"""Operators of arrays in native code: what they give, what they leave to NumPy, references."""

from __future__ import annotations

import gc
import itertools
import operator
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.calls import eager
from fxla.core.array import applying

UFUNC = {
    operator.add: np.add, operator.sub: np.subtract, operator.mul: np.multiply,
    operator.truediv: np.true_divide, operator.floordiv: np.floor_divide,
    operator.mod: np.remainder, operator.pow: np.power, operator.and_: np.bitwise_and,
    operator.or_: np.bitwise_or, operator.xor: np.bitwise_xor, operator.lshift: np.left_shift,
    operator.rshift: np.right_shift, operator.lt: np.less, operator.le: np.less_equal,
    operator.gt: np.greater, operator.ge: np.greater_equal, operator.eq: np.equal,
    operator.ne: np.not_equal, operator.matmul: np.matmul,
    operator.neg: np.negative, operator.pos: np.positive, operator.abs: np.absolute,
    operator.invert: np.invert,
}  # fmt: skip
UNARY = (operator.neg, operator.pos, operator.abs, operator.invert)
BINARY = tuple(op for op in UFUNC if op not in UNARY)
OTHERS = (operator.matmul, operator.pow)
"""Those that take no numbers, or some in other ways than their ufuncs."""
DTYPES = "? b h i q B H I Q e f d g F D G O".split()
SHAPES = ((), (0,), (3,), (2, 3), (3, 3), (1, 1))


@pytest.fixture(autouse=True)
def native() -> None:
    assert eager.quicken()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def array(shape: tuple[int, ...], dtype: Any) -> fxla.Array:
    """Some small numbers, no zero, as an array of ours."""
    numbers = np.arange(int(np.prod(shape))).reshape(shape) % 5 + 1
    return np.asarray(numbers, dtype).view(fxla.Array)


def outcome(f: Callable[..., Any], *operands: Any) -> Any:
    """Class, dtype, shape and elements of what a function gives, or the class of its error."""
    try:
        x = f(*operands)
    except Exception as e:
        return type(e).__mro__[-4:-1]
    if not isinstance(x, (np.ndarray, np.generic)):
        return type(x), x
    return type(x), x.dtype, x.shape, repr(x.tolist())


@pytest.mark.parametrize("op", UNARY)
def test_of_one_array_is_the_ufunc(op: Any) -> None:
    for shape, dtype in itertools.product(SHAPES, DTYPES):
        x = array(shape, dtype)
        assert outcome(op, x) == outcome(UFUNC[op], x), (shape, dtype)


@pytest.mark.parametrize("op", BINARY)
def test_of_two_arrays_is_the_ufunc(op: Any) -> None:
    for a, b in itertools.product(SHAPES, SHAPES):
        x, y = array(a, "f"), array(b, "d")
        if op is operator.matmul and not (a and b):
            continue  # an error of another class
        for left, right in ((x, y), (x, np.asarray(y)), (np.asarray(x), y)):
            got, expected = outcome(op, left, right), outcome(UFUNC[op], left, right)
            if op in (operator.eq, operator.ne) and expected[0] is not fxla.Array:
                continue  # what cannot be broadcast is an error of an operator only
            assert got == expected, (a, b, type(left), type(right))


@pytest.mark.parametrize("op", BINARY)
def test_of_two_dtypes_is_the_ufunc(op: Any) -> None:
    for first, second in itertools.product(DTYPES, DTYPES):
        x, y = array((2, 2), first), array((2, 2), second)
        got, expected = outcome(op, x, y), outcome(UFUNC[op], x, y)
        assert got == expected, (first, second)


@pytest.mark.parametrize("op", [op for op in BINARY if op not in OTHERS])
@pytest.mark.parametrize(
    "number", [2, 2.5, True, 1 + 2j, np.float32(2), np.int8(3), np.bool_(True)]
)
def test_beside_a_number_is_the_ufunc(op: Any, number: Any) -> None:
    for shape, dtype in itertools.product(SHAPES, DTYPES):
        x = array(shape, dtype)
        for operands in ((x, number), (number, x)):
            got, expected = outcome(op, *operands), outcome(UFUNC[op], *operands)
            assert got == expected, (shape, dtype)


def test_powers_are_those_of_plain_arrays() -> None:
    for dtype, exponent in itertools.product("bifdFD", (0, 1, 2, 3, 0.5, -1.0, 2.0, 0.25)):
        x = array((2, 3), dtype)
        got, expected = outcome(pow, x, exponent), outcome(pow, np.asarray(x), exponent)
        assert got[1:] == expected[1:], (dtype, exponent)
        assert isinstance(expected[0], type(ValueError)) or got[0] is not np.ndarray
    with pytest.raises(TypeError):
        pow(array((3,), "i"), array((3,), "i"), 5)  # type: ignore[call-overload]


def test_products_of_bfloat16_are_rounded_once() -> None:
    x = (np.arange(12).reshape(3, 4) / 7).astype(ml_dtypes.bfloat16)
    expected = (x.astype("f") @ x.T.astype("f")).astype(ml_dtypes.bfloat16)
    for left, right in ((x.view(fxla.Array), x.T), (x, x.T.view(fxla.Array))):
        out = left @ right
        assert (type(out), out.dtype) == (fxla.Array, expected.dtype)
        assert out.tobytes() == expected.tobytes()


def test_sums_of_bfloat16_are_numpys() -> None:
    x = (np.arange(12) / 7).astype(ml_dtypes.bfloat16)
    out = x.view(fxla.Array) + x
    assert (type(out), out.tobytes()) == (fxla.Array, (x + x).tobytes())


def test_results_own_their_memory() -> None:
    x = array((2, 3), "f")
    for out in (x + x, +x, abs(x), x**1.0, x < x, fnp.positive(x), fnp.tanh(np.asarray(x))):
        assert type(out) is fxla.Array and out.base is None
        assert not np.shares_memory(out, x)


def test_in_place_operators_and_out_keep_the_array() -> None:
    x = array((3,), "d")
    y, before = x, x.tolist()
    y += 1
    y *= x
    assert y is x and x.tolist() == [(v + 1) ** 2 for v in before]
    given = np.empty(3)
    assert fnp.add(x, x, given) is given or np.shares_memory(fnp.add(x, x, given), given)
    assert given.tolist() == (2 * np.asarray(x)).tolist()


class Answers:
    """An operand that answers for itself, from the right and from the left."""

    __array_ufunc__ = None

    def __add__(self, other: Any) -> Any:
        return "left", type(other)

    def __radd__(self, other: Any) -> Any:
        return "right", type(other)

    def __rmatmul__(self, other: Any) -> Any:
        return "product", type(other)


class Overrides:
    """One that answers for all ufuncs."""

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **options: Any) -> Any:
        return ufunc, [type(x) for x in operands]


class Mine(fxla.Array):
    """A subclass with an operator of its own."""

    def __add__(self, other: Any) -> Any:
        return "mine"

    def __radd__(self, other: Any) -> Any:
        return "mine from the right"


def test_other_classes_answer_as_before() -> None:
    x = array((3,), "f")
    assert x + Answers() == ("right", fxla.Array)
    assert Answers() + x == ("left", fxla.Array)
    assert x @ Answers() == ("product", fxla.Array)
    assert x + Overrides() == (np.add, [fxla.Array, Overrides])
    assert fnp.add(x, Overrides()) == (np.add, [fxla.Array, Overrides])
    assert np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0]).__add__(x).mask.tolist() == [0, 1, 0]


def test_subclasses_keep_their_operators() -> None:
    x = array((3,), "f")
    assert x.view(Mine) + x == "mine"
    assert x + x.view(Mine) == "mine from the right"
    out = x.view(Mine) * x
    assert type(out) is Mine and out.tolist() == (np.asarray(x) ** 2).tolist()


def test_what_is_no_operand_is_an_error_or_unequal() -> None:
    x = array((3,), "f")
    for other in ("a", None, object(), {}):
        for op in (operator.add, operator.matmul, operator.lt):
            with pytest.raises((TypeError, ValueError)):
                op(x, other)
    assert (x == None).tolist() == [False] * 3  # noqa: E711
    with pytest.raises(ValueError, match="broadcast"):
        x + array((2,), "f")
    with pytest.raises(ValueError, match="mismatch"):
        array((2, 3), "f") @ array((2, 3), "f")


def test_a_trace_takes_operands_as_before() -> None:
    x = array((3,), "f")
    assert fxla.grad(lambda y: fnp.sum(x * y + y / x))(x).tolist() == pytest.approx(
        (np.asarray(x) + 1 / np.asarray(x)).tolist()
    )
    assert fxla.jit(lambda y: x @ y - (y > x))(x).tolist() == pytest.approx(
        [float(np.asarray(x) @ np.asarray(x))] * 3
    )


def test_warnings_name_the_users_line() -> None:
    x = array((3,), "f")
    with warnings.catch_warnings(record=True) as seen, np.errstate(all="warn"):
        warnings.simplefilter("always")
        x / np.zeros(3, "f")
        fnp.log(-x)
    assert len(seen) == 2 and seen[0].filename == __file__


def test_no_reference_is_lost_or_left() -> None:
    x, y = array((4, 4), "f"), np.ones((4, 4), "f")
    watched = (fxla.Array, np.ndarray, x, y, x.dtype)

    def work() -> None:
        for _ in range(300):
            x + y, y + x, x @ y, -x, x < y, x**2, 2.5 * x, fnp.tanh(x), fnp.add(x, y)
            with pytest.raises(ValueError, match="broadcast"):
                x + np.ones(3)

    work()
    gc.collect()
    before = [sys.getrefcount(o) for o in watched]
    work()
    gc.collect()
    after = [sys.getrefcount(o) for o in watched]
    assert max(abs(a - b) for a, b in zip(after, before, strict=True)) < 20


def test_threads_compute_side_by_side() -> None:
    wrong: list[int] = []

    def work(k: int) -> None:
        x = array((50, 50), "d")
        for _ in range(200):
            if not ((x + k) * 2 - x @ x == (np.asarray(x) + k) * 2 - np.asarray(x @ x)).all():
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_ufuncs_are_called_with_what_they_take() -> None:
    apply = applying[0]
    x = array((2, 3), "f")
    assert outcome(apply, np.add, x, x) == outcome(np.add, x, x)
    assert [type(v) for v in apply(np.modf, x)] == [np.ndarray] * 2  # `result` makes them ours
    assert [type(v) for v in fnp.modf(x)] == [fxla.Array] * 2
    many = np.frompyfunc(lambda *v: sum(v), 6, 1)
    assert apply(many, *[x] * 6).tolist() == (6 * np.asarray(x)).tolist()
    with pytest.raises(TypeError):
        apply(np.add, x)
    assert apply(np.add, 1.0, 2.0) == 3.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_children_compute_while_it_is_being_loaded() -> None:
    code = """
import os, time, fxla, fxla.numpy as fnp
x = fnp.ones(3)
for _ in range(201):  # now a thread imports the compiler
    fnp.tanh(x)
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        same = (x + x == fxla.jit(lambda v: v * 2)(x)).all()
        os._exit(0 if same else 1)
    children.append(child)
    time.sleep(0.005)
print([os.waitpid(child, 0)[1] for child in children])
"""
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=100)
    assert (done.stdout, done.stderr) == ("[0, 0, 0, 0]\n", "")


def test_many_eager_calls_load_it() -> None:
    code = """
import threading, numpy, fxla.numpy as fnp
from fxla.core.array import applying
x = fnp.ones(3)
for _ in range(150):
    y = fnp.tanh(x)
assert "fxla.compile.calls.eager" not in __import__("sys").modules
for _ in range(100):
    y = fnp.tanh(x)
for t in threading.enumerate():
    if t.name == "fxla-eager":
        t.join()
print(type(applying[0]).__name__, (fnp.tanh(x) == numpy.tanh(1.0)).all(), type(x + x).__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["builtin_function_or_method", "True", "Array"]
