"""What is written down while training: tables in CSV, learning rates."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fxla.core.pytree import tree_flatten
from fxla.core.trace import where_am_i
from fxla.train.callback import Callback
from fxla.train.history import is_number

if TYPE_CHECKING:
    from fxla.train.trainer import Trainer

__all__ = ["CSVLogger", "LearningRateMonitor", "learning_rates"]


class CSVLogger(Callback):
    """Writes the figures of every epoch as rows of a CSV file, which is whole after each epoch.

    Args:
        path: the file. It is written from the trainer's history, and so continues after a restart.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from fxla import nn, train
        >>> path = Path(tempfile.mkdtemp()) / "log.csv"
        >>> trainer = train.Trainer(nn.Linear(1, 1), "mse", "sgd", callbacks=[CSVLogger(path)])
        >>> _ = trainer.fit((np.ones((4, 1)), np.ones((4, 1))), epochs=2)
        >>> path.read_text().splitlines()[0], len(path.read_text().splitlines())
        ('epoch,loss', 3)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def on_train_epoch_end(self, trainer: Trainer, figures: dict[str, Any]) -> None:
        history = trainer.history
        names = [n for n in history.names if any(is_number(e.get(n)) for e in history)]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(self.path.name + ".part")
        with open(beside, "w", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["epoch", *names])
            for k, epoch in enumerate(history, 1):
                rows.writerow([k, *(epoch.get(n, "") for n in names)])
        os.replace(beside, self.path)


def learning_rates(state: Any) -> dict[str, float]:
    """The rates that an optimiser's state shows: those of `optim.inject_hyperparams`."""
    found: dict[str, float] = {}

    def injected(x: Any) -> bool:
        return hasattr(x, "hyperparams")

    for node in tree_flatten(state, injected)[0]:
        if injected(node) and "learning_rate" in node.hyperparams:
            name = "learning_rate" if not found else f"learning_rate_{len(found) + 1}"
            found[name] = float(node.hyperparams["learning_rate"])
    return found


class LearningRateMonitor(Callback):
    """Puts the learning rate among the figures of every epoch.

    Args:
        schedule: a function of the number of updates, such as those of `fxla.optim`; None: what
            `optim.inject_hyperparams` keeps in the optimiser's state.

    Raises:
        ValueError: at the first epoch's end, if the state shows no rate.

    Example:
        >>> import numpy as np
        >>> from fxla import nn, optim, train
        >>> schedule = optim.exponential_decay(0.1, transition_steps=1, decay_rate=0.5)
        >>> monitor = LearningRateMonitor(schedule)
        >>> trainer = train.Trainer(
        ...     nn.Linear(1, 1), "mse", optim.sgd(schedule), callbacks=[monitor]
        ... )
        >>> trainer.fit((np.ones((4, 1)), np.ones((4, 1))), epochs=2)["learning_rate"]
        [0.05, 0.025]
    """

    def __init__(self, schedule: Callable[[int], Any] | None = None) -> None:
        self.schedule = schedule

    def on_train_epoch_end(self, trainer: Trainer, figures: dict[str, Any]) -> None:
        if self.schedule is not None:
            figures["learning_rate"] = float(self.schedule(trainer.step))
            return
        found = learning_rates(trainer.optimizer_state)
        if not found:
            raise ValueError(
                "train.LearningRateMonitor: the optimiser's state shows no learning "
                f"rate{where_am_i()}. Pass the schedule, or make the optimiser by "
                "optim.inject_hyperparams(optim.sgd)(...)."
            )
        figures.update(found)
