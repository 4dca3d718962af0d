"""Convolutions: a small network, single layers, a residual block, and a filter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy

from bench.workloads.descent import RATE, torch_gradient, xla_sgd
from bench.workloads.networks import cross_entropy
from bench.workloads.workload import Arguments, Function, Traffic, Workload, labels, normal

__all__ = ["CnnForward", "CnnStep", "Conv", "ConvGradients", "ImageFilter", "ResNetBlock"]


def convolve(lax: Any, x: Any, w: Any) -> Any:
    """Images [n, h, w, c] by filters [3, 3, c, d], same size."""
    return lax.conv_general_dilated(
        x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def torch_filters(torch: Any, w: Any) -> Any:
    """Filters [3, 3, c, d] as PyTorch wants them: [d, c, 3, 3], channels last in memory."""
    filters = torch.from_numpy(w).permute(3, 2, 0, 1)
    return filters.contiguous(memory_format=torch.channels_last)


def torch_channels_last(torch: Any, x: Any) -> Any:
    """Images [n, h, w, c] as [n, c, h, w], channels last in memory."""
    return torch.from_numpy(x).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class CnnStep(Workload):
    """Two layers of 3x3 filters, each pooled, and a dense one: a step of gradient descent."""

    family: ClassVar[str] = "images"
    small: ClassVar[dict[str, int]] = {"batch": 2, "side": 8, "first": 3, "second": 5}
    scales: ClassVar[str] = "batch"
    serial: ClassVar[str] = "layers of tens of microseconds each wait for the last chunk of another"
    batch: int = 32
    side: int = 28
    first: int = 32
    second: int = 64

    @property
    def name(self) -> str:
        return f"CNN SGD step, batch {self.batch}"

    def arguments(self) -> Arguments:
        flat = (self.side // 4) ** 2 * self.second
        params = [
            (normal(3, 3, 1, self.first, scale=0.3), normal(self.first, scale=0.1)),
            (normal(3, 3, self.first, self.second, scale=0.06), normal(self.second, scale=0.1)),
            (normal(flat, 10, scale=0.02), normal(10, scale=0.1)),
        ]
        images = normal(self.batch, self.side, self.side, 1, seed=1)
        return params, images, labels(self.batch)

    def scores(self, xla: Any, np: Any, lax: Any) -> Function:
        """The network."""

        def layer(x: Any, w: Any, b: Any) -> Any:
            hot = xla.nn.relu(convolve(lax, x, w) + b)
            return lax.reduce_window(hot, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

        def scores(params: Any, images: Any) -> Any:
            (w1, b1), (w2, b2), (w3, b3) = params
            x = layer(layer(images, w1, b1), w2, b2)
            return x.reshape(x.shape[0], -1) @ w3 + b3

        return scores

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        scores = self.scores(xla, np, lax)

        def loss(params: Any, images: Any, right: Any) -> Any:
            return cross_entropy(xla, np, scores(params, images), right)

        return xla_sgd(xla, loss)

    def torch_scores(self, torch: Any) -> tuple[list[Any], Any, Function]:
        """Parameters in PyTorch's layout, images, and the network."""
        functional = torch.nn.functional
        params, images, _ = self.arguments()
        (w1, b1), (w2, b2), (w3, b3) = params
        leaves = [torch_filters(torch, w1), torch.from_numpy(b1)]
        leaves += [torch_filters(torch, w2), torch.from_numpy(b2)]
        leaves += [torch.from_numpy(w3), torch.from_numpy(b3)]

        def scores(leaves: Any, x: Any) -> Any:
            w1, b1, w2, b2, w3, b3 = leaves
            x = functional.max_pool2d(torch.relu(functional.conv2d(x, w1, b1, padding=1)), 2)
            x = functional.max_pool2d(torch.relu(functional.conv2d(x, w2, b2, padding=1)), 2)
            return torch.addmm(b3, x.permute(0, 2, 3, 1).flatten(1), w3)

        return leaves, torch_channels_last(torch, images), scores

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        leaves, images, scores = self.torch_scores(torch)
        for leaf in leaves:
            leaf.requires_grad_(True)
        forward = compiled(
            lambda leaves, x, right: torch.nn.functional.cross_entropy(scores(leaves, x), right)
        )

        def step(_: Any, __: Any, right: Any) -> Any:
            value = forward(leaves, images, right)
            slopes = torch.autograd.grad(value, leaves)
            with torch.no_grad():
                torch._foreach_add_(leaves, slopes, alpha=-RATE)
            w1, b1, w2, b2, w3, b3 = leaves
            first, second = w1.permute(2, 3, 1, 0), w2.permute(2, 3, 1, 0)
            return value.detach(), [(first, b1), (second, b2), (w3, b3)]

        return step

    def forward_flops(self) -> float:
        """Of one pass through the network."""
        area = self.batch * self.side**2
        dense = 2.0 * self.batch * (self.side // 4) ** 2 * self.second * 10
        return 18.0 * area * self.first + 18.0 * area / 4 * self.first * self.second + dense

    def flops(self) -> float:
        # The first layer has no gradient by its images.
        return 3 * self.forward_flops() - 18.0 * self.batch * self.side**2 * self.first


@dataclass(frozen=True)
class CnnForward(CnnStep):
    """The network's scores."""

    @property
    def name(self) -> str:
        return f"CNN forward, batch {self.batch}"

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        scores = self.scores(xla, np, lax)
        jitted: Function = xla.jit(lambda params, images, right: scores(params, images))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        leaves, images, scores = self.torch_scores(torch)
        forward = compiled(scores)

        def call(_: Any, __: Any, ___: Any) -> Any:
            with torch.inference_mode():
                return forward(leaves, images)

        return call

    def flops(self) -> float:
        return self.forward_flops()


@dataclass(frozen=True)
class Conv(Workload):
    """One layer of 3x3 filters."""

    family: ClassVar[str] = "images"
    small: ClassVar[dict[str, int]] = {"batch": 2, "side": 6, "channels": 3}
    scales: ClassVar[str] = "batch"
    batch: int = 8
    side: int = 56
    channels: int = 64

    @property
    def name(self) -> str:
        return f"conv 3x3 {self.channels}->{self.channels}, {self.side}x{self.side}, forward"

    def arguments(self) -> Arguments:
        c = self.channels
        images = normal(self.batch, self.side, self.side, c)
        return images, normal(3, 3, c, c, scale=(9 * c) ** -0.5, seed=1)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda x, w: convolve(lax, x, w))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        images, w = self.arguments()
        x, filters = torch_channels_last(torch, images), torch_filters(torch, w)
        forward = compiled(lambda x, w: torch.nn.functional.conv2d(x, w, padding=1))
        return lambda _, __: forward(x, filters).permute(0, 2, 3, 1)

    def flops(self) -> float:
        return 18.0 * self.batch * self.side**2 * self.channels**2


