"""The shapes of a program's results, from those of its arguments.

A program is run on what is known before any element is: sizes, and integers that are the same in
every call. What depends on anything else is unknown.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.trace import where_am_i
from fxla.errors import ShapeError
from fxla.kernels.ir import Block, Loop, Make, Program, Repeat, Size, assigned
from fxla.loops.ir import Assign, Buffer, Cast, Const, Expr, If, Local, Op, Select

__all__ = ["result_shapes"]

_OPS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "floordiv": operator.floordiv,
    "mod": operator.mod, "neg": operator.neg, "abs": abs, "maximum": max, "minimum": min,
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le,
    "gt": operator.gt, "ge": operator.ge, "div": operator.truediv, "pow": operator.pow,
    "shl": operator.lshift, "shr": operator.rshift, "and": operator.and_, "or": operator.or_,
    "xor": operator.xor, "not": operator.not_, "floor": np.floor, "ceil": np.ceil,
    "sqrt": np.sqrt, "log2": np.log2, "rint": np.rint, "trunc": np.trunc,
}  # fmt: skip


def result_shapes(
    program: Program,
    shapes: Sequence[tuple[int, ...]],
    values: Sequence[Any],
    assumed: Sequence[tuple[Expr, Expr]] = (),
) -> list[tuple[int, ...] | None]:
    """The shape of each result; None for one that depends on what is not known.

    Raises:
        ShapeError: if sizes that are assumed to be equal are not.

    Args:
        program: any.
        shapes: of the inputs.
        values: of the inputs that are numbers and known; None for the others.
        assumed: pairs of sizes.
    """
    known: dict[str, Any] = {}
    sizes: dict[str, tuple[int, ...] | None] = {}
    for x, shape, value in zip(program.inputs, shapes, values, strict=True):
        if isinstance(x, Buffer):
            sizes[x.name] = tuple(shape)
        elif value is not None:
            known[x.name] = value
    run = _Run(known, sizes)
    run.block(program.body)
    for a, b in assumed:
        m, n = run.value(a), run.value(b)
        if m is not None and n is not None and m != n:
            raise ShapeError(
                f"kernel {program.name}: arrays of sizes {m} and {n} along an axis meet"
                f"{where_am_i()}. In a kernel that is traced only an axis written as 1 stretches, "
                "and a name keeps the shape of its first array."
            )
    return [() if isinstance(o, Local) else sizes.get(o.name) for o in program.outputs]


class _Run:
    def __init__(self, known: dict[str, Any], sizes: dict[str, tuple[int, ...] | None]) -> None:
        self.known = known
        self.sizes = sizes

    def value(self, e: Expr) -> Any:
        """What an expression is; None if that is unknown."""
        match e:
            case Const(value=value):
                return value
            case Size(array=name, axis=axis):
                shape = self.sizes.get(name)
                return None if shape is None else shape[axis]
            case Local(name=name):
                return self.known.get(name)
            case Cast(dtype=dtype, arg=arg):
                inner = self.value(arg)
                return None if inner is None else dtype.type(inner).item()
            case Select(condition=c, then=t, otherwise=o):
                test = self.value(c)
                return None if test is None else self.value(t if test else o)
            case Op(name=name, args=args) if name in _OPS:
                values = [self.value(a) for a in args]
                if any(v is None for v in values):
                    return None
                try:
                    return _OPS[name](*values)
                except (ZeroDivisionError, OverflowError):
                    return None
        return None

    def block(self, body: Block) -> None:
        for s in body:
            match s:
                case Assign(local=x, value=e):
                    self.known[x.name] = self.value(e)
                case Make(buffer=b, shape=shape):
                    found = [self.value(n) for n in shape]
                    unknown = any(n is None for n in found)
                    size = None if unknown else tuple([max(int(n), 0) for n in found])
                    self.sizes[b.name] = size
                case If(condition=c, then=then, otherwise=otherwise):
                    self.branch(self.value(c), then, otherwise)
                case Loop(body=inner) | Repeat(body=inner):
                    self.forget(s.body)
                    self.block(inner)
                    self.forget(s.body)

    def branch(self, test: Any, then: Block, otherwise: Block) -> None:
        if test is not None:
            self.block(then if test else otherwise)
            return
        start = dict(self.known)
        self.block(then)
        after = dict(self.known)
        self.known.clear()
        self.known.update(start)
        self.block(otherwise)
        for name in {*after, *self.known}:
            if after.get(name) != self.known.get(name):
                self.known[name] = None

    def forget(self, body: Block) -> None:
        """What a loop assigns is unknown."""
        for name in assigned(body):
            self.known[name] = None
