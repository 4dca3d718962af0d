"""A program made ready to run, and run: kernels compiled, driver loaded, arrays in and out."""

from __future__ import annotations

import ctypes
import functools
import threading
import weakref
from array import array
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NoReturn

import numpy as np

from fxla.compile.backend.compiled import CompiledKernel, Kernels, target
from fxla.compile.backend.haste import in_haste
from fxla.compile.backend.improve import improve_later
from fxla.compile.backend.pool import pool
from fxla.compile.build import build_program
from fxla.compile.driver import print_driver
from fxla.compile.family import family_of
from fxla.compile.image import HostFunction, Image, image_of
from fxla.compile.passes.simplify import inline_calls, simplify
from fxla.compile.program import NumpyValue, Program
from fxla.compile.routines.fourier import fourier_job, fourier_table
from fxla.compile.routines.gemm import gemm_address, one_blas_thread
from fxla.compile.routines.pocketfft import line_address, pocketfft_address
from fxla.compile.store import load_image, program_key, save_image
from fxla.core.array import Array
from fxla.core.aval import Aval
from fxla.core.blas import blas_address, blas_threads
from fxla.core.check import checks_enabled
from fxla.core.dtypes import DType
from fxla.core.jaxpr import Jaxpr
from fxla.core.pause import no_collection, quick_turns
from fxla.errors import DtypeError

__all__ = ["Executable", "compile_jaxpr", "executable_from", "raise_pending"]

_Entry = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
)
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_entries: dict[int, Any] = {}
_raised = threading.local()


BLAS_ROWS = 256
"""A matrix of at most so many rows is factored by one thread.

OpenBLAS's own would wait for each other where the pool's, or those of another process, are on their
cores: on two cores that others kept busy, `eigh` of 128 x 128 took 1.5 ms by one and 424 ms by two,
Cholesky's factor of 0.1 ms 0.4; and when it is done they go on spinning while the pool works.
"""


def _small_for_blas(call: HostFunction) -> bool:
    """Whether BLAS is held to one thread: it depends on sizes alone, and so do the bits."""
    value = call.function
    if not (isinstance(value, NumpyValue) and value.primitive.uses_blas):
        return False
    return max(call.in_avals[0].shape[-2:], default=0) <= BLAS_ROWS


def _callback(call: HostFunction) -> Any:
    """A C function that calls a Python one on views of the program's memory."""
    avals = (*call.in_avals, *call.out_avals)
    sizes = [a.size * a.dtype.itemsize for a in avals]
    n = len(call.in_avals)
    held = one_blas_thread if _small_for_blas(call) else nullcontext

    def view(address: int, aval: Aval, nbytes: int) -> Any:
        if nbytes == 0:
            return np.empty(aval.shape, aval.dtype)
        memory = (ctypes.c_ubyte * nbytes).from_address(address)
        return np.frombuffer(memoryview(memory), aval.dtype).reshape(aval.shape)

    def run(places: int) -> int:
        try:
            addresses = (ctypes.c_uint64 * len(avals)).from_address(places)
            arrays = [view(p, a, s) for p, a, s in zip(addresses, avals, sizes, strict=True)]
            with held():
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
    "pocketfft": pocketfft_address,
    "blas_threads": blas_threads,
}
"""What a driver calls, or hands on, beside kernels and BLAS."""


_FAMILIES = {"pocketfft": line_address, "fourier": fourier_job}
"""Likewise, by what stands before the colon in a name; names without one are of BLAS."""


