"""Compiles kernels for CUDA with numba, and launches them with CuPy.

The printed Python runs a parallel loop over the whole grid, in strides. `CudaFunction.ptx` compiles
it without a GPU; `CudaFunction.launch` runs it on CuPy arrays, or on those of numba's simulator
(``NUMBA_ENABLE_CUDASIM=1``). PTX code is kept in the cache directory, and CuPy loads and
launches it, so that a process that finds it there imports no numba.

Neither numba.cuda nor CuPy is imported before it is needed: ``pip install "fxla[cuda]"`` installs
both.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import math
import re
import threading
from collections.abc import Sequence
from dataclasses import field
from types import FunctionType
from typing import Any

import numpy as np

from fxla.compile.backend.disk import cache_path, read_entry, write_entry
from fxla.compile.backend.numba_cpu import load_python
from fxla.compile.backend.numba_functions import half_functions, target_functions
from fxla.compile.cuda.memory import cupy_module, device_memory, host_view, missing, simulated
from fxla.core.deferred import deferred
from fxla.core.records import dataclass
from fxla.loops.ir import Buffer, Const, DType, Expr, Extent, For, Kernel
from fxla.loops.python.functions import bind_prelude, plain_functions, prelude_text
from fxla.loops.python.ops import storage_dtype
from fxla.loops.python.source import PythonSource, python_source, splits
from fxla.loops.written import Written

__all__ = ["CudaFunction", "compile_cuda", "to_device", "to_host"]

metadata = deferred("importlib.metadata")

_FORMAT = "fxla-cuda-1"
_THREADS = 256
_BLOCKS_PER_PROCESSOR = 16

_lock = threading.RLock()


@dataclass(frozen=True, slots=True)
class CudaFunction:
    """A kernel for CUDA.

    Attributes:
        kernel: the loop nest.
        printed: its Python.
        dtypes: of the elements of the buffers, half floats as uint16 and booleans as uint8.
    """

    kernel: Kernel
    printed: PythonSource
    dtypes: tuple[DType, ...]
    _loaded: dict[int, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def source(self) -> str:
        """The Python that is compiled."""
        return self.printed.source

    def ptx(self, cc: tuple[int, int] = (8, 0)) -> str:
        """The PTX code for a compute capability; needs no GPU.

        The entry takes a pointer for each input and output, then a 64-bit integer for each extent.
        """
        key = _key(self.printed, self.dtypes, cc)
        path = cache_path("ptx", key, ".ptx")
        found = read_entry(path) if path is not None else None
        if found is not None:
            return found.decode()
        text = _compile(self.printed, self.dtypes, cc)
        if path is not None:
            write_entry(path, text.encode())
        return text

    def launch(self, arrays: Sequence[Any], sizes: Sequence[int] = ()) -> None:
        """Run on C-contiguous arrays of the device, inputs before outputs."""
        memory = device_memory()
        self.launch_at([memory.address(a) for a in arrays], sizes)

    def launch_at(self, addresses: Sequence[int], sizes: Sequence[int] = ()) -> None:
        """Run on arrays that start at these places of the current device's memory."""
        if simulated():
            self._simulate(addresses, sizes)
            return
        cupy = cupy_module()
        device = cupy.cuda.Device()
        if device.id not in self._loaded:
            capability = device.compute_capability
            text = self.ptx((int(capability[:-1]), int(capability[-1])))
            module = cupy.cuda.function.Module()
            module.load(text.encode())
            function = module.get_function(entry_name(text))
            self._loaded[device.id] = module, function, device.attributes["MultiProcessorCount"]
        _, function, processors = self._loaded[device.id]
        work = self.work(sizes)
        blocks = max(1, min(-(-work // _THREADS), processors * _BLOCKS_PER_PROCESSOR))
        threads = _THREADS if work > 1 else 1
        arguments = (*map(np.uint64, addresses), *map(np.int64, sizes))
        function((blocks, 1, 1), (threads, 1, 1), arguments)

    def _simulate(self, addresses: Sequence[int], sizes: Sequence[int]) -> None:
        if 0 not in self._loaded:
            self._loaded[0] = _simulator_kernel(self.printed, self.plain())
        flat = [
            host_view(at, dtype, n)
            for at, dtype, n in zip(addresses, self.dtypes, self.elements(sizes), strict=True)
        ]
        grid = (2, 2) if self.work(sizes) > 1 else (1, 1)
        self._loaded[0][grid](*flat, *map(int, sizes))

    def plain(self) -> dict[str, Any]:
        """What the names in the source mean in the simulator."""
        return plain_functions()

    def elements(self, sizes: Sequence[int]) -> list[int]:
        """How many elements each array has."""
        known = self._known(sizes)
        return [_elements(b, known) for b in (*self.kernel.inputs, *self.kernel.outputs)]

    def _known(self, sizes: Sequence[int]) -> dict[str | None, int]:
        """The value of each run-time extent."""
        names = [e.name for e in self.kernel.extents]
        return dict(zip(names, map(int, sizes), strict=True))

    def work(self, sizes: Sequence[int]) -> int:
        """How many iterations the threads of a grid share; 1 if the body is not a parallel loop."""
        if not splits(self.kernel):
            return 1
        known = self._known(sizes)
        total = 1
        body = self.kernel.body
        while len(body) == 1 and isinstance(body[0], For) and body[0].kind == "parallel":
            n = _size(body[0].extent, known)
            total *= 1 << 16 if n is None else n  # computed in the kernel: enough threads for any
            body = body[0].body
        return total


class WrittenCudaFunction(CudaFunction):
    """A kernel for CUDA that is Python already: its last size is the number of examples."""

    __slots__ = ()

    def plain(self) -> dict[str, Any]:
        return {"np": np, "math": math}

    def elements(self, sizes: Sequence[int]) -> list[int]:
        assert isinstance(self.kernel, Written)
        given = iter(sizes)
        return [
            math.prod([next(given) for _ in range(rank)]) * (sizes[-1] if own else 1)
            for rank, own in self.kernel.grid
        ]

    def work(self, sizes: Sequence[int]) -> int:
        return sizes[-1]


def _size(e: Expr, known: dict[str | None, int]) -> int | None:
    """The value of an extent; None if it is computed."""
    match e:
        case Const(value=n):
            return int(n)
        case Extent(value=n, name=name):
            return n if name is None else known[name]
    return None


def _elements(b: Buffer, known: dict[str | None, int]) -> int:
    """The number of elements of a buffer."""
    sizes = [_size(n, known) for n in b.shape]
    assert None not in sizes
    return math.prod([n for n in sizes if n is not None])


def compile_cuda(kernel: Kernel) -> CudaFunction:
    """Prepare a parametrised kernel for CUDA; compilation waits for the compute capability.

    Args:
        kernel: from `fxla.loops.extents.parametrise`, or one that is text for a grid.
    """
    dtypes = tuple([storage_dtype(b.dtype) for b in (*kernel.inputs, *kernel.outputs)])
    if isinstance(kernel, Written):
        sizes = [f"n{k}" for k in range(kernel.sizes)]
        names = (*[b.name for b in (*kernel.inputs, *kernel.outputs)], *sizes)
        return WrittenCudaFunction(kernel, PythonSource(kernel.name, kernel.source, names), dtypes)
    printed = python_source(kernel, "cuda")
    return CudaFunction(kernel, printed, dtypes)


def entry_name(ptx: str) -> str:
    """The name of the kernel in PTX code."""
    found = re.search(r"\.entry\s+([\w$]+)", ptx)
    assert found is not None
    return found[1]


# ------------------------------------------------------------------ arrays


def to_device(x: Any) -> Any:
    """Copy an array to the current CUDA device, as a CuPy array or one of the simulator."""
    return device_memory().array(x)


def to_host(x: Any) -> Any:
    """Copy an array of a device to a NumPy array; a NumPy array is returned as it is."""
    if isinstance(x, np.ndarray):
        return x
    return x.get() if hasattr(x, "get") else cupy_module().asarray(x).get()


# ------------------------------------------------------------------ numba and CuPy


def _key(printed: PythonSource, dtypes: tuple[DType, ...], cc: tuple[int, int]) -> str:
    what = (_FORMAT, _version(), f"{cc}", prelude_text(), printed.source, *[t.name for t in dtypes])
    return hashlib.sha256("\0".join(what).encode()).hexdigest()


def _version() -> str:
    try:
        return str(metadata.version("numba-cuda"))
    except metadata.PackageNotFoundError as error:
        raise missing("numba-cuda") from error


def _compile(printed: PythonSource, dtypes: tuple[DType, ...], cc: tuple[int, int]) -> str:
    cuda, types = _numba_cuda(""), _numba_cuda(".types")
    pointers = [types.CPointer(getattr(types, t.name)) for t in dtypes]
    arguments = pointers + [types.int64] * (len(printed.parameters) - len(pointers))
    with _lock:
        function = load_python(printed, _functions() | {"cuda": cuda})
        text, _ = cuda.compile_ptx(function, tuple(arguments), cc=cc)
    return str(text)


def _simulator_kernel(printed: PythonSource, functions: dict[str, Any]) -> Any:
    """The kernel for the simulator, which runs each thread of a grid in a Python thread."""
    cuda = _numba_cuda("")
    kernel = load_python(printed, functions | {"cuda": cuda})
    scope = kernel.__globals__  # the simulator replaces `cuda` in the globals of what it runs
    scope.update(errstate=np.errstate, kernel=kernel)
    return cuda.jit(FunctionType(_without_warnings.__code__, scope))


def _without_warnings(*args: Any) -> None:
    with errstate(all="ignore"):  # type: ignore[name-defined]  # noqa: F821 - see above
        kernel(*args)  # type: ignore[name-defined]  # noqa: F821


@functools.cache
def _functions() -> dict[str, Any]:
    """The prelude as device functions.

    They are inlined in the source: numba compiles a function that is called for the GPU that is
    present, and so not at all without one.
    """
    cuda, types = _numba_cuda(""), _numba_cuda(".types")
    intrinsic = _numba_cuda(".extending").intrinsic
    signature = _numba_cuda(".typing").signature
    device = cuda.jit(device=True, inline="always")
    provided = target_functions(intrinsic, types, signature, {"rint": "__nv_rint"})
    provided |= half_functions(intrinsic, types, signature)
    return bind_prelude(device, provided | {"fmod": device(_fmod)})


def _fmod(x: Any, y: Any) -> Any:
    return math.fmod(x, y)


def _numba_cuda(module: str) -> Any:
    """A module of numba.cuda, imported when it is first needed."""
    try:
        return importlib.import_module(f"numba.cuda{module}")
    except ImportError as error:
        raise missing("numba-cuda") from error
