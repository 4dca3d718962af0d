"""CuPy's side of programs, with a module in CuPy's place whose device is the host's memory.

It copies and counts but runs no kernel: what kernels compute is tested in the simulator.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.cuda.memory import CupyMemory


class FakeArray:
    """As CuPy's: an address, a device, no conversion."""

    def __init__(self, memory):
        self.memory = np.ascontiguousarray(memory).reshape(np.shape(memory))
        self.shape, self.dtype = self.memory.shape, self.memory.dtype
        self.data = SimpleNamespace(ptr=self.memory.ctypes.data)
        self.device = SimpleNamespace(id=1)
        self.__cuda_array_interface__ = {"typestr": self.dtype.str}

    def get(self):
        return self.memory.copy()

    def __array__(self, dtype=None, copy=None):
        raise TypeError("implicit conversion")

    def reshape(self, shape):
        assert shape == self.shape
        return self


class FakeDevice(contextlib.nullcontext):
    compute_capability = "90"
    attributes = {"MultiProcessorCount": 3}  # noqa: RUF012 - CuPy's is a property

    def __init__(self, number=1):
        super().__init__()
        self.id = number


class FakeModule:
    launches = []  # noqa: RUF012 - emptied by the fixture

    def load(self, image):
        assert b".target sm_90" in image

    def get_function(self, name):
        return lambda grid, block, args: self.launches.append((name, grid, block, args))


@pytest.fixture
def cupy(monkeypatch):
    stream = SimpleNamespace(ptr=5, synchronize=lambda: None)

    def move(destination, source, nbytes, kind, on):
        assert on == 5 and kind in (1, 2, 3)
        ctypes.memmove(destination, source, nbytes)

    def array(x, dtype=None):
        return x if isinstance(x, FakeArray) else FakeArray(np.asarray(x, dtype))

    runtime = SimpleNamespace(
        getDeviceCount=lambda: 2, CUDARuntimeError=RuntimeError, memcpyAsync=move,
        memcpyHostToDevice=1, memcpyDeviceToHost=2, memcpyDeviceToDevice=3,
    )  # fmt: skip
    cuda = SimpleNamespace(
        runtime=runtime, Device=FakeDevice, get_current_stream=lambda: stream,
        function=SimpleNamespace(Module=FakeModule),
    )  # fmt: skip
    fake = SimpleNamespace(
        __spec__=SimpleNamespace(),
        cuda=cuda, asarray=array, ascontiguousarray=array,
        empty=lambda shape, dtype: FakeArray(np.empty(shape, dtype)),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(FakeModule, "launches", [])
    return fake


def test_bytes_move_in_every_direction(cupy):
    memory = CupyMemory()
    x, y = memory.array(np.arange(6.0).reshape(2, 3)), memory.empty((2, 3), np.dtype("f8"))
    memory.copy(memory.address(y), memory.address(x), 48)
    np.testing.assert_array_equal(memory.read(memory.address(y), (2, 3), np.dtype("f8")), x.get())
    memory.write(memory.address(y), np.zeros((2, 3)))
    assert not y.get().any()
    memory.copy(0, 0, 0)


def test_what_the_host_computes_comes_back(cupy):
    x = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    sort = fxla.jit(lambda x: fnp.sort(x, 1))
    result = sort(fxla.device_put(x, "cuda:1"))
    assert isinstance(result, FakeArray)
    np.testing.assert_array_equal(fxla.device_get(result), np.sort(x, 1))


def test_a_launch_covers_the_array_up_to_the_size_of_the_device(cupy):
    f = fxla.jit(lambda x: fnp.tanh(x) + 1)
    for n in (1000, 10_000_000):
        x = fxla.device_put(np.zeros(n, "f4"), "cuda")
        y = f(x)
        _, grid, block, args = FakeModule.launches[-1]
        assert block == (256, 1, 1)
        assert grid == (4 if n == 1000 else 3 * 16, 1, 1)
        assert {int(a) for a in args} >= {x.data.ptr, y.data.ptr, n}
        assert all(isinstance(a, (np.uint64, np.int64)) for a in args)
    assert len({name for name, *_ in FakeModule.launches}) == 1


def test_arguments_must_lie_on_one_device(cupy):
    x, y = (fxla.device_put(np.zeros(3), "cuda") for _ in range(2))
    y.device.id = 0
    with pytest.raises(ValueError, match=r"different CUDA devices: 0, 1\. Move them"):
        fxla.jit(lambda x, y: x + y)(x, y)


def test_devices_are_counted(cupy):
    assert [str(d) for d in fxla.devices()] == ["cpu:0", "cuda:0", "cuda:1"]
    with pytest.raises(ValueError, match=r"no device 'cuda:2'\. CUDA's driver shows 2"):
        fxla.device_put(1.0, "cuda:2")
    cupy.cuda.runtime.getDeviceCount = lambda: (_ for _ in ()).throw(RuntimeError("no driver"))
    assert fxla.devices("cuda") == []
    with pytest.raises(ValueError, match="driver shows 0"):
        fxla.device_put(1.0, "cuda")
