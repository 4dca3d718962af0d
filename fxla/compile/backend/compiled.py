"""Compiled kernels: by the native target, or by numba what that lacks."""

from __future__ import annotations

import os
from typing import Any

from fxla.compile.backend.native import EFFORT, HASTE, Batch, Printed, is_hasty
from fxla.compile.backend.numba_cpu import compile_numba
from fxla.loops.ir import Kernel
from fxla.loops.native.printer import Unsupported
from fxla.loops.written import Written

__all__ = ["CompiledKernel", "Kernels", "target"]


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
    """A kernel's address, and how it takes its arguments.

    Attributes:
        address: of its code; of better code later, if it was compiled in haste.
        packed: whether it takes its arguments as an array of addresses.
        owner: what keeps the code alive.
        reason: why numba compiled it; empty if it did not.
        hasty: its text, as long as the code is hasty.
    """

    __slots__ = ("address", "hasty", "owner", "packed", "reason")

    def __init__(
        self, address: int, packed: bool, owner: Any, reason: str, hasty: Printed | None = None
    ) -> None:
        self.address = address
        self.packed = packed
        self.owner = owner
        self.reason = reason
        self.hasty = hasty


_compiled: dict[tuple[str, str], CompiledKernel] = {}


class Kernels:
    """The kernels of a program on their way to code, by the native target or by numba.

    The native target prints a kernel when it is added, and other threads compile what is printed
    while the rest of the program is built. What that target lacks, numba compiles in the end.

    Args:
        hasty: whether code is good enough that was compiled in haste.
    """

    def __init__(self, hasty: bool = False) -> None:
        self._target = target()
        self._hasty = hasty
        effort = HASTE if hasty else EFFORT
        self._batch = Batch(effort=effort) if self._target == "native" else None
        self._found: dict[str, tuple[Kernel, Printed | str]] = {}

    def add(self, kernel: Kernel, key: str) -> None:
        """Have a kernel compiled, unless it is known.

        Args:
            kernel: with run-time sizes.
            key: from `fxla.loops.extents.kernel_key`.
        """
        known = _compiled.get((self._target, key))
        if key in self._found or (known is not None and (self._hasty or known.hasty is None)):
            return
        printed: Printed | str = "FXLA_TARGET=numba"
        if isinstance(kernel, Written):
            printed = "written in Python"
        elif self._batch is not None:
            added = self._batch.add(kernel)
            printed = str(added) if isinstance(added, Unsupported) else added
        self._found[key] = (kernel, printed)

    def packed(self, key: str) -> bool:
        """Whether a kernel that was added takes its arguments as an array of addresses."""
        known = _compiled.get((self._target, key))
        return isinstance(self._found[key][1], Printed) if known is None else known.packed

    def finish(self) -> None:
        """Wait until everything is compiled and loaded."""
        if self._batch is not None:
            self._batch.finish()
        for key, (kernel, printed) in self._found.items():
            code = self._code(kernel, printed)
            known = _compiled.setdefault((self._target, key), code)
            known.address, known.hasty = code.address, code.hasty
        self._found.clear()

    def _code(self, kernel: Kernel, printed: Printed | str) -> CompiledKernel:
        if isinstance(printed, Printed):
            assert self._batch is not None
            native = self._batch.function(kernel, printed)
            hasty = printed if is_hasty(printed, self._batch.isa) else None
            return CompiledKernel(native.address, True, native, "", hasty)
        function = compile_numba(kernel)
        return CompiledKernel(function.address, False, function, printed)

    def __getitem__(self, key: str) -> CompiledKernel:
        return _compiled[self._target, key]
