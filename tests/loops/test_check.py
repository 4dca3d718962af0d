from __future__ import annotations

import numpy as np
import pytest

from fxla.errors import InternalError
from fxla.loops.check import check_kernel, checked_kernel
from fxla.loops.extents import parametrise
from fxla.loops.ir import (
    BOOL,
    INDEX,
    Alloc,
    Assign,
    Buffer,
    Cast,
    Const,
    Extent,
    For,
    If,
    Index,
    Kernel,
    Let,
    Load,
    Local,
    Op,
    Select,
    Store,
    While,
)
from fxla.loops.view import compare, const, extent, int_const, op
from tests.loops.nests import MAKERS

F4, F8 = np.dtype("float32"), np.dtype("float64")
X, OUT = Buffer("x", F4, (extent(10),)), Buffer("out", F4, (extent(10),))
ROW, COLUMN = Index(INDEX, "i"), Index(INDEX, "j")
T, U = Local(F4, "t"), Local(F4, "u")
ONE = const(1, F4)
LOAD = Load(F4, X, (ROW,))


def kernel(*body, inputs=(X,), outputs=(OUT,)):
    return Kernel("k", inputs, outputs, (), body)


def loop(*body, index=ROW, kind="parallel", n=10):
    return For(index, extent(n), body, kind)


@pytest.mark.parametrize("name", MAKERS)
def test_the_sample_kernels_are_well_formed(name):
    check_kernel(MAKERS[name]().kernel)
    check_kernel(parametrise(MAKERS[name]().kernel)[0])


