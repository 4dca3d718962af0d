"""A program made ready to run, and run: kernels compiled, driver loaded, arrays in and out."""

from __future__ import annotations

import ctypes
import os
import threading
from array import array
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from fxla.compile.blas import blas_address, blas_threads
from fxla.compile.build import build_program
from fxla.compile.driver import print_driver
from fxla.compile.gemm import gemm_address
from fxla.compile.native import compile_kernels, compile_text
from fxla.compile.numba_cpu import compile_numba
from fxla.compile.pool import pool
from fxla.compile.program import CONSTANT_BYTES, HostCall, Program
from fxla.core.array import Array
from fxla.core.aval import Aval
from fxla.core.dtypes import DType
from fxla.core.jaxpr import Jaxpr
from fxla.core.pause import no_collection
from fxla.errors import DtypeError
from fxla.loops.extents import kernel_key
from fxla.loops.ir import Kernel
from fxla.loops.native import Unsupported

__all__ = ["Executable", "compile_jaxpr", "raise_pending", "target"]

_Entry = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
)
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_entries: dict[int, Any] = {}
_raised = threading.local()


def target() -> str:
    """The target kernels are compiled by first: ``native`` or ``numba``, from ``FXLA_TARGET``.

    Raises:
        ValueError: if the variable holds anything else.
    """
    chosen = os.environ.get("FXLA_TARGET", "native")
    if chosen not in ("native", "numba"):
        raise ValueError(f"FXLA_TARGET={chosen!r}: expected 'native' or 'numba'")
    return chosen


class CompiledKernel:
    """A kernel's address, and how it takes its arguments."""

    __slots__ = ("address", "owner", "packed", "reason")

    def __init__(self, address: int, packed: bool, owner: Any, reason: str) -> None:
        self.address = address
        self.packed = packed
        self.owner = owner
        self.reason = reason


_compiled: dict[tuple[str, str], CompiledKernel] = {}


def compile_all(kernels: Sequence[Kernel]) -> list[CompiledKernel]:
    """Compile kernels, or find them compiled. What the native target lacks, numba serves."""
    chosen = target()
    keys = [(chosen, kernel_key(k)) for k in kernels]
    missing = {key: k for key, k in zip(keys, kernels, strict=True) if key not in _compiled}
    reasons: dict[tuple[str, str], str] = dict.fromkeys(missing, "FXLA_TARGET=numba")
    if chosen == "native":
        done = compile_kernels(list(missing.values()))
        for key, native in zip(missing, done, strict=True):
            if isinstance(native, Unsupported):
                reasons[key] = str(native)
            else:
                _compiled[key] = CompiledKernel(native.address, True, native, "")
    for key, kernel in missing.items():
        if key not in _compiled:
            function = compile_numba(kernel)
            _compiled[key] = CompiledKernel(function.address, False, function, reasons[key])
    return [_compiled[key] for key in keys]


def _callback(call: HostCall) -> Any:
    """A C function that calls a Python one on views of the program's memory."""
    avals = (*call.in_avals, *call.out_avals)
    sizes = [a.size * a.dtype.itemsize for a in avals]
    n = len(call.in_avals)

    def view(address: int, aval: Aval, nbytes: int) -> Any:
        if nbytes == 0:
            return np.empty(aval.shape, aval.dtype)
        memory = (ctypes.c_ubyte * nbytes).from_address(address)
        return np.frombuffer(memoryview(memory), aval.dtype).reshape(aval.shape)

    def run(places: int) -> int:
        try:
            addresses = (ctypes.c_uint64 * len(avals)).from_address(places)
            arrays = [view(p, a, s) for p, a, s in zip(addresses, avals, sizes, strict=True)]
            results = call.function(*arrays[:n])
            for out, result in zip(arrays[n:], results, strict=True):
                out[...] = result
        except BaseException as error:
            _raised.error = error
            return 1
        return 0

    return _Callback(run)


def raise_pending() -> NoReturn:
    """Raise the exception that a host call of a program ended with on this thread."""
    error: BaseException = _raised.error
    _raised.error = None
    raise error


_ROUTINES: dict[str, Callable[[], int]] = {
    "parallel_for": lambda: pool().parallel_for,
    "pool": lambda: pool().state,
    "gemm": gemm_address,
    "blas_threads": blas_threads,
}
"""What a driver calls, or hands on, beside kernels and BLAS."""


