"""Prints a kernel as one readable Python function over flat buffers.

    def scaled_tanh(x, y, out, n0, n1, begin, end):
        for i0 in range(begin, end):
            for i1 in range(n1):
                out[i0 * n1 + i1] = math.tanh(x[i0 * n1 + i1]) * y[i1]

The text is the same for all kernels that `canonical` makes equal. It runs in plain Python, under
``numba.njit``/``cfunc`` and, printed for CUDA, as a kernel of ``numba.cuda``.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from fxla.core.records import dataclass
from fxla.errors import InternalError
from fxla.loops.extents import canonical
from fxla.loops.ir import (
    INDEX,
    Alloc,
    Assign,
    Buffer,
    Cast,
    Const,
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
    walk_stmts,
)
from fxla.loops.passes.expand import expand
from fxla.loops.passes.sharing import Sharing
from fxla.loops.python.functions import PRELUDE, TARGET_FUNCTIONS
from fxla.loops.python.ops import (
    CONDITIONAL,
    Text,
    dtype_name,
    spell_cast,
    spell_const,
    spell_load,
    spell_op,
    spell_stored,
    storage_dtype,
)
from fxla.loops.rewrite import Rewriter, stmt_exprs
from fxla.loops.view import binary

__all__ = ["PythonSource", "python_source", "splits"]

Target = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class PythonSource:
    """A kernel as Python.

    Attributes:
        name: of the function.
        source: of a module with the function and the imports it needs.
        parameters: names of its parameters: inputs, outputs, extents, and `begin`, `end` on a CPU.
    """

    name: str
    source: str
    parameters: tuple[str, ...]


def splits(kernel: Kernel) -> bool:
    """Whether the body is exactly one parallel loop, whose range a caller may split."""
    body = kernel.body
    return len(body) == 1 and isinstance(body[0], For) and body[0].kind == "parallel"


def python_source(kernel: Kernel, target: Target = "cpu") -> PythonSource:
    """Print a parametrised kernel.

    Args:
        kernel: from `fxla.loops.extents.parametrise`.
        target: on ``"cpu"`` an outermost parallel loop runs over ``range(begin, end)``; on
            ``"cuda"`` it, and parallel loops directly inside, become a loop over the grid, and a
            body that is not one parallel loop runs in thread 0.

    Returns:
        The function's name, source and parameters.
    """
    names = _Names()
    kernel = _Flat().kernel(names.legal(canonical(expand(kernel))))
    buffers = (*kernel.inputs, *kernel.outputs)
    parameters = [b.name for b in buffers] + [str(e.name) for e in kernel.extents]
    if target == "cpu":
        parameters += ["begin", "end"]
    printer = _Printer(names)
    body = printer.cuda_body(kernel) if target == "cuda" else printer.cpu_body(kernel)
    text = "\n".join(body)
    called = sorted(name for name in _CALLABLE if re.search(rf"\b{name}\(", text))
    head = ["import math", "", "import numpy as np"] + (
        ["from numba import cuda"] if target == "cuda" else []
    )
    if called:
        head.append("")
    for module in sorted({_CALLABLE[name].__module__ for name in called}):
        mine = [name for name in called if _CALLABLE[name].__module__ == module]
        head.append(f"from {module} import {', '.join(mine)}")
    name = kernel.name if kernel.name.isidentifier() and kernel.name not in _RESERVED else "kernel"
    lines = [*head, "", "", f"def {name}({', '.join(parameters)}):", *body]
    return PythonSource(name, "\n".join(lines) + "\n", tuple(parameters))


_CALLABLE = {**PRELUDE, **TARGET_FUNCTIONS}
_RESERVED = frozenset(
    [*_CALLABLE, *keyword.kwlist, *keyword.softkwlist, *dir(builtins)]
    + ["np", "math", "cuda", "begin", "end"]
)


class _Flat(Rewriter):
    """Indexes every buffer by one position."""

    def __init__(self) -> None:
        super().__init__(self._load)

    @staticmethod
    def _load(e: Expr) -> Expr:
        return (
            Load(e.dtype, e.buffer, (_position(e.buffer, e.index),)) if isinstance(e, Load) else e
        )

    def stmt(self, s: Stmt) -> Stmt:
        new = super().stmt(s)
        if isinstance(new, Store):
            return Store(new.buffer, (_position(new.buffer, new.index),), new.value)
        return new


def _position(b: Buffer, index: Sequence[Expr]) -> Expr:
    """The position of an element in a C-contiguous buffer."""
    position: Expr = Const(INDEX, 0)
    for n, i in zip(b.shape, index, strict=True):
        position = binary("add", binary("mul", position, n), i)
    return position


class _Names:
    """Names that are taken, and new ones."""

    def __init__(self) -> None:
        self.taken: set[str] = set(_RESERVED)
        self.count = 0

    def legal(self, kernel: Kernel) -> Kernel:
        """Rename buffers that Python, the prelude or another name of the kernel stand in for."""
        self.taken.update(str(e.name) for e in kernel.extents)
        for s in walk_stmts(kernel.body):
            if isinstance(s, For):
                self.taken.add(s.index.name)
            elif isinstance(s, Let):
                self.taken.add(s.local.name)

        def rename(b: Buffer) -> Buffer:
            stem = "".join(c if c.isalnum() and c.isascii() else "_" for c in b.name)
            stem = stem if stem.isidentifier() else f"b{stem}"
            while stem in self.taken:
                stem += "_"
            self.taken.add(stem)
            return Buffer(stem, b.dtype, b.shape)

        return Rewriter(lambda e: e, rename).kernel(kernel)

    def fresh(self) -> str:
        """A name for a shared subexpression."""
        while f"v{self.count}" in self.taken:
            self.count += 1
        self.count += 1
        return f"v{self.count - 1}"


class _Printer:
    """Prints blocks of statements; `available` maps numbers of expressions to their locals."""

    def __init__(self, names: _Names) -> None:
        self._names = names
        self._sharing = Sharing()
        self._lines: list[str] = []

    def cpu_body(self, kernel: Kernel) -> list[str]:
        """The body of a function of a range."""
        if splits(kernel):
            loop = kernel.body[0]
            assert isinstance(loop, For)
            self._loop(f"for {loop.index.name} in range(begin, end):", loop.body, 1, {})
        else:
            self._block(kernel.body, 1, {})
        return self._lines

    def cuda_body(self, kernel: Kernel) -> list[str]:
        """The body of a function that every thread of a grid runs."""
        if not splits(kernel):
            self._emit(1, "if cuda.grid(1) == 0:")
            self._block(kernel.body, 2, {})
            return self._lines
        loops: list[For] = []
        body = kernel.body
        while len(body) == 1 and isinstance(body[0], For) and body[0].kind == "parallel":
            loops.append(body[0])
            body = body[0].body
        sizes = [self._expr(loop.extent, {}).within(CONDITIONAL + 1) for loop in loops]
        names = [loop.index.name for loop in loops]
        if len(loops) == 1:
            self._emit(1, f"for {names[0]} in range(cuda.grid(1), {sizes[0]}, cuda.gridsize(1)):")
        else:
            total = " * ".join(f"({n})" if not n.isalnum() else n for n in sizes)
            position = self._names.fresh()
            self._emit(1, f"for {position} in range(cuda.grid(1), {total}, cuda.gridsize(1)):")
            self._unravel(position, names, sizes)
        self._loop(None, body, 1, {})
        return self._lines

    def _unravel(self, position: str, names: list[str], sizes: list[str]) -> None:
        for k in range(len(names) - 1, 0, -1):
            size = sizes[k] if sizes[k].isalnum() else f"({sizes[k]})"
            self._emit(2, f"{names[k]} = {position} % {size}")
            rest = names[0] if k == 1 else self._names.fresh()
            self._emit(2, f"{rest} = {position} // {size}")
            position = rest

    def _emit(self, depth: int, line: str) -> None:
        self._lines.append("    " * depth + line)

    # -- statements

    def _loop(
        self, head: str | None, body: tuple[Stmt, ...], depth: int, available: dict[int, str]
    ) -> None:
        """A loop: what its body changes is not available in it, nor afterwards."""
        if head is not None:
            self._emit(depth, head)
        self._forget(available, _changed(body))
        self._block(body, depth + 1, dict(available))

    def _forget(self, available: dict[int, str], changed: set[str]) -> None:
        for n in [n for n in available if not changed.isdisjoint(self._sharing.reads(n))]:
            del available[n]

    def _block(self, body: tuple[Stmt, ...], depth: int, available: dict[int, str]) -> None:
        if not body:
            self._emit(depth, "pass")
        repeated = self._in_several(body)
        for s in body:
            self._stmt(s, depth, available, repeated)

    def _in_several(self, body: tuple[Stmt, ...]) -> set[int]:
        """The largest expressions that several statements of a block use, inner blocks included."""
        seen: set[int] = set()
        repeated: set[int] = set()
        for s in body:
            roots = self._all_roots((s,))
            mine = list(self._sharing.below(roots, ()))
            again = seen.intersection(mine)
            repeated.update(again.intersection(roots))
            for n in mine:
                if n not in again:
                    repeated.update(again.intersection(self._sharing.operands(n)))
            seen.update(mine)
        return repeated

    def _all_roots(self, body: tuple[Stmt, ...]) -> list[int]:
        roots: list[int] = []
        for s in walk_stmts(body):
            roots += [self._sharing.number(e) for e in stmt_exprs(s)]
        return roots

    def _stmt(self, s: Stmt, depth: int, available: dict[int, str], repeated: set[int]) -> None:
        roots = [self._sharing.number(e) for e in stmt_exprs(s)]
        into = {}
        if isinstance(s, Let) and not s.mutable:
            into[roots[0]] = s.local.name
        if not isinstance(s, While):
            self._bind_shared(roots, depth, available, repeated, into)
        texts = [self._text(n, available) for n in roots]
        match s:
            case For(index=i, body=body):
                self._loop(f"for {i.name} in range({texts[0]}):", body, depth, available)
            case While(body=body):
                self._forget(available, _changed(body))
                self._emit(depth, f"while {self._text(roots[0], available)}:")
                self._block(body, depth + 1, dict(available))
            case If(then=then, otherwise=otherwise):
                self._emit(depth, f"if {texts[0]}:")
                self._block(then, depth + 1, dict(available))
                if otherwise:
                    self._emit(depth, "else:")
                    self._block(otherwise, depth + 1, dict(available))
                self._forget(available, _changed((s,)))
            case Let(local=x) if available.get(roots[0]) == x.name:
                pass  # bound as a shared expression
            case Let(local=x, value=v, mutable=mutable):
                value = spell_const(v, typed=True) if isinstance(v, Const) else texts[0]
                self._forget(available, {x.name})
                self._emit(depth, f"{x.name} = {value}")
                if not mutable and not isinstance(v, (Const, Local, Index, Extent)):
                    available.setdefault(roots[0], x.name)
            case Assign(local=x):
                self._emit(depth, f"{x.name} = {texts[0]}")
                self._forget(available, {x.name})
            case Store(buffer=b):
                self._emit(depth, f"{b.name}[{texts[0]}] = {spell_stored(b.dtype, texts[1])}")
                self._forget(available, {b.name})
            case Alloc(buffer=b):
                size = 1
                for n in b.shape:
                    if not isinstance(n, Const):
                        raise InternalError(f"scratch array {b.name} has a run-time size")
                    size *= int(n.value)
                self._emit(
                    depth,
                    f"{b.name} = scratch({max(size, 1)}, {dtype_name(storage_dtype(b.dtype))})",
                )

    def _bind_shared(
        self,
        roots: list[int],
        depth: int,
        available: dict[int, str],
        repeated: Collection[int] = (),
        into: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        """Bind what `roots` share, to the names `into` gives or to new ones."""
        for n in self._sharing.to_bind(roots, available, repeated):
            self._bind(n, into.get(n) or self._names.fresh(), depth, available)

    def _bind(self, n: int, name: str, depth: int, available: dict[int, str]) -> None:
        """Compute a number into a local; a select whose arms share something becomes a branch."""
        e = self._sharing.example(n)
        condition, *arms = self._sharing.operands(n) if isinstance(e, Select) else (0,)
        plans = [self._sharing.to_bind([arm], available) for arm in arms]
        if not any(plans):
            self._emit(depth, f"{name} = {self._text(n, available)}")
        else:
            for word, arm in zip(
                (f"if {self._text(condition, available)}", "else"), arms, strict=True
            ):
                self._emit(depth, f"{word}:")
                inner = dict(available)
                self._bind_shared([arm], depth + 1, inner)
                self._emit(depth + 1, f"{name} = {self._text(arm, inner)}")
        available[n] = name

    # -- expressions

    def _expr(self, e: Expr, available: dict[int, str]) -> Text:
        return self._text(self._sharing.number(e), available)

    def _text(self, n: int, available: dict[int, str]) -> Text:
        """The source of a number, by the locals available."""
        texts: dict[int, Text] = {}
        for m in self._sharing.below([n], available):
            parts = tuple(
                [
                    texts[k] if k not in available else Text(available[k])
                    for k in self._sharing.operands(m)
                ]
            )
            texts[m] = _spell(self._sharing.example(m), parts)
        return texts[n] if n not in available else Text(available[n])


def _spell(e: Expr, parts: tuple[Text, ...]) -> Text:
    """The source of an expression from that of its operands."""
    match e:
        case Const():
            return spell_const(e)
        case Extent(value=value, name=name):
            return Text(str(value) if name is None else name)
        case Index(name=name) | Local(name=name):
            return Text(name)
        case Load():
            return spell_load(e, parts[0])
        case Cast():
            return spell_cast(e, parts[0])
        case Select():
            condition, then, otherwise = [p.within(CONDITIONAL + 1) for p in parts]
            return Text(f"{then} if {condition} else {otherwise}", CONDITIONAL)
        case Op():
            return spell_op(e, parts)
    raise InternalError(f"not an expression: {e!r}")


def _changed(body: tuple[Stmt, ...]) -> set[str]:
    """Names of the buffers and locals that statements change."""
    changed: set[str] = set()
    for s in walk_stmts(body):
        match s:
            case Store(buffer=b) | Alloc(buffer=b):
                changed.add(b.name)
            case Let(local=x) | Assign(local=x):
                changed.add(x.name)
    return changed
