"""Programs so small that only entering them counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from bench.workloads.descent import torch_gradient
from bench.workloads.workload import Arguments, Function, Workload, normal

__all__ = ["AddOne", "Tree", "Unrolled"]


@dataclass(frozen=True)
class AddOne(Workload):
    """One array in, one out."""

    family: ClassVar[str] = "dispatch"
    small: ClassVar[dict[str, int]] = {"n": 3}
    n: int = 10

    @property
    def name(self) -> str:
        return f"x + 1, {self.n} floats"

    def arguments(self) -> Arguments:
        return (normal(self.n),)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda x: x + 1)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(lambda x: x + 1)

    def numpy(self) -> Function:
        return lambda x: x + 1

    def numba(self, numba: Any) -> Function:
        jitted: Function = numba.njit(lambda x: x + numba.float32(1))
        return jitted


@dataclass(frozen=True)
class Tree(Workload):
    """A tree of arrays in, and the same out."""

    family: ClassVar[str] = "dispatch"
    small: ClassVar[dict[str, int]] = {"layers": 2}
    layers: int = 4

    @property
    def name(self) -> str:
        return f"tree of {2 * self.layers} leaves, x + 1"

    def arguments(self) -> Arguments:
        return ({f"layer{i}": {"w": normal(10), "b": normal(10)} for i in range(self.layers)},)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda t: xla.tree.map(lambda x: x + 1, t))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def add(tree: Any) -> Any:
            return {name: {k: x + 1 for k, x in layer.items()} for name, layer in tree.items()}

        return compiled(add)

    def numpy(self) -> Function:
        def add(tree: Any) -> Any:
            return {name: {k: x + 1 for k, x in layer.items()} for name, layer in tree.items()}

        return add


@dataclass(frozen=True)
class Unrolled(Workload):
    """The gradient of a long program without loops: its first call counts, not its speed."""

    family: ClassVar[str] = "dispatch"
    torch_compiles: ClassVar[bool] = False  # minutes
    small: ClassVar[dict[str, int]] = {"steps": 3}
    steps: int = 185
    n: int = 100

    @property
    def name(self) -> str:
        return "gradient of 3000 equations"

    def arguments(self) -> Arguments:
        return normal(self.n), normal(self.n, seed=1)

    def loss(self, sin: Function, total: Function) -> Function:
        """Steps of a map of the plane, written out."""

        def loss(x: Any, y: Any) -> Any:
            for _ in range(self.steps):
                x, y = 0.9 * y + 0.1 * sin(x), 0.9 * x - 0.1 * y
            return total(x * y)

        return loss

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(xla.grad(self.loss(np.sin, np.sum)))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return torch_gradient(torch, self.loss(torch.sin, torch.sum), compiled)

    def autograd(self, autograd: Any, np: Any) -> Function:
        gradient: Function = autograd.grad(self.loss(np.sin, np.sum))
        return gradient