@dataclass(frozen=True)
class ConvGradients(Conv):
    """Both gradients of a layer."""

    @property
    def name(self) -> str:
        return f"conv 3x3 {self.channels}->{self.channels}, {self.side}x{self.side}, gradients"

    def arguments(self) -> Arguments:
        shape = (self.batch, self.side, self.side, self.channels)
        return super().arguments(), normal(*shape, seed=2)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def pull(params: Any, weight: Any) -> Any:
            return xla.vjp(lambda x, w: convolve(lax, x, w), *params)[1](weight)

        jitted: Function = xla.jit(pull)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        (images, w), weight = self.arguments()
        x, filters = torch_channels_last(torch, images), torch_filters(torch, w)
        out = torch_channels_last(torch, weight)

        def pull(weight: Any, x: Any, w: Any) -> Any:
            return torch.ops.aten.convolution_backward(
                weight, x, w, None, (1, 1), (1, 1), (1, 1), False, (0, 0), 1, (True, True, False)
            )

        backward = compiled(pull)

        def call(_: Any, __: Any) -> Any:
            by_x, by_w, _ = backward(out, x, filters)
            return by_x.permute(0, 2, 3, 1), by_w.permute(2, 3, 1, 0)

        return call

    def flops(self) -> float:
        return 2 * super().flops()


