"""Runs a kernel with literal extents through the strict interpreter of `tests.ops.interpret`."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.loops.ir import Const, Extent, Kernel
from tests.ops.interpret import Interpreter

__all__ = ["run_kernel"]


def run_kernel(kernel: Kernel, *arrays: Any) -> list[Any]:
    """The outputs; a load outside a buffer, or an element that is not written, is an error."""
    machine = Interpreter()
    for b, x in zip(kernel.inputs, arrays, strict=True):
        machine.buffers[b.name] = np.asarray(x).reshape([size(n) for n in b.shape])
    for b in kernel.outputs:
        shape = [size(n) for n in b.shape]
        machine.buffers[b.name] = np.zeros(shape, b.dtype)
        machine.written[b.name] = np.zeros(shape, bool)
    machine.run(kernel.body)
    for b in kernel.outputs:
        assert machine.written[b.name].all(), f"not all of {b.name} was written"
    return [machine.buffers[b.name] for b in kernel.outputs]


def size(e: Any) -> int:
    assert isinstance(e, (Const, Extent))
    return int(e.value)
