"""Memory of a CUDA device: its arrays, and raw places that a program's instructions name.

`CupyMemory` is the current device's. `SimulatedMemory` is the host's own memory, for numba's CUDA
simulator (``NUMBA_ENABLE_CUDASIM=1``); its arrays refuse to become NumPy arrays by themselves, as
CuPy's do, so that what runs in the simulator runs on a GPU.
"""

from __future__ import annotations

import ctypes
import importlib
import os
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from fxla.core.dtypes import DType
from fxla.errors import MissingExtraError

__all__ = [
    "CupyMemory",
    "DeviceMemory",
    "SimulatedArray",
    "SimulatedMemory",
    "cupy_module",
    "device_memory",
    "host_view",
    "missing",
    "simulated",
]


def simulated() -> bool:
    """Whether numba's CUDA simulator stands in for a GPU."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


def missing(what: str) -> MissingExtraError:
    """The error for an optional dependency that CUDA needs."""
    return MissingExtraError(f'CUDA needs {what}, which is not installed: pip install "fxla[cuda]"')


def cupy_module() -> Any:
    """CuPy, imported when it is first needed."""
    try:
        return importlib.import_module("cupy")
    except ImportError as error:
        raise missing("CuPy") from error


def host_view(address: int, dtype: DType, count: int) -> Any:
    """The host's memory at an address as a flat NumPy array."""
    if count == 0:
        return np.empty(0, dtype)
    memory: Any = (ctypes.c_char * (count * dtype.itemsize)).from_address(address)
    return np.frombuffer(memory, dtype)


class DeviceMemory(ABC):
    """What a program needs of a device beside its kernels."""

    @abstractmethod
    def empty(self, shape: tuple[int, ...], dtype: DType) -> Any:
        """A new array, not initialised."""

    @abstractmethod
    def array(self, x: Any, dtype: DType | None = None) -> Any:
        """`x` as a C-contiguous array of the device, without a copy if it is one."""

    @abstractmethod
    def address(self, array: Any) -> int:
        """Where an array of the device starts."""

    @abstractmethod
    def copy(self, destination: int, source: int, nbytes: int) -> None:
        """Copy bytes from place to place, after all that was asked of the device before."""

    @abstractmethod
    def read(self, source: int, shape: tuple[int, ...], dtype: DType) -> Any:
        """A NumPy array of what lies at a place, once the device is done with all before."""

    @abstractmethod
    def write(self, destination: int, x: Any) -> None:
        """Copy a C-contiguous NumPy array to a place."""


class CupyMemory(DeviceMemory):
    """The current device's memory. Everything is in the order of CuPy's current stream."""

    def __init__(self) -> None:
        self.cupy = cupy_module()
        self.runtime = self.cupy.cuda.runtime

    def empty(self, shape: tuple[int, ...], dtype: DType) -> Any:
        return self.cupy.empty(shape, dtype)

    def array(self, x: Any, dtype: DType | None = None) -> Any:
        return self.cupy.ascontiguousarray(self.cupy.asarray(x), dtype).reshape(np.shape(x))

    def address(self, array: Any) -> int:
        return int(array.data.ptr)

    def copy(self, destination: int, source: int, nbytes: int) -> None:
        self._move(destination, source, nbytes, self.runtime.memcpyDeviceToDevice)

    def read(self, source: int, shape: tuple[int, ...], dtype: DType) -> Any:
        x = np.empty(shape, dtype)
        self._move(x.ctypes.data, source, x.nbytes, self.runtime.memcpyDeviceToHost)
        self.cupy.cuda.get_current_stream().synchronize()
        return x

    def write(self, destination: int, x: Any) -> None:
        self._move(destination, x.ctypes.data, x.nbytes, self.runtime.memcpyHostToDevice)
        self.cupy.cuda.get_current_stream().synchronize()  # `x` may be freed once we return

    def _move(self, destination: int, source: int, nbytes: int, kind: int) -> None:
        if nbytes:
            stream = self.cupy.cuda.get_current_stream()
            self.runtime.memcpyAsync(destination, source, nbytes, kind, stream.ptr)


class SimulatedArray:
    """An array of the simulated device, in the role of CuPy's.

    Attributes:
        memory: the NumPy array that holds its elements.

    Example:
        >>> x = SimulatedArray(np.arange(3.0))
        >>> x.shape, x.get()
        ((3,), array([0., 1., 2.]))
        >>> np.asarray(x)
        Traceback (most recent call last):
        TypeError: an array of the simulated CUDA device does not become a NumPy array by itself...
    """

    __slots__ = ("memory",)

    def __init__(self, memory: Any) -> None:
        self.memory = np.array(memory, order="C", subok=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return tuple(self.memory.shape)

    @property
    def dtype(self) -> DType:
        """Element type."""
        dtype: DType = self.memory.dtype
        return dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(self.memory.size)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.memory.ctypes.data, False),
            "strides": None,
            "version": 3,
        }

    def get(self) -> Any:
        """A copy as a NumPy array."""
        return self.memory.copy()

    def __len__(self) -> int:
        return len(self.memory)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError(
            "an array of the simulated CUDA device does not become a NumPy array by itself: "
            "compute with it inside `fxla.jit`, or copy it to the host with `fxla.device_get`"
        )

    def __repr__(self) -> str:
        return f"SimulatedArray({self.memory!r})"


class SimulatedMemory(DeviceMemory):
    """The host's memory in the role of a device's. New memory holds no zeros by accident."""

    def empty(self, shape: tuple[int, ...], dtype: DType) -> Any:
        made = SimulatedArray(np.empty(shape, dtype))
        made.memory.reshape(-1).view(np.uint8)[...] = 0xA5
        return made

    def array(self, x: Any, dtype: DType | None = None) -> Any:
        if isinstance(x, SimulatedArray):
            if dtype is None or x.dtype == dtype:
                return x
            x = x.memory
        return SimulatedArray(np.asarray(x, dtype))

    def address(self, array: Any) -> int:
        return int(array.memory.ctypes.data)

    def copy(self, destination: int, source: int, nbytes: int) -> None:
        ctypes.memmove(destination, source, nbytes)

    def read(self, source: int, shape: tuple[int, ...], dtype: DType) -> Any:
        count = int(np.prod(shape, dtype=np.int64))
        return host_view(source, dtype, count).reshape(shape).copy()

    def write(self, destination: int, x: Any) -> None:
        ctypes.memmove(destination, x.ctypes.data, x.nbytes)


def device_memory() -> DeviceMemory:
    """The memory of the current device."""
    return SimulatedMemory() if simulated() else CupyMemory()
