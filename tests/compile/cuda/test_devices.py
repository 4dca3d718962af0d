"""Devices without a device: names, errors, the host. Moving to one is in test_cuda_program.py."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import fxla
from fxla.errors import MissingExtraError


def test_the_cpu_is_always_there():
    assert fxla.devices()[0] == fxla.Device("cpu")
    assert fxla.devices("cpu") == [fxla.Device("cpu", 0)]
    assert str(fxla.Device("cuda", 1)) == "cuda:1"


def test_without_cupy_there_is_no_cuda_device(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert fxla.devices("cuda") == fxla.devices("gpu") == []
    for device in ("cuda", "gpu", "cuda:0", fxla.Device("cuda")):
        with pytest.raises(MissingExtraError, match=r'pip install "fxla\[cuda\]"'):
            fxla.device_put(np.zeros(3), device)


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "cuda:-1", ""])
def test_a_device_that_is_none_is_named(name):
    with pytest.raises(ValueError, match="there is no device"):
        fxla.device_put(1.0, name)
    with pytest.raises(ValueError, match="neither 'cpu' nor 'cuda'"):
        fxla.devices(name)


def test_the_hosts_arrays_stay_where_they_are():
    x = np.arange(3.0)
    for there in (fxla.device_put({"x": x}, "cpu"), fxla.device_put({"x": x})):
        assert isinstance(there["x"], fxla.Array)
        assert np.shares_memory(there["x"], x)
    assert isinstance(fxla.device_get(x), fxla.Array)


def test_moving_while_tracing_keeps_the_value():
    f = fxla.jit(lambda x: fxla.device_get(fxla.device_put(x, "cpu")) * 2)
    np.testing.assert_array_equal(f(np.arange(3.0)), [0.0, 2.0, 4.0])
