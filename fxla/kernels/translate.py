"""Statements of a kernel's function: from Python's syntax tree to a typed program.

translate : (function, types of its arguments) -> Program

A function is specialised for the types it is called with, as numba does. Calls of the user's own
functions are written out. A `return` or `break` in the middle becomes a variable that is tested by
what would follow.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from dataclasses import field
from types import FunctionType
from typing import Any

import numpy as np

from fxla.core.records import dataclass
from fxla.kernels.control_flow import ControlFlow, Exit
from fxla.kernels.expressions import Frame
from fxla.kernels.ir import Make, Program, Put, array
from fxla.kernels.syntax import (
    assigned_once,
    function_tree,
    is_store,
    parameters_of,
    plain_function,
)
from fxla.kernels.values import (
    ArrayView,
    Meaning,
    Pull,
    UntranslatableError,
    pull_of,
)
from fxla.loops.ir import (
    BOOL,
    Assign,
    Buffer,
    Const,
    DType,
    Expr,
    Local,
    Stmt,
)

__all__ = ["Translation", "translate"]

MAX_DEPTH = 20
"""Of calls inside calls: what is deeper is taken for a function that calls itself."""
MAX_ROUNDS = 12


@dataclass(frozen=True)
class Translation:
    """A function as a program.

    Attributes:
        program: its results are the function's, then the arrays among its arguments that it wrote.
        returns: how many of them the function returned; None if it returns one that is no tuple.
        written: for each array written its position among the arguments.
        constants: arrays of the function's surroundings, which are the last inputs.
        assumed: sizes that must be equal.
    """

    program: Program
    returns: int | None
    written: tuple[int, ...]
    constants: tuple[Any, ...]
    assumed: tuple[tuple[Expr, Expr], ...] = ()


@dataclass
class _Returns:
    """The results of a function that is being translated."""

    places: list[Any] = field(default_factory=list)
    single: bool = True
    known: bool = False
    last: ast.AST | None = None
    level: int = 0


def translate(f: FunctionType, arguments: Sequence[tuple[DType, int]]) -> Translation:
    """The program of a function for arguments of some types.

    Args:
        f: a Python function of positional arguments.
        arguments: dtype and number of axes of each; 0 axes means a number.
    """
    types: dict[str, DType] = {}
    written: set[int] = set()
    for _ in range(MAX_ROUNDS):
        translator = _Translator(types, written)
        found = translator.whole_function(f, arguments)
        if not translator.widened and translator.written_inputs <= written:
            return found
        written |= translator.written_inputs
    raise UntranslatableError("types of variables that depend on each other")


class _Translator(ControlFlow):
    """Translates one function and what it calls."""

    def __init__(self, types: dict[str, DType], expected: set[int]) -> None:
        super().__init__(types)
        self.expected = expected
        self.given_at: dict[str, int] = {}
        self.written_inputs: set[int] = set()
        self.constants: list[tuple[Any, Buffer]] = []
        self.returns = _Returns()
        self.exits: list[Exit] = []
        self.inlined = 0
        self.made_at: dict[str, int] = {}
        self.level = 0
        self.written: set[str] = set()

    def whole_function(
        self, f: FunctionType, arguments: Sequence[tuple[DType, int]]
    ) -> Translation:
        tree = function_tree(f)
        frame = self.frame = Frame(f, "")
        names = parameters_of(tree)
        stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and is_store(n)}
        inputs: list[Buffer | Local] = []
        outs: list[Buffer] = []
        positions: list[int] = []
        for k, (name, (dtype, ndim)) in enumerate(zip(names, arguments, strict=True)):
            if dtype.kind not in "biuf":
                raise UntranslatableError(f"an argument of dtype {dtype}", tree)
            if ndim == 0:
                given = Local(dtype, self.fresh(name))
                inputs.append(given)
                self.types[given.name] = dtype
                self.stable.add(given.name)
                frame.env[name] = given
                if name in stored:
                    frame.env[name] = self.assign(self.fresh(f"{name}_now"), given)
                continue
            buffer = array(self.fresh(f"{name}_given" if k in self.expected else name), dtype, ndim)
            inputs.append(buffer)
            self.made_at[buffer.name] = 0
            self.given_at[buffer.name] = k
            view = self.whole(buffer)
            if k in self.expected:
                view = self.make(name, view.shape, dtype, None)
                self.made_at[view.buffer.name] = 0
                self.write(view, pull_of(self.whole(buffer)))
                outs.append(view.buffer)
                self.written.add(view.buffer.name)
                positions.append(k)
            frame.env[name] = view
        self.function_body(tree, frame)
        results = [self.result(x) for x in self.returns.places]
        inputs += [b for _, b in self.constants]
        program = Program(f.__name__, tuple(inputs), (*results, *outs), tuple(self.body))
        program = _without_unset(program)
        n = len(results)
        count = None if self.returns.known and self.returns.single else n
        return Translation(
            program, count, tuple(positions), tuple([x for x, _ in self.constants]),
            tuple(self.assumed),
        )  # fmt: skip

    def result(self, place: Any) -> Buffer | Local:
        return self.variable(place.name) if isinstance(place, Local) else place.buffer

    def emit(self, s: Stmt) -> None:
        if isinstance(s, Put) and s.buffer.name in self.given_at:
            self.written_inputs.add(self.given_at[s.buffer.name])
        super().emit(s)

    def captured(self, value: Any) -> Meaning:
        for known, buffer in self.constants:
            if known is value:
                return self.whole(buffer)
        if value.dtype.kind not in "biuf":
            raise UntranslatableError(f"an array of dtype {value.dtype}")
        buffer = array(self.fresh("constant"), value.dtype, value.ndim)
        self.constants.append((value, buffer))
        self.made_at[buffer.name] = 0
        if value.ndim == 0:
            raise UntranslatableError("an array without axes from outside of the function")
        return self.whole(buffer)

    def make(self, name: str, shape: Any, dtype: DType, fill: Expr | None) -> ArrayView:
        view = super().make(name, shape, dtype, fill)
        self.made_at[view.buffer.name] = self.level
        return view

    # --- functions ---

    def function_body(self, tree: ast.FunctionDef, frame: Frame) -> None:
        """Translate a function's statements into the current block."""
        before, self.frame = self.frame, frame
        frame.once = assigned_once(tree)
        frame.level = self.level
        self.exits.append(Exit())
        body = tree.body
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        self.returns.last = body[-1] if body else None
        self.statements(body)
        self.exits.pop()
        self.frame = before

    def inline(
        self, f: Any, args: list[Meaning], options: dict[str, Meaning], node: ast.Call
    ) -> Meaning:
        function = plain_function(f)
        if not isinstance(function, FunctionType):
            raise UntranslatableError(f"a call of {type(f).__name__}", node)
        if self.frame.depth >= MAX_DEPTH:
            raise UntranslatableError(f"`{function.__name__}`, which calls itself", node)
        tree = function_tree(function)
        try:
            bound = inspect.signature(function).bind(*args, **options)
        except TypeError as error:
            raise UntranslatableError(str(error), node) from None
        bound.apply_defaults()
        self.inlined += 1
        prefix = f"{function.__name__}{self.inlined}_"
        frame = Frame(function, prefix, {}, self.frame.depth + 1)
        stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and is_store(n)}
        for name, value in bound.arguments.items():
            if isinstance(value, (bool, int, float, np.generic, Expr)) and name in stored:
                value = self.assign(self.fresh(prefix + name), self.as_scalar(value, node))
            elif isinstance(value, Expr):
                value = self.temporary(value, prefix + name)
                if isinstance(value, Local):
                    frame.env[name] = value
                    continue
            elif isinstance(value, Pull):
                value = self.stored(value, prefix + name)
            frame.env[name] = value
        outer, self.returns = self.returns, _Returns(level=self.level)
        self.function_body(tree, frame)
        found, self.returns = self.returns, outer
        values = tuple([
            self.variable(p.name) if isinstance(p, Local) else p for p in found.places
        ])  # fmt: skip
        if not found.known:
            return None
        return values[0] if found.single else values

    def do_return(self, node: ast.Return) -> None:
        value = None if node.value is None else self.meaning(node.value)
        own = self.exits[-1]
        self.set_results(value, node)
        if own.returned is not None:
            self.assign(own.returned, Const(BOOL, True))
        if own.broken is not None:
            self.assign(own.broken, Const(BOOL, True))

    def set_results(self, value: Meaning, node: ast.Return) -> None:
        """Put what is returned where all `return` statements put it."""
        found = self.returns
        if value is None:
            return
        values = value if isinstance(value, tuple) else (value,)
        inner = self.frame.depth > 0
        only = self.level == found.level and not found.known and node is found.last
        if not found.known:
            found.places = [None] * len(values)
            found.single = not isinstance(value, tuple)
            found.known = True
        if len(values) != len(found.places):
            raise UntranslatableError("`return` of different numbers of values", node)
        for k, v in enumerate(values):
            found.places[k] = self.set_result(found, k, v, only, inner, node)

    def set_result(
        self, found: _Returns, k: int, v: Meaning, only: bool, inner: bool, node: ast.Return
    ) -> Any:
        place = found.places[k]
        name = f"{self.frame.prefix}result" + ("" if found.single else f"_{k}")
        if not isinstance(v, (ArrayView, Pull)) or not v.shape:
            if isinstance(v, tuple) or v is None:
                raise UntranslatableError("`return` of tuples in tuples", node)
            if place is None:
                place = Local(BOOL, self.fresh(name))
            return self.assign(place.name, self.as_scalar(v, node))
        taken = [p.buffer for p in found.places if isinstance(p, ArrayView)]
        if only and isinstance(v, ArrayView) and v.whole:
            mine = self.made_at[v.buffer.name] == 0 and self.is_made(v.buffer)
            own = inner or (mine and v.buffer.name not in self.written)
            if own and (inner or v.buffer not in taken):
                return v
        if inner and only:
            return v if isinstance(v, ArrayView) else self.stored(v, name)
        pull = pull_of(v)
        if place is None:
            return self.stored(pull, name)
        if place.shape != pull.shape:
            self.emit(Make(place.buffer, tuple([self.temporary(n, "n") for n in pull.shape]), None))
        self.write(place, pull)
        return place

    def is_made(self, b: Buffer) -> bool:
        """Whether the program makes an array, and it is not one of its results yet."""
        written = [v for v in self.frame.env.values() if isinstance(v, ArrayView)]
        mine = any(v.buffer == b for v in written)
        made = any(isinstance(s, Make) and s.buffer == b for s in self.body)
        return made and mine and not b.name.endswith("_given")


def _without_unset(program: Program) -> Program:
    """Variables that are a result but not always assigned start at zero."""
    first = [Assign(o, Const(o.dtype, o.dtype.type(0).item()))
             for o in program.outputs if isinstance(o, Local)
             and not any(isinstance(s, Assign) and s.local.name == o.name for s in program.body)
             ]  # fmt: skip
    return Program(program.name, program.inputs, program.outputs, (*first, *program.body))
