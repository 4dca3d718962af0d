from __future__ import annotations

import time

import numpy as np
import pytest

from fxla.errors import InternalError
from fxla.loops.extents import canonical, parametrise
from fxla.loops.ir import (
    BOOL,
    INDEX,
    Alloc,
    Assign,
    Buffer,
    Extent,
    For,
    Kernel,
    Let,
    Load,
    Store,
    While,
)
from fxla.loops.passes.sharing import Sharing
from fxla.loops.python.source import python_source, splits
from fxla.loops.view import compare, const, extent, fresh_index, fresh_local, int_const, op, select
from tests.loops.nests import MAKERS, parallel_range
from tests.loops.python.test_ops import run_plain

F8 = np.dtype("float64")


@pytest.mark.parametrize(
    "name",
    [
        "map",
        "map_bf16",
        "logical",
        "row_softmax",
        "shifted",
        "scatter_add",
        "collatz",
        "scratch_rows",
        "overwritten",
    ],
)
def test_the_text_is_as_accepted(name, accepted):
    kernel, _ = parametrise(MAKERS[name]().kernel)
    accepted.check(f"python_{name}", f"{canonical(kernel)}\n\n{python_source(kernel).source}")


@pytest.mark.parametrize("name", ["two_parallel", "total"])
def test_the_cuda_text_is_as_accepted(name, accepted):
    kernel, _ = parametrise(MAKERS[name]().kernel)
    accepted.check(f"cuda_{name}", python_source(kernel, "cuda").source)


def one_loop(make, n=20, name="k", buffers=("x", "out"), dtype=F8):
    x, out = (Buffer(b, dtype, (extent(n),)) for b in buffers)
    i = fresh_index()
    body = (Store(out, (i,), make(Load(dtype, x, (i,)), i)),)
    return parametrise(Kernel(name, (x,), (out,), (), (For(i, extent(n), body, "parallel"),)))


def lines_of(kernel):
    source = python_source(kernel).source
    return [line.strip() for line in source[source.index("def ") :].splitlines()[1:]]


def test_parameters_are_buffers_then_extents_then_the_range():
    kernel, _ = one_loop(lambda x, i: x)
    assert python_source(kernel).parameters == ("x", "out", "n0", "begin", "end")
    assert python_source(kernel, "cuda").parameters == ("x", "out", "n0")


def test_the_same_program_traced_twice_gives_the_same_text():
    texts = [python_source(one_loop(lambda x, i: op("sin", F8, x))[0]).source for _ in range(2)]
    assert texts[0] == texts[1]


def test_names_that_mean_something_else_are_changed():
    kernel, _ = one_loop(
        lambda x, i: op("maximum", F8, x, const(0, F8)), name="lambda", buffers=("maximum", "n0")
    )
    printed = python_source(kernel)
    assert printed.name == "kernel"
    assert printed.parameters == ("maximum_", "n0_", "n0", "begin", "end")
    x, got = np.linspace(-1, 1, 20), np.zeros(20)
    run_plain(kernel, [x, got], (20,), 0, 20)
    np.testing.assert_array_equal(got, np.maximum(x, 0))


def test_a_shared_expression_is_computed_once():
    def make(x, i):
        e = op("exp", F8, x)
        return op("mul", F8, op("add", F8, e, const(1, F8)), e)

    assert lines_of(one_loop(make)[0]) == [
        "for i0 in range(begin, end):",
        "v0 = math.exp(x[i0])",
        "out[i0] = (v0 + 1.0) * v0",
    ]


def test_a_deep_shared_expression_is_printed_in_linear_time():
    def make(x, i):
        for _ in range(400):
            x = op("add", F8, x, x)
        return x

    start = time.perf_counter()
    lines = lines_of(one_loop(make)[0])
    assert len(lines) < 450 and time.perf_counter() - start < 5


def test_what_one_arm_shares_is_computed_in_that_arm():
    def make(x, i):
        before = Load(F8, x.buffer, (op("sub", INDEX, i, int_const(1)),))
        e = op("exp", F8, before)
        return select(compare("gt", i, int_const(0)), op("mul", F8, e, e), x)

    assert lines_of(one_loop(make)[0]) == [
        "for i0 in range(begin, end):",
        "if i0 > 0:",
        "v1 = math.exp(x[i0 - 1])",
        "v0 = v1 * v1",
        "else:",
        "v0 = x[i0]",
        "out[i0] = v0",
    ]


