"""Restarts: bit for bit what an unbroken run gives."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fxla
from fxla import data, nn, optim, train
from fxla.core.pytree import tree_flatten

PROGRAM = Path(__file__).with_name("interrupted_training.py")
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(50, 4)), RNG.integers(0, 3, 50)


class Net(nn.Module):
    """Statistics and keys are part of the state."""

    def __init__(self) -> None:
        self.first = nn.Linear(4, 8)
        self.norm = nn.BatchNorm(8)
        self.drop = nn.Dropout(0.3)
        self.last = nn.Linear(8, 3)

    def __call__(self, x: Any) -> Any:
        return self.last(self.drop(nn.relu(self.norm(self.first(x)))))


class Stop(train.Callback):
    """Ends the process's part of the run after so many batches."""

    def __init__(self, after: int) -> None:
        self.after = after

    def on_train_batch_end(self, trainer: Any, batch: Any, loss: float) -> None:
        self.after -= 1
        if self.after == 0:
            raise KeyboardInterrupt


def trainer(folder: Path, *more: train.Callback, **options: Any) -> train.Trainer:
    nn.seed(0)
    keep = train.Checkpoint(folder, "loss", best=2, every_batches=1)
    rate = optim.exponential_decay(0.05, 3, 0.9)
    return train.Trainer(
        Net(),
        "sparse_categorical_crossentropy_from_logits",
        optim.chain(optim.clip_by_global_norm(1.0), optim.adam(rate)),
        ["accuracy", train.ConfusionMatrix(3)],
        [keep, train.EarlyStopping("loss", patience=50), *more],
        seed=3,
        **options,
    )


def bits(t: train.Trainer) -> list[bytes]:
    return [np.asarray(x).tobytes() for x in tree_flatten((t.model, t.optimizer_state))[0]]


def loader() -> Any:
    return data.DataLoader((X, Y), 8, shuffle=True, seed=9, workers=2)


@pytest.mark.parametrize(
    ("given", "options"),
    [(lambda: ((X, Y), 8), {}), (lambda: (loader(), None), {"accumulate": 3})],
    ids=["arrays", "loader, gathering"],
)
def test_every_place_to_stop_ends_the_same(tmp_path: Path, given: Any, options: Any) -> None:
    whole = trainer(tmp_path / "whole", **options)
    history = whole.fit(given()[0], 3, given()[1])
    for after in (1, 7, 12):
        folder = tmp_path / str(after)
        broken = trainer(folder, Stop(after), **options)
        with pytest.raises(KeyboardInterrupt):
            broken.fit(given()[0], 3, given()[1])
        again = trainer(folder, Stop(-1), **options)
        found = again.fit(given()[0], 3, given()[1], resume=True)
        assert bits(again) == bits(whole)
        assert repr(found) == repr(history)
        assert again.step == whole.step
        assert again.callbacks.members[2].best == min(history["loss"])


def test_grain_continues_at_its_own_position(tmp_path: Path) -> None:
    logging.getLogger("absl").setLevel(logging.ERROR)  # it says at import that there is no jax
    grain = pytest.importorskip("grain")
    rows = grain.MapDataset.source([(X[k], Y[k]) for k in range(50)]).shuffle(seed=1)
    given = rows.batch(8).to_iter_dataset()
    whole = trainer(tmp_path / "whole")
    whole.fit(given, epochs=2)
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path / "broken", Stop(9)).fit(given, epochs=2)
    again = trainer(tmp_path / "broken", Stop(-1))
    again.fit(given, epochs=2, resume=True)
    assert bits(again) == bits(whole)


def test_the_file_is_read_by_load(tmp_path: Path) -> None:
    t = trainer(tmp_path)
    t.fit((X, Y), epochs=1)
    stored = fxla.weights.load(tmp_path / "last.safetensors")
    np.testing.assert_array_equal(stored["model"]["model.first.weight"], t.model.first.weight)


def test_a_model_whose_sizes_come_later(tmp_path: Path) -> None:
    def made() -> train.Trainer:
        nn.seed(0)
        model = nn.Sequential(nn.Linear(None, 5), nn.Linear(None, 3))
        keep = train.Checkpoint(tmp_path, "loss")
        return train.Trainer(
            model, "sparse_categorical_crossentropy_from_logits", "adam", callbacks=[keep]
        )

    first = made()
    first.fit((X, Y), epochs=1)
    again = made()
    again.fit((X, Y), epochs=2, resume=True)
    other = made()
    other.fit((X, Y), epochs=2)
    assert bits(again) == bits(other)
    late = made()
    late.restore(tmp_path / "last.safetensors")
    assert late.evaluate((X, Y)) == other.evaluate((X, Y))


def test_the_best_are_kept(tmp_path: Path) -> None:
    keep = train.Checkpoint(tmp_path, "score", best=2)
    scores = [0.5, 0.9, 0.3, 0.7, float("nan"), 0.8]

    class Score(train.Callback):
        def on_train_epoch_end(self, trainer: Any, figures: Any) -> None:
            figures["score"] = scores[trainer.epoch - 1]

    train.Trainer(nn.Linear(4, 1), "mse", "sgd", callbacks=[Score(), keep]).fit(
        (X, Y[:, None]), epochs=6
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "epoch-0002-score-0.9000.safetensors",
        "epoch-0006-score-0.8000.safetensors",
        "last.safetensors",
    ]
    assert keep.best_path == tmp_path / "epoch-0002-score-0.9000.safetensors"
    with pytest.raises(KeyError, match=r"no figure 'val_acc'.*Pass `validation=`"):
        train.Trainer(
            nn.Linear(4, 1), "mse", callbacks=[train.Checkpoint(tmp_path, "val_acc")]
        ).fit((X, Y[:, None]))


def test_another_model_is_refused_and_nothing_changed(tmp_path: Path) -> None:
    trainer(tmp_path).fit((X, Y), epochs=1)
    file = tmp_path / "last.safetensors"
    wider = train.Trainer(nn.Sequential(nn.Linear(4, 9), nn.Linear(9, 3)), "mse", "sgd")
    before = bits(wider)
    with pytest.raises(ValueError, match=r"layers\[0\]\.weight is missing.*first\.weight is"):
        wider.restore(file)
    nn.seed(0)
    other = train.Trainer(Net(), "mse", optim.sgd(0.1))
    with pytest.raises(ValueError, match="of another optimiser"):
        other.restore(file)
    assert bits(wider) == before
    assert other.epoch == 0
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="safetensors"):
        trainer(tmp_path).fit((X, Y), resume=True)
    with pytest.raises(ValueError, match="needs a Checkpoint"):
        wider.fit((X, X[:, :3]), resume=True)


def digests(tmp_path: Path, kills: int, seed: int) -> list[str]:
    """What an unbroken run ends with, and one that was killed so often and resumed."""
    arguments = [str(PROGRAM), str(tmp_path), str(kills), str(seed)]
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_killed_and_resumed(tmp_path: Path) -> None:
    whole, resumed, places = digests(tmp_path, 20, 1)
    assert resumed == whole
    assert int(places) > 5
