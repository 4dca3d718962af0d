"""What a callback may do, and when: Lightning's names of the moments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from fxla.core.trace import where_am_i

if TYPE_CHECKING:
    from fxla.train.trainer import Trainer

__all__ = ["Callback", "Callbacks"]


class Callback:
    """Base of what is told of the moments of training. Each method does nothing unless overridden.

    `trainer` shows where training stands: `trainer.epoch`, `trainer.step`, `trainer.figures()`,
    `trainer.model`, `trainer.history`; ``trainer.should_stop = True`` ends it after the batch.
    Within an epoch it is `trainer.model` that has the newest arrays; looking at it costs a little.

    Example:
        >>> class Every(Callback):
        ...     def on_train_epoch_end(self, trainer, figures):
        ...         print(trainer.epoch, sorted(figures))
    """

    def on_train_start(self, trainer: Trainer) -> None:
        """`fit` begins, or continues after a restart."""

    def on_train_epoch_start(self, trainer: Trainer) -> None:
        """An epoch begins."""

    def on_train_batch_start(self, trainer: Trainer, batch: Any) -> None:
        """A batch has come and is about to be used."""

    def on_train_batch_end(self, trainer: Trainer, batch: Any, loss: float) -> None:
        """A step is done; `loss` is the mean over its batch."""

    def on_validation_start(self, trainer: Trainer) -> None:
        """The validation data are about to be read."""

    def on_validation_end(self, trainer: Trainer, figures: dict[str, Any]) -> None:
        """Loss and metrics of the validation data are known, under names with ``val_``."""

    def on_train_epoch_end(self, trainer: Trainer, figures: dict[str, Any]) -> None:
        """An epoch, its validation included, is done and stands in the history."""

    def on_train_end(self, trainer: Trainer) -> None:
        """`fit` ends, by an error too."""

    def on_exception(self, trainer: Trainer, error: BaseException) -> None:
        """An error or Ctrl-C ends `fit`."""

    def state_dict(self) -> dict[str, Any]:
        """What this callback must remember across a restart, as JSON has it."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""


class Callbacks:
    """Several callbacks, told in their order."""

    def __init__(self, members: Iterable[Callback]) -> None:
        self.members = list(members)
        for member in self.members:
            if not isinstance(member, Callback):
                raise TypeError(
                    "Trainer: a callback is a train.Callback, not a "
                    f"{type(member).__qualname__}{where_am_i()}"
                )
        self._told: dict[str, list[Callable[..., None]]] = {}

    def tell(self, moment: str, *args: Any) -> None:
        """Call a method of those that override it."""
        if moment not in self._told:
            self._told[moment] = [
                getattr(m, moment)
                for m in self.members
                if getattr(type(m), moment) is not getattr(Callback, moment)
            ]
        for method in self._told[moment]:
            method(*args)