class Executable:
    """A compiled program.

    Attributes:
        image: its code, and what its tables hold.
        address: where its driver is; `function_table`, `integer_table` are where its tables are.
        input_types, output_types: dtype and shape of each.
        constants_id: address of the array object of its constants.
        kept_as: the key that its image is kept under on disk, if it is.
        block, run_flat: what `fxla.compile.calls.entry` makes of it when it is called again.
    """

    def __init__(
        self, image: Image, make_program: Callable[[], Program], program: Program | None = None
    ) -> None:
        """Make a program ready to run.

        Args:
            image: what runs.
            make_program: gives the instructions, for people and tools that want to see them.
            program: the same without notes, if it is there already.
        """
        self.image = image
        self.kept_as: str | None = None
        self._calls_in_haste = 1 if any(k.hasty is not None for k in image.kernels) else -1
        self._make_program = make_program
        self._given = program
        self.address = image.driver
        if self.address not in _entries:
            _entries[self.address] = _Entry(self.address)
        self._entry = _entries[self.address]
        self._keep: list[Any] = []
        self._functions = array("Q", [self._function(f) for f in image.functions] or [0])
        self._integers = array("q", image.integers or (0,))
        self.function_table = self._functions.buffer_info()[0]
        self.integer_table = self._integers.buffer_info()[0]
        self.input_types = image.inputs
        self.output_types = image.outputs
        self._constants = np.frombuffer(image.constants, np.uint8).copy()
        self.constants_id = id(self._constants)
        self._arena_lock = threading.Lock()
        self._arena = np.empty(0, np.uint8)
        self.block: Any = None
        self.run_flat: Any = None

    @property
    def program(self) -> Program:
        """Its instructions."""
        return self.explained if self._given is None else self._given

    @functools.cached_property
    def explained(self) -> Program:
        """Its instructions, with notes that say what was fused, and why."""
        return self._make_program()

    @property
    def kernels(self) -> tuple[CompiledKernel, ...]:
        """Compiled kernels, in the order of ``program.kernels()``."""
        return self.image.kernels

    @functools.cached_property
    def driver_text(self) -> str:
        """The LLVM text of the function that runs them."""
        return print_driver(self.program, [k.packed for k in self.kernels]).text

    def _function(self, what: int | str | HostFunction) -> int:
        if isinstance(what, int):
            return self.image.kernels[what].address
        if isinstance(what, str):
            if what in ("pool", "parallel_for") and not self.image.shared:
                return 0
            if what in _ROUTINES:
                return _ROUTINES[what]()
            if what.startswith("fourier table:"):
                table = fourier_table(what)
                self._keep.append(table)
                return int(table.__array_interface__["data"][0])
            family = _FAMILIES.get(what.partition(":")[0], blas_address)
            return family(what)
        callback = _callback(what)
        self._keep.append(callback)
        address = ctypes.cast(callback, ctypes.c_void_p).value
        assert address is not None
        return address

    def __call__(self, *args: Any) -> list[Any]:
        """Run on arrays of the program's input types; returns new arrays."""
        if self._calls_in_haste >= 0:
            if self._calls_in_haste == 0:
                improve_later(self.image.kernels, self._improved)
            self._calls_in_haste -= 1
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
            arena = self.arena() if exclusive else aligned(self.image.arena)
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

    def _improved(self) -> None:
        """Run what its kernels have become from now on, and keep it."""
        for slot, what in enumerate(self.image.functions):
            if isinstance(what, int):
                self._functions[slot] = self.image.kernels[what].address
        if self.kept_as is not None:
            save_image(self.kept_as, self.image)

    def arena(self) -> Any:
        """The program's own memory for temporaries, kept from call to call."""
        arena = self._arena
        if arena.nbytes < self.image.arena:
            arena = self._arena = aligned(self.image.arena)
        return arena

    def new_arena(self) -> Any:
        """Memory for temporaries that nobody else has; another thread may be using the kept one."""
        self._arena = np.empty(0, np.uint8)
        return aligned(self.image.arena)


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


def executable_from(program: Program) -> Executable:
    """Compile the kernels and the driver of a program."""
    return Executable(image_of(program), lambda: program)


_known: weakref.WeakValueDictionary[str, Executable] = weakref.WeakValueDictionary()


def built_executable(jaxpr: Jaxpr) -> Executable:
    """Build a program and compile it; its first kernels are compiled while others are made.

    What people want to see of it is found when they ask.
    """
    build = functools.partial(build_program, jaxpr, tiles=target() == "native")
    simple = simplify(jaxpr)
    found = None if checks_enabled() else family_of(simple)
    image = None if found is None else found[0].image(simple, found[1])
    if image is not None:
        return Executable(image, build)
    kernels = Kernels(hasty=in_haste(simple))
    try:
        program = build_program(simple, tiles=target() == "native", made=kernels.add, noted=False)
    except BaseException:
        kernels.finish()
        raise
    image = image_of(program, kernels)
    if found is not None:
        found[0].learn(simple, found[1], image)
    return Executable(image, build, program)


def compile_jaxpr(jaxpr: Jaxpr) -> Executable:
    """Build and compile a program, or find it: in this process, or on disk."""
    with no_collection():
        jaxpr = inline_calls(jaxpr)
        key = program_key(jaxpr)
        if key is None:
            with quick_turns():
                return built_executable(jaxpr)
        found = _known.get(key)
        if found is None:
            image = load_image(key)
            if image is not None:
                build = functools.partial(build_program, jaxpr, tiles=target() == "native")
                found = Executable(image, build)
            else:
                with quick_turns():
                    found = built_executable(jaxpr)
                save_image(key, found.image)
            found.kept_as = key
            _known[key] = found
        return found
