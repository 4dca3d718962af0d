"""Statements of a kernel's function: from Python's syntax tree to a typed program.

translate : (function, types of its arguments) -> Program

A function is specialised for the types it is called with, as numba does. Calls of the user's own
functions are written out. A `return` or `break` in the middle becomes a variable that is tested by
what would follow.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import numpy as np

from fxla.kernels.calls import same
from fxla.kernels.expressions import AMBIGUOUS, Expressions, Frame
from fxla.kernels.ir import Loop, Make, Program, Put, Repeat, Size, array, integer
from fxla.kernels.values import (
    ArrayView,
    Element,
    Meaning,
    Pull,
    UntranslatableError,
    pull_of,
)
from fxla.loops.ir import (
    BOOL,
    INDEX,
    Assign,
    Buffer,
    Const,
    DType,
    Expr,
    If,
    Load,
    Local,
    Op,
    Select,
    Stmt,
    walk_exprs,
)

__all__ = ["Translation", "function_tree", "plain_function", "translate"]

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
class _Exit:
    """How statements are left before their end: variables that are set then."""

    returned: str | None = None
    broken: str | None = None


@dataclass
class _Returns:
    """The results of a function that is being translated."""

    places: list[Any] = field(default_factory=list)
    single: bool = True
    known: bool = False
    last: ast.AST | None = None
    level: int = 0


def plain_function(f: Any) -> Any:
    """The Python function in numba's or fxla's wrapper."""
    for name in ("__kernel__", "py_func"):
        if hasattr(f, name):
            return getattr(f, name)
    return f


def function_tree(f: FunctionType) -> ast.FunctionDef:
    """The syntax of a function, with the line numbers of its file.

    Raises:
        UntranslatableError: if its source is not known.
    """
    try:
        lines, first = inspect.getsourcelines(f)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        raise UntranslatableError(f"`{f.__name__}`, whose source is not known") from None
    ast.increment_lineno(tree, first - 1)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == f.__name__:
            return node
    raise UntranslatableError(f"`{f.__name__}`, which is not written with `def`")


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


class _Translator(Expressions):
    """Translates one function and what it calls."""

    def __init__(self, types: dict[str, DType], expected: set[int]) -> None:
        super().__init__(types)
        self.expected = expected
        self.given_at: dict[str, int] = {}
        self.written_inputs: set[int] = set()
        self.constants: list[tuple[Any, Buffer]] = []
        self.returns = _Returns()
        self.exits: list[_Exit] = []
        self.inlined = 0
        self.made_at: dict[str, int] = {}
        self.level = 0
        self.written: set[str] = set()

    def whole_function(
        self, f: FunctionType, arguments: Sequence[tuple[DType, int]]
    ) -> Translation:
        tree = function_tree(f)
        frame = self.frame = Frame(f, "")
        names = _parameters(tree)
        stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and _is_store(n)}
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
        frame.once = _assigned_once(tree)
        frame.level = self.level
        self.exits.append(_Exit())
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
        stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and _is_store(n)}
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

    # --- statements ---

    def statements(self, body: Sequence[ast.stmt]) -> None:
        """Translate statements; those behind a possible exit run only if it was not taken."""
        for k, node in enumerate(body):
            rest = body[k + 1 :]
            if isinstance(node, ast.If) and rest and not isinstance(node, ast.While):
                if _always_exits(node.body) and not node.orelse:
                    joined = ast.If(test=node.test, body=node.body, orelse=list(rest))
                    self.statement(ast.copy_location(joined, node))
                    return
                if node.orelse and _always_exits(node.orelse):
                    joined = ast.If(test=node.test, body=[*node.body, *rest], orelse=node.orelse)
                    self.statement(ast.copy_location(joined, node))
                    return
            own = self.exits[-1]
            if rest and own.returned is None and _contains(node, ast.Return):
                own.returned = self.flag(self.frame.prefix + "returned")
            self.statement(node)
            if isinstance(node, (ast.Return, ast.Break, ast.Continue)):
                return
            left = self.may_be_left(node)
            if left and rest:
                with self.block() as inner:
                    self.nested(lambda rest=rest: self.statements(rest))
                going: Expr = Op(BOOL, "not", (Local(BOOL, left[0]),))
                for name in left[1:]:
                    going = Select(
                        BOOL, going, Op(BOOL, "not", (Local(BOOL, name),)), Const(BOOL, False)
                    )
                self.emit(If(going, tuple(inner)))
                return

    def may_be_left(self, node: ast.stmt) -> list[str]:
        """The variables that tell whether a statement ended in an exit out of this block."""
        if not isinstance(node, (ast.If, ast.For, ast.While)):
            return []
        found = []
        own = self.exits[-1]
        if own.returned is not None and _contains(node, ast.Return):
            found.append(own.returned)
        inside_loop = isinstance(node, ast.If)
        if inside_loop and own.broken is not None and _leaves_loop(node):
            found.append(own.broken)
        return found

    def nested(self, translate: Any) -> None:
        """Translate what may not run: arrays bound to names before must be the same after."""
        before = dict(self.frame.env)
        self.level += 1
        translate()
        self.level -= 1
        for name, value in self.frame.env.items():
            if value is before.get(name, _MISSING) or isinstance(value, Local):
                continue
            if name in before and value == before[name]:
                continue
            self.frame.env[name] = (
                AMBIGUOUS if name in before or isinstance(value, (ArrayView, tuple)) else value
            )

    def statement(self, node: ast.stmt) -> None:
        """Translate one statement."""
        rule = getattr(self, f"do_{type(node).__name__.lower()}", None)
        if rule is None:
            raise UntranslatableError(f"`{type(node).__name__.lower()}` statements", node)
        try:
            rule(node)
        except UntranslatableError as error:
            if error.line is None:
                error.line = node.lineno
            raise

    def do_pass(self, node: ast.Pass) -> None:
        del node

    def do_expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.meaning(node.value)

    def do_assign(self, node: ast.Assign) -> None:
        value = self.meaning(node.value)
        for target in node.targets:
            self.bind(target, value, node)

    def do_annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.bind(node.target, self.meaning(node.value), node)

    def do_augassign(self, node: ast.AugAssign) -> None:
        from_op = ast.copy_location(
            ast.BinOp(left=_as_load(node.target), op=node.op, right=node.value), node
        )
        if isinstance(node.target, ast.Subscript) or self.is_array(node.target):
            view = self.target(node.target)
            right = self.operand(self.meaning(node.value), node)
            plus, minus = isinstance(node.op, ast.Add), isinstance(node.op, ast.Sub)
            if isinstance(view, Element) and (plus or minus):
                value = self.as_scalar(right, node)
                if not np.can_cast(value.dtype, view.buffer.dtype, "same_kind"):
                    self.store(view, self.scalar(from_op))
                    return
                value = value if plus else self.op("neg", value)
                self.emit(self.fixed(view, value).put(value, True))
                return
            self.store(view, self.meaning(from_op))
            return
        self.bind(node.target, self.meaning(from_op), node)

    def is_array(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and isinstance(self.frame.env.get(node.id), ArrayView)

    def target(self, node: ast.expr) -> Element | ArrayView:
        """The place that an assignment writes."""
        if isinstance(node, ast.Name):
            found = self.meaning(_as_load(node))
            assert isinstance(found, ArrayView)
            return found
        assert isinstance(node, ast.Subscript)
        base = self.meaning(node.value)
        if not isinstance(base, ArrayView):
            raise UntranslatableError("an assignment to an item of what is no array", node)
        view = self.part(base, node)
        return view if view.shape else Element(view.buffer, view.place(()))

    def store(self, to: Element | ArrayView, value: Meaning) -> None:
        """Assign to elements of an array."""
        if isinstance(to, Element):
            e = self.as_scalar(value, ast.Pass())
            self.emit(self.fixed(to, e).put(e))
            return
        pull = pull_of(value if isinstance(value, (ArrayView, Pull)) else
                       self.as_scalar(value, ast.Pass()))  # fmt: skip
        if pull.shape:
            here = to.at(tuple([Local(INDEX, f"k_{n}") for n in range(len(to.shape))]))
            probe = pull.at(tuple([Local(INDEX, f"k_{n}") for n in range(len(pull.shape))]))
            others = [x for x in walk_exprs(probe)
                      if isinstance(x, Load) and x.buffer.name == to.buffer.name]  # fmt: skip
            if any(x != here for x in others):
                pull = pull_of(self.stored(pull, "old"))
        else:
            pull = pull_of(self.temporary(pull.at(()), "value"))
        self.write(to, pull)

    def fixed(self, to: Element, value: Expr) -> Element:
        """The place with an index that does not depend on the array itself."""
        index = tuple([
            self.temporary(i, "place")
            if any(isinstance(x, Load) and x.buffer.name == to.buffer.name for x in walk_exprs(i))
            else i
            for i in to.index
        ])  # fmt: skip
        return Element(to.buffer, index)

    def bind(self, target: ast.expr, value: Meaning, node: ast.AST) -> None:
        """Assign a value to a name, an item, or several of these."""
        if isinstance(target, (ast.Tuple, ast.List)):
            self.unpack(target, value, node)
        elif isinstance(target, ast.Name):
            self.bind_name(target.id, value, node)
        elif isinstance(target, ast.Subscript):
            self.store(self.target(target), value)
        else:
            raise UntranslatableError("an assignment to an attribute", node)

    def unpack(self, target: ast.Tuple | ast.List, value: Meaning, node: ast.AST) -> None:
        if isinstance(value, ArrayView) and len(value.shape) == 1:
            value = tuple([value.at((integer(k),)) for k in range(len(target.elts))])
        if not isinstance(value, tuple) or len(value) != len(target.elts):
            raise UntranslatableError("an assignment to several names", node)
        if self.swapped(target, value):
            return
        kept = [self.temporary(v) if isinstance(v, Expr) and len(value) > 1 else v for v in value]
        for t, v in zip(target.elts, kept, strict=True):
            self.bind(t, v, node)

    def swapped(self, target: ast.Tuple | ast.List, value: tuple[Meaning, ...]) -> bool:
        """``a, b = b, a`` on arrays: their elements trade places."""
        env = self.frame.env
        names = [t.id for t in target.elts if isinstance(t, ast.Name)]
        now = [env.get(n) for n in names]
        if len(names) != 2 or len(value) != 2:
            return False
        a, b = now
        if not (isinstance(a, ArrayView) and isinstance(b, ArrayView)):
            return False
        if value != (b, a) or a == b:
            return False
        alike = len(a.shape) == len(b.shape) and a.dtype == b.dtype
        if not (alike and self.level and all(map(_is_steady, (*a.shape, *b.shape)))):
            return False
        self.assume(a.shape, b.shape)

        def one(index: Any) -> None:
            first = self.temporary(a.at(index), "swap")
            self.emit(Put(a.buffer, a.place(index), b.at(index)))
            self.emit(Put(b.buffer, b.place(index), first))

        self.loops(a.shape, one)
        return True

    def bind_name(self, name: str, value: Meaning, node: ast.AST) -> None:
        env = self.frame.env
        known = env.get(name)
        if isinstance(value, (bool, int, float, np.generic)):
            value = self.as_scalar(value, node)
        if isinstance(value, (ArrayView, Pull)) and not value.shape:
            value = value.at(())
        if isinstance(value, Expr):
            frame = self.frame
            once = name in frame.once and self.level == frame.level
            if once and self.temporary_is(value):
                env[name] = value
                return
            if isinstance(known, Local) and known.name not in self.stable:
                variable = known.name
            else:
                variable = self.fresh(frame.prefix + name)
            env[name] = self.assign(variable, value)
            if once:
                self.stable.add(variable)
            return
        if isinstance(known, ArrayView) and isinstance(value, (ArrayView, Pull)):
            outer = self.made_at.get(known.buffer.name, 0) < self.level
            if outer and self.rebound(known, value):
                return
        if isinstance(value, Pull):
            value = self.stored(value, self.frame.prefix + name)
        elif isinstance(value, tuple):
            value = tuple([
                self.assign(self.fresh(f"{self.frame.prefix}{name}_{k}"), v)
                if isinstance(v, Expr) else v for k, v in enumerate(value)
            ])  # fmt: skip
        env[name] = value

    def rebound(self, known: ArrayView, value: ArrayView | Pull) -> bool:
        """A name of an outer array given a new one of its shape: the elements are copied."""
        alike = value.dtype == known.dtype and len(value.shape) == len(known.shape)
        if not alike or not known.whole or not all(map(_is_steady, (*value.shape, *known.shape))):
            return False
        if isinstance(value, ArrayView):
            if value == known:
                return True
            if self.made_at.get(value.buffer.name, 0) < self.level:
                return False
        self.store(known, value)
        return True

    def do_if(self, node: ast.If) -> None:
        condition = self.meaning(node.test)
        if not isinstance(condition, (Expr, ArrayView, Pull)):
            self.statements(node.body if condition else node.orelse)
            return
        test = self.truth(self.as_scalar(condition, node))
        with self.block() as then:
            self.nested(lambda: self.statements(node.body))
        with self.block() as otherwise:
            self.nested(lambda: self.statements(node.orelse))
        self.emit(If(test, tuple(then), tuple(otherwise)))

    def flag(self, stem: str) -> str:
        """A variable that is false until something is left."""
        name = self.fresh(stem)
        self.assign(name, Const(BOOL, False))
        return name

    def in_loop(self, node: ast.For | ast.While, body: Any) -> tuple[tuple[Stmt, ...], Any]:
        """The body of a loop, and the variable that ends it."""
        if node.orelse:
            raise UntranslatableError("`else` of a loop", node)
        outer = self.exits[-1]
        returns = any(_contains(s, ast.Return) for s in node.body)
        breaks = any(_leaves_loop(s, (ast.Break,)) for s in node.body)
        continues = any(_leaves_loop(s, (ast.Continue,)) for s in node.body)
        if returns and outer.returned is None:
            outer.returned = self.flag(self.frame.prefix + "returned")
        left = self.flag("left") if breaks or continues or returns else None
        own = _Exit(outer.returned, left)
        self.exits.append(own)
        with self.block() as inner:
            if continues and left is not None:
                self.assign(left, Const(BOOL, False))
            self.nested(body)
        self.exits.pop()
        until = Local(BOOL, left) if left is not None and (breaks or returns) else None
        if until is not None and continues:  # a flag of its own for what only ends an iteration
            raise _BothExitsError
        return tuple(inner), until

    def do_while(self, node: ast.While) -> None:
        node = _with_continue_as_if(node)
        with self.block() as added:
            condition = self.meaning(node.test)
        if added:
            going = self.fresh("going")
            self.body += added
            self.assign(going, self.truth(self.as_scalar(condition, node)))

            def again() -> None:
                self.statements(node.body)
                self.assign(going, self.truth(self.scalar(node.test)))

            body, until = self.in_loop(node, again)
            self.emit(Repeat(Local(BOOL, going), body, until))
            return
        test = self.truth(self.as_scalar(condition, node))
        body, until = self.in_loop(node, lambda: self.statements(node.body))
        self.emit(Repeat(test, body, until))

    def do_for(self, node: ast.For) -> None:
        node = _with_continue_as_if(node)
        it = node.iter
        if isinstance(it, ast.Call):
            f = self.meaning(it.func)
            if same(f, range) or getattr(f, "__name__", "") == "prange":
                self.over_range([self.scalar(a) for a in it.args], node, None)
                return
            if same(f, enumerate, zip, reversed):
                self.over_zip(f, [self.meaning(a) for a in it.args], node)
                return
        items = self.meaning(it)
        if isinstance(items, (tuple, range)):
            for x in items:
                if any(_leaves_loop(s) for s in node.body):
                    raise UntranslatableError("`break` in a loop over a tuple", node)
                self.bind(node.target, x, node)
                self.statements(node.body)
            return
        self.over_zip(None, [items], node)

    def over_range(self, bounds: list[Expr], node: ast.For, items: Any) -> None:
        """A counted loop. `items` gives what the target is bound to, if not the index."""
        start = bounds[0] if len(bounds) > 1 else integer(0)
        stop = bounds[1] if len(bounds) > 1 else bounds[0]
        step = bounds[2] if len(bounds) > 2 else integer(1)
        start, stop = self.temporary(start, "start"), self.temporary(stop, "stop")
        step = self.temporary(step, "by")
        if items is None and isinstance(node.target, ast.Name):
            name = node.target.id
        else:
            name = "k"
        index = Local(INDEX, self.fresh(self.frame.prefix + name))
        self.types[index.name] = INDEX
        kept = items is None and self.needs_variable(name, node)
        if not kept:
            self.stable.add(index.name)

        def body() -> None:
            if items is not None:
                self.bind(node.target, items(index), node)
            elif kept:
                self.bind_name(name, index, node)
            else:
                self.frame.env[name] = index
            self.statements(node.body)

        if kept and not isinstance(self.frame.env.get(name), Local):
            self.bind_name(name, start, node)  # so that the variable exists if no iteration
        inner, until = self.in_loop(node, body)
        self.emit(Loop(index, start, stop, step, inner, until))

    def needs_variable(self, name: str, node: ast.For) -> bool:
        """Whether the target of a loop is used outside of it, or assigned in it."""
        if any(isinstance(n, ast.Name) and n.id == name and _is_store(n)
               for s in node.body for n in ast.walk(s)):  # fmt: skip
            return True
        tree = function_tree(self.frame.function)
        return _read_outside_of_loops(tree, name)

    def over_zip(self, f: Any, args: list[Meaning], node: ast.For) -> None:
        """A loop over arrays, side by side or counted."""
        if same(f, enumerate) and len(args) == 1:
            items = [self.iterable(args[0], node)]

            def both(i: Expr) -> Meaning:
                return i, items[0][1](i)

            self.over_range([items[0][0]], node, both)
            return
        if same(f, reversed):
            raise UntranslatableError("`reversed`", node)
        several = [self.iterable(a, node) for a in args]
        n = several[0][0]
        for other, _ in several[1:]:
            n = Op(INDEX, "minimum", (n, other))
        if f is None:
            self.over_range([n], node, several[0][1])
            return
        self.over_range([n], node, lambda i: tuple([at(i) for _, at in several]))

    def iterable(self, x: Meaning, node: ast.AST) -> tuple[Expr, Any]:
        if not isinstance(x, (ArrayView, Pull)) or not x.shape:
            raise UntranslatableError(f"a loop over {type(x).__name__}", node)
        view = x if isinstance(x, ArrayView) else self.stored(x, "items")

        def at(i: Expr) -> Meaning:
            found = self.select_axes(view, [i], node)
            return found if found.shape else found.at(())

        return view.shape[0], at

    # --- exits ---

    def do_break(self, node: ast.Break) -> None:
        left = self.exits[-1].broken
        assert left is not None
        self.assign(left, Const(BOOL, True))

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


def _is_steady(n: Expr) -> bool:
    """Whether a size is that of an argument, or known."""
    return isinstance(n, (Const, Size)) or (isinstance(n, Local) and "_now" not in n.name)


_MISSING = object()


class _BothExitsError(UntranslatableError):
    """A loop with both `continue` in the middle of something and `break`."""

    def __init__(self) -> None:
        super().__init__("a loop with `break` and a nested `continue`")


# ------------------------------------------------------------------ questions about syntax


def _is_store(n: ast.Name) -> bool:
    return isinstance(n.ctx, ast.Store)


def _parameters(tree: ast.FunctionDef) -> list[str]:
    a = tree.args
    if a.vararg or a.kwarg or a.kwonlyargs:
        raise UntranslatableError("`*args`, `**kwargs` or keyword-only arguments", tree)
    return [x.arg for x in (*a.posonlyargs, *a.args)]


def _assigned_once(tree: ast.FunctionDef) -> set[str]:
    """Names that one statement assigns, and no loop."""
    counts: dict[str, int] = {}

    def count(node: ast.AST, times: int) -> None:
        if isinstance(node, ast.Name) and _is_store(node):
            counts[node.id] = counts.get(node.id, 0) + times
        several = times * (2 if isinstance(node, (ast.For, ast.While)) else 1)
        for inner in ast.iter_child_nodes(node):
            count(inner, several)

    count(tree, 1)
    for x in tree.args.args:
        counts[x.arg] = counts.get(x.arg, 0) + 1
    return {name for name, n in counts.items() if n == 1}


def _as_load(n: ast.expr) -> Any:
    return ast.parse(ast.unparse(n), mode="eval").body


def _always_exits(body: Sequence[ast.stmt]) -> bool:
    """Whether statements never reach their end."""
    for s in body:
        if isinstance(s, (ast.Return, ast.Break, ast.Continue)):
            return True
        if isinstance(s, ast.If) and s.orelse and _always_exits(s.body) and _always_exits(s.orelse):
            return True
    return False


def _contains(node: ast.AST, kind: type[ast.AST]) -> bool:
    return any(isinstance(n, kind) for n in ast.walk(node))


def _leaves_loop(node: ast.AST, kinds: Any = (ast.Break, ast.Continue)) -> bool:
    """Whether a statement has an exit that belongs to the loop around it."""
    if isinstance(node, kinds):
        return True
    if isinstance(node, (ast.For, ast.While, ast.FunctionDef)):
        return False
    return any(_leaves_loop(n, kinds) for n in ast.iter_child_nodes(node))


def _with_continue_as_if(node: Any) -> Any:
    """The loop with what follows ``if c: ...; continue`` in the `else`, so nothing is skipped."""
    changed = type(node)(**{k: getattr(node, k) for k in node._fields})
    changed.body = _joined(list(node.body))
    return ast.copy_location(changed, node)


def _joined(body: list[ast.stmt]) -> list[ast.stmt]:
    for k, s in enumerate(body):
        if isinstance(s, ast.Continue):
            return body[:k] or [ast.copy_location(ast.Pass(), s)]
        if isinstance(s, ast.If) and _leaves_loop(s, (ast.Continue,)):
            rest = body[k + 1 :]
            then = [*s.body] if _always_exits(s.body) else [*s.body, *rest]
            other = [*s.orelse] if s.orelse and _always_exits(s.orelse) else [*s.orelse, *rest]
            new = ast.If(test=s.test, body=_joined(then), orelse=_joined(other))
            return [*body[:k], ast.copy_location(new, s)]
    return body


def _read_outside_of_loops(tree: ast.FunctionDef, name: str) -> bool:
    """Whether a loop's variable is read where no loop over it is around."""

    def search(node: ast.AST, inside: bool) -> bool:
        if isinstance(node, ast.Name) and node.id == name and not _is_store(node):
            return not inside
        if isinstance(node, ast.For):
            over = any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node.target))
            return search(node.iter, inside) or any(
                search(s, inside or over) for s in (*node.body, *node.orelse)
            )
        return any(search(n, inside) for n in ast.iter_child_nodes(node))

    return search(tree, False)


def _without_unset(program: Program) -> Program:
    """Variables that are a result but not always assigned start at zero."""
    first = [Assign(o, Const(o.dtype, o.dtype.type(0).item()))
             for o in program.outputs if isinstance(o, Local)
             and not any(isinstance(s, Assign) and s.local.name == o.name for s in program.body)
             ]  # fmt: skip
    return Program(program.name, program.inputs, program.outputs, (*first, *program.body))
