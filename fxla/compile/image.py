"""What it takes to run a program: addresses of code, and plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.compile.backend.compiled import CompiledKernel, Kernels
from fxla.compile.backend.native import compile_text
from fxla.compile.driver import print_driver
from fxla.compile.program import CONSTANT_BYTES, Buffer, HostCall, Program
from fxla.compile.work import work_of
from fxla.core.aval import Aval
from fxla.core.dtypes import DType
from fxla.core.records import dataclass
from fxla.loops.extents import kernel_key

__all__ = ["HostFunction", "Image", "constant_table", "image_of"]

ArrayType = tuple[DType, tuple[int, ...]]


@dataclass(frozen=True)
class HostFunction:
    """What a `HostCall` calls, and the types of the arrays it takes and gives."""

    function: Callable[..., Sequence[Any]]
    in_avals: tuple[Aval, ...]
    out_avals: tuple[Aval, ...]


@dataclass(frozen=True)
class Image:
    """A compiled program without its instructions.

    Attributes:
        inputs, outputs: dtype and shape of each.
        arena: bytes of temporaries.
        constants: the table of scalars that kernels load.
        functions: for each slot of the driver's table a kernel's position, a host function, or the
            name of a routine.
        integers: the driver's table of integers.
        shared: whether it needs the pool.
        work: an estimate, see `fxla.compile.work`.
        kernels: compiled, in the order of ``Program.kernels()``.
        driver: the address of the driver.
    """

    inputs: tuple[ArrayType, ...]
    outputs: tuple[ArrayType, ...]
    arena: int
    constants: bytes
    functions: tuple[int | str | HostFunction, ...]
    integers: tuple[int, ...]
    shared: bool
    work: float
    kernels: tuple[CompiledKernel, ...]
    driver: int


def image_of(program: Program, kernels: Kernels | None = None) -> Image:
    """Compile the kernels and the driver of a program.

    Args:
        program: any.
        kernels: those that are being compiled already, which are finished.
    """
    kernels = Kernels() if kernels is None else kernels
    found = program.kernels()
    keys = [program.keys.get(id(k)) or kernel_key(k) for k in found]
    try:
        for kernel, key in zip(found, keys, strict=True):
            kernels.add(kernel, key)
        driver = print_driver(program, [kernels.packed(key) for key in keys])
        address = compile_text(driver.text, ["program"], effort=driver.effort)["program"]
    finally:
        kernels.finish()
    return Image(
        _types(program.inputs), _types(program.outputs), program.arena, constant_table(program),
        tuple([_host_function(f) if isinstance(f, HostCall) else f for f in driver.functions]),
        tuple(driver.integers), driver.shared, work_of(program.body),
        tuple([kernels[key] for key in keys]), address,
    )  # fmt: skip


def _types(buffers: list[Buffer]) -> tuple[ArrayType, ...]:
    return tuple([(b.dtype, b.shape) for b in buffers])


def _host_function(call: HostCall) -> HostFunction:
    return HostFunction(call.function, call.in_avals, call.out_avals)


def constant_table(program: Program) -> bytes:
    """The program's scalars, `CONSTANT_BYTES` for each."""
    table = bytearray(CONSTANT_BYTES * max(len(program.constants), 1))
    for buffer, value in program.constants:
        raw = np.asarray(value).tobytes()
        table[buffer.offset : buffer.offset + len(raw)] = raw
    return bytes(table)
