"""Programs on a CUDA device: the host walks the instructions, kernels run on the device.

Where `fxla.compile.executable` enters one native driver, this walks the same tree in Python: it
launches kernels one after the other on CuPy's current stream, waits only to read the predicate of a
loop or the number of a branch, and calls what the device has no kernel for (sorting, LAPACK, FFT)
on copies in the host's memory. Matrix products and convolutions are generated loops.

Arguments are CuPy arrays, whatever has ``__cuda_array_interface__``, or arrays of the host, which
are copied there; results are CuPy arrays.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from fxla.compile.build import build_program
from fxla.compile.cuda.kernels import CudaFunction, compile_cuda
from fxla.compile.cuda.memory import DeviceMemory, cupy_module, device_memory, simulated
from fxla.compile.image import constant_table
from fxla.compile.program import (
    Branch,
    Buffer,
    Copy,
    HostCall,
    Instruction,
    Launch,
    Loop,
    LoopIndex,
    Pointer,
    Program,
    WhileLoop,
)
from fxla.core.dtypes import bool_, int32
from fxla.core.jaxpr import Jaxpr
from fxla.core.primitive import Primitive
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import is_on_device, typeof
from fxla.errors import InternalError
from fxla.loops.extents import kernel_key
from fxla.loops.ir import Kernel
from fxla.loops.passes.spread import spread
from fxla.loops.written import Written

__all__ = ["CudaExecutable", "compile_jaxpr_for_cuda", "evaluate"]

_MAX_EVALUATED = 1024

_compiled: dict[str, CudaFunction] = {}
_lock = threading.RLock()


def _compile_kernel(kernel: Kernel) -> CudaFunction:
    """Compile a kernel for a grid, or find it compiled."""
    key = kernel_key(kernel)
    with _lock:
        if key not in _compiled:
            whole = kernel if isinstance(kernel, Written) else spread(kernel)
            _compiled[key] = compile_cuda(whole)
        return _compiled[key]


class CudaExecutable:
    """A program for CUDA devices.

    Attributes:
        program: its instructions.
        kernels: compiled kernels, in the order of ``program.kernels()``.

    Example:
        >>> from fxla.core.aval import Aval
        >>> from fxla.ops.transcendental import sin
        >>> closed = trace_to_jaxpr(lambda x: [sin(x)], [Aval((3,), np.dtype("f4"))])
        >>> (kernel,) = compile_jaxpr_for_cuda(closed.jaxpr).kernels
        >>> ".target sm_90" in kernel.ptx((9, 0))
        True
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        kernels = program.kernels()
        self.kernels = [_compile_kernel(k) for k in kernels]
        self._function = {id(k): f for k, f in zip(kernels, self.kernels, strict=True)}
        self._constants: dict[int, Any] = {}

    def __call__(self, *args: Any) -> list[Any]:
        """Run on arrays of the program's input types; returns new arrays of the device."""
        with _device_of(args) as number:
            memory = device_memory()
            inputs = [
                memory.array(x, b.dtype) for x, b in zip(args, self.program.inputs, strict=True)
            ]
            outputs = [memory.empty(b.shape, b.dtype) for b in self.program.outputs]
            arena = memory.empty((self.program.arena,), np.dtype(np.uint8))
            if number not in self._constants:
                self._constants[number] = memory.array(
                    np.frombuffer(constant_table(self.program), np.uint8)
                )
            constants = self._constants[number]
            run = _Run(self._function, memory, memory.address(arena), memory.address(constants))
            for b, x in zip(
                (*self.program.inputs, *self.program.outputs), (*inputs, *outputs), strict=True
            ):
                run.base[b] = memory.address(x)
            run.block(self.program.body)
            return outputs


