"""Reductions, running sums, sorting and transposes, where the order of memory counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy

from bench.workloads.workload import Arguments, Function, Traffic, Workload, normal

__all__ = ["CumulativeSum", "Sort", "SumOverFirst", "Transpose"]


@dataclass(frozen=True)
class SumOverFirst(Workload):
    """The sum over the first axis, whose elements lie far apart."""

    family: ClassVar[str] = "axes"
    small: ClassVar[dict[str, int]] = {"n": 9}
    scales: ClassVar[str] = "n"
    serial: ClassVar[str] = "bound by memory, which one thread nearly fills"
    n: int = 4096
    rest: tuple[int, ...] = (1024,)

    @property
    def name(self) -> str:
        return f"sum over axis 0, {'x'.join(map(str, (self.n, *self.rest)))}"

    def arguments(self) -> Arguments:
        return (normal(self.n, *self.rest),)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda x: np.sum(x, axis=0))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(lambda x: torch.sum(x, 0))

    def numpy(self) -> Function:
        return lambda x: numpy.sum(x, axis=0)

    def traffic(self) -> Traffic:
        return Traffic(4.0 * self.n * float(numpy.prod(self.rest)), 0.0)


@dataclass(frozen=True)
class Transpose(Workload):
    """A matrix with rows and columns exchanged, in fresh memory."""

    family: ClassVar[str] = "axes"
    small: ClassVar[dict[str, int]] = {"n": 37}
    scales: ClassVar[str] = "n"
    serial: ClassVar[str] = "bound by memory, which one thread nearly fills"
    n: int = 4096

    @property
    def name(self) -> str:
        return f"transpose {self.n}x{self.n}"

    def arguments(self) -> Arguments:
        return (normal(self.n, self.n),)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda x: x.T)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(lambda x: x.T.contiguous())

    def numpy(self) -> Function:
        return lambda x: numpy.ascontiguousarray(x.T)

    def traffic(self) -> Traffic:
        return Traffic(4.0 * self.n**2, 4.0 * self.n**2)


@dataclass(frozen=True)
class CumulativeSum(Workload):
    """Running sums along rows, or along columns."""

    family: ClassVar[str] = "axes"
    small: ClassVar[dict[str, int]] = {"rows": 9, "columns": 37}
    scales: ClassVar[str] = "rows"
    serial: ClassVar[str] = "bound by memory, which one thread nearly fills"
    rows: int = 1000
    columns: int = 10_000
    axis: int = 1

    @property
    def name(self) -> str:
        return f"cumsum {self.rows}x{self.columns} over axis {self.axis}"

    def arguments(self) -> Arguments:
        return (normal(self.rows, self.columns),)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda x: np.cumsum(x, axis=self.axis))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(lambda x: torch.cumsum(x, self.axis))

    def numpy(self) -> Function:
        return lambda x: numpy.cumsum(x, axis=self.axis)

    def traffic(self) -> Traffic:
        return Traffic(4.0 * self.rows * self.columns, 4.0 * self.rows * self.columns)


@dataclass(frozen=True)
class Sort(Workload):
    """Random numbers in order."""

    family: ClassVar[str] = "axes"
    small: ClassVar[dict[str, int]] = {"n": 37}
    scales: ClassVar[str] = "n"
    n: int = 1_000_000

    @property
    def name(self) -> str:
        return "sort, 1e6"

    def arguments(self) -> Arguments:
        return (normal(self.n),)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda x: np.sort(x))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(lambda x: torch.sort(x).values)

    def numpy(self) -> Function:
        return lambda x: numpy.sort(x)
