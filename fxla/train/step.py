"""The programs of training: a step of it, a step of evaluation, a prediction.

A step is one compiled program: loss, gradients, the optimiser's update, and the sums of the
metrics. Losses are means over examples, weighted if there are weights, so a smaller last batch and
batches gathered for one update count as what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla import optim
from fxla.control.jit import jit
from fxla.core.dtypes import is_inexact
from fxla.core.pytree import tree_flatten, tree_map, tree_unflatten
from fxla.core.stateful import assign, differentiable, hold, updates
from fxla.core.trace import typeof
from fxla.nn.trees import parameters
from fxla.train.feeding import Batch
from fxla.train.metric import Metric, weighted
from fxla.train.names import Loss
from fxla.train.running import Running, Structure, flattened
from fxla.transforms.autodiff import value_and_grad

__all__ = ["Recipe", "Steps", "call", "unbuilt"]


@dataclass(frozen=True, eq=False)
class Recipe:
    """What training computes.

    Attributes:
        loss: of predictions and targets.
        optimizer: with ``init`` and ``update``.
        metrics: by the names of their figures.
        precision: the dtype in which the model computes; None: that of its parameters.
        guard: whether a step whose loss or gradients are not finite changes nothing.
    """

    loss: Loss
    optimizer: Any
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    precision: Any = None
    guard: bool = True

    def sums(self) -> Any:
        """The sums over no examples."""
        loss = {"sum": np.zeros(()), "count": np.zeros(())}
        return {"loss": loss} | {name: m.init() for name, m in self.metrics.items()}

    def figures(self, sums: Any) -> dict[str, Any]:
        """Loss and metrics of sums."""
        total, count = float(sums["loss"]["sum"]), float(sums["loss"]["count"])
        loss = total / count if count else float("nan")
        return {"loss": loss} | {name: m.compute(sums[name]) for name, m in self.metrics.items()}

    def losses(self, prediction: Any, batch: Batch) -> tuple[Any, Any]:
        """The weighted sum of the loss, in the predictions' precision, and the sum of weights."""
        values = fnp.asarray(self.loss.function(prediction, batch.y))
        if values.ndim == 0:
            n = tree_flatten(batch.x)[0][0].shape[0]
            return values * n, fnp.asarray(float(n))
        _, weight = weighted(values, batch.weight)
        counted = values if batch.weight is None else fnp.where(weight == 0, 0, values)
        return (counted * weight.astype(values.dtype)).sum(), weight.sum()

    def added(self, sums: Any, prediction: Any, batch: Batch, total: Any, count: Any) -> Any:
        """The sums with a batch added."""
        loss = sums["loss"]
        found = {
            "loss": {
                "sum": loss["sum"] + total.astype(np.float64),
                "count": loss["count"] + count,
            }
        }
        for name, metric in self.metrics.items():
            found[name] = metric.update(sums[name], prediction, batch.y, batch.weight)
        return found

    def predict(self, model: Any, x: Any, training: bool) -> Any:
        """The model's predictions; in a lower precision, computed there and given in its own."""
        own = parameter_dtype(model)
        x = tree_map(lambda a: _cast(a, own), x)
        if self.precision is None:
            return call(model, x, training)
        lower = _lowered(model, self.precision)
        before = hold(lower)
        prediction = call(lower, tree_map(lambda a: _cast(a, self.precision), x), training)
        dtypes = [typeof(leaf).dtype for leaf in tree_flatten(model)[0]]
        changed = updates(before, "Trainer")
        assign(model, {i: v.astype(dtypes[i]) for i, v in changed.items()})
        return tree_map(lambda a: _cast(a, own), prediction)


def call(model: Any, x: Any, training: bool) -> Any:
    """``model(x)``, of several arguments if `x` is a tuple, of keywords if it is a dict."""
    if isinstance(x, dict):
        return model(**x, training=training)
    return (
        model(*x, training=training)
        if isinstance(x, (tuple, list))
        else model(x, training=training)
    )


def unbuilt(model: Any) -> bool:
    """Whether some sizes of a model are left to its first call."""
    return any("_deferred" in vars(m) for _, m in model.named_modules())


def parameter_dtype(model: Any) -> Any:
    """The dtype of the model's first parameter; None if it has none."""
    for leaf, wanted in zip(tree_flatten(model)[0], differentiable(model), strict=True):
        if wanted:
            return typeof(leaf).dtype
    return None


def _cast(x: Any, dtype: Any) -> Any:
    own = typeof(x).dtype
    if dtype is None or own == dtype or not is_inexact(own) or own.kind == "c":
        return x
    return fnp.asarray(x).astype(dtype)


