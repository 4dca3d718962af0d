from __future__ import annotations

import os
import sys
from typing import Any

import numpy
import pytest

import fxla
import fxla.lax
import fxla.numpy
from bench.__main__ import measure
from bench.worker import leaves
from bench.workloads import WORKLOADS


class Eager:
    """The package with a `jit` that compiles nothing: NumPy alone runs the workload."""

    def __getattr__(self, name: str) -> Any:
        return getattr(fxla, name)

    @staticmethod
    def jit(f: Any) -> Any:
        return f


@pytest.mark.parametrize("name", [n for n in WORKLOADS if WORKLOADS[n].comparable])
def test_compiled_agrees_with_eager(name: str) -> None:
    function, arguments = WORKLOADS[name].build(fxla.numpy, fxla.lax, fxla)
    eager, _ = WORKLOADS[name].build(fxla.numpy, fxla.lax, Eager())
    for a, b in zip(leaves(function(*arguments)), leaves(eager(*arguments)), strict=True):
        a, b = numpy.asarray(a), numpy.asarray(b)
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        scale = max(1e-6, float(numpy.abs(b).max()))
        numpy.testing.assert_allclose(a / scale, b / scale, rtol=0, atol=2e-4)


@pytest.mark.peers
@pytest.mark.parametrize("name", [n for n in WORKLOADS if WORKLOADS[n].comparable])
def test_agrees_with_jax(name: str) -> None:
    pythons = {"fxla": sys.executable, "jax": os.environ["FXLA_PEERS_PYTHON"]}
    measured, _ = measure(name, pythons, rounds=1, seconds=0.01)
    assert measured.notes == []
