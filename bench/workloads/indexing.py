"""Reading and adding at places that are known only when the program runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy

from bench.workloads.descent import torch_gradient
from bench.workloads.workload import Arguments, Function, Traffic, Workload, normal

__all__ = ["EmbeddingGradient", "GatherRows", "ScatterAdd"]


@dataclass(frozen=True)
class GatherRows(Workload):
    """Rows of a table, by number."""

    family: ClassVar[str] = "indexing"
    small: ClassVar[dict[str, int]] = {"table": 11, "width": 5, "n": 7}
    scales: ClassVar[str] = "n"
    serial: ClassVar[str] = "bound by memory, which one thread nearly fills"
    table: int = 50_000
    width: int = 64
    n: int = 100_000

    @property
    def name(self) -> str:
        return f"gather 1e5 rows of {self.width}"

    def arguments(self) -> Arguments:
        places = numpy.random.default_rng(0).integers(0, self.table, self.n)
        return normal(self.table, self.width), places.astype(numpy.int32)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda table, places: table[places])
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(lambda table, places: torch.nn.functional.embedding(places, table))

    def numpy(self) -> Function:
        return lambda table, places: table[places]

    def traffic(self) -> Traffic:
        return Traffic(4.0 * self.n * self.width, 4.0 * self.n * self.width)


@dataclass(frozen=True)
class EmbeddingGradient(GatherRows):
    """The gradient by the table: rows are added where they were read."""

    serial: ClassVar[str] = (
        "rows that may meet are added in order, by one core, which alone reads them as one stream"
    )

    @property
    def name(self) -> str:
        return f"embedding gradient, 1e5 rows of {self.width}"

    def arguments(self) -> Arguments:
        return (*super().arguments(), normal(self.n, self.width, seed=1))

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def loss(table: Any, places: Any, weight: Any) -> Any:
            return np.sum(table[places] * weight)

        jitted: Function = xla.jit(xla.grad(loss))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def loss(table: Any, places: Any, weight: Any) -> Any:
            return torch.sum(torch.nn.functional.embedding(places, table) * weight)

        return torch_gradient(torch, loss, compiled)

    def numpy(self) -> Function:
        def gradient(table: Any, places: Any, weight: Any) -> Any:
            out = numpy.zeros_like(table)
            numpy.add.at(out, places, weight)
            return out

        return gradient

    def traffic(self) -> Traffic:
        return Traffic(4.0 * self.n * self.width, 4.0 * self.table * self.width)


@dataclass(frozen=True)
class ScatterAdd(Workload):
    """Weights added up in bins."""

    family: ClassVar[str] = "indexing"
    small: ClassVar[dict[str, int]] = {"n": 37, "bins": 5}
    scales: ClassVar[str] = "n"
    n: int = 1_000_000
    bins: int = 10_000

    @property
    def name(self) -> str:
        return "scatter-add, 1e6 into 1e4"

    def arguments(self) -> Arguments:
        places = numpy.random.default_rng(0).integers(0, self.bins, self.n)
        return places.astype(numpy.int32), normal(self.n)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def add(places: Any, weights: Any) -> Any:
            return np.zeros(self.bins, np.float32).at[places].add(weights)

        jitted: Function = xla.jit(add)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def add(places: Any, weights: Any) -> Any:
            return torch.zeros(self.bins).index_add_(0, places, weights)

        return compiled(add)

    def numpy(self) -> Function:
        def add(places: Any, weights: Any) -> Any:
            return numpy.bincount(places, weights, self.bins).astype(numpy.float32)

        return add

    def numba(self, numba: Any) -> Function:
        bins = self.bins

        @numba.njit
        def add(places: Any, weights: Any) -> Any:
            out = numpy.zeros(bins, numpy.float32)
            for i in range(places.size):
                out[places[i]] += weights[i]
            return out

        jitted: Function = add
        return jitted
