"""Checkpoints: the best ones, and the last, from which an interrupted run continues exactly."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fxla.core.trace import where_am_i
from fxla.train.callback import Callback

if TYPE_CHECKING:
    from fxla.train.trainer import Trainer

__all__ = ["Checkpoint", "EarlyStopping", "better", "monitored"]

Mode = Literal["min", "max", "auto"]


def better(mode: Mode, name: str) -> int:
    """1 if a higher value of a figure is better, -1 if a lower one is.

    ``"auto"`` tells by the name: losses and errors are to fall, the other figures to rise.
    """
    if mode not in ("min", "max", "auto"):
        raise ValueError(
            f"fxla.train: mode={mode!r}; expected 'min', 'max' or 'auto'{where_am_i()}"
        )
    if mode == "auto":
        return -1 if re.search(r"loss|error|mse|mae|perplexity", name) else 1
    return 1 if mode == "max" else -1


def monitored(figures: dict[str, Any], name: str, who: str) -> float:
    """The value of a figure.

    Raises:
        KeyError: if there is none of that name.
    """
    if name not in figures:
        hint = " Pass `validation=` to fit." if name.startswith("val_") else ""
        raise KeyError(
            f"train.{who}: there is no figure {name!r}; there are "
            f"{list(figures)}{where_am_i()}.{hint}"
        )
    return float(figures[name])


class Checkpoint(Callback):
    """Saves the trainer's state after epochs or batches.

    Every file is written whole or not at all, and holds what `Trainer.fit` needs to continue as if
    nothing had happened: ``fit(..., resume=True)`` continues from the last one, in the middle of
    an epoch if it was taken there, and ends with bit-identical weights.

    Args:
        folder: where files stand: ``last.safetensors``, and the best as
            ``epoch-0007-val_loss-0.1234.safetensors``.
        monitor: the figure that tells which are best.
        mode: whether it is to fall (``"min"``) or to rise; ``"auto"`` tells by its name.
        best: how many of the best to keep.
        every_epochs: after how many epochs to save.
        every_batches: after how many batches to save the last state, besides.

    Example:
        >>> import tempfile
        >>> from fxla import nn, train
        >>> import numpy as np
        >>> folder = tempfile.mkdtemp()
        >>> def trainer():
        ...     keep = train.Checkpoint(folder, monitor="loss", best=1)
        ...     return train.Trainer(nn.Linear(1, 1), "mse", "sgd", callbacks=[keep])
        >>> x = np.linspace(0, 1, 8)[:, None]
        >>> _ = trainer().fit((x, x), epochs=3)
        >>> again = trainer()
        >>> len(again.fit((x, x), epochs=5, resume=True))  # three epochs are done
        5
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        monitor: str = "val_loss",
        mode: Mode = "auto",
        *,
        best: int = 1,
        every_epochs: int = 1,
        every_batches: int | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.monitor = monitor
        self.sign = better(mode, monitor)
        self.best = best
        self.every_epochs = every_epochs
        self.every_batches = every_batches
        self.kept: list[tuple[float, str]] = []

    @property
    def last(self) -> Path:
        """The file of the last state."""
        return self.folder / "last.safetensors"

    @property
    def best_path(self) -> Path | None:
        """The file of the best state so far."""
        return self.folder / self.kept[0][1] if self.kept else None

    def on_train_start(self, trainer: Trainer) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def on_train_batch_end(self, trainer: Trainer, batch: Any, loss: float) -> None:
        if self.every_batches and trainer.batch % self.every_batches == 0:
            trainer.save(self.last)

    def on_train_epoch_end(self, trainer: Trainer, figures: dict[str, Any]) -> None:
        if trainer.epoch % self.every_epochs and trainer.epoch < trainer.target:
            return
        if self.best and (self.monitor in figures or self.monitor != "val_loss"):
            self._keep(trainer, monitored(figures, self.monitor, "Checkpoint"))
        trainer.save(self.last)

    def _keep(self, trainer: Trainer, value: float) -> None:
        """Save a state that is among the best, and delete the one that no longer is."""
        order = -self.sign * value if not math.isnan(value) else math.inf
        name = f"epoch-{trainer.epoch:04d}-{self.monitor}-{value:.4f}.safetensors"
        kept = sorted([*self.kept, (order, name)], key=lambda pair: pair[0])
        self.kept, dropped = kept[: self.best], kept[self.best :]
        if any(n == name for _, n in self.kept):
            trainer.save(self.folder / name)
        for _, gone in dropped:
            (self.folder / gone).unlink(missing_ok=True)

    def state_dict(self) -> dict[str, Any]:
        return {"kept": [list(pair) for pair in self.kept]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.kept = [(order, name) for order, name in state["kept"]]


class EarlyStopping(Callback):
    """Ends training when a figure has not become better for some epochs.

    Args:
        monitor: the figure.
        patience: how many epochs may pass without a better value.
        min_delta: by how much a value must be better to count.
        mode: whether it is to fall (``"min"``) or to rise; ``"auto"`` tells by its name.
        restore_best: whether the model gets the parameters of the best epoch in the end.

    Example:
        >>> stop = EarlyStopping("val_loss", patience=3)
        >>> stop.sign
        -1
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 0,
        *,
        min_delta: float = 0.0,
        mode: Mode = "auto",
        restore_best: bool = False,
    ) -> None:
        self.monitor = monitor
        self.patience = patience
        self.min_delta = min_delta
        self.sign = better(mode, monitor)
        self.restore_best = restore_best
        self.best: float | None = None
        self.waited = 0
        self.stopped_epoch: int | None = None
        self._kept: Any = None

    def on_train_epoch_end(self, trainer: Trainer, figures: dict[str, Any]) -> None:
        value = monitored(figures, self.monitor, "EarlyStopping")
        if self.best is None or self.sign * (value - self.best) > self.min_delta:
            self.best, self.waited = value, 0
            if self.restore_best:
                self._kept = trainer.copied_leaves()
            return
        self.waited += 1
        if self.waited > self.patience:
            self.stopped_epoch = trainer.epoch
            trainer.should_stop = True

    def on_train_end(self, trainer: Trainer) -> None:
        if self._kept is not None:
            trainer.put_leaves(self._kept)
            self._kept = None

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.waited = state["best"], state["waited"]
