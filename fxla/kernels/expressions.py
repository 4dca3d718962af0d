"""Expressions of a kernel's function, from Python's syntax to typed expressions."""

from __future__ import annotations

import ast
import builtins
import contextlib
from abc import ABC, abstractmethod
from dataclasses import field
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from fxla.core.records import dataclass
from fxla.kernels.emit import Emitter, number_of
from fxla.kernels.ir import cast, integer
from fxla.kernels.values import (
    ArrayView,
    Fixed,
    Index,
    Meaning,
    Pull,
    Span,
    UntranslatableError,
)
from fxla.loops.ir import BOOL, INDEX, Const, Expr, Local, Op, Select
from fxla.loops.view import binary

__all__ = ["AMBIGUOUS", "Expressions", "Frame", "Method", "numpys"]

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "floordiv",
    ast.Mod: "mod", ast.Pow: "pow", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
    ast.LShift: "shl", ast.RShift: "shr",
}  # fmt: skip
_COMPARISONS: dict[type[ast.AST], str] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
}  # fmt: skip


@dataclass
class Frame:
    """A function being translated.

    Attributes:
        function: the Python function.
        prefix: of the names of its variables.
        env: what its names stand for; a number is a variable of the program.
        depth: of calls.
        once: names that are assigned once, outside of loops.
        level: how many blocks that may not run are around it.
    """

    function: FunctionType
    prefix: str
    env: dict[str, Meaning] = field(default_factory=dict)
    depth: int = 0
    once: set[str] = field(default_factory=set)
    level: int = 0


