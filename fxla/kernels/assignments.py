"""Assignments of a kernel's function: to names, to elements and parts of arrays, to several."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from fxla.kernels.call_expressions import Calls
from fxla.kernels.ir import Put, Size, integer
from fxla.kernels.syntax import as_load
from fxla.kernels.values import ArrayView, Element, Meaning, Pull, UntranslatableError, pull_of
from fxla.loops.ir import INDEX, Const, Expr, Load, Local, walk_exprs

__all__ = ["Assignments"]


class Assignments(Calls):
    """Translates assignments.

    Attributes:
        level: how many blocks that may not run are around the current one.
        made_at: for each array at which level it was made.
    """

    level: int
    made_at: dict[str, int]

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
            ast.BinOp(left=as_load(node.target), op=node.op, right=node.value), node
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
            found = self.meaning(as_load(node))
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


def _is_steady(n: Expr) -> bool:
    """Whether a size is that of an argument, or known."""
    return isinstance(n, (Const, Size)) or (isinstance(n, Local) and "_now" not in n.name)
