"""Attention and recurrent networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy

from bench.workloads.descent import torch_gradient
from bench.workloads.workload import Arguments, Function, Workload, normal

__all__ = ["Attention", "Lstm", "Rnn", "RnnGradient"]


@dataclass(frozen=True)
class Attention(Workload):
    """The gradient of a block of multi-head attention with a shortcut."""

    family: ClassVar[str] = "sequences"
    small: ClassVar[dict[str, int]] = {"batch": 2, "length": 5, "width": 8, "heads": 2}
    scales: ClassVar[str] = "batch"
    batch: int = 4
    length: int = 128
    width: int = 256
    heads: int = 4

    @property
    def name(self) -> str:
        return (
            f"attention block gradient, {self.batch}x{self.length}x{self.width}, {self.heads} heads"
        )

    def arguments(self) -> Arguments:
        n = self.width
        params = [normal(n, n, scale=n**-0.5, seed=i) for i in range(4)]
        return params, normal(self.batch, self.length, n, seed=9)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        each = self.width // self.heads

        def split(x: Any) -> Any:
            return np.transpose(x.reshape(self.batch, self.length, self.heads, each), (0, 2, 1, 3))

        def loss(params: Any, x: Any) -> Any:
            wq, wk, wv, wo = params
            q, k, v = split(x @ wq), split(x @ wk), split(x @ wv)
            scores = np.einsum("bhqd,bhkd->bhqk", q, k) * each**-0.5
            mixed = np.einsum("bhqk,bhkd->bhqd", xla.nn.softmax(scores, axis=-1), v)
            joined = np.transpose(mixed, (0, 2, 1, 3)).reshape(self.batch, self.length, self.width)
            return np.mean((x + joined @ wo) ** 2)

        jitted: Function = xla.jit(xla.grad(loss))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        attend = torch.nn.functional.scaled_dot_product_attention

        def split(x: Any) -> Any:
            return x.view(self.batch, self.length, self.heads, -1).transpose(1, 2)

        def loss(params: Any, x: Any) -> Any:
            wq, wk, wv, wo = params
            mixed = attend(split(x @ wq), split(x @ wk), split(x @ wv))
            joined = mixed.transpose(1, 2).reshape(self.batch, self.length, self.width)
            return torch.mean((x + joined @ wo) ** 2)

        return torch_gradient(torch, loss, compiled)

    def flops(self) -> float:
        # Four products by weights, two between queries, keys and values; each with two gradients,
        # except that x has none.
        by_weights = 2.0 * self.batch * self.length * self.width**2
        between = 2.0 * self.batch * self.length**2 * self.width
        return 3 * (4 * by_weights + 2 * between) - 3 * by_weights


@dataclass(frozen=True)
class Rnn(Workload):
    """A tanh recurrence over a long sequence, unbatched."""

    family: ClassVar[str] = "sequences"
    torch_compiles: ClassVar[bool] = False
    small: ClassVar[dict[str, int]] = {"length": 5, "width": 6}
    scales: ClassVar[str] = "length"
    length: int = 1000
    width: int = 64

    @property
    def name(self) -> str:
        return f"RNN scan {self.length}x{self.width}, forward"

    def arguments(self) -> Arguments:
        n = self.width
        params = [normal(n, n, scale=0.1), normal(n, n, scale=0.1, seed=1), normal(n, scale=0.1)]
        return params, normal(self.length, n, seed=2)

    def xla_loss(self, np: Any, lax: Any) -> Function:
        """The sum of the squared means of the states."""

        def loss(params: Any, xs: Any) -> Any:
            w, u, b = params

            def step(h: Any, x: Any) -> tuple[Any, Any]:
                h = np.tanh(h @ w + x @ u + b)
                return h, np.mean(h)

            _, means = lax.scan(step, np.zeros(self.width, np.float32), xs)
            return np.sum(means**2)

        return loss

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(self.xla_loss(np, lax))
        return jitted

    def torch_loss(self, torch: Any) -> tuple[list[Any], Function]:
        """PyTorch's own recurrence, and its weights."""
        w, u, b = (torch.from_numpy(a) for a in self.arguments()[0])
        weights = [u.T.contiguous(), w.T.contiguous(), b, torch.zeros(self.width)]
        start = torch.zeros(1, 1, self.width)

        def loss(weights: Any, xs: Any) -> Any:
            every, _ = torch.rnn_tanh(
                xs[:, None], start, weights, True, 1, 0.0, False, False, False
            )
            return torch.sum(torch.mean(every, -1) ** 2)

        return weights, loss

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        weights, loss = self.torch_loss(torch)

        def call(_: Any, xs: Any) -> Any:
            with torch.inference_mode():
                return loss(weights, xs)

        return call

    def numpy(self) -> Function | None:
        def loss(params: Any, xs: Any) -> Any:
            w, u, b = params
            h, total = numpy.zeros(self.width, numpy.float32), numpy.float32(0)
            for x in xs @ u + b:
                h = numpy.tanh(h @ w + x)
                total += numpy.mean(h) ** 2
            return total

        return loss


