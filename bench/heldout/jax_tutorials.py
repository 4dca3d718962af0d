"""What five of JAX's tutorials compute."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy

from bench.workloads.descent import torch_gradient
from bench.workloads.workload import Arguments, Function, Workload, labels, normal

__all__ = ["Elbo", "HessianProduct", "Smoothing", "TemporalDifference", "TwoHidden"]


@dataclass(frozen=True)
class Elbo(Workload):
    """Variational inference of a logistic regression: a hundred steps up the evidence bound.

    After "Autobatching for Bayesian inference",
    https://docs.jax.dev/en/latest/notebooks/vmapped_log_probs.html
    """

    family: ClassVar[str] = "held out"
    torch_compiles: ClassVar[bool] = False
    small: ClassVar[dict[str, int]] = {"steps": 2, "samples": 3, "points": 5}
    steps: int = 100
    samples: int = 32
    points: int = 100
    features: int = 10

    @property
    def name(self) -> str:
        return "variational logistic regression, 100 steps"

    def arguments(self) -> Arguments:
        x = normal(self.points, self.features)
        y = (normal(self.points, seed=1) > 0).astype(numpy.float32)
        start = numpy.zeros(self.features, numpy.float32)
        noise = normal(self.steps, self.samples, self.features, seed=2)
        return (start, start.copy()), x, y, noise

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def log_joint(beta: Any, x: Any, y: Any) -> Any:
            prior = np.sum(-0.5 * beta**2)
            return prior - np.sum(np.log1p(np.exp(-(2 * y - 1) * (x @ beta))))

        def bound(params: Any, x: Any, y: Any, noise: Any) -> Any:
            centre, log_width = params
            betas = centre + np.exp(log_width) * noise
            joints = xla.vmap(log_joint, in_axes=(0, None, None))(betas, x, y)
            return np.mean(joints) + np.sum(log_width)

        def fit(params: Any, x: Any, y: Any, noise: Any) -> Any:
            def step(params: Any, noise: Any) -> Any:
                value, slopes = xla.value_and_grad(bound)(params, x, y, noise)
                return xla.tree.map(lambda p, g: p + 0.01 * g, params, slopes), value

            return lax.scan(step, params, noise)

        jitted: Function = xla.jit(fit)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def bound(params: Any, x: Any, y: Any, noise: Any) -> Any:
            centre, log_width = params
            betas = centre + torch.exp(log_width) * noise
            logits = (2 * y - 1) * (betas @ x.T)
            joints = -0.5 * torch.sum(betas**2, -1) - torch.sum(torch.log1p(torch.exp(-logits)), -1)
            return torch.mean(joints) + torch.sum(log_width)

        def fit(params: Any, x: Any, y: Any, noise: Any) -> Any:
            params = [p.clone().requires_grad_(True) for p in params]
            values = []
            for each in noise:
                value = bound(params, x, y, each)
                slopes = torch.autograd.grad(value, params)
                with torch.no_grad():
                    torch._foreach_add_(params, slopes, alpha=0.01)
                values.append(value.detach())
            return params, torch.stack(values)

        return fit


@dataclass(frozen=True)
class TwoHidden(Workload):
    """A step of gradient descent of a network that is written for one image and mapped over many.

    After "Training a simple neural network, with PyTorch data loading",
    https://docs.jax.dev/en/latest/notebooks/Neural_Network_and_Data_Loading.html
    """

    family: ClassVar[str] = "held out"
    small: ClassVar[dict[str, int]] = {"batch": 3, "hidden": 7}
    batch: int = 128
    hidden: int = 512

    @property
    def name(self) -> str:
        return "network 784-512-512-10 mapped over images, step"

    def arguments(self) -> Arguments:
        sizes = [784, self.hidden, self.hidden, 10]
        pairs = enumerate(itertools.pairwise(sizes))
        params = [(normal(n, m, scale=m**-0.5, seed=i), normal(n)) for i, (m, n) in pairs]
        right = numpy.eye(10, dtype=numpy.float32)[labels(self.batch)]
        return params, normal(self.batch, 784, seed=9), right

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def predict(params: Any, image: Any) -> Any:
            hot = image
            for w, b in params[:-1]:
                hot = np.maximum(0, w @ hot + b)
            w, b = params[-1]
            scores = w @ hot + b
            return scores - xla.nn.logsumexp(scores)

        def loss(params: Any, images: Any, right: Any) -> Any:
            logs = xla.vmap(predict, in_axes=(None, 0))(params, images)
            return -np.mean(logs * right)

        def update(params: Any, images: Any, right: Any) -> Any:
            slopes = xla.grad(loss)(params, images, right)
            return xla.tree.map(lambda p, g: p - 0.01 * g, params, slopes)

        jitted: Function = xla.jit(update)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        functional = torch.nn.functional

        def loss(params: Any, images: Any, right: Any) -> Any:
            hot = images
            for w, b in params[:-1]:
                hot = torch.relu(functional.linear(hot, w, b))
            logs = torch.log_softmax(functional.linear(hot, *params[-1]), -1)
            return -torch.mean(logs * right)

        gradient = torch_gradient(torch, loss, compiled)

        def update(params: Any, images: Any, right: Any) -> Any:
            slopes = gradient(params, images, right)
            with torch.no_grad():
                torch._foreach_add_([p for pair in params for p in pair], slopes, alpha=-0.01)
            return params

        return update


@dataclass(frozen=True)
class HessianProduct(Workload):
    """The second derivatives of a logistic regression's loss, times a vector.

    After "The autodiff cookbook", https://docs.jax.dev/en/latest/notebooks/autodiff_cookbook.html
    """

    family: ClassVar[str] = "held out"
    small: ClassVar[dict[str, int]] = {"points": 5, "features": 3}
    points: int = 2000
    features: int = 200

    @property
    def name(self) -> str:
        return "Hessian-vector product of a logistic loss"

    def arguments(self) -> Arguments:
        x, right = normal(self.points, self.features), normal(self.points, seed=1) > 0
        w, v = normal(self.features, scale=0.1, seed=2), normal(self.features, seed=3)
        return w, v, x, right.astype(numpy.float32)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def loss(w: Any, x: Any, right: Any) -> Any:
            share = 0.5 * (np.tanh(x @ w / 2) + 1)
            return -np.sum(np.log(share * right + (1 - share) * (1 - right)))

        def product(w: Any, v: Any, x: Any, right: Any) -> Any:
            return xla.jvp(lambda w: xla.grad(loss)(w, x, right), (w,), (v,))[1]

        jitted: Function = xla.jit(product)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def loss(w: Any, x: Any, right: Any) -> Any:
            share = 0.5 * (torch.tanh(x @ w / 2) + 1)
            return -torch.sum(torch.log(share * right + (1 - share) * (1 - right)))

        def product(w: Any, v: Any, x: Any, right: Any) -> Any:
            return torch.func.jvp(lambda w: torch.func.grad(loss)(w, x, right), (w,), (v,))[1]

        return compiled(product)


@dataclass(frozen=True)
class Smoothing(Workload):
    """A noisy picture smoothed by a Gaussian window of 13x13.

    After "Generalized convolutions in JAX",
    https://docs.jax.dev/en/latest/notebooks/convolutions.html
    """

    family: ClassVar[str] = "held out"
    small: ClassVar[dict[str, int]] = {"height": 9, "width": 11}
    height: int = 480
    width: int = 640

    @property
    def name(self) -> str:
        return "Gaussian window over a picture of 640x480"

    def arguments(self) -> Arguments:
        along = numpy.exp(-0.5 * (numpy.linspace(-3, 3, 13) ** 2))
        window = numpy.outer(along, along).astype(numpy.float32)
        return normal(self.height, self.width), window / window.sum()

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def smooth(picture: Any, window: Any) -> Any:
            every = lax.conv_general_dilated(
                picture[None, None], window[None, None], (1, 1), "SAME"
            )
            return every[0, 0]

        jitted: Function = xla.jit(smooth)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        convolve = torch.nn.functional.conv2d
        return compiled(lambda p, w: convolve(p[None, None], w[None, None], padding=6)[0, 0])


@dataclass(frozen=True)
class TemporalDifference(Workload):
    """Each example's update of a linear value function, whose target is held fixed.

    After "Advanced automatic differentiation",
    https://docs.jax.dev/en/latest/advanced-autodiff.html
    """

    family: ClassVar[str] = "held out"
    small: ClassVar[dict[str, int]] = {"batch": 3, "features": 5}
    batch: int = 1024
    features: int = 64

    @property
    def name(self) -> str:
        return "temporal differences for each of 1024 examples"

    def arguments(self) -> Arguments:
        shape = (self.batch, self.features)
        theta = normal(self.features, scale=0.1)
        return theta, normal(*shape, seed=1), normal(self.batch, seed=2), normal(*shape, seed=3)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def loss(theta: Any, before: Any, reward: Any, after: Any) -> Any:
            target = reward + np.dot(theta, after)
            return -0.5 * (lax.stop_gradient(target) - np.dot(theta, before)) ** 2

        each = xla.vmap(xla.grad(loss), in_axes=(None, 0, 0, 0))
        jitted: Function = xla.jit(each)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def loss(theta: Any, before: Any, reward: Any, after: Any) -> Any:
            target = reward + torch.dot(theta, after)
            return -0.5 * (target.detach() - torch.dot(theta, before)) ** 2

        return compiled(torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0, 0)))
