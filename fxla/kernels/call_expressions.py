"""Calls in a kernel's function: of scalar functions, of functions on arrays, of the user's own."""

from __future__ import annotations

import ast
import math
from abc import abstractmethod
from collections.abc import Sequence
from types import FunctionType
from typing import Any

import numpy as np

from fxla.kernels.calls import BINARY, CONSTRUCTORS, CONVERSIONS, LIKE, REDUCTIONS, UNARY, same
from fxla.kernels.emit import FLOAT, number_of
from fxla.kernels.expressions import Expressions, Method
from fxla.kernels.ir import cast, integer
from fxla.kernels.values import (
    ArrayView,
    Element,
    Index,
    Meaning,
    Pull,
    UntranslatableError,
    pull_of,
)
from fxla.loops.ir import BOOL, INDEX, Cast, Const, Expr, Local

__all__ = ["Calls"]


class Calls(Expressions):
    """Translates calls."""

    def on_call(self, node: ast.Call) -> Meaning:
        f = self.meaning(node.func)
        args = [self.meaning(a) for a in node.args]
        options = {k.arg: self.meaning(k.value) for k in node.keywords if k.arg is not None}
        if len(options) < len(node.keywords):
            raise UntranslatableError("`**` in a call", node)
        if isinstance(f, Method):
            return self.method(f, args, options, node)
        return self.call(f, args, options, node)

    def call(
        self, f: Any, args: list[Meaning], options: dict[str, Meaning], node: ast.Call
    ) -> Meaning:
        """A call of a function that is known."""
        hashable = getattr(type(f), "__hash__", None) is not None
        if hashable and f in CONVERSIONS and len(args) == 1:
            return self.converted(args[0], CONVERSIONS[f], node)
        if isinstance(f, np.dtype) and len(args) == 1:
            return self.converted(args[0], f, node)
        if same(f, min, max) and len(args) > 1:
            return self.extreme("lt" if f is min else "gt", args, node)
        if same(f, math.floor, math.ceil, math.trunc, round) and len(args) == 1:
            x = self.as_scalar(args[0], node)
            if x.dtype.kind in "iub":
                return x
            return Cast(INDEX, self.op("rint" if f is round else UNARY[f], x))
        if hashable and f in UNARY and len(args) == 1:
            return self.mapped(UNARY[f], args, node)
        if hashable and f in BINARY and len(args) == 2:
            return self.mapped(BINARY[f], args, node)
        if hashable and (f in CONSTRUCTORS or f in LIKE or f in (np.full, np.full_like)):
            return self.construct(f, args, options, node)
        if same(f, len):
            return args[0].shape[0] if not isinstance(args[0], tuple) else len(args[0])
        return self.other_call(f, args, options, node)

    def extreme(self, order: str, args: Sequence[Meaning], node: ast.AST) -> Expr:
        """Python's `min` or `max`: each operand is evaluated once, where that may be."""

        def once(e: Expr) -> Expr:
            return e if self.lazy or isinstance(e, Local) else self.temporary(e, "m")

        found, *rest = [once(self.as_scalar(a, node)) for a in args]
        for k, value in enumerate(rest):
            found = self.choose(self.op(order, value, found), value, found)
            if k + 1 < len(rest):
                found = once(found)
        return found

    def mapped(self, name: str, args: Sequence[Meaning], node: ast.AST) -> Meaning:
        """A scalar function of numbers, or of arrays element by element."""
        if any(isinstance(a, (ArrayView, Pull)) for a in args):
            return self.elementwise(name, *[self.operand(a, node) for a in args])
        return self.op(name, *[self.as_scalar(a, node) for a in args])

    def converted(self, x: Meaning, dtype: Any, node: ast.AST) -> Meaning:
        if isinstance(x, (ArrayView, Pull)) and x.shape:
            pull = pull_of(x)
            return Pull(pull.shape, dtype, lambda index: cast(pull.at(index), dtype))
        value = self.as_scalar(x, node)
        return self.truth(value) if dtype == BOOL else cast(value, dtype)

    def other_call(
        self, f: Any, args: list[Meaning], options: dict[str, Meaning], node: ast.Call
    ) -> Meaning:
        """Functions of arrays, and the user's own."""
        name = getattr(f, "__name__", "")
        module = (getattr(f, "__module__", "") or "").partition(".")[0]
        if module == "numpy" or same(f, sum, min, max):
            arrays = bool(args) and isinstance(args[0], (ArrayView, Pull))
            if name in REDUCTIONS and len(args) == 1 and arrays and not options:
                return self.reduction(name, args[0])
            if name in ("dot", "vdot", "inner") and len(args) == 2:
                return self.product(args[0], args[1], node)
            if name in ("copy", "ascontiguousarray", "asarray", "ravel") and arrays:
                return self.copied(args[0], name == "ravel")
            if name == "where" and len(args) == 3:
                return self.where(args, node)
            if name == "arange" and not options:
                return self.arange(args, node)
        if isinstance(f, FunctionType) or hasattr(f, "py_func") or hasattr(f, "__kernel__"):
            return self.inline(f, args, options, node)
        raise UntranslatableError(f"a call of {name or type(f).__name__}", node)

    @abstractmethod
    def inline(
        self, f: Any, args: list[Meaning], options: dict[str, Meaning], node: ast.Call
    ) -> Meaning:
        """A call of another function of the user's."""

    def construct(
        self, f: Any, args: list[Meaning], options: dict[str, Meaning], node: ast.Call
    ) -> ArrayView:
        """A new array."""
        filled = same(f, np.full, np.full_like)
        dtype = options.get("dtype", args[1 + filled] if len(args) > 1 + filled else None)
        fill: Any = None
        if filled:
            fill = self.as_scalar(args[1] if len(args) > 1 else options["fill_value"], node)
        like = f in LIKE or f is np.full_like
        if like:
            shape, default = args[0].shape, args[0].dtype
        else:
            given = args[0] if args else options["shape"]
            sizes = given if isinstance(given, tuple) else (given,)
            shape = tuple([self.as_scalar(n, node) for n in sizes])
            default = fill.dtype if filled else FLOAT
        kind = default if dtype is None else self.dtype_of(dtype, node)
        value = CONSTRUCTORS[f] if f in CONSTRUCTORS else LIKE.get(f)
        if not filled and value is not None:
            fill = number_of(value, kind)
        return self.make("made", shape, kind, fill)

    def dtype_of(self, x: Meaning, node: ast.AST) -> Any:
        """A dtype argument."""
        try:
            found = np.dtype(x)
        except TypeError:
            raise UntranslatableError("a dtype that is not known", node) from None
        if found.kind not in "biuf":
            raise UntranslatableError(f"arrays of dtype {found}", node)
        return found

    def method(
        self, f: Method, args: list[Meaning], options: dict[str, Meaning], node: ast.Call
    ) -> Meaning:
        """A method of an array."""
        if f.name in REDUCTIONS and not args and not options:
            return self.reduction(f.name, f.base)
        if f.name in ("copy", "ravel", "flatten") and not args:
            return self.copied(f.base, f.name != "copy")
        if f.name == "fill" and isinstance(f.base, ArrayView):
            self.write(f.base, pull_of(self.as_scalar(args[0], node)))
            return None
        if f.name == "astype" and len(args) == 1:
            return self.converted(f.base, self.dtype_of(args[0], node), node)
        if f.name == "dot" and len(args) == 1:
            return self.product(f.base, args[0], node)
        if f.name == "item" and not args and not f.base.shape:
            return f.base.at(())
        raise UntranslatableError(f"method `{f.name}` of an array", node)

    def reduction(self, name: str, x: ArrayView | Pull) -> Expr:
        found = self.reduced(REDUCTIONS[name], pull_of(x))
        if name != "mean":
            return found
        return self.op("div", found, self.product_of(x.shape))

    def copied(self, x: ArrayView | Pull, flat: bool) -> ArrayView:
        if flat and len(x.shape) != 1:
            raise UntranslatableError("an array of several axes made flat")
        return self.stored(pull_of(x), "copy")

    def where(self, args: list[Meaning], node: ast.AST) -> Meaning:
        c, a, b = (pull_of(self.operand(x, node)) for x in args)
        if not (c.shape or a.shape or b.shape):
            return self.choose(c.at(()), a.at(()), b.at(()))
        kind = np.promote_types(a.dtype, b.dtype)
        marked = Pull(c.shape, BOOL, lambda i: self.truth(c.at(i)))
        one = self.elementwise("add", a, b)
        shape = self.elementwise("add", one, marked).shape
        from_parts = [_broadcaster(p, shape) for p in (marked, a, b)]
        return Pull(shape, kind, lambda i: self.choose(*[p(i) for p in from_parts]))

    def arange(self, args: list[Meaning], node: ast.AST) -> Pull:
        if len(args) != 1:
            raise UntranslatableError("np.arange with other than one argument", node)
        n = self.as_scalar(args[0], node)
        if n.dtype.kind not in "iu":
            raise UntranslatableError("np.arange of a float", node)
        return Pull((self.temporary(n, "n"),), INDEX, lambda index: index[0])

    def product(self, a: Meaning, b: Meaning, node: ast.AST) -> Meaning:
        """A product of vectors and matrices."""
        if not all(isinstance(x, (ArrayView, Pull)) for x in (a, b)):
            raise UntranslatableError("a matrix product of what is no array", node)
        x, y = pull_of(a), pull_of(b)
        ranks = (len(x.shape), len(y.shape))
        if ranks == (1, 1):
            return self.reduced("add", self.elementwise("mul", x, y))
        if ranks not in ((2, 1), (1, 2), (2, 2)):
            raise UntranslatableError("a matrix product of arrays of more than two axes", node)
        shape = (*x.shape[:-1], *(y.shape[1:] if ranks[1] == 2 else ()))
        kind = np.promote_types(x.dtype, y.dtype)
        out = self.make("product", shape, kind, number_of(0, kind))

        def one(index: Index) -> None:
            *outer, k = index
            left = x.at((*outer[: ranks[0] - 1], k))
            right = y.at((k, *outer[ranks[0] - 1 :]))
            target = Element(out.buffer, tuple(outer))
            self.emit(target.put(self.op("mul", left, right), True))

        self.loops((*shape, x.shape[-1]), one)
        return out


def _broadcaster(p: Pull, shape: Index) -> Any:
    from_end = len(shape) - len(p.shape)

    def at(index: Index) -> Expr:
        own = index[from_end:]
        one = [isinstance(n, Const) and n.value == 1 for n in p.shape]
        return p.at(tuple([integer(0) if o else i for o, i in zip(one, own, strict=True)]))

    return at