@dataclass(frozen=True)
class ResNetBlock(Workload):
    """Two normalised layers of filters around a shortcut: gradients by the weights and images."""

    family: ClassVar[str] = "images"
    small: ClassVar[dict[str, int]] = {"batch": 2, "side": 6, "channels": 3}
    scales: ClassVar[str] = "batch"
    batch: int = 8
    side: int = 32
    channels: int = 64

    @property
    def name(self) -> str:
        return f"ResNet block gradient, {self.batch}x{self.side}x{self.side}x{self.channels}"

    def arguments(self) -> Arguments:
        c = self.channels
        filters = [normal(3, 3, c, c, scale=(9 * c) ** -0.5, seed=i) for i in (1, 2)]
        scales = [1 + normal(c, scale=0.1, seed=i) for i in (3, 4)]
        shifts = [normal(c, scale=0.1, seed=i) for i in (5, 6)]
        images = normal(self.batch, self.side, self.side, c)
        return [*filters, *scales, *shifts, images], normal(*images.shape, seed=7)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def norm(x: Any, scale: Any, shift: Any) -> Any:
            mean = np.mean(x, axis=(0, 1, 2))
            variance = np.mean((x - mean) ** 2, axis=(0, 1, 2))
            return (x - mean) * (scale / np.sqrt(variance + 1e-5)) + shift

        def loss(params: Any, weight: Any) -> Any:
            w1, w2, s1, s2, b1, b2, x = params
            y = xla.nn.relu(norm(convolve(lax, x, w1), s1, b1))
            y = norm(convolve(lax, y, w2), s2, b2)
            return np.mean(weight * xla.nn.relu(x + y))

        jitted: Function = xla.jit(xla.grad(loss))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        functional = torch.nn.functional
        params, weight = self.arguments()
        *filters, s1, s2, b1, b2, images = params
        leaves = [torch_filters(torch, w) for w in filters]
        leaves += [torch.from_numpy(a) for a in (s1, s2, b1, b2)]
        leaves.append(torch_channels_last(torch, images))
        weight = torch_channels_last(torch, weight)

        def norm(x: Any, scale: Any, shift: Any) -> Any:
            return functional.batch_norm(x, None, None, scale, shift, training=True)

        def loss(leaves: Any, weight: Any) -> Any:
            w1, w2, s1, s2, b1, b2, x = leaves
            y = torch.relu(norm(functional.conv2d(x, w1, padding=1), s1, b1))
            y = norm(functional.conv2d(y, w2, padding=1), s2, b2)
            return torch.mean(weight * torch.relu(x + y))

        gradient = torch_gradient(torch, loss, compiled)

        def call(_: Any, __: Any) -> Any:
            w1, w2, s1, s2, b1, b2, x = gradient(leaves, weight)
            first, second = w1.permute(2, 3, 1, 0), w2.permute(2, 3, 1, 0)
            return [first, second, s1, s2, b1, b2, x.permute(0, 2, 3, 1)]

        return call

    def flops(self) -> float:
        return 6 * 18.0 * self.batch * self.side**2 * self.channels**2


@dataclass(frozen=True)
class ImageFilter(Workload):
    """A blur by five taps each way, and the strength of the edges that remain."""

    family: ClassVar[str] = "images"
    small: ClassVar[dict[str, int]] = {"height": 9, "width": 12}
    scales: ClassVar[str] = "height"
    height: int = 1080
    width: int = 1920

    @property
    def name(self) -> str:
        return f"blur and edges of {self.width}x{self.height}"

    def arguments(self) -> Arguments:
        return (numpy.abs(normal(self.height, self.width)),)

    def filtered(self, sqrt: Function) -> Function:
        """The filter, by shifted slices."""
        taps = (0.0625, 0.25, 0.375, 0.25, 0.0625)

        def call(x: Any) -> Any:
            h, w = x.shape
            x = sum(t * x[i : h - 4 + i] for i, t in enumerate(taps))
            x = sum(t * x[:, i : w - 4 + i] for i, t in enumerate(taps))
            down, right = x[2:, 1:-1] - x[:-2, 1:-1], x[1:-1, 2:] - x[1:-1, :-2]
            return sqrt(down * down + right * right)

        return call

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(self.filtered(np.sqrt))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(self.filtered(torch.sqrt))

    def numpy(self) -> Function:
        return self.filtered(numpy.sqrt)

    def traffic(self) -> Traffic:
        return Traffic(4.0 * self.height * self.width, 4.0 * self.height * self.width)
