"""Kernels that are Python text already: what a user wrote, or what was derived from it."""

from __future__ import annotations

from fxla.core.records import dataclass
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
        grid: for a kernel of a GPU, for each array its rank and whether each example has its own.
            Then the module has the one function, which takes the number of examples as its last
            size and divides them among the threads.
    """

    source: str = ""
    sizes: int = 0
    grid: tuple[tuple[int, bool], ...] = ()

    def __str__(self) -> str:
        return self.source
