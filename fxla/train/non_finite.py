"""Where the first value that is not finite came from: the failing batch again, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fxla.core.dtypes import is_inexact
from fxla.core.pytree import leaf_paths, tree_flatten
from fxla.core.stateful import differentiable
from fxla.core.trace import typeof
from fxla.nn.calls import calls, path_of
from fxla.transforms.autodiff import value_and_grad

if TYPE_CHECKING:
    from fxla.train.feeding import Batch
    from fxla.train.step import Recipe
    from fxla.train.trainer import Trainer

__all__ = ["explain"]


def explain(trainer: Trainer, batch: Batch, loss: float) -> FloatingPointError:
    """The error for a step that was not finite, which changed nothing, with its cause."""
    what = f"the loss is {loss}" if not np.isfinite(loss) else "a gradient is not finite"
    cause = _in_data(batch) or _in_model(trainer.recipe, trainer.model, batch)
    return FloatingPointError(
        f"Trainer: {what} in epoch {trainer.epoch + 1}, batch {trainer.batch}: {cause}. "
        'The step changed nothing. (nan_guard="skip" leaves such steps out.)'
    )


def _bad(x: Any) -> int:
    """How many values of an array are not finite."""
    if not is_inexact(typeof(x).dtype):
        return 0
    return int(np.sum(~np.isfinite(np.asarray(x))))


def _shown(x: Any) -> str:
    return f"{typeof(x)} with {_bad(x)} of {np.size(x)} not finite"


def _in_data(batch: Batch) -> str:
    for name, part in batch._asdict().items():
        for path, x in zip(leaf_paths(part, name), tree_flatten(part)[0], strict=True):
            if _bad(x):
                rows = np.argwhere(~np.isfinite(np.asarray(x)))[0]
                return f"the data are not: {path} is {_shown(x)}, the first at {rows.tolist()}"
    return ""


class _First:
    """Watches the calls of modules for the first result that is not finite."""

    def __init__(self) -> None:
        self.found = ""

    def enter(self, module: Any) -> None:
        """A call begins."""

    def leave(self, module: Any, result: Any) -> None:
        """A call ends: those inside of it have ended before."""
        bad = [x for x in tree_flatten(result)[0] if hasattr(x, "dtype") and _bad(x)]
        if bad and not self.found:
            self.found = f"{path_of(module)} is the first to give such a value, {_shown(bad[0])}"


def _in_model(recipe: Recipe, model: Any, batch: Batch) -> str:
    paths, leaves = leaf_paths(model, "model"), tree_flatten(model)[0]
    for path, x in zip(paths, leaves, strict=True):
        if _bad(x):
            return f"{path} is {_shown(x)} before the step"
    watch = _First()
    calls.watcher, before = watch, calls.watcher
    try:
        with np.errstate(all="ignore"):
            prediction = recipe.predict(model.copy(), batch.x, training=True)
    finally:
        calls.watcher = before
    if watch.found:
        return watch.found
    with np.errstate(all="ignore"):
        total, _ = recipe.losses(prediction, batch)
        if not np.isfinite(np.asarray(total)):
            return f"the loss {recipe.loss.name!r} of finite predictions is not"
        return _in_gradients(recipe, model, batch, paths)


def _in_gradients(recipe: Recipe, model: Any, batch: Batch, paths: list[str]) -> str:
    """The gradient nearest to the loss that is not finite: the way back meets it first."""

    def objective(model: Any) -> Any:
        total, count = recipe.losses(recipe.predict(model, batch.x, training=True), batch)
        return total / count

    grads = tree_flatten(value_and_grad(objective)(model.copy())[1])[0]
    wanted = [p for p, w in zip(paths, differentiable(model), strict=True) if w]
    bad = [(p, g) for p, g in zip(wanted, grads, strict=True) if _bad(g)]
    if not bad:
        return "repeated eagerly, all is finite; the compiled step rounds differently"
    path, grad = bad[-1]
    return f"going back, the gradient of {path} is the first, {_shown(grad)}"
