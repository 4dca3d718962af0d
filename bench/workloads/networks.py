"""A perceptron on images of 28x28: steps of training, gradients for each example, eager calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy

from bench.workloads.descent import RATE, torch_gradient, torch_sgd, xla_sgd
from bench.workloads.workload import Arguments, Function, Traffic, Workload, labels, normal

__all__ = ["EagerForward", "EagerGradient", "FewRows", "MlpStep", "PerExample", "cross_entropy"]


def cross_entropy(xla: Any, np: Any, scores: Any, right: Any) -> Any:
    """Mean of -log of the probability of the right label. scores: [..., 10]."""
    chosen = xla.nn.one_hot(right, 10, dtype=np.float32)
    return -np.mean(np.sum(chosen * xla.nn.log_softmax(scores, axis=-1), axis=-1))


def xla_loss(xla: Any, np: Any) -> Function:
    """Loss of the network on images [..., 784]."""

    def loss(params: Any, images: Any, right: Any) -> Any:
        (w1, b1), (w2, b2) = params
        return cross_entropy(xla, np, xla.nn.relu(images @ w1 + b1) @ w2 + b2, right)

    return loss


def torch_loss(torch: Any) -> Function:
    """The same by PyTorch."""
    functional = torch.nn.functional

    def loss(params: Any, images: Any, right: Any) -> Any:
        (w1, b1), (w2, b2) = params
        hidden = torch.relu(torch.addmm(b1, images, w1))
        return functional.cross_entropy(torch.addmm(b2, hidden, w2), right)

    return loss


def autograd_loss(np: Any) -> Function:
    """The same by HIPS autograd."""

    def loss(params: Any, images: Any, right: Any) -> Any:
        (w1, b1), (w2, b2) = params
        scores = np.maximum(images @ w1 + b1, 0) @ w2 + b2
        scores = scores - np.max(scores, axis=1, keepdims=True)
        logs = scores - np.log(np.sum(np.exp(scores), axis=1, keepdims=True))
        return -np.mean(logs[np.arange(len(right)), right])

    return loss


@dataclass(frozen=True)
class MlpStep(Workload):
    """One step of gradient descent."""

    family: ClassVar[str] = "networks"
    small: ClassVar[dict[str, int]] = {"batch": 3, "inputs": 17, "hidden": 9}
    scales: ClassVar[str] = "batch"
    batch: int = 128
    inputs: int = 784
    hidden: int = 128

    @property
    def name(self) -> str:
        return f"MLP {self.inputs}-{self.hidden}-10 SGD step, batch {self.batch}"

    def arguments(self) -> Arguments:
        params = [
            (normal(self.inputs, self.hidden, scale=0.05), numpy.zeros(self.hidden, numpy.float32)),
            (normal(self.hidden, 10, scale=0.1), numpy.zeros(10, numpy.float32)),
        ]
        return params, normal(self.batch, self.inputs, seed=1), labels(self.batch)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        return xla_sgd(xla, xla_loss(xla, np))

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return torch_sgd(torch, torch_loss(torch), compiled)

    def autograd(self, autograd: Any, np: Any) -> Function | None:
        value_and_grad = autograd.value_and_grad(autograd_loss(np))

        def step(params: Any, images: Any, right: Any) -> Any:
            value, slopes = value_and_grad(params, images, right)
            pairs = [list(zip(p, g, strict=True)) for p, g in zip(params, slopes, strict=True)]
            return value, [tuple(p - RATE * g for p, g in pair) for pair in pairs]

        return step

    def flops(self) -> float | None:
        # Forward, and the gradients by the weights of both layers and by the hidden values.
        return 2.0 * self.batch * self.hidden * (2 * self.inputs + 3 * 10)


@dataclass(frozen=True)
class PerExample(MlpStep):
    """The gradient of each example's own loss."""

    serial: ClassVar[str] = "bound by writing to memory, which one thread nearly fills"

    @property
    def name(self) -> str:
        return f"per-example gradients of the MLP, batch {self.batch}"

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        gradient = xla.grad(xla_loss(xla, np))
        jitted: Function = xla.jit(xla.vmap(gradient, in_axes=(None, 0, 0)))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        functional = torch.nn.functional

        def loss(params: Any, image: Any, right: Any) -> Any:
            (w1, b1), (w2, b2) = params
            scores = torch.relu(image @ w1 + b1) @ w2 + b2
            return functional.cross_entropy(scores, right)

        return compiled(torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0)))

    def autograd(self, autograd: Any, np: Any) -> None:
        return None

    def traffic(self) -> Traffic:
        return Traffic(0.0, 4.0 * self.batch * (self.inputs + 1 + 10) * self.hidden)

    def flops(self) -> None:
        return None


