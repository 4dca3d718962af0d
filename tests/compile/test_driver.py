"""Programs as LLVM text: it depends on structure alone, and does what the instructions say."""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.build import build_program
from fxla.compile.driver import print_driver
from fxla.compile.executable import executable_from
from fxla.compile.program import (
    Branch,
    Buffer,
    Copy,
    Instruction,
    Loop,
    LoopIndex,
    Pointer,
    Program,
    WhileLoop,
)  # fmt: skip
from tests.compositions.programs import PROGRAMS

I4, I8, B1 = np.dtype("int32"), np.dtype("int64"), np.dtype("bool")


def driver_text(f: Any, *args: Any) -> str:
    program = build_program(fxla.make_jaxpr(f)(*args).jaxpr)
    return print_driver(program, [True] * len(program.kernels())).text


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_text_is_valid(name: str) -> None:
    """LLVM's verifier finds nothing, for either way of passing arguments."""
    program = build_program(fxla.make_jaxpr(PROGRAMS[name].f)(PROGRAMS[name].x).jaxpr)
    for packed in (True, False):
        text = print_driver(program, [packed] * len(program.kernels())).text
        module = llvm.parse_assembly(text, llvm.create_context())
        module.verify()


def test_text_does_not_depend_on_sizes() -> None:
    def f(x: Any, w: Any) -> Any:
        c, ys = lax.scan(lambda c, y: (fnp.tanh(c @ w + y), c), x[0], x)
        return fnp.sort(c) + 0.1, ys / x.shape[0]

    texts = {
        driver_text(f, np.ones((n, m)), np.ones((m, m))) for n, m in ((10, 64), (500, 64), (9, 70))
    }
    assert len(texts) == 1


def buffers(n: int, dtype: Any = I8) -> list[Buffer]:
    return [Buffer((), dtype, offset=64 * k) for k in range(n)]


def run(body: list[Instruction], inputs: list[Any], outputs: list[Buffer], arena: int) -> list[Any]:
    """Run instructions whose inputs are given arrays, held in buffers of the same order."""
    given = [b for b, _ in inputs]
    for group, role in ((given, "input"), (outputs, "output")):
        for k, b in enumerate(group):
            b.role, b.position = role, k
    program = Program(given, outputs, body, arena)
    return executable_from(program)(*[x for _, x in inputs])


def copy(to: Buffer, source: Buffer) -> Copy:
    return Copy(Pointer(to), Pointer(source), to.nbytes)


@pytest.mark.parametrize("length", [0, 1, 2, 5])
@pytest.mark.parametrize("reverse", [False, True])
def test_loops_slice_and_swap(length: int, reverse: bool) -> None:
    """``y[i] = carry; carry = x[i]``, with the two buffers of the carry trading places."""
    xs, ys = Buffer((length,), I8), Buffer((length,), I8)
    first, last = Buffer((), I8), Buffer((), I8)
    a, b = buffers(2)
    i = LoopIndex()
    inner: list[Instruction] = [
        Copy(Pointer(ys).slice(i, 8), Pointer(a), 8),
        Copy(Pointer(b), Pointer(xs).slice(i, 8), 8),
    ]
    loop = Loop(i, length, reverse, inner, ((a, b),))
    x = np.arange(10, 10 + length)
    got, end = run([copy(a, first), loop, copy(last, a)], [(xs, x), (first, np.int64(7))],
                   [ys, last], 128)  # fmt: skip
    order = x[::-1] if reverse else x
    want = np.concatenate([[7], order])[:length]
    np.testing.assert_array_equal(got, want[::-1] if reverse else want)
    assert int(end) == (order[-1] if length else 7)


def test_conditional_loops_stop() -> None:
    """The predicate is a byte of the carry; it is false from the start, or after a step."""
    flag, other, out = Buffer((), B1), Buffer((), B1), Buffer((), B1)
    carry, following, predicate = buffers(3, B1)
    for start in (False, True):
        loop = WhileLoop(
            [copy(predicate, carry)], Pointer(predicate), [copy(following, other)],
            ((carry, following),),
        )  # fmt: skip
        (end,) = run([copy(carry, flag), loop, copy(out, carry)],
                     [(flag, np.bool_(start)), (other, np.bool_(False))], [out], 192)  # fmt: skip
        assert not end


@pytest.mark.parametrize("number", [-5, 0, 1, 2, 3, 2**31 - 1, -(2**31)])
def test_branches_are_clamped(number: int) -> None:
    index, out = Buffer((), I4), Buffer((), I8)
    choices = [Buffer((), I8) for _ in range(3)]
    branch = Branch(Pointer(index), [[copy(out, c)] for c in choices])
    inputs = [(index, np.int32(number)), *((c, np.int64(k)) for k, c in enumerate(choices))]
    (got,) = run([branch], inputs, [out], 0)
    assert int(got) == min(max(number, 0), 2)