@dataclass(frozen=True)
class RnnGradient(Rnn):
    """Its gradient by the weights."""

    @property
    def name(self) -> str:
        return f"RNN scan {self.length}x{self.width}, gradient"

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(xla.grad(self.xla_loss(np, lax)))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        weights, loss = self.torch_loss(torch)
        gradient = torch_gradient(torch, loss, compiled)

        def call(_: Any, xs: Any) -> Any:
            u, w, b, _ = gradient(weights, xs)
            return [w.T, u.T, b]

        return call

    def numpy(self) -> None:
        return None

    def autograd(self, autograd: Any, np: Any) -> Function:
        def loss(params: Any, xs: Any) -> Any:
            w, u, b = params
            h, total = np.zeros(self.width, np.float32), 0.0
            for x in xs @ u + b:
                h = np.tanh(h @ w + x)
                total = total + np.mean(h) ** 2
            return total

        gradient: Function = autograd.grad(loss)
        return gradient


@dataclass(frozen=True)
class Lstm(Workload):
    """The gradient of a long short-term memory over a batch of sequences."""

    family: ClassVar[str] = "sequences"
    torch_compiles: ClassVar[bool] = False
    small: ClassVar[dict[str, int]] = {"length": 4, "batch": 2, "width": 5}
    scales: ClassVar[str] = "length"
    serial: ClassVar[str] = "a step's products are a few microseconds, each needs the one before"
    length: int = 100
    batch: int = 16
    width: int = 128

    @property
    def name(self) -> str:
        return f"LSTM gradient, {self.length}x{self.batch}x{self.width}"

    def arguments(self) -> Arguments:
        n = self.width
        weights = [normal(n, 4 * n, scale=n**-0.5, seed=i) for i in (0, 1)]
        params = [*weights, normal(4 * n, scale=0.1)]
        return params, normal(self.length, self.batch, n, seed=2)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def loss(params: Any, xs: Any) -> Any:
            w, u, b = params

            def step(state: Any, x: Any) -> Any:
                h, c = state
                gates = x @ w + h @ u + b
                i, f, g, o = np.split(gates, 4, axis=-1)
                c = xla.nn.sigmoid(f) * c + xla.nn.sigmoid(i) * np.tanh(g)
                h = xla.nn.sigmoid(o) * np.tanh(c)
                return (h, c), h

            zeros = np.zeros((self.batch, self.width), np.float32)
            _, every = lax.scan(step, (zeros, zeros), xs)
            return np.mean(every**2)

        jitted: Function = xla.jit(xla.grad(loss))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        w, u, b = (torch.from_numpy(a) for a in self.arguments()[0])
        weights = [w.T.contiguous(), u.T.contiguous(), b, torch.zeros(4 * self.width)]
        zeros = torch.zeros(1, self.batch, self.width)

        def loss(weights: Any, xs: Any) -> Any:
            start = (zeros, zeros)
            every, _, _ = torch.lstm(xs, start, weights, True, 1, 0.0, True, False, False)
            return torch.mean(every**2)

        gradient = torch_gradient(torch, loss, compiled)

        def call(_: Any, xs: Any) -> Any:
            w, u, b, _ = gradient(weights, xs)
            return [w.T, u.T, b]

        return call

    def flops(self) -> float:
        # The gates, and the gradients by weights, inputs having none, and by states.
        each = 2.0 * self.length * self.batch * self.width * 4 * self.width
        return 5 * each
