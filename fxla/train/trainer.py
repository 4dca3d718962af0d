"""`Trainer`: Keras's `compile` and `fit`, Lightning's callbacks, one compiled program a step."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np

from fxla.core.pytree import leaf_paths, tree_flatten, tree_map
from fxla.core.stateful import assign
from fxla.core.trace import where_am_i
from fxla.data import Dataset, as_dataset
from fxla.data.dataset import Iteration
from fxla.nn.module import Module
from fxla.nn.trees import parameters
from fxla.train.callback import Callback, Callbacks
from fxla.train.feeding import Batch, batch_of, batches, examples_given, ready
from fxla.train.history import History
from fxla.train.interrupts import Interrupts
from fxla.train.names import check_probabilities, loss_of, metrics_of, optimizer_of
from fxla.train.non_finite import explain
from fxla.train.progress import Progress
from fxla.train.running import Held, Running, Structure
from fxla.train.snapshot import Snapshot, leaves, read, restored, written
from fxla.train.step import Recipe, Steps, call, unbuilt
from fxla.transforms.api import what_is

__all__ = ["Trainer"]


class Trainer:
    """Trains a model: the loop, its figures, its callbacks, its restart.

    Args:
        model: a `fxla.nn.Module`. It is trained in place: it holds the state of the last step.
        loss: a function of predictions and targets that gives one value for each example, as those
            of `fxla.nn.losses` do, or their mean; or Keras's name of one. As in Keras,
            ``"sparse_categorical_crossentropy"`` and its kin take probabilities, and with
            ``_from_logits`` at the end scores.
        optimizer: one of `fxla.optim`, or Keras's name of one.
        metrics: names (``"accuracy"``, ``"f1"``, ``"top_3"``, ...), `Metric` objects, functions of
            predictions and targets, or a dict of these.
        callbacks: `Callback` objects, told in their order.
        seed: of the order of the data.
        precision: ``"bfloat16"`` to compute in it; parameters, the optimiser's state, losses and
            metrics keep their dtype.
        accumulate: how many batches make one update; the gradient is that of all their examples.
        nan_guard: True: a step whose loss or gradients are not finite changes nothing and raises
            FloatingPointError, which names the layer; ``"skip"``: it changes nothing and counts in
            `skipped`; False: nobody looks.
        progress: whether a bar is shown, in terminals and notebooks.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> from fxla import nn, optim, train
        >>> x = np.linspace(-1, 1, 64)[:, None]
        >>> model = nn.Linear(1, 1)
        >>> trainer = train.Trainer(model, "mse", optim.sgd(0.1), metrics=["mae"])
        >>> history = trainer.fit((x, 3 * x + 1), epochs=40, batch_size=16)
        >>> history["loss"][-1] < 1e-3, round(float(model.bias[0]), 1)
        (True, 1.0)
        >>> sorted(trainer.evaluate((x, 3 * x + 1)))
        ['loss', 'mae']
    """

    def __init__(
        self,
        model: Any,
        loss: Any,
        optimizer: Any = "adam",
        metrics: Any = (),
        callbacks: Iterable[Callback] = (),
        *,
        seed: int = 0,
        precision: str | None = None,
        accumulate: int = 1,
        nan_guard: bool | Literal["skip"] = True,
        progress: bool = True,
    ) -> None:
        if not isinstance(model, Module):
            raise TypeError(
                f"Trainer: the model must be an fxla.nn module, got {what_is(model)}"
                f"{where_am_i()}. Write a class with `nn.Module` as its base and a `__call__`, or "
                "an `nn.Sequential` of layers and functions."
            )
        if accumulate < 1:
            raise ValueError(
                f"Trainer: accumulate={accumulate}; at least one batch makes an "
                f"update{where_am_i()}"
            )
        if precision not in (None, "bfloat16", "float16", "float32", "float64"):
            raise ValueError(
                f"Trainer: precision={precision!r}; expected 'bfloat16', 'float16', "
                f"'float32', 'float64' or None{where_am_i()}"
            )
        members = list(callbacks)
        if progress and not any(isinstance(m, Progress) for m in members):
            members.insert(0, Progress())
        chosen = loss_of(loss)
        self.recipe = Recipe(
            chosen,
            optimizer_of(optimizer),
            metrics_of(metrics, chosen),
            None if precision is None else np.dtype(precision),
            bool(nan_guard),
        )
        self.callbacks = Callbacks(members)
        self.seed = seed
        self.accumulate = accumulate
        self.nan_guard = nan_guard
        self.history = History()
        self.epoch = 0
        """How many epochs are done."""
        self.batch = 0
        """How many batches of this epoch are done."""
        self.step = 0
        """How many updates are done."""
        self.skipped = 0
        """How many steps were left out because something was not finite."""
        self.batches: int | None = None
        """How many batches an epoch has, where that is known."""
        self.target = 0
        """After how many epochs `fit` ends."""
        self.should_stop = False
        self._held = Held(Running(model, None, self.recipe.sums()))
        self._steps: Steps | None = None
        self._gathered: list[Any] | None = None
        self._waiting = 0
        self._loader: Dataset | None = None
        self._reader: Iteration | None = None
        self._started = 0
        self._late: Snapshot | None = None
        self._prepared = False
        self._interrupts = Interrupts()

    def __repr__(self) -> str:
        model, done = type(self._held.model).__name__, f"{self.epoch} epochs, {self.step} steps"
        return f"<Trainer of {model}: loss {self.recipe.loss.name}, {done}>"

    # -- training

    def fit(
        self,
        data: Any,
        epochs: int = 1,
        batch_size: int | None = None,
        *,
        validation: Any = None,
        shuffle: bool | None = None,
        steps: int | None = None,
        resume: bool | str | os.PathLike[str] = False,
    ) -> History:
        """Train for some epochs.

        Args:
            data: arrays ``(x, y)`` or ``(x, y, weight)``, whose rows are examples, or a `Dataset`
                of such examples; or what gives batches of that form: a `DataLoader`, a grain
                pipeline, a PyTorch loader, any iterable. With `batch_size`, any of them may give
                examples.
            epochs: how many more. After a restart, what is left of the interrupted ones.
            batch_size: examples in a batch; 32 if examples are given and it is left out.
            validation: data for `evaluate` after every epoch; or the share of `data` (examples)
                that is kept for it.
            shuffle: whether each epoch has its own order; default: where examples are known by
                number and batched here.
            steps: how many batches make an epoch, for data without an end.
            resume: a checkpoint to continue from; True: the last one of the `Checkpoint` callback,
                if it is there.

        Returns:
            The history of all epochs.

        Raises:
            FloatingPointError: if a loss or a gradient is not finite; see `nan_guard`.
        """
        if not isinstance(epochs, (int, np.integer)):
            raise TypeError(
                f"Trainer.fit: epochs must be an integer, got {what_is(epochs)}{where_am_i()}. "
                "Inputs and targets are one argument: `fit((x, y), epochs=1)`."
            )
        if isinstance(validation, float):
            data, validation = as_dataset(data).split(1 - validation, self.seed)
        self._loader = batches(data, batch_size, shuffle, self.seed)
        if validation is not None and not ready(validation):
            size = batch_size if examples_given(validation) else None
            validation = batches(validation, size, False, self.seed)
        self._reader, self._started = None, self.epoch
        self._begin_epoch()
        self._gathered, self._waiting = None, 0
        if self._resume(resume):
            self._reader = iter(self._loader)
        self.target = self._started + epochs
        self.batches = steps or self._loader.source.length()
        self.should_stop = False
        with self._interrupts:
            try:
                self.callbacks.tell("on_train_start", self)
                while self.epoch < self.target and not self.should_stop:
                    self._train_epoch(self._elements(self._loader, steps), validation)
            except BaseException as error:
                self._interrupts.forget()
                self._held.settle()
                self.callbacks.tell("on_exception", self, error)
                raise
            finally:
                if self._reader is not None:
                    self._reader.close()
                self.callbacks.tell("on_train_end", self)
        return self.history

    def _elements(self, loader: Dataset, steps: int | None) -> Iterator[Any]:
        """The batches of an epoch, or what is left of it.

        An epoch is a pass over the data, or so many steps, which may end in the middle of a pass.
        """
        fresh = self._reader is None
        reader = self._reader or loader.epoch(self.epoch)
        while True:
            self._reader, before = reader, self.batch
            while steps is None or self.batch < steps:
                try:
                    element = next(reader)
                except StopIteration:
                    break
                yield element
            if steps is None:
                self._reader = None
                return
            if self.batch >= steps or (fresh and self.batch == before):
                return  # enough, or there is nothing at all
            fresh, reader = True, loader.epoch(reader.number + 1)

    def _train_epoch(self, elements: Iterator[Any], validation: Any) -> None:
        """An epoch, or what is left of it."""
        self.callbacks.tell("on_train_epoch_start", self)
        for element in elements:
            batch = batch_of(element)
            self.callbacks.tell("on_train_batch_start", self, batch)
            loss = self._train_batch(batch)
            self.callbacks.tell("on_train_batch_end", self, batch, loss)
            if self.should_stop:
                break
        if not self.batch:
            raise ValueError(f"Trainer.fit: the data gave no batch{where_am_i()}")
        if self._waiting:
            self._update()
        figures = self.figures()
        if validation is not None:
            self.callbacks.tell("on_validation_start", self)
            seen = {f"val_{k}": v for k, v in self.evaluate(validation).items()}
            figures |= seen
            self.callbacks.tell("on_validation_end", self, seen)
        self.history.epochs.append(figures)
        self.epoch += 1
        self._begin_epoch()
        self.callbacks.tell("on_train_epoch_end", self, figures)

    def _train_batch(self, batch: Batch) -> float:
        """One step, whose results are taken over whatever happens meanwhile."""
        self._prepare(batch)
        self._interrupts.hold()
        arrays, structure = self._held.arrays()
        steps = self._compiled(structure)
        if self.accumulate == 1:
            arrays, loss, finite = steps.step(arrays, batch)
            self._held.take(arrays)
            self.step += bool(finite) or not self.recipe.guard
        else:
            gathered = self._gathered or steps.nothing(self._held.model)
            (arrays, self._gathered), loss, finite = steps.gather(arrays, gathered, batch)
            self._held.take(arrays)
            self._waiting += 1
            if self._waiting == self.accumulate:
                self._update()
        self.batch += 1
        if not finite and self.nan_guard:
            self.skipped += 1
            if self.nan_guard != "skip":
                raise explain(self, batch, float(loss))
        self._interrupts.release()
        return float(loss)

    def _begin_epoch(self) -> None:
        self.batch = 0
        self._held.running = self._held.running._replace(sums=self.recipe.sums())

    def _update(self) -> None:
        """The update of the gradients gathered so far."""
        assert self._gathered is not None
        arrays, structure = self._held.arrays()
        self._held.take(self._compiled(structure).update(arrays, self._gathered))
        self._gathered, self._waiting = None, 0
        self.step += 1

    def _compiled(self, structure: Structure) -> Steps:
        """The programs for what the model and the optimiser's state are made of now."""
        if self._steps is None or self._steps.structure != structure:
            self._steps = Steps(self.recipe, structure)
        return self._steps

    def _prepare(self, batch: Batch) -> None:
        """What the first batch of all tells: sizes that were left out, what the loss expects."""
        if self._prepared:
            return
        self._build(batch.x)
        if self.recipe.loss.probabilities:
            few = tree_map(lambda a: np.asarray(a)[:8], batch.x)
            check_probabilities(
                self.recipe.loss, self.recipe.predict(self.model, few, training=False)
            )
        if self.optimizer_state is None:  # and not restored just now
            state = self.recipe.optimizer.init(parameters(self.model))
            self._held.running = self._held.running._replace(optimizer=state)
        self._prepared = True

    def _build(self, x: Any) -> None:
        if unbuilt(self.model):
            call(self.model, tree_map(lambda a: np.asarray(a)[:1], x), training=False)
        if self._late is not None:  # restored before its sizes were known
            snapshot, self._late = self._late, None
            self._take(snapshot)

    # -- figures

    def figures(self) -> dict[str, Any]:
        """Loss and metrics over the examples of this epoch so far."""
        return self.recipe.figures(self._held.sums())

    @property
    def model(self) -> Any:
        """The model, with what the last step gave it. Changes that are made to it count."""
        return self._held.running.model

    @property
    def optimizer_state(self) -> Any:
        """The optimiser's state; None before the first step."""
        return self._held.running.optimizer

    def evaluate(self, data: Any, batch_size: int | None = None) -> dict[str, Any]:
        """Loss and metrics over all examples, without training.

        Args:
            data: as in `fit`.
            batch_size: as in `fit`.
        """
        sums = self.recipe.sums()
        for element in batches(data, batch_size, None if ready(data) else False, self.seed):
            batch = batch_of(element)
            model, steps = self._to_apply(batch.x)
            sums = steps.evaluate(model, sums, batch)
        return self.recipe.figures(sums)

    def _to_apply(self, x: Any) -> tuple[list[Any], Steps]:
        """The model's arrays and the programs that take them."""
        if not self._prepared:
            self._build(x)
        arrays, structure = self._held.arrays()
        return structure.parts(arrays)[0], self._compiled(structure)

    def predict(self, data: Any, batch_size: int | None = None) -> Any:
        """The model's predictions for all examples, in one array (or a tree of them).

        Args:
            data: inputs: an array, or what gives batches of inputs or of ``(x, y)``.
            batch_size: examples in a batch; for arrays, 32 if it is left out.
        """
        parts = []
        for element in batches(data, batch_size, None if ready(data) else False, self.seed):
            x = element[0] if isinstance(element, (tuple, list)) else element
            model, steps = self._to_apply(x)
            parts.append(steps.predict(model, tree_map(np.asarray, x)))
        if not parts:
            raise ValueError(f"Trainer.predict: the data gave no batch{where_am_i()}")
        return tree_map(lambda *a: np.concatenate(a), *parts)

    def copied_leaves(self) -> list[Any]:
        """Copies of the model's parameters and buffers as they are now."""
        return [np.array(x) for x in tree_flatten(self.model)[0]]

    def put_leaves(self, values: list[Any]) -> None:
        """Give the model parameters and buffers that `copied_leaves` took."""
        assign(self.model, dict(enumerate(values)))

    # -- restart

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything that `restore` needs into one file, whole or not at all.

        That is parameters and buffers (keys for dropout among them), the optimiser's state, sums
        of metrics, the position in the data, the history, and the callbacks' state.
        """
        written(path, self._snapshot())

    def restore(self, path: str | os.PathLike[str]) -> None:
        """Continue from a file of `save` in the next `fit` with ``resume=path``, or use the model.

        Raises:
            ValueError: if the file's arrays are not those of this model and optimiser; nothing is
                changed then.
        """
        self._take(read(path))

    def _resume(self, resume: Any) -> bool:
        """Continue from a checkpoint, if there is one, and say whether its data continue too."""
        if resume is False or resume is None:
            return False
        path = resume
        if resume is True:
            found = [p for p in (getattr(m, "last", None) for m in self.callbacks.members) if p]
            if not found:
                raise ValueError(
                    f"Trainer.fit: resume=True needs a Checkpoint among the callbacks{where_am_i()}"
                )
            path = found[0]
            if not os.path.exists(path):
                return False
        snapshot = read(path)
        self._take(snapshot)
        self._started = snapshot.run["started"]
        if snapshot.run["data"] is None or self._loader is None:
            return False
        self._loader.restore(snapshot.run["data"])
        return True

    def _take(self, snapshot: Snapshot) -> None:
        """Become what a snapshot says, or change nothing."""
        state = self.optimizer_state
        if state is None and unbuilt(self.model):
            self._late = snapshot
        else:
            if state is None:
                state = self.recipe.optimizer.init(parameters(self.model))
            model, state, self._gathered = restored(snapshot, self.model, state)
            assign(self.model, dict(enumerate(model)))
            self._held.running = Running(self.model, state, snapshot.sums)
        run = snapshot.run
        self.epoch, self.batch, self.step = run["epoch"], run["batch"], run["step"]
        self.skipped, self._waiting = run["skipped"], run["waiting"]
        self.history.epochs[:] = run["history"]
        if len(run["callbacks"]) == len(self.callbacks.members):
            for member, state in zip(self.callbacks.members, run["callbacks"], strict=True):
                member.load_state_dict(state)

    def _snapshot(self) -> Snapshot:
        run = {
            "epoch": self.epoch,
            "batch": self.batch,
            "step": self.step,
            "skipped": self.skipped,
            "waiting": self._waiting,
            "started": self._started,
            "data": None if self._loader is None else self._loader.state(),
            "history": self.history.epochs,
            "callbacks": [m.state_dict() for m in self.callbacks.members],
        }
        model, optimizer, sums = self._held.running
        named = dict(zip(leaf_paths(model, "model"), leaves(model), strict=True))
        return Snapshot(named, leaves(optimizer), sums, leaves(self._gathered), run)
