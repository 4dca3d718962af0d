"""Compiles kernels for CUDA with numba, and moves arrays there with CuPy.

The printed Python runs a parallel loop over the whole grid, in strides. `CudaFunction.ptx` compiles
it without a GPU; `CudaFunction.launch` runs it on CuPy arrays, or on NumPy arrays in numba's
simulator (``NUMBA_ENABLE_CUDASIM=1``). PTX code is kept in the cache directory, and CuPy loads and
launches it, so that a process that finds it there imports no numba.

Neither numba.cuda nor CuPy is imported before it is needed: ``pip install "fxla[cuda]"`` installs
both.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import math
import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from types import FunctionType
from typing import Any

import numpy as np

from fxla.compile.disk import read_entry, write_entry
from fxla.compile.numba_cpu import cache_path, load_python
from fxla.compile.numba_functions import half_functions, target_functions
from fxla.errors import MissingExtraError
from fxla.loops.ir import Const, DType, Extent, For, Kernel
from fxla.loops.python_ops import storage_dtype
from fxla.loops.python_source import PythonSource, python_source, splits
from fxla.loops.scalar_python import bind_prelude, plain_functions, prelude_text

__all__ = ["CudaFunction", "compile_cuda", "simulated", "to_device", "to_host"]

_FORMAT = "fxla-cuda-1"
_THREADS = 256
_BLOCKS_PER_PROCESSOR = 16

_lock = threading.RLock()


def simulated() -> bool:
    """Whether numba's CUDA simulator stands in for a GPU."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


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
        if simulated():
            self._simulate(arrays, sizes)
            return
        cupy = _cupy()
        device = cupy.cuda.Device()
        if device.id not in self._loaded:
            capability = device.compute_capability
            text = self.ptx((int(capability[:-1]), int(capability[-1])))
            module = cupy.cuda.function.Module()
            module.load(text.encode())
            self._loaded[device.id] = module, module.get_function(entry_name(text))
        _, function = self._loaded[device.id]
        work = self.work(sizes)
        processors = device.attributes["MultiProcessorCount"]
        blocks = max(1, min(-(-work // _THREADS), processors * _BLOCKS_PER_PROCESSOR))
        threads = _THREADS if work > 1 else 1
        pointers = [np.uint64(a.data.ptr) for a in arrays]
        function((blocks, 1, 1), (threads, 1, 1), (*pointers, *[np.int64(n) for n in sizes]))

    def _simulate(self, arrays: Sequence[Any], sizes: Sequence[int]) -> None:
        if 0 not in self._loaded:
            self._loaded[0] = _simulator_kernel(self.printed)
        flat = [a.reshape(-1).view(t) for a, t in zip(arrays, self.dtypes, strict=True)]
        self._loaded[0][2, 2](*flat, *[int(n) for n in sizes])

    def work(self, sizes: Sequence[int]) -> int:
        """How many iterations the threads of a grid share; 1 if the body is not a parallel loop."""
        if not splits(self.kernel):
            return 1
        known = dict(zip([e.name for e in self.kernel.extents], sizes, strict=True))
        total = 1
        body = self.kernel.body
        while len(body) == 1 and isinstance(body[0], For) and body[0].kind == "parallel":
            match body[0].extent:
                case Const(value=n):
                    total *= int(n)
                case Extent(value=n, name=name):
                    total *= n if name is None else int(known[name])
                case _:  # computed in the kernel: enough threads for any
                    total *= 1 << 16
            body = body[0].body
        return total


def compile_cuda(kernel: Kernel) -> CudaFunction:
    """Prepare a parametrised kernel for CUDA; compilation waits for the compute capability.

    Args:
        kernel: from `fxla.loops.extents.parametrise`.
    """
    printed = python_source(kernel, "cuda")
    dtypes = tuple([storage_dtype(b.dtype) for b in (*kernel.inputs, *kernel.outputs)])
    return CudaFunction(kernel, printed, dtypes)


def entry_name(ptx: str) -> str:
    """The name of the kernel in PTX code."""
    found = re.search(r"\.entry\s+([\w$]+)", ptx)
    assert found is not None
    return found[1]


# ------------------------------------------------------------------ arrays


def to_device(x: Any) -> Any:
    """Copy an array to the current CUDA device, as a CuPy array (NumPy in the simulator)."""
    return np.array(x) if simulated() else _cupy().asarray(x)


def to_host(x: Any) -> Any:
    """Copy a CuPy array to a NumPy array; a NumPy array is returned as it is."""
    return x if isinstance(x, np.ndarray) else _cupy().asnumpy(x)


# ------------------------------------------------------------------ numba and CuPy


def _key(printed: PythonSource, dtypes: tuple[DType, ...], cc: tuple[int, int]) -> str:
    what = (_FORMAT, _version(), f"{cc}", prelude_text(), printed.source, *[t.name for t in dtypes])
    return hashlib.sha256("\0".join(what).encode()).hexdigest()


def _version() -> str:
    try:
        return version("numba-cuda")
    except PackageNotFoundError as error:
        raise _missing("numba-cuda") from error


def _compile(printed: PythonSource, dtypes: tuple[DType, ...], cc: tuple[int, int]) -> str:
    cuda, types = _numba_cuda(""), _numba_cuda(".types")
    pointers = [types.CPointer(getattr(types, t.name)) for t in dtypes]
    arguments = pointers + [types.int64] * (len(printed.parameters) - len(pointers))
    with _lock:
        function = load_python(printed, _functions() | {"cuda": cuda})
        text, _ = cuda.compile_ptx(function, tuple(arguments), cc=cc)
    return str(text)


def _simulator_kernel(printed: PythonSource) -> Any:
    """The kernel for the simulator, which runs each thread of a grid in a Python thread."""
    cuda = _numba_cuda("")
    kernel = load_python(printed, plain_functions() | {"cuda": cuda})
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
        raise _missing("numba-cuda") from error


def _cupy() -> Any:
    try:
        return importlib.import_module("cupy")
    except ImportError as error:
        raise _missing("CuPy") from error


def _missing(what: str) -> MissingExtraError:
    return MissingExtraError(f'CUDA needs {what}, which is not installed: pip install "fxla[cuda]"')