def _lowered(model: Any, dtype: Any) -> Any:
    """The model with its parameters in another dtype; buffers keep theirs."""
    leaves, structure = tree_flatten(model)
    wanted = differentiable(model)
    lower = [_cast(x, dtype) if w else x for x, w in zip(leaves, wanted, strict=True)]
    return tree_unflatten(structure, lower)


class Steps:
    """The compiled programs of a recipe, for models and states of one structure.

    They take and give lists of arrays, which are donated: `running` and `gathered` below.
    """

    def __init__(self, recipe: Recipe, structure: Structure) -> None:
        self.recipe = recipe
        self.structure = structure
        self.step = jit(self._step, donate_argnums=0)
        self.gather = jit(self._gather, donate_argnums=(0, 1))
        self.update = jit(self._update, donate_argnums=(0, 1))
        self.evaluate = jit(self._evaluate, donate_argnums=1)
        self.predict = jit(self._predict)

    def nothing(self, model: Any) -> list[Any]:
        """Gathered gradients of no batch, and the weight of their examples, 0."""
        return [*[np.zeros_like(x) for x in tree_flatten(parameters(model))[0]], np.zeros(())]

    def _gradients(self, model: Any, batch: Batch, mean: bool) -> Any:
        """Gradients of the mean or the sum of the loss; buffers of `model` are updated."""

        def objective(model: Any) -> Any:
            prediction = self.recipe.predict(model, batch.x, training=True)
            total, count = self.recipe.losses(prediction, batch)
            divisor = fnp.where(count == 0, 1.0, count).astype(total.dtype)
            return total / divisor if mean else total, (total, count, prediction)

        (_, seen), grads = value_and_grad(objective, has_aux=True)(model)
        return grads, seen

    def _step(self, arrays: list[Any], batch: Batch) -> Any:
        """A whole step: what it ends with, its mean loss, and whether all was finite."""
        model, optimizer, sums = self.structure.running(arrays)
        grads, (total, count, prediction) = self._gradients(model, batch, mean=True)
        loss = total / fnp.where(count == 0, 1.0, count)
        model, optimizer = self._updated(model, optimizer, grads, loss)
        sums = self.recipe.added(sums, prediction, batch, total, count)
        after = flattened(Running(model, optimizer, sums))[0]
        return self._guarded(arrays, after, grads, loss)

    def _gather(self, arrays: list[Any], gathered: list[Any], batch: Batch) -> Any:
        """The gradients of a batch added to those gathered; parameters stay as they are."""
        model, optimizer, sums = self.structure.running(arrays)
        grads, (total, count, prediction) = self._gradients(model, batch, mean=False)
        loss = total / fnp.where(count == 0, 1.0, count)
        sums = self.recipe.added(sums, prediction, batch, total, count)
        more = [*tree_flatten(grads)[0], count]
        both = (
            flattened(Running(model, optimizer, sums))[0],
            [a + b for a, b in zip(gathered, more, strict=True)],
        )
        return self._guarded((arrays, gathered), both, grads, loss)

    def _update(self, arrays: list[Any], gathered: list[Any]) -> list[Any]:
        """What the update by gathered gradients ends with."""
        model, optimizer, sums = self.structure.running(arrays)
        *slopes, weight = gathered
        divisor = fnp.where(weight == 0, 1.0, weight)
        structure = tree_flatten(parameters(model))[1]
        grads = tree_unflatten(structure, [g / divisor.astype(g.dtype) for g in slopes])
        model, optimizer = self._updated(model, optimizer, grads, None)
        return flattened(Running(model, optimizer, sums))[0]

    def _updated(self, model: Any, state: Any, grads: Any, loss: Any) -> tuple[Any, Any]:
        extra = {}
        if loss is not None and isinstance(
            self.recipe.optimizer, optim.GradientTransformationExtraArgs
        ):
            extra["value"] = loss
        moves, state = self.recipe.optimizer.update(grads, state, parameters(model), **extra)
        return optim.apply_updates(model, moves), state

    def _guarded(self, before: Any, after: Any, grads: Any, loss: Any) -> Any:
        """What a step ends with; if something was not finite and it matters, what it began with."""
        finite = fnp.isfinite(loss)
        if not self.recipe.guard:
            return after, loss, finite
        for g in tree_flatten(grads)[0]:
            finite = finite & fnp.all(fnp.isfinite(g))
        kept = tree_map(lambda new, old: fnp.where(finite, new, old), after, before)
        return kept, loss, finite

    def _evaluate(self, model: list[Any], sums: Any, batch: Batch) -> Any:
        prediction = self._predict(model, batch.x)
        total, count = self.recipe.losses(prediction, batch)
        return self.recipe.added(sums, prediction, batch, total, count)

    def _predict(self, model: list[Any], x: Any) -> Any:
        made = tree_unflatten(self.structure.model, model)
        return self.recipe.predict(made, x, training=False)
