"""Makes kernels independent of sizes and names, so that one compiled kernel serves many programs.

`parametrise` turns sizes into run-time arguments, `canonical` gives indices and locals names by
order of appearance, and `kernel_key` hashes what is left. Traces draw names from counters, so only
canonical kernels of two traces can be compared. `signature` gives that hash, and the sizes, of a
kernel that is neither: a kernel that is known already need not be rewritten to be found.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from fxla.core.records import dataclass
from fxla.errors import InternalError
from fxla.loops.ir import (
    INDEX,
    Alloc,
    Assign,
    Buffer,
    Const,
    Expr,
    Extent,
    For,
    If,
    Index,
    Kernel,
    Let,
    Local,
    Stmt,
    Store,
    While,
    walk_stmts,
)
from fxla.loops.rewrite import Numbering, Rewriter, dtype_name
from fxla.loops.size import equal_key
from fxla.loops.written import Written

__all__ = [
    "SMALL",
    "Signature",
    "canonical",
    "kernel_key",
    "normal_form",
    "parametrise",
    "signature",
]

_PLAIN = 2
"""The version of marshal's format in which equal values have equal bytes."""
SMALL = 8
"""Sizes up to this one stay constants: loops over them unroll and divisions by them are cheap."""


def parametrise(kernel: Kernel) -> tuple[Kernel, tuple[int, ...]]:
    """Turn sizes above `SMALL` into run-time arguments and the others into constants.

    Equal sizes share one argument. The arguments n0, n1, ... are numbered by first appearance:
    shapes of inputs, shapes of outputs, then the body in order. Kernels that differ only in large
    sizes become equal; so a run-time `Extent` keeps its name and not its value (which reads 0).

    Args:
        kernel: with literal extents.

    Returns:
        The kernel with `extents` filled, and the value of each.

    Example:
        >>> import numpy as np
        >>> from fxla.loops.ir import Load
        >>> from fxla.loops.view import extent, fresh_index
        >>> x, out = (Buffer(n, np.dtype("f4"), (extent(1000), extent(3))) for n in ("x", "out"))
        >>> i, j = fresh_index(), fresh_index()
        >>> copy = Store(out, (i, j), Load(x.dtype, x, (i, j)))
        >>> body = For(i, extent(1000), (For(j, extent(3), (copy,)),), "parallel")
        >>> kernel, sizes = parametrise(Kernel("copy", (x,), (out,), (), (body,)))
        >>> print(canonical(kernel), sizes)
        kernel copy(x: float32[n0, 3], n0) -> out: float32[n0, 3]:
            for i0 < n0 [parallel]:
                for i1 < 3 [serial]:
                    out[i0, i1] = x[i0, i1] (1000,)
    """
    return _with_arguments(kernel, lambda e: e)


def normal_form(kernel: Kernel) -> tuple[Kernel, tuple[int, ...]]:
    """``parametrise(canonical(kernel))``, in one walk."""
    return _with_arguments(kernel, _renaming(kernel))


def _with_arguments(
    kernel: Kernel, rename: Callable[[Expr], Expr]
) -> tuple[Kernel, tuple[int, ...]]:
    """`parametrise`, changing the expressions that are not sizes by `rename`."""
    if kernel.extents:
        raise InternalError(f"kernel {kernel.name} is parametrised already")
    arguments: dict[tuple[int, str], Extent] = {}

    def change(e: Expr) -> Expr:
        if type(e) is not Extent:
            return rename(e)
        if e.name is not None:
            return e
        if e.value <= SMALL and not e.role:
            return Const(INDEX, e.value)
        key = equal_key(arguments, (e.value, e.role))
        known = arguments.get(key)
        if known is None:
            known = arguments[key] = Extent(INDEX, 0, f"n{len(arguments)}")
        return known

    new = _FixedScratch(change, _scratch(kernel)).kernel(kernel)
    return replace(new, extents=tuple(arguments.values())), tuple(value for value, _ in arguments)


class _FixedScratch(Rewriter):
    """A rewriter that keeps the shapes of scratch arrays constant: they lie on the stack."""

    def __init__(self, change: Callable[[Expr], Expr], scratch: set[str]) -> None:
        super().__init__(change)
        self._scratch = scratch
        self._fixed: dict[str, Buffer] = {}

    def buffer(self, b: Buffer) -> Buffer:
        if b.name not in self._scratch:
            return super().buffer(b)
        if b.name not in self._fixed:
            self._fixed[b.name] = _fixed(b)
        return self._fixed[b.name]


def canonical(kernel: Kernel) -> Kernel:
    """Rename indices to i0, i1, ... and locals to t0, t1, ... in order of appearance.

    Two kernels that are equal but for these names become equal, and so does their text.
    """
    return Rewriter(_renaming(kernel)).kernel(kernel)


def _renaming(kernel: Kernel) -> Callable[[Expr], Expr]:
    """Gives indices and locals their names, and changes nothing else."""
    taken = {b.name for b in (*kernel.inputs, *kernel.outputs)}
    taken |= _scratch(kernel)
    indices: dict[str, str] = {}
    locals_: dict[str, str] = {}

    def fresh(names: dict[str, str], stem: str, name: str) -> str:
        if name not in names:
            n = len(names)
            while f"{stem}{n}" in taken:
                stem += "_"
            names[name] = f"{stem}{n}"
        return names[name]

    def change(e: Expr) -> Expr:
        if type(e) is Index:
            return Index(INDEX, fresh(indices, "i", e.name))
        if type(e) is Local:
            return Local(e.dtype, fresh(locals_, "t", e.name))
        return e

    return change


