"""Kernels that are Python text already: what a user wrote, or what was derived from it."""

from __future__ import annotations

from dataclasses import dataclass

from fxla.loops.ir import Kernel

__all__ = ["Written"]


@dataclass(frozen=True, slots=True)
class Written(Kernel):
    """A kernel as the source of a module. It has no loop nest: `body` is empty.

    Attributes:
        source: the functions of the module, which may use ``np``, ``math`` and ``carray``. The
            function `name` has pointers for the inputs and outputs, 64-bit integers for the sizes
            of the arrays behind them, and ``begin`` and ``end``, the range of examples to run.
        sizes: how many sizes it takes.
    """

    source: str = ""
    sizes: int = 0

    def __str__(self) -> str:
        return self.source
