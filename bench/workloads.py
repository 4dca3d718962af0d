"""The programs that are timed. Each is written once, against the names that fxla and JAX share.

A workload is a function of ``(np, lax, xla)``, the array module, the control-flow module and the
package itself, that returns a function and its arguments. The arguments are real NumPy arrays of
float32; the worker puts them where the package wants them before the clock starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy

__all__ = ["WORKLOADS", "Built", "Workload"]

Built = tuple[Callable[..., Any], tuple[Any, ...]]
F32 = numpy.float32


@dataclass(frozen=True)
class Workload:
    """One program to time.

    Attributes:
        name: as it stands in the table and on the command line.
        build: makes the function, already transformed and jitted, and its arguments.
        comparable: whether results of different packages should agree; a chaotic system's do not.
    """

    name: str
    build: Callable[[Any, Any, Any], Built]
    comparable: bool = True


WORKLOADS: dict[str, Workload] = {}


def workload(
    name: str, comparable: bool = True
) -> Callable[[Callable[[Any, Any, Any], Built]], Callable[[Any, Any, Any], Built]]:
    """Add a function to `WORKLOADS`."""

    def add(build: Callable[[Any, Any, Any], Built]) -> Callable[[Any, Any, Any], Built]:
        WORKLOADS[name] = Workload(name, build, comparable)
        return build

    return add


def normal(*shape: int, scale: float = 1.0, seed: int = 0) -> Any:
    """Reproducible float32 numbers."""
    return (scale * numpy.random.default_rng(seed).normal(size=shape)).astype(F32)


# ------------------------------------------------------------------------------------- dispatch


@workload("x + 1, 10 floats")
def dispatch(np: Any, lax: Any, xla: Any) -> Built:
    return xla.jit(lambda x: x + 1), (normal(10),)


@workload("tree of 8 leaves, x + 1")
def dispatch_tree(np: Any, lax: Any, xla: Any) -> Built:
    tree = {f"layer{i}": {"w": normal(10), "b": normal(10)} for i in range(4)}
    return xla.jit(lambda t: xla.tree.map(lambda x: x + 1, t)), (tree,)


# ---------------------------------------------------------------------------- maps and reductions


@workload("sum(sin(x)^2 + exp(-x)), 1e6")
def sum_of_map(np: Any, lax: Any, xla: Any) -> Built:
    return xla.jit(lambda x: np.sum(np.sin(x) ** 2 + np.exp(-x))), (normal(1_000_000),)


@workload("softmax 10000x100")
def softmax(np: Any, lax: Any, xla: Any) -> Built:
    return xla.jit(lambda x: xla.nn.softmax(x, axis=-1)), (normal(10_000, 100),)


@workload("layernorm 4096x768")
def layernorm(np: Any, lax: Any, xla: Any) -> Built:
    def f(x: Any, scale: Any, shift: Any) -> Any:
        centred = x - np.mean(x, axis=-1, keepdims=True)
        variance = np.mean(centred**2, axis=-1, keepdims=True)
        return centred / np.sqrt(variance + 1e-5) * scale + shift

    return xla.jit(f), (normal(4096, 768), normal(768), normal(768))


# ------------------------------------------------------------------------------- neural networks


def mlp_params() -> list[tuple[Any, Any]]:
    """A 784-128-10 network."""
    return [
        (normal(784, 128, scale=0.05), numpy.zeros(128, F32)),
        (normal(128, 10, scale=0.1), numpy.zeros(10, F32)),
    ]


def cross_entropy(np: Any, xla: Any, scores: Any, labels: Any) -> Any:
    """Mean of -log of the probability of the right label. scores: [..., 10]."""
    chosen = xla.nn.one_hot(labels, 10, dtype=np.float32)
    return -np.mean(np.sum(chosen * xla.nn.log_softmax(scores, axis=-1), axis=-1))


def mlp_loss(np: Any, xla: Any) -> Callable[..., Any]:
    """Loss of the network on images [..., 784]."""

    def loss(params: Any, images: Any, labels: Any) -> Any:
        (w1, b1), (w2, b2) = params
        return cross_entropy(np, xla, xla.nn.relu(images @ w1 + b1) @ w2 + b2, labels)

    return loss


def labels_of(n: int) -> Any:
    """Reproducible labels 0..9."""
    return numpy.random.default_rng(1).integers(0, 10, n).astype(numpy.int32)


def sgd(xla: Any, loss: Callable[..., Any]) -> Callable[..., Any]:
    """One jitted step of gradient descent."""

    def step(params: Any, images: Any, labels: Any) -> Any:
        value, slopes = xla.value_and_grad(loss)(params, images, labels)
        return value, xla.tree.map(lambda p, g: p - 0.1 * g, params, slopes)

    jitted: Callable[..., Any] = xla.jit(step)
    return jitted


def mlp_step(batch: int) -> Callable[[Any, Any, Any], Built]:
    """A step on a batch of that size."""

    def build(np: Any, lax: Any, xla: Any) -> Built:
        step = sgd(xla, mlp_loss(np, xla))
        return step, (mlp_params(), normal(batch, 784), labels_of(batch))

    return build


for _batch in (32, 128, 1024):
    workload(f"MLP 784-128-10 SGD step, batch {_batch}")(mlp_step(_batch))


@workload("per-example gradients of the MLP, batch 128")
def per_example(np: Any, lax: Any, xla: Any) -> Built:
    each = xla.jit(xla.vmap(xla.grad(mlp_loss(np, xla)), in_axes=(None, 0, 0)))
    return each, (mlp_params(), normal(128, 784), labels_of(128))


@workload("CNN SGD step, batch 32")
def cnn_step(np: Any, lax: Any, xla: Any) -> Built:
    def convolve(x: Any, w: Any, b: Any) -> Any:
        y = lax.conv_general_dilated(
            x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        hot = xla.nn.relu(y + b)
        return lax.reduce_window(hot, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def loss(params: Any, images: Any, labels: Any) -> Any:
        (w1, b1), (w2, b2), (w3, b3) = params
        x = convolve(convolve(images, w1, b1), w2, b2)
        return cross_entropy(np, xla, x.reshape(x.shape[0], -1) @ w3 + b3, labels)

    params = [
        (normal(3, 3, 1, 32, scale=0.3), numpy.zeros(32, F32)),
        (normal(3, 3, 32, 64, scale=0.06), numpy.zeros(64, F32)),
        (normal(7 * 7 * 64, 10, scale=0.02), numpy.zeros(10, F32)),
    ]
    return sgd(xla, loss), (params, normal(32, 28, 28, 1), labels_of(32))


@workload("attention block gradient, 4x128x256, 4 heads")
def attention(np: Any, lax: Any, xla: Any) -> Built:
    batch, length, width, heads = 4, 128, 256, 4

    def split(x: Any) -> Any:
        return np.transpose(x.reshape(batch, length, heads, width // heads), (0, 2, 1, 3))

    def loss(params: Any, x: Any) -> Any:
        wq, wk, wv, wo = params
        q, k, v = split(x @ wq), split(x @ wk), split(x @ wv)
        scores = np.einsum("bhqd,bhkd->bhqk", q, k) * (width // heads) ** -0.5
        mixed = np.einsum("bhqk,bhkd->bhqd", xla.nn.softmax(scores, axis=-1), v)
        out = np.transpose(mixed, (0, 2, 1, 3)).reshape(batch, length, width) @ wo
        return np.mean((x + out) ** 2)

    params = [normal(width, width, scale=width**-0.5, seed=i) for i in range(4)]
    return xla.jit(xla.grad(loss)), (params, normal(batch, length, width))


# ----------------------------------------------------------------------------------------- loops


def rnn_loss(np: Any, lax: Any) -> Callable[..., Any]:
    """A tanh recurrence over 1000 inputs of 64."""

    def loss(params: Any, xs: Any) -> Any:
        w, u, b = params

        def step(h: Any, x: Any) -> tuple[Any, Any]:
            h = np.tanh(h @ w + x @ u + b)
            return h, np.mean(h)

        _, means = lax.scan(step, np.zeros(64, np.float32), xs)
        return np.sum(means**2)

    return loss


def rnn_args() -> tuple[Any, ...]:
    """Weights and inputs of the recurrence."""
    return (
        [normal(64, 64, scale=0.1), normal(64, 64, scale=0.1, seed=1), numpy.zeros(64, F32)],
        normal(1000, 64, seed=2),
    )


@workload("RNN scan 1000x64, forward")
def rnn_forward(np: Any, lax: Any, xla: Any) -> Built:
    return xla.jit(rnn_loss(np, lax)), rnn_args()


@workload("RNN scan 1000x64, gradient")
def rnn_gradient(np: Any, lax: Any, xla: Any) -> Built:
    return xla.jit(xla.grad(rnn_loss(np, lax))), rnn_args()


@workload("Lorenz scan, 1e5 steps", comparable=False)
def lorenz(np: Any, lax: Any, xla: Any) -> Built:
    def step(state: Any, _: Any) -> tuple[Any, None]:
        x, y, z = state
        dx, dy, dz = 10.0 * (y - x), x * (28.0 - z) - y, x * y - (8.0 / 3.0) * z
        return (x + 0.005 * dx, y + 0.005 * dy, z + 0.005 * dz), None

    def run(x: Any, y: Any, z: Any) -> Any:
        return lax.scan(step, (x, y, z), None, length=100_000)[0]

    return xla.jit(run), (F32(1), F32(1), F32(1))


@workload("jit(vmap(while_loop)), 10000 escape counts")
def escape(np: Any, lax: Any, xla: Any) -> Built:
    def count(cx: Any, cy: Any) -> Any:
        """Iterations of z -> z^2 + c until |z| > 2, at most 100."""

        def inside(state: Any) -> Any:
            i, x, y = state
            return (i < 100) & (x * x + y * y <= 4.0)

        def step(state: Any) -> Any:
            i, x, y = state
            return i + 1, x * x - y * y + cx, 2.0 * x * y + cy

        zero = np.float32(0)
        return lax.while_loop(inside, step, (np.int32(0), zero, zero))[0]

    x, y = numpy.meshgrid(numpy.linspace(-2, 0.6, 100), numpy.linspace(-1.2, 1.2, 100))
    return xla.jit(xla.vmap(count)), (x.ravel().astype(F32), y.ravel().astype(F32))


# --------------------------------------------------------------------------------------- science


@workload("GP likelihood gradient, 256 points")
def gp_likelihood(np: Any, lax: Any, xla: Any) -> Built:
    def loss(theta: Any, x: Any, y: Any) -> Any:
        scaled = x / np.exp(theta[:4])
        apart = np.sum((scaled[:, None, :] - scaled[None, :, :]) ** 2, axis=-1)
        covariance = np.exp(-0.5 * apart) + np.exp(theta[4]) * np.eye(256, dtype=np.float32)
        lower = np.linalg.cholesky(covariance)
        white = lax.linalg.triangular_solve(lower, y[:, None], left_side=True, lower=True)
        return 0.5 * np.sum(white**2) + np.sum(np.log(np.diagonal(lower)))

    theta = numpy.array([0, 0, 0, 0, -1], F32)
    return xla.jit(xla.grad(loss)), (theta, normal(256, 4), normal(256, seed=1))


@workload("N-body energy gradient, 512 bodies")
def nbody(np: Any, lax: Any, xla: Any) -> Built:
    def energy(positions: Any, masses: Any) -> Any:
        apart = positions[:, None, :] - positions[None, :, :]
        distance = np.sqrt(np.sum(apart**2, axis=-1) + 1e-2)
        return -0.5 * np.sum(masses[:, None] * masses[None, :] / distance)

    return xla.jit(xla.grad(energy)), (normal(512, 3), numpy.ones(512, F32))


@workload("Hessian of Rosenbrock, 100 unknowns")
def rosenbrock(np: Any, lax: Any, xla: Any) -> Built:
    def f(x: Any) -> Any:
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    return xla.jit(xla.hessian(f)), (normal(100),)
