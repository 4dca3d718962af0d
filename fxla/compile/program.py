"""Programs: what a jitted function runs. Kernel launches, library calls, loops and branches.

A program is a tree of instructions over buffers. It is printed as LLVM text by
`fxla.compile.driver` and entered once from Python; on a GPU the host walks the same tree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import DType
from fxla.core.primitive import Primitive, registered
from fxla.core.records import dataclass
from fxla.loops.ir import Kernel

__all__ = [
    "CONSTANT_BYTES",
    "Branch",
    "Buffer",
    "Copy",
    "Failure",
    "Fourier",
    "Gemm",
    "HostCall",
    "Instruction",
    "Launch",
    "Loop",
    "LoopIndex",
    "NumpyValue",
    "Pointer",
    "Program",
    "WhileLoop",
    "walk_instructions",
]

CONSTANT_BYTES = 16
"""Bytes of a place in the table of constants: the largest dtype is complex128."""


@dataclass(eq=False, slots=True)
class Buffer:
    """Memory of a program.

    Attributes:
        shape, dtype: of the C-contiguous array in it.
        role: input, output, temporary or constant.
        position: which input or output.
        offset: of a temporary in the arena (set by `fxla.compile.memory`), or of a constant in the
            table of constants, in bytes.
    """

    shape: tuple[int, ...]
    dtype: DType
    role: str = "temporary"
    position: int = 0
    offset: int = 0

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(eq=False, slots=True)
class LoopIndex:
    """The iteration number of a loop."""


@dataclass(frozen=True, eq=False, slots=True)
class Pointer:
    """A place in a buffer: its start, moved by iterations of enclosing loops.

    Attributes:
        terms: (loop index, bytes for each iteration) pairs.
    """

    buffer: Buffer
    terms: tuple[tuple[LoopIndex, int], ...] = ()

    def slice(self, index: LoopIndex, stride: int) -> Pointer:
        """The place moved by `stride` bytes for each iteration of a loop."""
        return Pointer(self.buffer, (*self.terms, (index, stride)))


@dataclass(eq=False, slots=True)
class Instruction:
    """Base of instructions."""


@dataclass(eq=False, slots=True)
class Launch(Instruction):
    """Run a kernel.

    Attributes:
        count: extent of its outermost parallel axis, 0 if it has none.
        grain: how many iterations of that axis run as one chunk, 0 if it has none.
    """

    kernel: Kernel
    args: tuple[Pointer, ...]
    n_outputs: int
    sizes: tuple[int, ...]
    count: int
    grain: int = 0


@dataclass(eq=False, slots=True)
class Gemm(Instruction):
    """``c = a @ b`` on row-major matrices, `batch` times.

    a is [m, k] ([k, m] if `transpose_a`) with row stride `lda`; b likewise; c is [m, n] and
    contiguous. Strides between the matrices of a batch are in elements.
    """

    dtype: DType
    m: int
    n: int
    k: int
    a: Pointer
    lda: int
    transpose_a: bool
    b: Pointer
    ldb: int
    transpose_b: bool
    c: Pointer
    batch: int = 1
    batch_strides: tuple[int, int, int] = (0, 0, 0)


@dataclass(eq=False, slots=True)
class Fourier(Instruction):
    """The transform `kind` of the middle axis of [outer, taken, inner], to [outer, given, inner].

    Attributes:
        kind: FFT, IFFT, RFFT or IRFFT.
        precision: dtype of a real part.
        length: of the axis, on the real side of RFFT and IRFFT.
        source, target: where the arrays are; they may be one place if `kind` is FFT or IFFT.
        scratch: memory of the job that computes it; None if NumPy's loops do.
    """

    kind: str
    precision: DType
    length: int
    source: Pointer
    target: Pointer
    outer: int
    inner: int
    scratch: Pointer | None = None

    @property
    def taken(self) -> int:
        """Elements of a line before the transform."""
        return self.length // 2 + 1 if self.kind == "IRFFT" else self.length

    @property
    def given(self) -> int:
        """Elements of a line after it."""
        return self.length // 2 + 1 if self.kind == "RFFT" else self.length


@dataclass(frozen=True)
class NumpyValue:
    """The value of a primitive, by NumPy, as a function of its operands alone."""

    primitive: Primitive
    params: dict[str, Any]

    def __call__(self, *arrays: Any) -> Sequence[Any]:
        return self.primitive.impl(*arrays, **self.params)

    def __reduce__(self) -> Any:
        return _numpy_value, (self.primitive.name, self.params)


def _numpy_value(name: str, params: dict[str, Any]) -> NumpyValue:
    return NumpyValue(registered[name], params)


@dataclass(frozen=True)
class Failure:
    """A function that raises NumPy's error of linear algebra. Unlike a closure it can be kept."""

    text: str

    def __call__(self) -> Sequence[Any]:
        raise np.linalg.LinAlgError(self.text)


@dataclass(eq=False, slots=True)
class HostCall(Instruction):
    """Call a Python function on arrays that view the program's memory."""

    function: Callable[..., Sequence[Any]]
    name: str
    inputs: tuple[Pointer, ...]
    in_avals: tuple[Aval, ...]
    outputs: tuple[Pointer, ...]
    out_avals: tuple[Aval, ...]


@dataclass(eq=False, slots=True)
class Copy(Instruction):
    """Copy `nbytes` bytes."""

    destination: Pointer
    source: Pointer
    nbytes: int


@dataclass(eq=False, slots=True)
class Loop(Instruction):
    """Run `body` `length` times; after each time the buffers of every pair trade places.

    `independent`: iterations may run at the same time, each with temporaries of its own.
    """

    index: LoopIndex
    length: int
    reverse: bool
    body: list[Instruction]
    swapped: tuple[tuple[Buffer, Buffer], ...]
    independent: bool = False


@dataclass(eq=False, slots=True)
class WhileLoop(Instruction):
    """Run `condition`, and while it leaves true in `predicate`, `body`; pairs trade places."""

    condition: list[Instruction]
    predicate: Pointer
    body: list[Instruction]
    swapped: tuple[tuple[Buffer, Buffer], ...]


@dataclass(eq=False, slots=True)
class Branch(Instruction):
    """Run the branch whose number is in `index` (int32, clamped to the last)."""

    index: Pointer
    branches: list[list[Instruction]]


@dataclass(eq=False, slots=True)
class Program:
    """A compiled function's instructions and buffers.

    Attributes:
        inputs, outputs: buffers in the order of arguments and results.
        body: instructions.
        arena: bytes of temporaries.
        constants: scalars that kernels load, each at its buffer's offset.
        notes: what was fused with what, and why not; a line each.
        keys: the keys of kernels, by identity, where they are known.
    """

    inputs: list[Buffer]
    outputs: list[Buffer]
    body: list[Instruction]
    arena: int = 0
    constants: list[tuple[Buffer, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    keys: dict[int, str] = field(default_factory=dict)

    def kernels(self) -> list[Kernel]:
        """Every kernel once, in order of first launch."""
        found: dict[int, Kernel] = {}
        for i in walk_instructions(self.body):
            if isinstance(i, Launch):
                found.setdefault(id(i.kernel), i.kernel)
        return list(found.values())


def walk_instructions(body: list[Instruction]) -> Iterator[Instruction]:
    """All instructions, outer before inner."""
    for i in body:
        yield i
        match i:
            case Loop(body=inner):
                yield from walk_instructions(inner)
            case WhileLoop(condition=condition, body=inner):
                yield from walk_instructions(condition)
                yield from walk_instructions(inner)
            case Branch(branches=branches):
                for b in branches:
                    yield from walk_instructions(b)