class Executable:
    """A compiled program.

    Attributes:
        program: its instructions.
        kernels: compiled kernels, in the order of ``program.kernels()``.
        driver_text: the LLVM text of its driver; `address` is where that is loaded, and
            `function_table`, `integer_table` are where its tables are.
        input_types, output_types: dtype and shape of each.
        constants_id: address of the array object of its constants.
        block, run_flat: what `fxla.compile.entry` makes of it when it is called again.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.kernels = compile_all(program.kernels())
        driver = print_driver(program, [k.packed for k in self.kernels])
        self.driver_text = driver.text
        self.address = compile_text(driver.text, ["program"], effort=driver.effort)["program"]
        if self.address not in _entries:
            _entries[self.address] = _Entry(self.address)
        self._entry = _entries[self.address]
        self._keep: list[Any] = []
        functions = [self._function(f, driver.shared) for f in driver.functions]
        self._functions = array("Q", functions or [0])
        self._integers = array("q", driver.integers or [0])
        self.function_table = self._functions.buffer_info()[0]
        self.integer_table = self._integers.buffer_info()[0]
        self.input_types = [(b.dtype, b.shape) for b in program.inputs]
        self.output_types = [(b.dtype, b.shape) for b in program.outputs]
        self._constants = constant_table(program)
        self.constants_id = id(self._constants)
        self._arena_lock = threading.Lock()
        self._arena = np.empty(0, np.uint8)
        self.block: Any = None
        self.run_flat: Any = None

    def _function(self, what: int | str | HostCall, shared: bool) -> int:
        if isinstance(what, int):
            return self.kernels[what].address
        if isinstance(what, str):
            if what in ("pool", "parallel_for") and not shared:
                return 0
            return _ROUTINES[what]() if what in _ROUTINES else blas_address(what)
        callback = _callback(what)
        self._keep.append(callback)
        address = ctypes.cast(callback, ctypes.c_void_p).value
        assert address is not None
        return address

    def __call__(self, *args: Any) -> list[Any]:
        """Run on arrays of the program's input types; returns new arrays."""
        arrays = [as_input(x, d, s) for x, (d, s) in zip(args, self.input_types, strict=True)]
        if self.run_flat is not None:
            found: list[Any] = self.run_flat(*arrays)
            return found
        for dtype, shape in self.output_types:
            arrays.append(np.ndarray.__new__(Array, shape, dtype))
        objects = array("Q", [id(a) for a in arrays])
        objects.append(self.constants_id)
        exclusive = self._arena_lock.acquire(blocking=False)
        try:
            arena = self.arena() if exclusive else aligned(self.program.arena)
            failed = self._entry(
                objects.buffer_info()[0],
                arena.__array_interface__["data"][0],
                self.function_table,
                self.integer_table,
            )
        finally:
            if exclusive:
                self._arena_lock.release()
        if failed:
            raise_pending()
        return arrays[len(self.input_types) :]

    def arena(self) -> Any:
        """The program's own memory for temporaries, kept from call to call."""
        if self._arena.nbytes < self.program.arena:
            self._arena = aligned(self.program.arena)
        return self._arena


def constant_table(program: Program) -> Any:
    """The program's scalars, `CONSTANT_BYTES` for each."""
    table = np.zeros(CONSTANT_BYTES * max(len(program.constants), 1), np.uint8)
    for buffer, value in program.constants:
        raw = np.frombuffer(np.asarray(value).tobytes(), np.uint8)
        table[buffer.offset : buffer.offset + raw.size] = raw
    return table


def aligned(nbytes: int) -> Any:
    """Fresh bytes that start at a multiple of 64."""
    raw = np.empty(nbytes + 64, np.uint8)
    start = -raw.__array_interface__["data"][0] % 64
    return raw[start : start + nbytes]


def as_input(x: Any, dtype: DType, shape: tuple[int, ...]) -> Any:
    """The argument as a contiguous array of the program's type, without a copy if it is one."""
    if isinstance(x, np.ndarray) and x.dtype == dtype and x.flags.c_contiguous:
        if x.shape != shape:
            raise DtypeError(f"a program for {Aval(shape, dtype)} was called with shape {x.shape}")
        return x
    out = np.ascontiguousarray(x, dtype)
    return out.reshape(shape)


def compile_jaxpr(jaxpr: Jaxpr) -> Executable:
    """Build and compile a program."""
    with no_collection():
        return Executable(build_program(jaxpr))
