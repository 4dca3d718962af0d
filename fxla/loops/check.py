"""The kernel checker. It runs between passes in tests and under ``FXLA_CHECK=1``.

It knows scopes and types, and two rules that make loops of a kind safe: iterations of a parallel
loop assign no local from outside and store to places that depend on its index; a vector loop
assigns locals from outside only by reduction. Whether an index is inside its buffer is not known
here.
"""

from __future__ import annotations

import os
from dataclasses import field, replace
from typing import NoReturn

import numpy as np

from fxla.core.records import dataclass
from fxla.errors import InternalError
from fxla.loops.contraction import contraction_of
from fxla.loops.ir import (
    BOOL,
    INDEX,
    Alloc,
    Assign,
    Buffer,
    Const,
    DType,
    Expr,
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
    Stmt,
    Store,
    While,
    _format_stmt,
    format_buffer,
)
from fxla.loops.passes.expand import HALVES
from fxla.loops.rewrite import postorder, stmt_exprs
from fxla.loops.scalar import PREDICATES, SCALAR_OPS

__all__ = ["check_kernel", "checked_kernel"]

_ASSOCIATIVE = frozenset(["add", "mul", "maximum", "minimum", "and", "or", "xor"])
_KINDS = ("serial", "parallel", "vector", "unroll", "tile")


def checked_kernel(kernel: Kernel, after: str) -> Kernel:
    """Return `kernel`, checked if ``FXLA_CHECK`` asks for it; `after` names what made it."""
    if os.environ.get("FXLA_CHECK", "0") not in ("", "0"):
        check_kernel(kernel, after)
    return kernel


def check_kernel(kernel: Kernel, after: str = "") -> None:
    """Check scoping, types and the rules of parallel and vector loops.

    Args:
        kernel: before or after `fxla.loops.extents.parametrise`.
        after: the pass that made it, for the message.

    Raises:
        InternalError: with the statement and its neighbours.
    """
    _Checker(kernel, after).kernel()


