"""A bar that shows how far training is, in terminals and notebooks."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from fxla.train.callback import Callback
from fxla.train.history import as_text, is_number

if TYPE_CHECKING:
    from fxla.train.trainer import Trainer

__all__ = ["Progress"]


class Progress(Callback):
    """tqdm's bar for each epoch: batches, time left, loss and metrics.

    Nothing is shown where nobody looks: without tqdm, or if the output is no terminal and no
    notebook.

    Args:
        every: seconds between two updates of the figures.
        shown: whether to show it; None: where somebody looks.

    Example:
        >>> from fxla import nn, train
        >>> trainer = train.Trainer(nn.Linear(1, 1), "mse", callbacks=[Progress(shown=False)])
    """

    def __init__(self, every: float = 0.1, shown: bool | None = None) -> None:
        self.every = every
        self.shown = shown
        self.bar: Any = None

    def _visible(self) -> bool:
        if importlib.util.find_spec("tqdm") is None:
            return False
        if self.shown is not None:
            return self.shown
        return in_notebook() or bool(getattr(sys.stderr, "isatty", bool)())

    def on_train_epoch_start(self, trainer: Trainer) -> None:
        if not self._visible():
            return
        self.bar = _bar()(
            total=trainer.batches,
            initial=trainer.batch,
            desc=f"epoch {trainer.epoch + 1}/{trainer.target}",
            unit="batch",
            mininterval=self.every,
            file=sys.stdout if in_notebook() else sys.stderr,
        )

    def on_train_batch_end(self, trainer: Trainer, batch: Any, loss: float) -> None:
        if self.bar is not None and self.bar.update():  # True when it drew itself anew
            self.bar.set_postfix_str(_figures(trainer.figures()), refresh=False)

    def on_validation_start(self, trainer: Trainer) -> None:
        if self.bar is not None:
            self.bar.set_postfix_str(_figures(trainer.figures()) + " ...")

    def on_train_epoch_end(self, trainer: Trainer, figures: dict[str, Any]) -> None:
        if self.bar is not None:
            self.bar.set_postfix_str(_figures(figures))
            self.close()

    def on_train_end(self, trainer: Trainer) -> None:
        self.close()

    def close(self) -> None:
        """End the bar, and leave it on the screen."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def in_notebook() -> bool:
    """Whether the code runs in a kernel of Jupyter."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None


def _bar() -> Any:
    """The kind of bar: a widget where there are widgets, else text."""
    from tqdm import std

    if in_notebook() and importlib.util.find_spec("ipywidgets") is not None:
        from tqdm import notebook

        return notebook.tqdm
    return std.tqdm


def _figures(figures: dict[str, Any]) -> str:
    return ", ".join(f"{n}={as_text(v)}" for n, v in figures.items() if is_number(v))