@dataclass(frozen=True)
class FewRows(Workload):
    """The gradient of a transformer's two layers for a few tokens: weights are the most of it."""

    family: ClassVar[str] = "networks"
    small: ClassVar[dict[str, int]] = {"batch": 3, "width": 17, "hidden": 9}
    scales: ClassVar[str] = "batch"
    batch: int = 16
    width: int = 768
    hidden: int = 3072

    @property
    def name(self) -> str:
        return f"two layers {self.width}-{self.hidden}-{self.width}, gradient, batch {self.batch}"

    def arguments(self) -> Arguments:
        first = normal(self.width, self.hidden, scale=self.width**-0.5)
        second = normal(self.hidden, self.width, scale=self.hidden**-0.5, seed=1)
        return (normal(self.batch, self.width, seed=2), first, second), normal(self.width, seed=3)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def loss(params: Any, target: Any) -> Any:
            x, first, second = params
            return np.mean((xla.nn.relu(x @ first) @ second - target) ** 2)

        gradient: Function = xla.jit(xla.grad(loss))
        return gradient

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def loss(params: Any, target: Any) -> Any:
            x, first, second = params
            return torch.mean((torch.relu(x @ first) @ second - target) ** 2)

        return torch_gradient(torch, loss, compiled)

    def autograd(self, autograd: Any, np: Any) -> Function | None:
        def loss(params: Any, target: Any) -> Any:
            x, first, second = params
            return np.mean((np.maximum(x @ first, 0) @ second - target) ** 2)

        gradient: Function = autograd.grad(loss)
        return gradient

    def flops(self) -> float | None:
        return 2.0 * 6 * self.batch * self.width * self.hidden


@dataclass(frozen=True)
class EagerForward(Workload):
    """A tanh network called without `jit`, in any package."""

    family: ClassVar[str] = "networks"
    eager: ClassVar[bool] = True
    torch_compiles: ClassVar[bool] = False
    small: ClassVar[dict[str, int]] = {"batch": 3, "width": 5}
    batch: int = 16
    width: int = 32
    layers: int = 4

    @property
    def name(self) -> str:
        return "eager tanh MLP, forward"

    def arguments(self) -> Arguments:
        n = self.width
        params = [(normal(n, n, scale=n**-0.5, seed=i), normal(n)) for i in range(self.layers)]
        return params, normal(self.batch, n, seed=9)

    def forward(self, tanh: Function) -> Function:
        """The network with that tanh."""

        def forward(params: Any, x: Any) -> Any:
            for w, b in params:
                x = tanh(x @ w + b)
            return x

        return forward

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        return self.forward(np.tanh)

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return self.forward(torch.tanh)

    def numpy(self) -> Function | None:
        return self.forward(numpy.tanh)


@dataclass(frozen=True)
class EagerGradient(EagerForward):
    """Its gradient, also without `jit`."""

    @property
    def name(self) -> str:
        return "eager tanh MLP, gradient"

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        forward = self.forward(np.tanh)
        gradient: Function = xla.grad(lambda params, x: np.sum(forward(params, x) ** 2))
        return gradient

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        forward = self.forward(torch.tanh)
        return torch_gradient(torch, lambda ps, x: torch.sum(forward(ps, x) ** 2), compiled)

    def numpy(self) -> None:
        return None

    def autograd(self, autograd: Any, np: Any) -> Function:
        forward = self.forward(np.tanh)
        gradient: Function = autograd.grad(lambda params, x: np.sum(forward(params, x) ** 2))
        return gradient
