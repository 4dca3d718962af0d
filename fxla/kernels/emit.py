"""Building a program: statements in order, names, and the types of variables.

A variable has one type. Which, is known when every assignment to it has been seen; so a function
is translated again as long as a variable turns out wider than it was taken for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fxla.kernels.ir import Loop, Make, Size, array, cast, integer
from fxla.kernels.values import ArrayView, Element, Index, Pull, Span, UntranslatableError, pull_of
from fxla.loops.ir import (
    BOOL,
    INDEX,
    Assign,
    Buffer,
    Const,
    DType,
    Expr,
    Local,
    Op,
    Select,
    Stmt,
)
from fxla.loops.scalar import PREDICATES
from fxla.loops.view import binary, compare

__all__ = ["Emitter"]

FLOAT = np.dtype(np.float64)
_FLOATING = frozenset("add sub mul neg abs maximum minimum pow mod floordiv fmod sign".split())


class Emitter:
    """Collects the statements of a program."""

    def __init__(self, types: dict[str, DType]) -> None:
        """Start a program.

        Args:
            types: of variables, as far as they are known; it learns.
        """
        self.types = types
        self.widened = False
        self.body: list[Stmt] = []
        self.names: dict[str, int] = {}
        self.shapes: dict[str, Index] = {}
        self.stable: set[str] = set()
        self.lazy = 0  # how many operands that may not be evaluated are around
        self.assumed: list[tuple[Expr, Expr]] = []

    # --- names and statements ---

    def fresh(self, stem: str) -> str:
        """A name that nothing has."""
        n = self.names.get(stem)
        self.names[stem] = 1 if n is None else n + 1
        name = stem if n is None else f"{stem}_{n}"
        return name if n is None or name not in self.names else self.fresh(stem)

    def emit(self, s: Stmt) -> None:
        """Add a statement."""
        self.body.append(s)

    @contextlib.contextmanager
    def block(self) -> Iterator[list[Stmt]]:
        """Statements added inside go to a block of their own."""
        before, self.body = self.body, []
        try:
            yield self.body
        finally:
            self.body = before

    def assign(self, name: str, value: Expr) -> Local:
        """Assign a variable, which is as wide as its widest value."""
        known = self.types.get(name)
        dtype = value.dtype if known is None else np.promote_types(known, value.dtype)
        if known is None or dtype != known:
            self.widened = self.widened or known is not None
            self.types[name] = dtype
        local = Local(dtype, name)
        self.emit(Assign(local, cast(value, dtype)))
        return local

    def variable(self, name: str) -> Local:
        """A variable that has been assigned."""
        return Local(self.types[name], name)

    def temporary(self, value: Expr, stem: str = "t") -> Expr:
        """A value that stays what it is whatever is assigned later."""
        if self.temporary_is(value):
            return value
        local = self.assign(self.fresh(stem), value)
        self.stable.add(local.name)
        return local

    def temporary_is(self, value: Expr) -> bool:
        """Whether a value stays what it is anyway."""
        steady = isinstance(value, Local) and value.name in self.stable
        return steady or isinstance(value, (Const, Size))

    def counter(self) -> Local:
        """The index of a loop that translation adds."""
        name = self.fresh("k_0")
        self.stable.add(name)
        self.types[name] = INDEX
        return Local(INDEX, name)

    # --- scalar arithmetic ---

    def op(self, name: str, *args: Expr) -> Expr:
        """A scalar operation on operands of any types, with numba's type for the result."""
        dtype = np.result_type(*[a.dtype for a in args])
        if dtype.kind == "b" and name not in ("and", "or", "xor", "not", "eq", "ne"):
            dtype = INDEX
        if dtype.kind in "iub" and name not in (*_FLOATING, *_BITS, *PREDICATES, "square"):
            dtype = FLOAT
        if name in ("isnan", "isinf", "isfinite", "signbit") and dtype.kind != "f":
            dtype = FLOAT
        operands = tuple([cast(a, dtype) for a in args])
        if name == "square":
            return Op(dtype, "mul", (operands[0], operands[0]))
        if name == "reciprocal":
            return Op(dtype, "div", (number_of(1, dtype), operands[0]))
        if name in ("radians", "degrees"):
            factor = np.pi / 180 if name == "radians" else 180 / np.pi
            return Op(dtype, "mul", (operands[0], number_of(factor, dtype)))
        if dtype == INDEX and name in ("add", "sub", "mul"):
            return binary(name, *operands)
        return Op(BOOL if name in PREDICATES else dtype, name, operands)

    def choose(self, condition: Expr, then: Expr, otherwise: Expr) -> Expr:
        """One of two numbers."""
        dtype = np.promote_types(then.dtype, otherwise.dtype)
        return Select(dtype, self.truth(condition), cast(then, dtype), cast(otherwise, dtype))

    def truth(self, e: Expr) -> Expr:
        """Whether a number is not zero."""
        return e if e.dtype == BOOL else compare("ne", e, number_of(0, e.dtype))

    # --- arrays ---

    def sizes(self, b: Buffer) -> Index:
        """The shape of an array."""
        known = self.shapes.get(b.name)
        return known if known is not None else b.shape

    def whole(self, b: Buffer) -> ArrayView:
        """All of an array."""
        zero = integer(0)
        axes = tuple([Span(zero, n, 1, True) for n in self.sizes(b)])
        return ArrayView(b, axes, tuple(range(len(axes))))

    def make(self, name: str, shape: Sequence[Expr], dtype: DType, fill: Expr | None) -> ArrayView:
        """Make an array."""
        sizes = tuple([self.temporary(cast(n, INDEX), "n") for n in shape])
        buffer = array(self.fresh(name), dtype, len(sizes))
        self.shapes[buffer.name] = sizes
        self.emit(Make(buffer, sizes, None if fill is None else cast(fill, dtype)))
        return self.whole(buffer)

    def loops(self, shape: Sequence[Expr], body: Callable[[Index], None]) -> None:
        """Nested loops over a shape, around what `body` emits."""
        index: list[Expr] = []

        def nest(rest: Sequence[Expr]) -> None:
            if not rest:
                body(tuple(index))
                return
            counter = self.counter()
            index.append(counter)
            with self.block() as inner:
                nest(rest[1:])
            self.emit(Loop(counter, integer(0), rest[0], integer(1), tuple(inner)))

        nest(shape)

    def stored(self, x: Pull, name: str) -> ArrayView:
        """An array expression computed into a new array."""
        made = self.make(name, x.shape, x.dtype, None)
        self.write(made, x)
        return made

    def write(self, to: ArrayView, x: Pull, add: bool = False) -> None:
        """Assign every element of a view, broadcasting."""
        if len(x.shape) <= len(to.shape):
            self.assume(x.shape, to.shape[len(to.shape) - len(x.shape) :])

        def one(index: Index) -> None:
            value = broadcast(x, index)
            self.emit(Element(to.buffer, to.place(index)).put(value, add))

        self.loops(to.shape, one)

    def assume(self, a: Index, b: Index) -> None:
        """Note sizes that must be equal, if they are not so by what they are."""
        for x, y in zip(a, b, strict=True):
            if x != y and not is_one(x):
                self.assumed.append((x, y))

    def elementwise(self, name: str, *args: Any) -> Pull:
        """An operation on arrays and numbers, element by element."""
        pulls = [pull_of(a) for a in args]
        shape = broadcast_shape([p.shape for p in pulls])
        for p in pulls:
            self.assume(p.shape, shape[len(shape) - len(p.shape) :])
        probe = self.op(name, *[Local(p.dtype, "x") for p in pulls])

        def at(index: Index) -> Expr:
            return self.op(name, *[broadcast(p, index) for p in pulls])

        return Pull(shape, probe.dtype, at)

    def reduced(self, how: str, x: Pull) -> Expr:
        """A reduction over all elements of an array."""
        name = self.fresh("total" if how in ("add", "mul") else "best")
        if how in ("add", "mul"):
            dtype = INDEX if x.dtype.kind in "b" else x.dtype
            self.assign(name, number_of(0 if how == "add" else 1, dtype))
        else:
            self.assign(name, x.at(tuple([integer(0)] * len(x.shape))))

        def one(index: Index) -> None:
            before, value = self.variable(name), x.at(index)
            if how in ("add", "mul"):
                self.assign(name, self.op(how, before, value))
                return
            order = compare("gt" if how == "max" else "lt", value, before)
            self.assign(name, self.choose(order, value, before))

        self.loops(x.shape, one)
        return self.variable(name)


_BITS = frozenset("and or xor not shl shr".split())


def number_of(value: Any, dtype: DType) -> Const:
    """A constant of a dtype."""
    return Const(dtype, dtype.type(value).item())


def is_one(n: Expr) -> bool:
    """Whether a size is 1 whatever the arguments are."""
    return isinstance(n, Const) and n.value == 1


def broadcast_shape(shapes: Sequence[Index]) -> Index:
    """The common shape. Sizes that are not known to be 1 are taken to be equal."""
    rank = max(len(s) for s in shapes)
    found: list[Expr] = []
    for k in range(-rank, 0):
        sizes = [s[k] for s in shapes if len(s) >= -k]
        found.append(next((n for n in sizes if not is_one(n)), sizes[0]))
    return tuple(found)


def broadcast(x: Pull, index: Index) -> Expr:
    """An element of an array that is broadcast to the rank of an index."""
    if len(x.shape) > len(index):
        raise UntranslatableError("an array of more axes than what it is assigned to")
    own = index[len(index) - len(x.shape) :]
    return x.at(tuple([integer(0) if is_one(n) else i for n, i in zip(x.shape, own, strict=True)]))
