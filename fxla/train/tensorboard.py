"""Event files that TensorBoard shows: curves, histograms, images, the graph."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fxla.control.api import make_jaxpr
from fxla.core.dtypes import bfloat16
from fxla.core.pytree import leaf_paths, tree_flatten, tree_map
from fxla.data.builtin import optional
from fxla.train.callback import Callback
from fxla.train.graph import graph_of, levels
from fxla.train.history import is_number

if TYPE_CHECKING:
    from fxla.train.trainer import Trainer

__all__ = ["TensorBoard"]


class TensorBoard(Callback):
    """Writes what TensorBoard shows: ``tensorboard --logdir folder``.

    Curves of the loss by step and of all figures by epoch, histograms of parameters, the graph of
    the model's jaxpr, and images of your own.

    Args:
        folder: where event files are written.
        every: after how many steps the loss is written.
        histograms: after how many epochs those of parameters are written; 0: never.
        graph: whether the model's graph is written, at the first batch.
        images: a function of the trainer that gives a dict of images by name, ``[h, w, c]`` or
            ``[n, h, w, c]`` in 0..1, written after every epoch.

    Raises:
        MissingExtraError: if tensorboardX is not installed.

    Example:
        >>> import tempfile
        >>> from fxla import nn, train
        >>> board = TensorBoard(tempfile.mkdtemp(), every=1)
        >>> trainer = train.Trainer(nn.Linear(1, 1), "mse", callbacks=[board])
        >>> _ = trainer.fit((np.ones((4, 1)), np.ones((4, 1))))
        >>> len(os.listdir(board.folder))
        1
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        every: int = 10,
        histograms: int = 1,
        graph: bool = True,
        images: Callable[[Trainer], dict[str, Any]] | None = None,
    ) -> None:
        self.folder = os.fspath(folder)
        self.library = optional("tensorboardX", "tensorboardX", "train.TensorBoard", "train")
        self.every = every
        self.histograms = histograms
        self.graph = graph
        self.images = images
        self.writer: Any = None

    def on_train_start(self, trainer: Trainer) -> None:
        self.writer = self.library.SummaryWriter(self.folder)

    def on_train_batch_end(self, trainer: Trainer, batch: Any, loss: float) -> None:
        if trainer.step % self.every == 0:
            self.writer.add_scalar("step/loss", loss, trainer.step)
        if self.graph:
            self.graph = False
            self._write_graph(trainer, batch)

    def _write_graph(self, trainer: Trainer, batch: Any) -> None:
        few = tree_map(lambda a: a[:1], batch.x)
        program = make_jaxpr(lambda m, x: trainer.recipe.predict(m.copy(), x, training=False))(
            trainer.model, few
        )
        names = [*leaf_paths(trainer.model, "model"), *leaf_paths(few, "x")]
        self.writer.file_writer.add_event(
            self._event(graph_of(program.jaxpr, names).SerializeToString())
        )

    def _event(self, graph: bytes) -> Any:
        events = optional("tensorboardX.proto.event_pb2", "tensorboardX", "TensorBoard", "train")
        return events.Event(graph_def=graph)

    def on_train_epoch_end(self, trainer: Trainer, figures: dict[str, Any]) -> None:
        for name, value in figures.items():
            if is_number(value):
                self.writer.add_scalar(f"epoch/{name}", value, trainer.epoch)
        if self.histograms and trainer.epoch % self.histograms == 0:
            leaves = tree_flatten(trainer.model)[0]
            for path, x in zip(leaf_paths(trainer.model, "model"), leaves, strict=True):
                x = np.asarray(x)
                wide = x.astype(np.float32) if x.dtype == bfloat16 else x
                if wide.dtype.kind == "f" and np.isfinite(wide).all():
                    self.writer.add_histogram(levels(path), wide, trainer.epoch)
        for name, image in (self.images(trainer) if self.images else {}).items():
            image = np.asarray(image, np.float32)
            if image.ndim == 2:
                image = image[..., None]
            add = self.writer.add_images if image.ndim == 4 else self.writer.add_image
            layout = "NHWC" if image.ndim == 4 else "HWC"
            add(name, image, trainer.epoch, dataformats=layout)
        self.writer.flush()

    def on_train_end(self, trainer: Trainer) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None