class _Run:
    """One run of a program.

    Attributes:
        base: where buffers start: arguments and results, and halves that have traded places.
        index: the iteration each enclosing loop is at.
    """

    def __init__(
        self, functions: dict[int, CudaFunction], memory: DeviceMemory, arena: int, constants: int
    ) -> None:
        self.functions = functions
        self.memory = memory
        self.arena = arena
        self.constants = constants
        self.base: dict[Buffer, int] = {}
        self.index: dict[LoopIndex, int] = {}

    def start(self, b: Buffer) -> int:
        """Where a buffer starts now."""
        known = self.base.get(b)
        if known is not None:
            return known
        return (self.constants if b.role == "constant" else self.arena) + b.offset

    def at(self, p: Pointer) -> int:
        """The address of a place now."""
        address = self.start(p.buffer)
        for index, stride in p.terms:
            address += self.index[index] * stride
        return address

    def block(self, body: Sequence[Instruction]) -> None:
        """Run instructions in order."""
        for i in body:
            match i:
                case Launch():
                    self.functions[id(i.kernel)].launch_at([self.at(p) for p in i.args], i.sizes)
                case Copy():
                    self.memory.copy(self.at(i.destination), self.at(i.source), i.nbytes)
                case HostCall():
                    self.host_call(i)
                case Loop():
                    self.loop(i)
                case WhileLoop():
                    self.while_loop(i)
                case Branch():
                    number = int(self.memory.read(self.at(i.index), (), int32))
                    self.block(i.branches[min(max(number, 0), len(i.branches) - 1)])
                case _:
                    raise InternalError(f"a program for CUDA holds a {type(i).__name__}")

    def loop(self, i: Loop) -> None:
        for k in reversed(range(i.length)) if i.reverse else range(i.length):
            self.index[i.index] = k
            self.block(i.body)
            self.swap(i.swapped)

    def while_loop(self, i: WhileLoop) -> None:
        while True:
            self.block(i.condition)
            if not self.memory.read(self.at(i.predicate), (), bool_):
                return
            self.block(i.body)
            self.swap(i.swapped)

    def swap(self, pairs: tuple[tuple[Buffer, Buffer], ...]) -> None:
        for a, b in pairs:
            self.base[a], self.base[b] = self.start(b), self.start(a)

    def host_call(self, i: HostCall) -> None:
        """Copy the operands to the host, call, copy the results back."""
        operands = [
            self.memory.read(self.at(p), a.shape, a.dtype)
            for p, a in zip(i.inputs, i.in_avals, strict=True)
        ]
        results = i.function(*operands)
        for p, aval, result in zip(i.outputs, i.out_avals, results, strict=True):
            x = np.empty(aval.shape, aval.dtype)
            x[...] = result
            self.memory.write(self.at(p), x)


@contextlib.contextmanager
def _number(number: int) -> Any:
    yield number


def _device_of(args: Sequence[Any]) -> Any:
    """Make the device of the arguments current for a scope; gives its number."""
    if simulated():
        return _number(0)
    cupy = cupy_module()
    devices = {d for x in args if (d := _number_of(x)) is not None}
    if len(devices) > 1:
        raise ValueError(
            f"arguments lie on different CUDA devices: {', '.join(map(str, sorted(devices)))}. "
            "Move them to one with `fxla.device_put`."
        )
    return _current(cupy.cuda.Device(*devices))


@contextlib.contextmanager
def _current(device: Any) -> Any:
    with device:
        yield int(device.id)


def _number_of(x: Any) -> int | None:
    """The number of the CUDA device that holds an array; None if that is not known or none."""
    if not is_on_device(x):
        return None
    number = getattr(getattr(x, "device", None), "id", None)
    return int(number) if number is not None else None


def compile_jaxpr_for_cuda(jaxpr: Jaxpr) -> CudaExecutable:
    """Build and compile a program; library calls are left to the host, products to kernels."""
    return CudaExecutable(build_program(jaxpr, use_library=False))


# ------------------------------------------------------------------ one operation at a time

_evaluated: dict[Hashable, CudaExecutable] = {}


def evaluate(primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> tuple[Any, ...]:
    """The value of a primitive on arrays, some of them on a device: a program of one equation."""
    avals = tuple([typeof(x) for x in args])
    named = sorted(params.items())
    key: Hashable = (primitive, avals, repr(named), *[v for _, v in named])

    def make() -> CudaExecutable:
        call: Callable[..., Any] = lambda *xs: primitive.bind(*xs, **params)  # noqa: E731
        closed = trace_to_jaxpr(call, avals, primitive.name)
        if closed.consts:
            raise InternalError(f"{primitive.name} closes over arrays when it is traced")
        return compile_jaxpr_for_cuda(closed.jaxpr)

    try:
        known = _evaluated.get(key)
    except TypeError:  # a parameter that cannot be hashed
        return tuple(make()(*args))
    if known is None:
        known = make()
        while len(_evaluated) >= _MAX_EVALUATED:
            _evaluated.pop(next(iter(_evaluated)), None)
        _evaluated[key] = known
    return tuple(known(*args))
