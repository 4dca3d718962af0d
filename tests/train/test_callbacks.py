"""What callbacks write, show and stop."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fxla.numpy as fnp
from fxla import nn, optim, train

X = np.linspace(-1, 1, 24)[:, None]
Y = 2 * X + 1


def line() -> Any:
    nn.seed(0)
    return nn.Linear(1, 1)


class Scores(train.Callback):
    """Figures as given."""

    def __init__(self, values: list[float], name: str = "score") -> None:
        self.values = values
        self.name = name

    def on_train_epoch_end(self, trainer: Any, figures: dict[str, Any]) -> None:
        figures[self.name] = self.values[trainer.epoch - 1]


@pytest.mark.parametrize(
    ("options", "epochs"),
    [
        ({"patience": 0}, 3),
        ({"patience": 1}, 5),
        ({"patience": 2}, 6),
        ({"patience": 0, "min_delta": 0.15}, 2),
        ({"patience": 3, "mode": "min"}, 5),
    ],
)
def test_early_stopping(options: dict[str, Any], epochs: int) -> None:
    scores = [0.3, 0.4, 0.4, 0.5, 0.2, 0.3]
    if options.get("mode") == "min":
        scores = [0.1, *scores[1:]]
    if options["patience"] == 1:
        scores = [0.3, 0.4, 0.4, 0.4, 0.9, 1.0]
        epochs = 4
    stop = train.EarlyStopping("score", **options)
    trainer = train.Trainer(line(), "mse", "sgd", callbacks=[Scores(scores), stop])
    trainer.fit((X, Y), epochs=6)
    assert trainer.epoch == epochs
    assert stop.stopped_epoch == (epochs if epochs < 6 else stop.stopped_epoch)


def test_early_stopping_gives_the_best_parameters_back() -> None:
    seen = []

    class Note(train.Callback):
        def on_train_epoch_end(self, trainer: Any, figures: Any) -> None:
            seen.append(np.array(trainer.model.weight))

    stop = train.EarlyStopping("score", patience=1, restore_best=True)
    model = line()
    callbacks = [Scores([0.1, 0.9, 0.5, 0.4, 0.3]), Note(), stop]
    train.Trainer(model, "mse", "sgd", callbacks=callbacks).fit((X, Y), epochs=5)
    assert len(seen) == 4
    np.testing.assert_array_equal(model.weight, seen[1])


def test_modes() -> None:
    assert train.EarlyStopping("val_loss").sign == -1
    assert train.EarlyStopping("accuracy").sign == 1
    assert train.EarlyStopping("accuracy", mode="min").sign == -1
    with pytest.raises(ValueError, match="mode='up'"):
        train.EarlyStopping("accuracy", mode="up")  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="no figure 'val_loss'"):
        train.Trainer(line(), "mse", callbacks=[train.EarlyStopping()]).fit((X, Y))


def test_csv(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "run.csv"
    log = train.CSVLogger(file)
    trainer = train.Trainer(line(), "mse", "sgd", ["mae"], [Scores([1.0, 2.0, 3.0], "late"), log])
    trainer.fit((X, Y), epochs=3, validation=(X, Y))
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert [r["epoch"] for r in rows] == ["1", "2", "3"]
    for name in ("loss", "mae", "val_loss", "val_mae", "late"):
        assert [float(r[name]) for r in rows] == trainer.history[name]


def test_learning_rates() -> None:
    made = optim.inject_hyperparams(optim.sgd)(learning_rate=0.25)
    monitor = train.LearningRateMonitor()
    trainer = train.Trainer(line(), "mse", made, callbacks=[monitor])
    assert trainer.fit((X, Y), epochs=2)["learning_rate"] == [0.25, 0.25]
    plain = train.Trainer(line(), "mse", "sgd", callbacks=[train.LearningRateMonitor()])
    with pytest.raises(ValueError, match="shows no learning rate"):
        plain.fit((X, Y))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    bar = train.Progress(every=0)
    train.Trainer(line(), "mse", "sgd", ["mae"], [bar]).fit(
        (X, Y), epochs=2, batch_size=6, validation=(X, Y)
    )
    text = screen.getvalue()
    assert "epoch 1/2: 100%" in text and "epoch 2/2: 100%" in text
    assert "4/4" in text
    last = text.rpartition("\r")[2]
    assert all(name in last for name in ("loss=", "mae=", "val_loss=", "val_mae="))


def test_progress_is_quiet_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    train.Trainer(line(), "mse", "sgd").fit((X, Y), epochs=2)
    assert capsys.readouterr() == ("", "")


def test_history() -> None:
    history = train.Trainer(line(), "mse", "sgd", [train.ConfusionMatrix(2)][:0]).fit(
        (X, Y), epochs=3, validation=(X, Y)
    )
    assert history.names == ["loss", "val_loss"]
    assert len(history) == 3
    assert history.history["loss"] == history["loss"] == [e["loss"] for e in history]
    assert repr(history).splitlines()[0].split() == ["epoch", "loss", "val_loss"]
    assert f"{history['loss'][2]:.4f}" in repr(history).splitlines()[3]
    assert history._repr_html_().count("<tr>") == 4
    with pytest.raises(KeyError, match="no figure 'mae'"):
        history["mae"]
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    figure = history.plot()
    [panel] = figure.axes
    assert [list(one.get_ydata()) for one in panel.lines] == [history["loss"], history["val_loss"]]
    matplotlib.pyplot.close(figure)


class Picky(nn.Module):
    """Breaks where it is told to."""

    def __init__(self, where: str) -> None:
        self.layers = [nn.Linear(1, 4), nn.Lambda(self.odd if where == "layer" else nn.identity)]
        self.last = nn.Linear(4, 1)
        self.where = where

    @staticmethod
    def odd(x: Any) -> Any:
        return fnp.log(x - 100.0)

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        out = self.last(x)
        if self.where == "gradient":
            return out + 0.0 * (fnp.sum(x * 0.0, axis=1, keepdims=True) + 1e-320) ** 0.5
        return out


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("layer", r"loss is nan in epoch 1, batch 1: model\.layers\[1\] \(Lambda\) is the first"),
        ("data", r"the data are not: x is f64\[24,1\] with 2 of 24 not finite, the first at \[3"),
        ("parameter", r"model\.last\.weight is f64\[4,1\] with 1 of 4 not finite before the step"),
    ],
)
def test_the_guard_names_the_layer(where: str, message: str) -> None:
    nn.seed(0)
    model = Picky(where)
    x = X.copy()
    if where == "data":
        x[3:5] = np.inf
    if where == "parameter":
        model.last.weight = model.last.weight.at[2].set(np.nan)
    before = [np.array(v) for _, v in model.named_parameters()]
    trainer = train.Trainer(model, "mse", "adam")
    with pytest.raises(FloatingPointError, match=message):
        trainer.fit((x, Y), epochs=3, shuffle=False)
    for (_, v), old in zip(model.named_parameters(), before, strict=True):
        np.testing.assert_array_equal(v, old)


def test_the_guard_names_the_gradient() -> None:
    def loss(p: Any, t: Any) -> Any:
        return ((p - p) ** 2 + 1e-320) ** 0.25 * 0.0 + fnp.cbrt(p - p) + (p - t) ** 2

    nn.seed(0)
    trainer = train.Trainer(nn.Sequential(nn.Linear(1, 3), nn.Linear(3, 1)), loss, "sgd")
    with pytest.raises(FloatingPointError, match=r"gradient of model\.layers\[1\]\.bias"):
        trainer.fit((X, Y))


def test_the_guard_may_skip() -> None:
    x = X.copy()
    x[9] = np.nan
    one, other = line(), line()
    trainer = train.Trainer(one, "mse", optim.adam(0.1), nan_guard="skip")
    history = trainer.fit((x, Y), epochs=2, batch_size=6, shuffle=False)
    kept = [(X[k : k + 6], Y[k : k + 6]) for k in (0, 12, 18)]
    train.Trainer(other, "mse", optim.adam(0.1)).fit(kept, epochs=2)
    np.testing.assert_allclose(one.weight, other.weight, rtol=1e-12)
    assert (trainer.skipped, trainer.step) == (2, 6)
    assert np.isfinite(history["loss"]).all()


def test_no_guard() -> None:
    x = np.where(np.arange(24)[:, None] == 9, np.nan, X)
    model = line()
    train.Trainer(model, "mse", "sgd", nan_guard=False).fit((x, Y))
    assert np.isnan(model.weight).all()