@dataclass(frozen=True, slots=True)
class _Loop:
    """A loop around the statement being checked, and how many locals were in scope before it."""

    loop: For
    outer: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a statement may use.

    Attributes:
        indices: names of the loops around it.
        locals: dtype and mutability of each local.
        depends: for each local, the indices its value may depend on; None: on anything.
        buffers: by name.
        private: scratch arrays, with the number of loops around their allocation.
        loops: parallel and vector loops around it, outermost first.
        guards: the indices that conditions around it depend on; None: on anything.
    """

    indices: frozenset[str]
    locals: dict[str, tuple[DType, bool]]
    depends: dict[str, frozenset[str] | None]
    buffers: dict[str, Buffer]
    private: dict[str, int] = field(default_factory=dict)
    loops: tuple[_Loop, ...] = ()
    guards: frozenset[str] | None = frozenset()

    def inner(self) -> _Scope:
        """A scope for a block: what is bound there ends with it."""
        return replace(
            self,
            locals=dict(self.locals),
            depends=dict(self.depends),
            buffers=dict(self.buffers),
            private=dict(self.private),
        )


class _Checker:
    def __init__(self, kernel: Kernel, after: str) -> None:
        self._kernel = kernel
        self._after = after
        self._extents = {e.name for e in kernel.extents}
        self._typed: set[int] = set()
        self._near: tuple[tuple[Stmt, ...], int] = ((), 0)
        self._columns: set[str] = set()

    def kernel(self) -> None:
        """Check the whole kernel."""
        k = self._kernel
        buffers: dict[str, Buffer] = {}
        for b in (*k.inputs, *k.outputs):
            if b.name in buffers:
                self._fail(f"two buffers are named {b.name!r}")
            buffers[b.name] = b
        scope = _Scope(frozenset(), {}, {}, buffers)
        for b in buffers.values():
            for n in b.shape:
                self._expr(n, scope)
                if not isinstance(n, (Const, Extent)):
                    self._fail(f"an extent of {b.name} is neither constant nor run-time size")
        self._block(k.body, scope)

    def _fail(self, problem: str) -> NoReturn:
        body, at = self._near
        lines: list[str] = []
        for i in range(max(0, at - 1), min(len(body), at + 2)):
            shown = _format_stmt(body[i], "    ")
            shown = shown if len(shown) <= 6 else [*shown[:5], "        ..."]
            lines += [">>> " + shown[0].lstrip(), *shown[1:]] if i == at else shown
        stage = f" after {self._after}" if self._after else ""
        text = "\n".join(line[:400] for line in lines)
        raise InternalError(f"ill-formed kernel {self._kernel.name}{stage}: {problem}\n{text}")

    # -- statements

    def _block(self, body: tuple[Stmt, ...], scope: _Scope) -> None:
        for at, s in enumerate(body):
            self._near = (body, at)
            for e in stmt_exprs(s):
                self._expr(e, scope)
            self._stmt(s, scope)
        self._near = ((), 0)

    def _stmt(self, s: Stmt, scope: _Scope) -> None:
        match s:
            case For():
                self._for(s, scope)
            case Let(local=x, value=v, mutable=mutable):
                if x.name in scope.locals:
                    self._fail(f"local {x.name} is bound twice")
                self._same(x.dtype, v.dtype, f"local {x.name}")
                scope.locals[x.name] = (x.dtype, mutable)
                scope.depends[x.name] = None if mutable else self._depends(v, scope)
            case Assign(local=x, value=v):
                self._assign(s, scope)
                self._same(x.dtype, v.dtype, f"local {x.name}")
            case If(condition=c, then=then, otherwise=otherwise):
                self._same(BOOL, c.dtype, "a condition")
                inner = replace(scope, guards=_union(scope.guards, self._depends(c, scope)))
                self._block(then, inner.inner())
                self._block(otherwise, inner.inner())
            case While(condition=c, body=body):
                self._same(BOOL, c.dtype, "a condition")
                if not self._can_change(c, scope):
                    self._fail("the condition of a while loop reads nothing that can change")
                self._block(body, replace(scope, guards=None).inner())
            case Store():
                self._store(s, scope)
            case Alloc(buffer=b):
                if b.name in scope.buffers:
                    self._fail(f"two buffers are named {b.name!r}")
                if not all(isinstance(n, Const) or _literal(n) for n in b.shape):
                    self._fail(f"scratch {format_buffer(b)} has a run-time extent")
                scope.buffers[b.name] = b
                scope.private[b.name] = len(scope.loops)

    def _for(self, s: For, scope: _Scope) -> None:
        if s.kind not in _KINDS:
            self._fail(f"no loop kind {s.kind!r}")
        self._same(INDEX, s.extent.dtype, "a loop's extent")
        if s.index.name in scope.indices:
            self._fail(f"index {s.index.name} is bound by two loops, one inside the other")
        if s.kind == "tile" and contraction_of(s) is None and s.index.name not in self._columns:
            self._fail(f"the tile loop over {s.index.name} is no part of a contraction")
        if s.kind == "tile" and isinstance(s.body[0], For):
            self._columns.add(s.body[0].index.name)
        loops = scope.loops
        if s.kind in ("parallel", "vector"):
            loops = (*loops, _Loop(s, frozenset(scope.locals)))
        inner = replace(scope, indices=scope.indices | {s.index.name}, loops=loops)
        self._block(s.body, inner.inner())

    def _assign(self, s: Assign, scope: _Scope) -> None:
        name = s.local.name
        known = scope.locals.get(name)
        if known is None:
            self._fail(f"local {name} is assigned before it is bound")
        if not known[1]:
            self._fail(f"local {name} is assigned but not mutable")
        self._same(known[0], s.local.dtype, f"local {name}")
        for around in scope.loops:
            if name not in around.outer:
                continue
            if around.loop.kind == "parallel":
                self._fail(f"a parallel loop over {around.loop.index.name} carries local {name}")
            if not _reduces(s):
                self._fail(
                    f"a vector loop over {around.loop.index.name} assigns local {name} "
                    "otherwise than by an associative op of itself and something else"
                )

    def _store(self, s: Store, scope: _Scope) -> None:
        b = s.buffer
        self._buffer(b, scope, s.index)
        self._same(b.dtype, s.value.dtype, f"buffer {b.name}")
        if any(b.name == i.name for i in self._kernel.inputs):
            self._fail(f"input {b.name} is written")
        depends = _union(scope.guards, *[self._depends(i, scope) for i in s.index])
        for around in scope.loops[scope.private.get(b.name, 0) :]:
            loop = around.loop
            if depends is not None and loop.index.name not in depends and not _single(loop.extent):
                self._fail(
                    f"iterations of the {loop.kind} loop over {loop.index.name} all write the "
                    f"same element of {b.name}"
                )

    # -- expressions

    def _same(self, want: DType, got: DType, what: str) -> None:
        if want != got:
            self._fail(f"{what} is {want.name} but the value is {got.name}")

    def _expr(self, e: Expr, scope: _Scope) -> None:
        """Check types once for each node, names at each use."""
        for node in postorder([e]):
            match node:
                case Index(name=name):
                    if name not in scope.indices:
                        self._fail(f"index {name} is out of scope")
                case Extent(name=name):
                    if name is not None and name not in self._extents:
                        self._fail(f"extent {name} is no argument of the kernel")
                case Local(name=name):
                    if name not in scope.locals:
                        self._fail(f"local {name} is used before it is bound")
                    self._same(scope.locals[name][0], node.dtype, f"local {name}")
                case Load(buffer=b, index=index):
                    self._buffer(b, scope, index)
            if id(node) not in self._typed:
                self._types(node)
                self._typed.add(id(node))

    def _buffer(self, b: Buffer, scope: _Scope, index: tuple[Expr, ...]) -> None:
        known = scope.buffers.get(b.name)
        if known is None:
            self._fail(f"buffer {b.name} is not an argument and not allocated here")
        if known.dtype != b.dtype or len(known.shape) != len(b.shape):
            self._fail(f"{format_buffer(b)} was declared as {format_buffer(known)}")
        if len(index) != len(b.shape):
            self._fail(f"{len(index)} indices into {format_buffer(b)}")
        for i in index:
            self._same(INDEX, i.dtype, f"an index of {b.name}")

    def _types(self, e: Expr) -> None:
        match e:
            case Index() | Extent():
                self._same(INDEX, e.dtype, "an index or extent")
            case Const(dtype=dtype, value=value):
                if np.shape(value) != ():
                    self._fail(f"a constant is an array of shape {np.shape(value)}")
                if dtype.kind != "c" and np.iscomplexobj(value):
                    self._fail(f"a constant of {dtype.name} is complex: {value}")
            case Load(dtype=dtype, buffer=b):
                self._same(b.dtype, dtype, f"a load from {b.name}")
            case Select(dtype=dtype, condition=c, then=t, otherwise=o):
                self._same(BOOL, c.dtype, "the condition of a select")
                self._same(dtype, t.dtype, "a select")
                self._same(dtype, o.dtype, "a select")
            case Op():
                self._op(e)

    def _op(self, e: Op) -> None:
        row = SCALAR_OPS.get(e.name)
        if row is None:
            self._fail(f"no scalar op {e.name!r}")
        if len(e.args) != row.arity:
            self._fail(f"{e.name} takes {row.arity} operands, not {len(e.args)}")
        dtype = e.args[0].dtype
        for a in e.args:
            self._same(dtype, a.dtype, f"an operand of {e.name}")
        if _kind(dtype) not in row.kinds:
            self._fail(f"{e.name} takes no {dtype.name}")
        if e.name == "bitcast":
            if e.dtype.itemsize != dtype.itemsize or _kind(e.dtype) not in row.kinds:
                self._fail(f"bitcast of {dtype.name} to {e.dtype.name}")
        elif not _results(e.name, dtype, e.dtype):
            self._fail(f"{e.name} of {dtype.name} does not give {e.dtype.name}")

    def _depends(self, e: Expr, scope: _Scope) -> frozenset[str] | None:
        """The loop indices a value may depend on; None if that cannot be told."""
        found: frozenset[str] | None = frozenset()
        for node in postorder([e]):
            if isinstance(node, Load):
                return None
            if isinstance(node, Index):
                found = _union(found, frozenset([node.name]))
            elif isinstance(node, Local):
                found = _union(found, scope.depends[node.name])
        return found

    def _can_change(self, e: Expr, scope: _Scope) -> bool:
        return any(
            isinstance(node, Load) or (isinstance(node, Local) and scope.locals[node.name][1])
            for node in postorder([e])
        )


def _union(*sets: frozenset[str] | None) -> frozenset[str] | None:
    known = [s for s in sets if s is not None]
    return frozenset().union(*known) if len(known) == len(sets) else None


def _kind(dtype: DType) -> str:
    return "f" if dtype in HALVES else dtype.kind


def _results(name: str, operand: DType, result: DType) -> bool:
    """Whether an op on a dtype gives a dtype."""
    if name in PREDICATES:
        return result == BOOL
    if name in ("real", "imag"):
        return result.kind == "f" and result.itemsize * 2 == operand.itemsize
    if name == "complex":
        return result.kind == "c" and result.itemsize == max(operand.itemsize, 4) * 2
    return result == operand


def _literal(n: Expr) -> bool:
    return isinstance(n, Extent) and n.name is None


def _single(n: Expr) -> bool:
    """Whether a loop of this extent has at most one iteration."""
    if isinstance(n, Const) or _literal(n):
        assert isinstance(n, (Const, Extent))
        return int(n.value) <= 1
    return False


def _reduces(s: Assign) -> bool:
    """Whether an assignment combines its local with something else by an associative op."""
    value = s.value
    if not isinstance(value, Op):
        return False
    name = s.local.name
    mine = [a for a in value.args if isinstance(a, Local) and a.name == name]
    others = [a for a in value.args if not (isinstance(a, Local) and a.name == name)]
    if len(mine) != 1 or any(isinstance(n, Local) and n.name == name for n in postorder(others)):
        return False
    if value.name == "fma":
        return value.args[2] is mine[0]
    return value.name in _ASSOCIATIVE
