"""Programs of numbers without loops, as expressions.

Such a program needs no memory: each result is an expression of the arguments. Branches become
choices. So it fuses into the loops around it like any operation on elements.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from fxla.core.aval import Aval
from fxla.kernels.ir import Block, Program, map_expr, walk
from fxla.loops.ir import Assign, Const, Expr, If, Local, Op, Select
from fxla.loops.view import IndexTuple, View, cast, const

__all__ = ["element_views", "is_expression", "straightened"]


@functools.lru_cache(maxsize=1024)
def is_expression(program: Program) -> bool:
    """Whether a program is of numbers only, and neither loops nor puts anything aside."""
    numbers = all(isinstance(x, Local) for x in (*program.inputs, *program.outputs))
    return numbers and all(isinstance(s, (Assign, If)) for s in walk(program.body))


def straightened(program: Program) -> Program:
    """The program with every variable assigned once and no branch: choices take their place."""
    counts: dict[str, int] = {}
    body: list[Assign] = []
    taken = {x.name for x in (*program.inputs, *program.outputs)}

    def bind(x: Local, value: Expr) -> Local:
        n = counts.get(x.name, 0)
        counts[x.name] = n + 1
        name = f"{x.name}_v{n}"
        while name in taken:
            name += "_"
        taken.add(name)
        local = Local(x.dtype, name)
        body.append(Assign(local, value))
        return local

    env: dict[str, Expr] = {x.name: x for x in program.inputs if isinstance(x, Local)}
    env = _run(program.body, env, bind)
    outs = []
    for o in program.outputs:
        assert isinstance(o, Local)
        outs.append(bind(o, env[o.name]))
    return Program(program.name, program.inputs, tuple(outs), tuple(body))


def _run(body: Block, env: dict[str, Expr], bind: object) -> dict[str, Expr]:
    """What variables stand for after some statements."""
    assert callable(bind)
    env = dict(env)
    for s in body:
        match s:
            case Assign(local=x, value=e):
                env[x.name] = bind(x, map_expr(e, lambda y: _known(y, env)))
            case If(condition=c, then=then, otherwise=otherwise):
                condition = map_expr(c, lambda y: _known(y, env))
                if not isinstance(condition, (Local, Const)):
                    condition = bind(Local(condition.dtype, "c"), condition)
                first, second = _run(then, env, bind), _run(otherwise, env, bind)
                for name in {**first, **second}:
                    a, b = first.get(name), second.get(name)
                    if a is None or b is None:
                        env[name] = a if b is None else b  # type: ignore[assignment]
                    elif a is not b:
                        env[name] = bind(Local(a.dtype, name), Select(a.dtype, condition, a, b))
    return env


def _known(e: Expr, env: dict[str, Expr]) -> Expr:
    """Variables as what they stand for; powers by small integers as products."""
    if isinstance(e, Local):
        return env[e.name]
    if isinstance(e, Op) and e.name == "pow":
        x, y = e.args
        if isinstance(y, Const) and y.value in (2, 3, 4):
            square = Op(e.dtype, "mul", (x, x))
            if y.value == 2:
                return square
            return Op(e.dtype, "mul", (square, x if y.value == 3 else square))
    if isinstance(e, Op) and e.name == "add":
        first, second = e.args
        if isinstance(first, Const) and first.value == 0:  # an adjoint that was zero so far
            return second
    return const(e.value, e.dtype) if isinstance(e, Const) else e


def element_views(
    program: Program,
    outs: Sequence[Aval],
    batch: tuple[int, ...],
    batched: Sequence[bool],
    views: Sequence[View],
) -> tuple[View, ...]:
    """The results for a batch of examples, element by element."""

    def view(k: int) -> View:
        def at(index: IndexTuple) -> Expr:
            env: dict[str, Expr] = {}
            for x, v, b in zip(program.inputs, views, batched, strict=True):
                env[x.name] = cast(v[index if b else ()], x.dtype)
            found = _run(program.body, env, lambda local, e: e)
            return found[program.outputs[k].name]

        return View(batch, outs[k].dtype, at)

    return tuple([view(k) for k in range(len(outs))])
