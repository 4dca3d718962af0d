"""Compiled kernels: by the native target, or by numba what that lacks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from fxla.compile.native import compile_kernels
from fxla.compile.numba_cpu import compile_numba
from fxla.loops.ir import Kernel
from fxla.loops.native import Unsupported

__all__ = ["CompiledKernel", "compile_all", "target"]


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


def compile_all(kernels: Sequence[Kernel], content: Sequence[str]) -> list[CompiledKernel]:
    """Compile kernels, or find them compiled. What the native target lacks, numba serves.

    Args:
        kernels: with run-time sizes.
        content: the key of each, from `fxla.loops.extents.kernel_key`.
    """
    chosen = target()
    keys = [(chosen, key) for key in content]
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