class Expressions(Emitter, ABC):
    """Translates expressions in the frame `frame`."""

    frame: Frame

    # --- numbers ---

    def scalar(self, node: ast.expr) -> Expr:
        """An expression that must be a number."""
        found = self.meaning(node)
        return self.as_scalar(found, node)

    def as_scalar(self, found: Meaning, node: ast.AST) -> Expr:
        """A meaning as a number."""
        if isinstance(found, (bool, int, float, np.generic)):
            dtype = found.dtype if isinstance(found, np.generic) else np.dtype(type(found))
            if dtype.kind not in "biuf":
                raise UntranslatableError(f"a number of dtype {dtype}", node)
            return number_of(found, dtype)
        if isinstance(found, (ArrayView, Pull)) and not found.shape:
            return found.at(())
        if isinstance(found, Expr):
            return found
        what = "an array" if isinstance(found, (ArrayView, Pull)) else f"{type(found).__name__}"
        raise UntranslatableError(f"{what} where a number is expected", node)

    def meaning(self, node: ast.expr) -> Meaning:
        """What an expression stands for."""
        rule = getattr(self, f"on_{type(node).__name__.lower()}", None)
        if rule is None:
            raise UntranslatableError(f"`{type(node).__name__}` expressions", node)
        try:
            return rule(node)
        except UntranslatableError as error:
            if error.line is None:
                error.line = node.lineno
            raise

    def on_constant(self, node: ast.Constant) -> Meaning:
        if isinstance(node.value, complex):
            raise UntranslatableError("complex numbers", node)
        return node.value

    def on_name(self, node: ast.Name) -> Meaning:
        env = self.frame.env
        if node.id in env:
            found = env[node.id]
            if isinstance(found, Local):
                return self.variable(found.name)
            if found is AMBIGUOUS:
                raise UntranslatableError(
                    f"`{node.id}` is another array after one branch or iteration than after "
                    "another", node,
                )  # fmt: skip
            return found
        return self.outside(self.global_value(node.id, node))

    def global_value(self, name: str, node: ast.AST) -> Any:
        """A value from the function's closure, its module or the builtins."""
        f = self.frame.function
        for cell_name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
            if cell_name == name:
                with contextlib.suppress(ValueError):
                    return cell.cell_contents
        if name in f.__globals__:
            return f.__globals__[name]
        if hasattr(builtins, name):
            return getattr(builtins, name)
        raise UntranslatableError(f"`{name}`, which has no value", node)

    def outside(self, value: Any) -> Meaning:
        """A Python object; arrays of the function's surroundings are constants."""
        if isinstance(value, np.ndarray):
            return self.captured(value)
        if isinstance(value, tuple):
            return tuple([self.outside(v) for v in value])
        return numpys(value)

    @abstractmethod
    def captured(self, value: Any) -> Meaning:
        """An array that the function closes over."""

    @abstractmethod
    def product(self, a: Meaning, b: Meaning, node: ast.AST) -> Meaning:
        """A product of vectors and matrices."""

    def on_tuple(self, node: ast.Tuple) -> Meaning:
        return tuple([self.meaning(e) for e in node.elts])

    on_list = on_tuple

    def on_binop(self, node: ast.BinOp) -> Meaning:
        name = _OPERATORS.get(type(node.op))
        if name is None:
            if isinstance(node.op, ast.MatMult):
                return self.product(self.meaning(node.left), self.meaning(node.right), node)
            raise UntranslatableError(f"operator {type(node.op).__name__}", node)
        left, right = self.meaning(node.left), self.meaning(node.right)
        if isinstance(left, tuple) and isinstance(right, tuple) and name == "add":
            return left + right
        if isinstance(left, tuple) and isinstance(right, int) and name == "mul":
            return left * right
        return self.combine(name, left, right, node)

    def combine(self, name: str, left: Meaning, right: Meaning, node: ast.AST) -> Meaning:
        """An arithmetic operation on numbers or arrays."""
        if isinstance(left, (bool, int, float)) and isinstance(right, (bool, int, float)):
            return _FOLD[name](left, right)
        if isinstance(left, (ArrayView, Pull)) or isinstance(right, (ArrayView, Pull)):
            return self.elementwise(name, *[self.operand(x, node) for x in (left, right)])
        return self.op(name, self.as_scalar(left, node), self.as_scalar(right, node))

    def operand(self, x: Meaning, node: ast.AST) -> Meaning:
        """An array, or anything else as a number."""
        return x if isinstance(x, (ArrayView, Pull)) else self.as_scalar(x, node)

    def on_unaryop(self, node: ast.UnaryOp) -> Meaning:
        x = self.meaning(node.operand)
        if isinstance(node.op, ast.Not):
            if isinstance(x, (bool, int, float)):
                return not x
            return Op(BOOL, "not", (self.truth(self.as_scalar(x, node)),))
        if isinstance(x, (bool, int, float)):
            if isinstance(node.op, ast.Invert):
                return ~int(x)
            return -x if isinstance(node.op, ast.USub) else +x
        if isinstance(node.op, ast.UAdd):
            return x
        name = "neg" if isinstance(node.op, ast.USub) else "not"
        if isinstance(x, (ArrayView, Pull)):
            return self.elementwise(name, x)
        return self.op(name, self.as_scalar(x, node))

    def on_compare(self, node: ast.Compare) -> Meaning:
        left = self.meaning(node.left)
        found: Meaning = None
        for operator, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.meaning(right_node)
            if isinstance(operator, (ast.Is, ast.IsNot)):
                if isinstance(left, Expr) or isinstance(right, Expr):
                    part: Meaning = isinstance(operator, ast.IsNot)
                else:
                    part = (left is right) == isinstance(operator, ast.Is)
            else:
                name = _COMPARISONS.get(type(operator))
                if name is None:
                    raise UntranslatableError("`in`", node)
                part = self.combine(name, left, right, node)
            found = part if found is None else self.both(found, part, node)
            left = right
        return found

    def both(self, a: Meaning, b: Meaning, node: ast.AST) -> Meaning:
        if isinstance(a, bool):
            return b if a else False
        return Select(BOOL, self.as_scalar(a, node), self.as_scalar(b, node), Const(BOOL, False))

    def on_boolop(self, node: ast.BoolOp) -> Meaning:
        conjunction = isinstance(node.op, ast.And)
        found = self.meaning(node.values[0])
        for n in node.values[1:]:
            if isinstance(found, (bool, int, float)):
                if bool(found) == conjunction:
                    found = self.meaning(n)
                continue
            condition = self.truth(self.as_scalar(found, n))
            self.lazy += 1
            with self.block() as added:
                value = self.meaning(n)
            self.lazy -= 1
            if added:
                raise UntranslatableError("a loop or call in the second operand of `and`, `or`", n)
            second = self.truth(self.as_scalar(value, n))
            short = Const(BOOL, not conjunction)
            arms = (second, short) if conjunction else (short, second)
            found = Select(BOOL, condition, *arms)
        return found

    def on_ifexp(self, node: ast.IfExp) -> Meaning:
        condition = self.meaning(node.test)
        if isinstance(condition, (bool, int, float, str, type(None))):
            return self.meaning(node.body if condition else node.orelse)
        test = self.truth(self.as_scalar(condition, node))
        self.lazy += 1
        with self.block() as first:
            then = self.meaning(node.body)
        with self.block() as second:
            otherwise = self.meaning(node.orelse)
        self.lazy -= 1
        if first or second:
            raise UntranslatableError("a loop or call in an arm of `a if c else b`", node)
        return self.choose(test, self.as_scalar(then, node), self.as_scalar(otherwise, node))

    # --- arrays ---

    def on_attribute(self, node: ast.Attribute) -> Meaning:
        base = self.meaning(node.value)
        name = node.attr
        if isinstance(base, (ArrayView, Pull)):
            if name == "shape":
                return base.shape
            if name == "ndim":
                return len(base.shape)
            if name == "dtype":
                return base.dtype
            if name == "size":
                return self.product_of(base.shape)
            if name == "T":
                return self.transposed(base)
            return Method(base, name)
        if isinstance(base, Expr):
            if name == "dtype":
                return base.dtype
            if name in ("real",):
                return base
            raise UntranslatableError(f"attribute `{name}` of a number", node)
        try:
            return self.outside(getattr(base, name))
        except AttributeError:
            raise UntranslatableError(f"attribute `{name}`", node) from None

    def product_of(self, shape: Index) -> Expr:
        found: Expr = integer(1)
        for n in shape:
            found = binary("mul", found, n)
        return found

    def transposed(self, x: ArrayView | Pull) -> ArrayView | Pull:
        if isinstance(x, ArrayView):
            return ArrayView(x.buffer, x.axes, x.order[::-1])
        return Pull(x.shape[::-1], x.dtype, lambda index: x.at(index[::-1]))

    def on_subscript(self, node: ast.Subscript) -> Meaning:
        base = self.meaning(node.value)
        if isinstance(base, tuple):
            return self.item(base, node)
        if isinstance(base, Pull):
            base = self.stored(base, "part")
        if not isinstance(base, ArrayView):
            raise UntranslatableError(f"an item of {type(base).__name__}", node)
        view = self.part(base, node)
        return view.at(()) if not view.shape else view

    def item(self, base: tuple[Meaning, ...], node: ast.Subscript) -> Meaning:
        """An item of a tuple."""
        if isinstance(node.slice, ast.Slice):
            bounds = [
                None if b is None else self.known(self.meaning(b))
                for b in (node.slice.lower, node.slice.upper, node.slice.step)
            ]
            return base[slice(*bounds)]
        at = self.known(self.meaning(node.slice))
        if at is None:
            raise UntranslatableError("an item of a tuple at a place that is computed", node)
        return base[at]

    def known(self, x: Meaning) -> int | None:
        """An integer that is the same in every call."""
        if isinstance(x, Const):
            return int(x.value)
        return int(x) if isinstance(x, (bool, int)) else None

    def part(self, base: ArrayView, node: ast.Subscript) -> ArrayView:
        """``base[index]`` as a view."""
        parts = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        if len(parts) == 1 and not isinstance(parts[0], (ast.Slice, ast.Constant)):
            whole = self.meaning(parts[0])
            if isinstance(whole, tuple):
                return self.select_axes(base, [self.place(p, node) for p in whole], node)
            return self.select_axes(base, [self.place(whole, node)], node)
        given: list[Any] = []
        for p in parts:
            if isinstance(p, ast.Slice):
                given.append(p)
            elif isinstance(p, ast.Constant) and p.value is Ellipsis:
                given += [ast.Slice()] * (len(base.shape) - len(parts) + 1)
            else:
                given.append(self.place(self.meaning(p), node))
        return self.select_axes(base, given, node)

    def place(self, x: Meaning, node: ast.AST) -> Expr:
        """An index of one axis."""
        found = self.as_scalar(x, node)
        if found.dtype.kind not in "iub":
            raise UntranslatableError(f"an index of dtype {found.dtype}", node)
        return cast(found, INDEX)

    def select_axes(self, base: ArrayView, given: list[Any], node: ast.AST) -> ArrayView:
        """A view of a view: for each axis an index or a slice, or nothing for all of it."""
        if len(given) > len(base.shape):
            raise UntranslatableError("too many indices", node)
        spans = [k for k, a in enumerate(base.axes) if isinstance(a, Span)]
        axes = list(base.axes)
        dropped: set[int] = set()
        for k, chosen in enumerate(given):
            at = spans[base.order[k]]
            span = axes[at]
            assert isinstance(span, Span)
            if isinstance(chosen, ast.Slice):
                axes[at] = self.sliced(span, chosen)
            else:
                one = ArrayView(base.buffer, (span,), (0,))
                axes[at] = Fixed(one.place((chosen,))[0])
                dropped.add(base.order[k])
        kept = [n for n in base.order if n not in dropped]
        ranks = {n: r for r, n in enumerate(sorted(kept))}
        return ArrayView(base.buffer, tuple(axes), tuple([ranks[n] for n in kept]))

    def sliced(self, span: Span, s: ast.Slice) -> Span:
        """A part of an axis; bounds are clipped as Python clips them."""
        step = 1 if s.step is None else self.known(self.meaning(s.step))
        if step is None or step == 0:
            raise UntranslatableError("a slice with a step that is computed", s)
        if s.lower is None and s.upper is None:
            if step == 1:
                return span
            if step == -1:
                last = binary("sub", span.length, integer(1))
                start = binary("add", span.start, binary("mul", last, integer(span.step)))
                return Span(start, span.length, -span.step)
        if step < 0:
            raise UntranslatableError("a slice with a negative step and bounds", s)
        low = integer(0) if s.lower is None else self.bound(span, s.lower)
        high = span.length if s.upper is None else self.bound(span, s.upper)
        low, high = self.temporary(low, "low"), self.temporary(high, "high")
        length = binary("sub", high, low)
        if step != 1:
            length = binary("floordiv", binary("add", length, integer(step - 1)), integer(step))
        length = self.temporary(Op(INDEX, "maximum", (length, integer(0))), "n")
        start = binary("add", span.start, binary("mul", low, integer(span.step)))
        return Span(self.temporary(start, "low"), length, span.step * step)

    def bound(self, span: Span, node: ast.expr) -> Expr:
        e = self.place(self.meaning(node), node)
        if isinstance(e, Const) and e.value < 0:
            e = binary("add", span.length, e)
            return Op(INDEX, "maximum", (e, integer(0)))
        if isinstance(e, Const) and e.value == 0:
            return e
        return Op(INDEX, "minimum", (e, span.length))


def numpys(value: Any) -> Any:
    """NumPy's module or function in the place of fxla's of that name: numba knows those."""
    if isinstance(value, ModuleType):
        return np if value.__name__ == "fxla.numpy" else value
    if str(getattr(value, "__module__", "")).startswith("fxla.numpy"):
        return getattr(np, getattr(value, "__name__", ""), value)
    return value


class _Ambiguous:
    """What a name stands for that is bound to different arrays on different ways."""


AMBIGUOUS = _Ambiguous()


@dataclass(frozen=True)
class Method:
    """A method of an array."""

    base: ArrayView | Pull
    name: str


_FOLD: dict[str, Any] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b, "floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b,
    "pow": lambda a, b: a**b, "and": lambda a, b: a & b, "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b, "shl": lambda a, b: a << b, "shr": lambda a, b: a >> b,
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
}  # fmt: skip
