"""Pull arrays, and the other forms in which a primitive says how it is computed.

A `View` is a shape, a dtype and a function from an index to the scalar expression of that element.
Composing views *is* elementwise fusion: broadcasts, transposes, slices, pads and reshapes become
index arithmetic and cost nothing. What is not a function of one index is one of

* `Reduce`: an associative reduction over trailing reduction indices;
* `Contract`: a sum of products that tiles compute;
* `Nest`: statements written out by the primitive (scatter, cumulative sums, arg-reductions);
* `Opaque`: computed by a library call (LAPACK, FFT, sorting);
* `Handed`: computed by a kernel that is text already.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.records import dataclass
from fxla.loops.ir import (
    BOOL,
    INDEX,
    Buffer,
    Cast,
    Const,
    DType,
    Expr,
    Extent,
    Index,
    Local,
    Op,
    Select,
    Stmt,
)
from fxla.loops.size import whole
from fxla.loops.written import Written

__all__ = [
    "Contract",
    "FromMemory",
    "Handed",
    "IndexTuple",
    "Nest",
    "Opaque",
    "Phase",
    "Reduce",
    "Repeat",
    "View",
    "binary",
    "cast",
    "compare",
    "const",
    "extent",
    "fresh_index",
    "fresh_local",
    "int_const",
    "op",
    "select",
    "unravel",
]

IndexTuple = tuple[Expr, ...]


@dataclass(slots=True, unsafe_hash=True)
class View:
    """An array known by the expression of one element. As with expressions, nothing changes one."""

    shape: tuple[int, ...]
    dtype: DType
    at: Callable[[IndexTuple], Expr]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, index: IndexTuple) -> Expr:
        return self.at(index)


@dataclass(slots=True, unsafe_hash=True)
class FromMemory(View):
    """A `View` of operands that are in memory, not computed where it reads them."""


@dataclass(frozen=True, slots=True)
class Reduce:
    """``out[i] = op over r of element(i, r)``.

    Attributes:
        shape: of the result.
        dtype: of the result and of the accumulator.
        extents: sizes of the reduction indices, outermost first.
        op: an associative scalar op: add, mul, maximum, minimum, and, or, xor.
        init: its identity, a Python number.
        element: from an output index and a reduction index to an expression of `dtype`.
    """

    shape: tuple[int, ...]
    dtype: DType
    extents: tuple[int, ...]
    op: str
    init: Any
    element: Callable[[IndexTuple, IndexTuple], Expr]


@dataclass(frozen=True, slots=True)
class Contract(Reduce):
    """A `Reduce` that adds up products of elements of two arrays, both of which are in memory."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Statements that run, over all outer indices, before those of a `Nest` begin.

    Attributes:
        parallel, body: as of a `Nest`. It may write part of an output or of a scratch array, and
            read what phases before it wrote.
        work: all its multiplications, by which threads share it; 0 if they are to be estimated
            from the statements.
    """

    parallel: tuple[int, ...]
    body: Callable[[IndexTuple, tuple[Buffer, ...]], Sequence[Stmt]]
    work: int = 0


@dataclass(frozen=True, slots=True)
class Repeat:
    """Phases that run `times` times, one after the other: which time it is, they count themselves.

    Their kernels are the same every time, so what they compute is told by memory that one of them
    writes.
    """

    times: int
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True)
class Nest:
    """Statements written out by the primitive.

    Attributes:
        outputs: (shape, dtype) of each result.
        parallel: extents of independent outer indices; the rest of the work is `body`'s.
        body: from the outer indices and the output buffers to statements that, over all outer
            indices, write every element of every output. It gets the scratch arrays after them.
        failure: what a `LinAlgError` says that the program raises if the body stores 1 into its
            last output, a scalar that is no result of the primitive.
        lanes: whether the last outer index suits vectors although it is not that of neighbours.
        scratch: (shape, dtype) of arrays that it writes and reads for itself.
        before: what runs before it, one after the other; each is a kernel of its own.
        work: as of a `Phase`.
        operands: positions of the operands that must be in memory, not computed where it reads.
        one_by_one: positions of the operands whose elements it takes one after the other, so that
            what computes them there has neither vectors nor other cores.
    """

    outputs: tuple[tuple[tuple[int, ...], DType], ...]
    parallel: tuple[int, ...]
    body: Callable[[IndexTuple, tuple[Buffer, ...]], Sequence[Stmt]]
    failure: str | None = None
    lanes: bool = False
    scratch: tuple[tuple[tuple[int, ...], DType], ...] = ()
    before: tuple[Phase | Repeat, ...] = ()
    work: int = 0
    operands: tuple[int, ...] = ()
    one_by_one: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Opaque:
    """Computed by a library call on whole arrays; `fxla.compile` knows which."""


@dataclass(frozen=True, slots=True)
class Handed:
    """Computed by a kernel that is text already.

    Attributes:
        kernel: takes all operands and all results.
        sizes: of the arrays, in the order of the kernel's parameters.
        count: how many examples it runs over; they are independent.
        grain: how many of them are worth a thread.
        grid: the kernel for a GPU, which also takes scratch arrays; None if there is none.
        scratch: shapes and dtypes of the arrays that each example has for itself on a GPU.
    """

    kernel: Written
    sizes: tuple[int, ...]
    count: int
    grain: int
    grid: Written | None = None
    scratch: tuple[tuple[tuple[int, ...], DType], ...] = ()


_counter = itertools.count()


def fresh_index(stem: str = "i") -> Index:
    """A loop index with a name of its own."""
    return Index(INDEX, f"{stem}{next(_counter)}")


def fresh_local(dtype: DType, stem: str = "t") -> Local:
    """A local with a name of its own."""
    return Local(dtype, f"{stem}{next(_counter)}")


@functools.lru_cache(1024)
def extent(n: int) -> Expr:
    """A size, or any integer that follows from sizes: a run-time value where sizes vary."""
    return Extent(INDEX, whole(n))


@functools.lru_cache(1024)
def int_const(n: int) -> Expr:
    """An integer that is the same whatever the sizes are."""
    return Const(INDEX, int(n))


def const(value: Any, dtype: DType) -> Expr:
    """A scalar constant of a dtype."""
    return Const(dtype, np.asarray(value).astype(dtype)[()])


def op(name: str, dtype: DType, *args: Expr) -> Expr:
    """Apply a scalar op."""
    return Op(dtype, name, args)


def _known(e: Expr) -> int | None:
    return int(e.value) if isinstance(e, Const) and e.dtype == INDEX else None


def binary(name: str, a: Expr, b: Expr) -> Expr:
    """Index arithmetic (add, sub, mul, floordiv, mod) with the trivial cases folded."""
    x, y = _known(a), _known(b)
    if name == "add" and (x == 0 or y == 0):
        return b if x == 0 else a
    if name == "sub" and y == 0:
        return a
    if name == "mul" and (x == 1 or y == 1):
        return b if x == 1 else a
    if name == "mul" and (x == 0 or y == 0):
        return int_const(0)
    if name == "floordiv" and y == 1:
        return a
    if name == "mod" and y == 1:
        return int_const(0)
    if x is not None and y is not None:
        folded = {"add": x + y, "sub": x - y, "mul": x * y}.get(name)
        if folded is not None:
            return int_const(folded)
    return Op(INDEX, name, (a, b))


def compare(name: str, a: Expr, b: Expr) -> Expr:
    """A comparison: eq, ne, lt, le, gt, ge."""
    return Op(BOOL, name, (a, b))


def select(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    """`then` where `condition` holds, else `otherwise`."""
    return Select(then.dtype, condition, then, otherwise)


def cast(e: Expr, dtype: DType) -> Expr:
    """Convert, unless the dtype is right already."""
    return e if e.dtype == dtype else Cast(dtype, e)


def unravel(flat: Expr, shape: Sequence[int]) -> IndexTuple:
    """The index tuple of a C-order position."""
    index: list[Expr] = []
    for n in reversed(shape[1:]):
        index.append(binary("mod", flat, extent(n)))
        flat = binary("floordiv", flat, extent(n))
    return (*([flat] if shape else []), *reversed(index))