GOOD = {
    "private scratch": kernel(
        loop(
            Alloc(Buffer("s", F4, (int_const(2),))),
            Store(Buffer("s", F4, (int_const(2),)), (int_const(0),), ONE),
            Store(OUT, (ROW,), ONE),
        )
    ),
    "guarded store": kernel(
        loop(If(compare("eq", ROW, int_const(3)), (Store(OUT, (int_const(0),), ONE),)))
    ),
    "position through a local": kernel(
        loop(
            Let(Local(INDEX, "p"), op("add", INDEX, ROW, int_const(0))),
            Store(OUT, (Local(INDEX, "p"),), ONE),
        )
    ),
    "one iteration": kernel(loop(Store(OUT, (int_const(0),), ONE), n=1)),
    "scatter by data": kernel(
        loop(Store(OUT, (Load(INDEX, Buffer("p", INDEX, (extent(10),)), (ROW,)),), ONE)),
        inputs=(X, Buffer("p", INDEX, (extent(10),))),
    ),
    "fma reduction": kernel(
        Let(T, ONE, True), loop(Assign(T, op("fma", F4, LOAD, LOAD, T)), kind="vector")
    ),
    "half complex parts": kernel(
        Let(Local(np.dtype("c8"), "c"), Op(np.dtype("c8"), "complex", (ONE, ONE)))
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_well_formed(name):
    check_kernel(GOOD[name])


BAD = {
    "index i is out of scope": kernel(Store(OUT, (ROW,), ONE)),
    "2 indices into": kernel(loop(Store(OUT, (ROW, ROW), ONE))),
    "an index of out is int64 but the value is float32": kernel(loop(Store(OUT, (ONE,), ONE))),
    "buffer out is float32 but the value is float64": kernel(
        loop(Store(OUT, (ROW,), const(1, F8)))
    ),
    "an operand of add is float32 but the value is float64": kernel(
        loop(Store(OUT, (ROW,), op("add", F4, ONE, const(1, F8))))
    ),
    "add of float32 does not give float64": kernel(
        loop(Store(OUT, (ROW,), Cast(F4, op("add", F8, ONE, ONE))))
    ),
    "lt of float32 does not give float32": kernel(loop(Store(OUT, (ROW,), op("lt", F4, ONE, ONE)))),
    "no scalar op 'plus'": kernel(loop(Store(OUT, (ROW,), op("plus", F4, ONE, ONE)))),
    "neg takes 1 operands, not 2": kernel(loop(Store(OUT, (ROW,), op("neg", F4, ONE, ONE)))),
    "sin takes no int64": kernel(loop(Store(OUT, (ROW,), Cast(F4, op("sin", INDEX, ROW))))),
    "bitcast of float32 to float64": kernel(
        loop(Store(OUT, (ROW,), Cast(F4, op("bitcast", F8, ONE))))
    ),
    "the condition of a select is bool": kernel(
        loop(Store(OUT, (ROW,), Select(F4, ONE, ONE, ONE)))
    ),
    "a select is float32 but the value is float64": kernel(
        loop(Store(OUT, (ROW,), Select(F4, const(True, BOOL), ONE, const(1, F8))))
    ),
    "local t is used before it is bound": kernel(loop(Store(OUT, (ROW,), T))),
    "local t is assigned before it is bound": kernel(Assign(T, ONE)),
    "local t is assigned but not mutable": kernel(Let(T, ONE), Assign(T, ONE)),
    "local t is bound twice": kernel(Let(T, ONE), Let(T, ONE)),
    "local t is float32 but the value is float64": kernel(Let(T, const(1, F8))),
    "a parallel loop over i carries local t": kernel(
        Let(T, ONE, True), loop(Assign(T, op("add", F4, T, LOAD)), Store(OUT, (ROW,), T))
    ),
    "otherwise than by an associative op": kernel(
        Let(T, ONE, True), loop(Assign(T, op("sub", F4, T, LOAD)), kind="vector")
    ),
    "assigns local t otherwise": kernel(
        Let(T, ONE, True), loop(Assign(T, op("add", F4, T, T)), kind="vector")
    ),
    "all write the same element of out": kernel(loop(Store(OUT, (int_const(0),), ONE))),
    "parallel loop over i all write the same": kernel(
        loop(loop(Store(OUT, (COLUMN,), ONE), index=COLUMN, kind="serial"))
    ),
    "vector loop over i all write the same": kernel(
        loop(Store(OUT, (int_const(0),), ONE), kind="vector")
    ),
    "index i is bound by two loops": kernel(loop(loop(Store(OUT, (ROW,), ONE)))),
    "input x is written": kernel(loop(Store(X, (ROW,), ONE))),
    "buffer y is not an argument": kernel(
        loop(Store(OUT, (ROW,), Load(F4, Buffer("y", F4, (extent(10),)), (ROW,))))
    ),
    "was declared as x: float32": kernel(
        loop(Store(OUT, (ROW,), Cast(F4, Load(F8, Buffer("x", F8, (extent(10),)), (ROW,)))))
    ),
    "a load from x is float32": kernel(loop(Store(OUT, (ROW,), Cast(F4, Load(F8, X, (ROW,)))))),
    "a condition is bool": kernel(If(ONE, ())),
    "reads nothing that can change": kernel(While(const(True, BOOL), ())),
    "has a run-time extent": kernel(Alloc(Buffer("s", F4, (Extent(INDEX, 0, "n0"),)))),
    "extent n0 is no argument": kernel(loop(Store(OUT, (Extent(INDEX, 0, "n0"),), ONE))),
    "two buffers are named 'x'": kernel(outputs=(OUT, X)),
    "a constant is an array": kernel(Let(T, Const(F4, np.zeros(2)))),
    "no loop kind 'fast'": kernel(loop(kind="fast")),
    "a loop's extent is int64": kernel(For(ROW, ONE, ())),
}


@pytest.mark.parametrize("problem", BAD)
def test_ill_formed(problem):
    with pytest.raises(InternalError) as caught:
        check_kernel(BAD[problem])
    assert problem in str(caught.value)


def test_a_local_ends_with_its_block():
    body = (loop(Let(T, ONE), Store(OUT, (ROW,), T)), Let(U, T))
    with pytest.raises(InternalError, match="local t is used before it is bound"):
        check_kernel(kernel(*body))


def test_the_statement_is_shown_with_its_neighbours():
    body = loop(Let(T, LOAD), Store(OUT, (ROW,), const(1, F8)), Let(U, T))
    with pytest.raises(InternalError) as caught:
        check_kernel(kernel(body), after="schedule")
    assert str(caught.value).splitlines() == [
        "ill-formed kernel k after schedule: buffer out is float32 but the value is float64",
        "    let t: float32 = x[i]",
        ">>> out[i] = 1.0",
        "    let u: float32 = t",
    ]


def test_checks_are_asked_for_by_the_environment(monkeypatch):
    bad = BAD["index i is out of scope"]
    monkeypatch.setenv("FXLA_CHECK", "0")
    assert checked_kernel(bad, "test") is bad
    monkeypatch.setenv("FXLA_CHECK", "1")
    with pytest.raises(InternalError, match="after test"):
        checked_kernel(bad, "test")
