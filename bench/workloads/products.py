"""Products of matrices, and small systems of equations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy

from bench.workloads.workload import Arguments, Function, Workload, normal

__all__ = ["BatchedProduct", "Gemm", "SmallSolves"]


@dataclass(frozen=True)
class Gemm(Workload):
    """One product of square matrices."""

    family: ClassVar[str] = "products"
    small: ClassVar[dict[str, int]] = {"n": 37}
    scales: ClassVar[str] = "n"
    n: int = 1024

    @property
    def name(self) -> str:
        return f"GEMM {self.n}"

    def arguments(self) -> Arguments:
        return normal(self.n, self.n), normal(self.n, self.n, seed=1)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda a, b: a @ b)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(lambda a, b: a @ b)

    def numpy(self) -> Function:
        return lambda a, b: a @ b

    def flops(self) -> float:
        return 2.0 * self.n**3


@dataclass(frozen=True)
class BatchedProduct(Workload):
    """Many products of small matrices."""

    family: ClassVar[str] = "products"
    small: ClassVar[dict[str, int]] = {"batch": 3, "n": 5}
    scales: ClassVar[str] = "batch"
    batch: int = 1000
    n: int = 32

    @property
    def name(self) -> str:
        return f"{self.batch} products of {self.n}x{self.n}"

    def arguments(self) -> Arguments:
        shape = (self.batch, self.n, self.n)
        return normal(*shape), normal(*shape, seed=1)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda a, b: np.einsum("bij,bjk->bik", a, b))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(lambda a, b: torch.bmm(a, b))

    def numpy(self) -> Function:
        return lambda a, b: a @ b

    def flops(self) -> float:
        return 2.0 * self.batch * self.n**3


@dataclass(frozen=True)
class SmallSolves(Workload):
    """Many systems of a few equations."""

    family: ClassVar[str] = "products"
    small: ClassVar[dict[str, int]] = {"batch": 3}
    scales: ClassVar[str] = "batch"
    batch: int = 10_000
    n: int = 4

    @property
    def name(self) -> str:
        return f"{self.batch} solves of {self.n}x{self.n}"

    def arguments(self) -> Arguments:
        matrices = normal(self.batch, self.n, self.n) + 4 * numpy.eye(self.n, dtype=numpy.float32)
        return matrices, normal(self.batch, self.n, 1, seed=1)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda a, b: np.linalg.solve(a, b))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(lambda a, b: torch.linalg.solve(a, b))

    def numpy(self) -> Function:
        return lambda a, b: numpy.linalg.solve(a, b)