def test_a_load_in_arms_of_two_selects_is_not_moved_out_of_them():
    def make(x, i):
        before = Load(F8, x.buffer, (op("sub", INDEX, i, int_const(1)),))
        inside = compare("gt", i, int_const(0))
        a = select(inside, before, const(0, F8))
        b = select(inside, op("neg", F8, before), const(1, F8))
        return op("mul", F8, a, b)

    kernel, _ = one_loop(make)
    assert "out[i0] = (x[i0 - 1] if v0 else 0.0) * (-x[i0 - 1] if v0 else 1.0)" in lines_of(kernel)
    x, got = np.arange(20.0), np.zeros(20)
    run_plain(kernel, [x, got], (20,), 0, 20)
    np.testing.assert_array_equal(got[1:], -(x[:-1] ** 2))


def test_arithmetic_in_arms_of_two_selects_is_computed_once():
    def make(x, i):
        e = op("exp", F8, const(3, F8))
        slow = op("sin", F8, op("add", F8, e, const(1, F8)))
        a = select(compare("gt", x, const(0, F8)), slow, x)
        b = select(compare("lt", x, const(1, F8)), slow, x)
        return op("mul", F8, a, b)

    source = python_source(one_loop(make)[0]).source
    assert source.count("math.sin") == 1 and source.count("math.exp") == 1


def test_an_expression_of_a_changed_local_is_computed_again():
    x, out = Buffer("x", F8, (extent(20),)), Buffer("out", F8, (extent(20),))
    i, t, going = fresh_index(), fresh_local(F8), fresh_local(BOOL)
    e = op("exp", F8, t)
    body = (
        Let(t, Load(F8, x, (i,)), True),
        Let(going, compare("lt", e, const(100, F8)), True),
        While(
            going, (Assign(t, op("add", F8, e, e)), Assign(going, compare("lt", e, const(100, F8))))
        ),
        Store(out, (i,), e),
    )
    kernel, sizes = parametrise(
        Kernel("k", (x,), (out,), (), (For(i, extent(20), body, "parallel"),))
    )
    start = np.linspace(-2, 5, 20)
    want = start.copy()
    for k in range(20):
        while np.exp(want[k]) < 100:
            want[k] = 2 * np.exp(want[k])
    got = np.zeros(20)
    run_plain(kernel, [start, got], sizes, 0, 20)
    np.testing.assert_allclose(got, np.exp(want), rtol=1e-14)


@pytest.mark.parametrize(
    "text, make",
    [
        ("x[i0] - (x[i0] - 1.0)", lambda x: op("sub", F8, x, op("sub", F8, x, const(1, F8)))),
        (
            "(x[i0] - 1.0) * 2.0",
            lambda x: op("mul", F8, op("sub", F8, x, const(1, F8)), const(2, F8)),
        ),
        ("-(x[i0] + 1.0)", lambda x: op("neg", F8, op("add", F8, x, const(1, F8)))),
        ("x[i0] * -2.0", lambda x: op("mul", F8, x, const(-2, F8))),
    ],
)
def test_parentheses_where_they_are_needed(text, make):
    source = python_source(one_loop(lambda x, i: make(x))[0]).source
    bound = source.replace("v0 = x[i0]\n", "").replace("v0", "x[i0]")
    assert f"out[i0] = {text}\n" in bound


def test_scratch_of_a_run_time_size_is_refused():
    scratch = Buffer("s", F8, (Extent(INDEX, 0, "n0"),))
    kernel = Kernel("k", (), (), (Extent(INDEX, 0, "n0"),), (Alloc(scratch),))
    with pytest.raises(InternalError, match="run-time size"):
        python_source(kernel)


def test_only_one_parallel_loop_splits():
    assert splits(MAKERS["map"]().kernel)
    assert not splits(MAKERS["total"]().kernel)
    assert parallel_range(MAKERS["total"]()) == (0, 0)


def test_equal_expressions_are_one_number_whether_shared_or_not():
    sharing = Sharing()
    x, y = (op("exp", F8, const(1, F8)) for _ in range(2))
    assert sharing.number(x) == sharing.number(y)
    root = sharing.number(op("add", F8, x, y))
    assert sharing.to_bind([root], ()) == [sharing.number(x)]
    assert sharing.to_bind([root], {sharing.number(x)}) == []
