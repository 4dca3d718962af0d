"""A training run that is killed at random moments and resumed, beside one that is not.

python tests/train/interrupted_training.py FOLDER KILLS SEED prints the digests of both, and at
how many different steps the killed one was resumed.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from fxla import data, nn, optim, train
from fxla.core.pytree import tree_flatten
from fxla.train.snapshot import read


class Net(nn.Module):
    """Statistics and keys are part of the state."""

    def __init__(self) -> None:
        self.first = nn.Linear(6, 16)
        self.norm = nn.BatchNorm(16)
        self.drop = nn.Dropout(0.3)
        self.last = nn.Linear(16, 3)

    def __call__(self, x: Any) -> Any:
        return self.last(self.drop(nn.relu(self.norm(self.first(x)))))


def trained(folder: Path) -> str:
    """Train to the end, from the last checkpoint if there is one; a digest of the result."""
    draws = np.random.default_rng(0)
    x, y = draws.normal(size=(200, 6)), draws.integers(0, 3, 200)
    loader = data.DataLoader((x, y), 16, shuffle=True, seed=1, workers=2)
    nn.seed(0)
    trainer = train.Trainer(
        Net(),
        "sparse_categorical_crossentropy_from_logits",
        optim.adamw(optim.cosine_decay_schedule(0.01, 100)),
        ["accuracy"],
        [train.Checkpoint(folder, "loss", best=2, every_batches=2)],
        accumulate=2,
    )
    history = trainer.fit(loader, epochs=12, resume=True)
    digest = hashlib.sha256(repr(history).encode())
    for leaf in tree_flatten((trainer.model, trainer.optimizer_state))[0]:
        digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()


def killed(folder: Path, after: float) -> bool:
    """Train in a process of its own, which is killed after some seconds; whether it was in time."""
    child = os.fork()
    if child == 0:
        trained(folder)
        os._exit(0)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def main(folder: Path, kills: int, seed: int) -> None:
    print(trained(folder / "whole"))
    began = time.perf_counter()
    trained(folder / "timed")  # nothing is compiled any more, as in the processes to be killed
    long = time.perf_counter() - began
    draws = random.Random(seed)
    happened = 0
    places = set()
    last = folder / "killed" / "last.safetensors"
    while happened < kills:
        if killed(folder / "killed", draws.uniform(0, 0.8 * long)):
            happened += 1
            places.add(read(last).run["step"] if last.exists() else 0)
        else:
            shutil.rmtree(folder / "killed")  # it came to its end: once more from the beginning
    print(trained(folder / "killed"))
    print(len(places))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
