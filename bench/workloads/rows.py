"""Programs that normalise each row of a matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy

from bench.workloads.descent import torch_gradient
from bench.workloads.workload import Arguments, Function, Traffic, Workload, normal

__all__ = ["LayerNorm", "LayerNormGradient", "Softmax", "SoftmaxGradient"]


@dataclass(frozen=True)
class Softmax(Workload):
    """exp(x) as shares of the row's sum."""

    family: ClassVar[str] = "rows"
    small: ClassVar[dict[str, int]] = {"rows": 5, "columns": 7}
    scales: ClassVar[str] = "rows"
    rows: int = 10_000
    columns: int = 100

    @property
    def name(self) -> str:
        return f"softmax {self.rows}x{self.columns}"

    def arguments(self) -> Arguments:
        return (normal(self.rows, self.columns),)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda x: xla.nn.softmax(x, axis=-1))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(lambda x: torch.softmax(x, -1))

    def numpy(self) -> Function:
        def softmax(x: Any) -> Any:
            out = numpy.exp(x - x.max(axis=1, keepdims=True))
            out /= out.sum(axis=1, keepdims=True)
            return out

        return softmax

    def numba(self, numba: Any) -> Function | None:
        @numba.njit(parallel=True, fastmath=True)
        def softmax(x: Any) -> Any:
            out = numpy.empty_like(x)
            for i in numba.prange(x.shape[0]):
                top = x[i, 0]
                for j in range(x.shape[1]):
                    top = max(top, x[i, j])
                total = numpy.float32(0)
                for j in range(x.shape[1]):
                    out[i, j] = math.exp(x[i, j] - top)
                    total += out[i, j]
                for j in range(x.shape[1]):
                    out[i, j] /= total
            return out

        jitted: Function = softmax
        return jitted

    def traffic(self) -> Traffic:
        return Traffic(4.0 * self.rows * self.columns, 4.0 * self.rows * self.columns)


@dataclass(frozen=True)
class SoftmaxGradient(Softmax):
    """The gradient of a weighted sum of the shares."""

    @property
    def name(self) -> str:
        return f"softmax {self.rows}x{self.columns}, gradient"

    def arguments(self) -> Arguments:
        return normal(self.rows, self.columns), normal(self.rows, self.columns, seed=1)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def loss(x: Any, weight: Any) -> Any:
            return np.sum(weight * xla.nn.softmax(x, axis=-1))

        jitted: Function = xla.jit(xla.grad(loss))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return torch_gradient(torch, lambda x, w: torch.sum(w * torch.softmax(x, -1)), compiled)

    def numpy(self) -> Function:
        def gradient(x: Any, weight: Any) -> Any:
            share = numpy.exp(x - x.max(axis=1, keepdims=True))
            share /= share.sum(axis=1, keepdims=True)
            return share * (weight - (share * weight).sum(axis=1, keepdims=True))

        return gradient

    def autograd(self, autograd: Any, np: Any) -> Function:
        def loss(x: Any, weight: Any) -> Any:
            raised = np.exp(x - np.max(x, axis=1, keepdims=True))
            return np.sum(weight * raised / np.sum(raised, axis=1, keepdims=True))

        gradient: Function = autograd.grad(loss)
        return gradient

    def numba(self, numba: Any) -> None:
        return None

    def traffic(self) -> Traffic:
        return Traffic(8.0 * self.rows * self.columns, 4.0 * self.rows * self.columns)


def xla_layernorm(np: Any) -> Function:
    """Rows with mean 0 and variance 1, scaled and shifted."""

    def layernorm(x: Any, scale: Any, shift: Any) -> Any:
        centred = x - np.mean(x, axis=-1, keepdims=True)
        variance = np.mean(centred**2, axis=-1, keepdims=True)
        return centred / np.sqrt(variance + 1e-5) * scale + shift

    return layernorm


@dataclass(frozen=True)
class LayerNorm(Workload):
    """Rows with mean 0 and variance 1, scaled and shifted."""

    family: ClassVar[str] = "rows"
    small: ClassVar[dict[str, int]] = {"rows": 5, "columns": 33}
    scales: ClassVar[str] = "rows"
    rows: int = 4096
    columns: int = 768

    @property
    def name(self) -> str:
        return f"layernorm {self.rows}x{self.columns}"

    def arguments(self) -> Arguments:
        n = self.columns
        return normal(self.rows, n), normal(n, seed=1), normal(n, seed=2)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(xla_layernorm(np))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        norm = torch.nn.functional.layer_norm
        return compiled(lambda x, scale, shift: norm(x, (self.columns,), scale, shift))

    def numpy(self) -> Function | None:
        return xla_layernorm(numpy)

    def traffic(self) -> Traffic:
        return Traffic(4.0 * self.rows * self.columns, 4.0 * self.rows * self.columns)


@dataclass(frozen=True)
class LayerNormGradient(LayerNorm):
    """Gradients by the rows, the scale and the shift."""

    @property
    def name(self) -> str:
        return f"layernorm {self.rows}x{self.columns}, gradient"

    def arguments(self) -> Arguments:
        n = self.columns
        params = (normal(self.rows, n), normal(n, seed=1), normal(n, seed=2))
        return params, normal(self.rows, n, seed=3)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        layernorm = xla_layernorm(np)

        def loss(params: Any, weight: Any) -> Any:
            return np.sum(weight * layernorm(*params))

        jitted: Function = xla.jit(xla.grad(loss))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        norm = torch.nn.functional.layer_norm

        def loss(params: Any, weight: Any) -> Any:
            x, scale, shift = params
            return torch.sum(weight * norm(x, (self.columns,), scale, shift))

        return torch_gradient(torch, loss, compiled)

    def numpy(self) -> None:
        return None

    def autograd(self, autograd: Any, np: Any) -> Function:
        layernorm = xla_layernorm(np)
        gradient: Function = autograd.grad(lambda ps, weight: np.sum(weight * layernorm(*ps)))
        return gradient

    def traffic(self) -> Traffic:
        return Traffic(8.0 * self.rows * self.columns, 4.0 * self.rows * self.columns)
