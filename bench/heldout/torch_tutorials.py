"""What five of PyTorch's tutorials compute."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy

from bench.workloads.descent import torch_gradient
from bench.workloads.workload import Arguments, Function, Workload, f32, labels, normal

__all__ = ["Ensemble", "Generator", "Polynomial", "QLearning", "Style"]


@dataclass(frozen=True)
class Polynomial(Workload):
    """A cubic fitted to a sine by hundreds of steps of gradient descent.

    After "PyTorch: tensors and autograd",
    https://docs.pytorch.org/tutorials/beginner/examples_autograd/polynomial_autograd.html
    """

    family: ClassVar[str] = "held out"
    torch_compiles: ClassVar[bool] = False
    small: ClassVar[dict[str, int]] = {"steps": 3, "points": 20}
    steps: int = 500
    points: int = 2000

    @property
    def name(self) -> str:
        return "cubic fitted to a sine, 500 steps"

    def arguments(self) -> Arguments:
        x = numpy.linspace(-numpy.pi, numpy.pi, self.points).astype(numpy.float32)
        return f32(0.1, 0.8, -0.2, -0.1), x, numpy.sin(x)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def loss(c: Any, x: Any, y: Any) -> Any:
            return np.sum((c[0] + c[1] * x + c[2] * x**2 + c[3] * x**3 - y) ** 2)

        def fit(c: Any, x: Any, y: Any) -> Any:
            return lax.fori_loop(0, self.steps, lambda _, c: c - 1e-6 * xla.grad(loss)(c, x, y), c)

        jitted: Function = xla.jit(fit)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def fit(c: Any, x: Any, y: Any) -> Any:
            c = c.clone().requires_grad_(True)
            for _ in range(self.steps):
                loss = ((c[0] + c[1] * x + c[2] * x**2 + c[3] * x**3 - y) ** 2).sum()
                (slope,) = torch.autograd.grad(loss, c)
                with torch.no_grad():
                    c -= 1e-6 * slope
            return c

        return fit


@dataclass(frozen=True)
class Ensemble(Workload):
    """The predictions of ten networks on the same batch.

    After "Model ensembling", https://docs.pytorch.org/tutorials/intermediate/ensembling.html
    """

    family: ClassVar[str] = "held out"
    small: ClassVar[dict[str, int]] = {"models": 2, "batch": 3, "hidden": 5}
    models: int = 10
    batch: int = 64
    hidden: int = 128

    @property
    def name(self) -> str:
        return "predictions of an ensemble of ten networks"

    def arguments(self) -> Arguments:
        sizes = [784, self.hidden, self.hidden, 10]
        pairs = enumerate(itertools.pairwise(sizes))
        params = [
            (normal(self.models, m, n, scale=m**-0.5, seed=i), normal(self.models, n, scale=0.1))
            for i, (m, n) in pairs
        ]
        return params, normal(self.batch, 784, seed=9)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def predict(params: Any, x: Any) -> Any:
            for w, b in params[:-1]:
                x = xla.nn.relu(x @ w + b)
            w, b = params[-1]
            return x @ w + b

        jitted: Function = xla.jit(xla.vmap(predict, in_axes=(0, None)))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def predict(params: Any, x: Any) -> Any:
            for w, b in params[:-1]:
                x = torch.relu(torch.addmm(b, x, w))
            w, b = params[-1]
            return torch.addmm(b, x, w)

        return compiled(torch.func.vmap(predict, in_dims=(0, None)))


@dataclass(frozen=True)
class Style(Workload):
    """The gradient by a picture of how its filters' correlations differ from another's.

    After "Neural transfer using PyTorch",
    https://docs.pytorch.org/tutorials/advanced/neural_style_tutorial.html
    """

    family: ClassVar[str] = "held out"
    small: ClassVar[dict[str, int]] = {"side": 8, "first": 3, "second": 4}
    side: int = 128
    first: int = 16
    second: int = 32

    @property
    def name(self) -> str:
        return "style loss gradient, picture of 128x128"

    def arguments(self) -> Arguments:
        filters = [
            normal(self.first, 3, 3, 3, scale=0.2),
            normal(self.second, self.first, 3, 3, scale=0.1, seed=1),
        ]
        goals = [normal(n, n, scale=0.1, seed=2) for n in (self.first, self.second)]
        return normal(1, 3, self.side, self.side, seed=3), filters, goals

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def correlations(x: Any) -> Any:
            flat = x.reshape(x.shape[1], -1)
            return flat @ flat.T / flat.size

        def loss(picture: Any, filters: Any, goals: Any) -> Any:
            x, total = picture, 0.0
            for w, goal in zip(filters, goals, strict=True):
                x = xla.nn.relu(lax.conv_general_dilated(x, w, (1, 1), "SAME"))
                total = total + np.mean((correlations(x) - goal) ** 2)
            return total

        jitted: Function = xla.jit(xla.grad(loss))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        functional = torch.nn.functional

        def correlations(x: Any) -> Any:
            flat = x.view(x.shape[1], -1)
            return flat @ flat.T / flat.numel()

        def loss(picture: Any, filters: Any, goals: Any) -> Any:
            x, total = picture, 0.0
            for w, goal in zip(filters, goals, strict=True):
                x = torch.relu(functional.conv2d(x, w, padding=1))
                total = total + functional.mse_loss(correlations(x), goal)
            return total

        return torch_gradient(torch, loss, compiled)


@dataclass(frozen=True)
class QLearning(Workload):
    """A step of deep Q-learning: Huber loss, clipped gradients, AdamW, a slowly moving target.

    After "Reinforcement learning (DQN) tutorial",
    https://docs.pytorch.org/tutorials/intermediate/reinforcement_q_learning.html
    """

    family: ClassVar[str] = "held out"
    small: ClassVar[dict[str, int]] = {"batch": 3, "hidden": 5}
    batch: int = 128
    hidden: int = 128

    @property
    def name(self) -> str:
        return "deep Q-learning step with AdamW"

    def arguments(self) -> Arguments:
        sizes = [4, self.hidden, self.hidden, 2]
        pairs = list(enumerate(itertools.pairwise(sizes)))
        policy, target = (
            [(normal(m, n, scale=m**-0.5, seed=10 * k + i), normal(n)) for i, (m, n) in pairs]
            for k in (0, 1)
        )
        moments = [[(0 * w, 0 * b) for w, b in policy] for _ in range(2)]
        before, after = normal(self.batch, 4, seed=7), normal(self.batch, 4, seed=8)
        return (policy, target, moments), before, labels(self.batch, 2), normal(self.batch), after

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def values(params: Any, x: Any) -> Any:
            for w, b in params[:-1]:
                x = xla.nn.relu(x @ w + b)
            w, b = params[-1]
            return x @ w + b

        def loss(policy: Any, goal: Any, before: Any, actions: Any) -> Any:
            taken = np.take_along_axis(values(policy, before), actions[:, None], axis=1)[:, 0]
            apart = np.abs(taken - goal)
            return np.mean(np.where(apart < 1, 0.5 * apart**2, apart - 0.5))

        def step(state: Any, before: Any, actions: Any, rewards: Any, after: Any) -> Any:
            policy, target, (first, second) = state
            goal = rewards + 0.99 * np.max(values(target, after), axis=1)
            slopes = xla.grad(loss)(policy, goal, before, actions)
            slopes = xla.tree.map(lambda g: np.clip(g, -100, 100), slopes)
            first = xla.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slopes)
            second = xla.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, slopes)

            def moved(p: Any, m: Any, v: Any) -> Any:
                change = (m / 0.1) / (np.sqrt(v / 0.001) + 1e-8)  # of a first step
                return p * (1 - 3e-4 * 0.01) - 3e-4 * change

            policy = xla.tree.map(moved, policy, first, second)
            target = xla.tree.map(lambda t, p: 0.995 * t + 0.005 * p, target, policy)
            return policy, target

        jitted: Function = xla.jit(step)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        functional = torch.nn.functional
        optimisers: list[Any] = []

        def values(params: Any, x: Any) -> Any:
            for w, b in params[:-1]:
                x = torch.relu(torch.addmm(b, x, w))
            w, b = params[-1]
            return torch.addmm(b, x, w)

        def loss(policy: Any, target: Any, *batch: Any) -> Any:
            before, actions, rewards, after = batch
            with torch.no_grad():
                goal = rewards + 0.99 * values(target, after).max(1).values
            taken = values(policy, before).gather(1, actions[:, None])[:, 0]
            return functional.smooth_l1_loss(taken, goal)

        forward = compiled(loss)

        def step(state: Any, *batch: Any) -> Any:
            policy, target, _ = state
            leaves = [p for pair in policy for p in pair]
            if not optimisers:
                for leaf in leaves:
                    leaf.requires_grad_(True)
                optimisers.append(torch.optim.AdamW(leaves, lr=3e-4, foreach=True))
            optimisers[0].zero_grad()
            forward(policy, target, *batch).backward()
            torch.nn.utils.clip_grad_value_(leaves, 100)
            optimisers[0].step()
            with torch.no_grad():
                slow = [p for pair in target for p in pair]
                torch._foreach_lerp_(slow, leaves, 0.005)
            return policy, target

        return step


@dataclass(frozen=True)
class Generator(Workload):
    """Pictures from noise by normalised transposed convolutions.

    After "DCGAN tutorial", https://docs.pytorch.org/tutorials/beginner/dcgan_faces_tutorial.html
    """

    family: ClassVar[str] = "held out"
    serial: ClassVar[str] = "layers of tens of microseconds each wait for the last chunk of another"
    small: ClassVar[dict[str, int]] = {"batch": 2, "noise": 3, "width": 2}
    batch: int = 16
    noise: int = 100
    width: int = 16

    @property
    def name(self) -> str:
        return "DCGAN generator, 16 pictures of 64x64"

    def arguments(self) -> Arguments:
        sizes = [self.noise, 8 * self.width, 4 * self.width, 2 * self.width, self.width, 3]
        pairs = enumerate(itertools.pairwise(sizes))
        layers = [
            (
                normal(4, 4, m, n, scale=(4 * m) ** -0.5, seed=i),
                1 + normal(n, scale=0.02),
                normal(n),
            )
            for i, (m, n) in pairs
        ]
        return layers, normal(self.batch, 1, 1, self.noise, seed=9)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def norm(x: Any, scale: Any, shift: Any) -> Any:
            mean, variance = np.mean(x, axis=(0, 1, 2)), np.var(x, axis=(0, 1, 2))
            return (x - mean) / np.sqrt(variance + 1e-5) * scale + shift

        def pictures(layers: Any, x: Any) -> Any:
            for i, (w, scale, shift) in enumerate(layers):
                stride, pad = (1, 3) if i == 0 else (2, 2)
                x = lax.conv_transpose(
                    x,
                    w,
                    (stride, stride),
                    ((pad, pad), (pad, pad)),
                    dimension_numbers=("NHWC", "HWIO", "NHWC"),
                )
                if i < len(layers) - 1:
                    x = xla.nn.relu(norm(x, scale, shift))
            return np.tanh(x)

        jitted: Function = xla.jit(pictures)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        functional = torch.nn.functional
        layers, noise = self.arguments()
        # PyTorch's filters are turned round, [from, to, height, width].
        turned = [w[::-1, ::-1].transpose(2, 3, 0, 1).copy() for w, _, _ in layers]
        layers = [
            tuple(map(torch.from_numpy, (w, scale, shift)))
            for w, (_, scale, shift) in zip(turned, layers, strict=True)
        ]
        start = torch.from_numpy(noise).permute(0, 3, 1, 2)

        def pictures(layers: Any, x: Any) -> Any:
            for i, (w, scale, shift) in enumerate(layers):
                stride, pad = (1, 0) if i == 0 else (2, 1)
                x = functional.conv_transpose2d(x, w, stride=stride, padding=pad)
                if i < len(layers) - 1:
                    normed = functional.batch_norm(x, None, None, scale, shift, training=True)
                    x = torch.relu(normed)
            return torch.tanh(x)

        forward = compiled(pictures)

        def call(_: Any, __: Any) -> Any:
            with torch.inference_mode():
                return forward(layers, start).permute(0, 2, 3, 1)

        return call