def kernel_key(kernel: Kernel) -> str:
    """A hash of what a kernel computes, the same in every process.

    Names of the kernel, its buffers, indices and locals do not matter, nor does which equal
    subexpressions are shared. Everything else does: dtypes, constants to the bit, loop kinds,
    literal extents. A cache that serves a kernel by this key serves one of another name.
    """
    if isinstance(kernel, Written):
        return hashlib.sha256(f"{kernel.name}\0{kernel.source}".encode()).hexdigest()
    return _hashed(kernel, _Anonymous(), [str(e.name) for e in kernel.extents])


@dataclass(frozen=True, slots=True)
class Signature:
    """The key of a kernel's normal form, and its sizes."""

    key: str
    sizes: tuple[int, ...]


def signature(kernel: Kernel) -> Signature:
    """``kernel_key(normal_form(kernel)[0])`` and ``normal_form(kernel)[1]``, without that form.

    Args:
        kernel: with literal extents.

    Example:
        >>> import numpy as np
        >>> from fxla.loops.ir import Load
        >>> from fxla.loops.view import extent, fresh_index
        >>> def copy(n):
        ...     x, out = (Buffer(name, np.dtype("f4"), (extent(n),)) for name in ("x", "out"))
        ...     i = fresh_index()
        ...     loop = For(i, extent(n), (Store(out, (i,), Load(x.dtype, x, (i,))),), "vector")
        ...     return signature(Kernel("copy", (x,), (out,), (), (loop,)))
        >>> copy(1000).key == copy(2000).key, copy(2000).sizes
        (True, (2000,))
    """
    numbering = _WithArguments(_scratch(kernel))
    arguments = numbering.arguments
    key = _hashed(kernel, numbering, arguments.values())
    return Signature(key, tuple([value for value, _ in arguments]))


def _hashed(kernel: Kernel, numbering: _Anonymous, extents: Iterable[str]) -> str:
    parts = [numbering.buffer(b) for b in kernel.inputs] + ["->"]
    parts += [numbering.buffer(b) for b in kernel.outputs]
    _block_text(kernel.body, numbering, parts)
    content = (tuple(extents), parts, numbering.keys)
    return hashlib.sha256(marshal.dumps(content, _PLAIN)).hexdigest()


class _Anonymous(Numbering):
    """Numbers by structure alone: a name counts as the place where it first appears."""

    def __init__(self) -> None:
        super().__init__()
        self._places: dict[tuple[type, str], str] = {}

    def name(self, of: Index | Local | Buffer) -> str:
        key = (type(of), of.name)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = str(len(self._places))
        return place

    def buffer(self, b: Buffer) -> str:
        """A buffer's place and type."""
        return f"{self.name(b)} {dtype_name(b.dtype)} {[self.number(n) for n in b.shape]}"


class _WithArguments(_Anonymous):
    """Numbers literal sizes as `parametrise` would make them: constants and arguments.

    Attributes:
        arguments: the names of the sizes that are arguments, by value and role.
    """

    def __init__(self, scratch: Collection[str]) -> None:
        super().__init__()
        self.arguments: dict[tuple[int, str], str] = {}
        self._scratch = scratch

    def buffer(self, b: Buffer) -> str:
        return super().buffer(_fixed(b) if b.name in self._scratch else b)

    def _key(self, e: Expr, operands: tuple[int, ...]) -> tuple[Any, ...]:
        if type(e) is not Extent or e.name is not None:
            return super()._key(e, operands)
        if e.value <= SMALL and not e.role:
            return ("const", "int64", int(e.value))
        key = equal_key(self.arguments, (e.value, e.role))
        return ("extent", self.arguments.setdefault(key, f"n{len(self.arguments)}"))


def _scratch(kernel: Kernel) -> set[str]:
    """Names of the arrays that a kernel has for itself."""
    return {s.buffer.name for s in walk_stmts(kernel.body) if isinstance(s, Alloc)}


def _fixed(b: Buffer) -> Buffer:
    """A scratch array with a constant shape: it lies on the stack."""
    shape = [Const(INDEX, n.value) if isinstance(n, Extent) else n for n in b.shape]
    return replace(b, shape=tuple(shape))


def _block_text(body: tuple[Stmt, ...], numbering: _Anonymous, parts: list[str]) -> None:
    number = numbering.number
    for s in body:
        match s:
            case For(index=i, extent=n, body=inner, kind=kind):
                parts.append(f"for {numbering.name(i)} {number(n)} {kind}")
                _block_text(inner, numbering, parts)
            case Let(local=x, value=v, mutable=m):
                parts.append(f"let {numbering.name(x)} {dtype_name(x.dtype)} {number(v)} {m}")
            case Assign(local=x, value=v):
                parts.append(f"assign {numbering.name(x)} {number(v)}")
            case If(condition=c, then=then, otherwise=otherwise):
                parts.append(f"if {number(c)}")
                _block_text(then, numbering, parts)
                parts.append("else")
                _block_text(otherwise, numbering, parts)
            case While(condition=c, body=inner):
                parts.append(f"while {number(c)}")
                _block_text(inner, numbering, parts)
            case Store(buffer=b, index=index, value=v):
                parts.append(f"store {numbering.name(b)} {[number(i) for i in index]} {number(v)}")
            case Alloc(buffer=b):
                parts.append(f"alloc {numbering.buffer(b)}")
    parts.append("end")
