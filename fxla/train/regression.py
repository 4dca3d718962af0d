"""Metrics of numbers: squared and absolute errors, perplexity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.nn.normalisation import log_softmax
from fxla.train.metric import Mean, Metric, State, ratio, weighted

__all__ = ["Perplexity", "mean_absolute_error", "mean_squared_error", "root_mean_squared_error"]


def _difference(prediction: Any, target: Any) -> Any:
    """``prediction - target`` in float64; ``[n, 1]`` beside ``[n]`` is one number an example."""
    prediction, target = fnp.asarray(prediction), fnp.asarray(target)
    if prediction.shape == (*target.shape, 1):
        prediction = prediction[..., 0]
    if prediction.shape != target.shape:
        raise ShapeError(
            f"fxla.train: predictions {typeof(prediction)} beside targets "
            f"{typeof(target)}{where_am_i()}"
        )
    return prediction.astype(np.float64) - target.astype(np.float64)


def _squared(prediction: Any, target: Any) -> Any:
    return _difference(prediction, target) ** 2


def _absolute(prediction: Any, target: Any) -> Any:
    return fnp.abs(_difference(prediction, target))


@dataclass(frozen=True)
class _Root(Metric):
    """The root of another metric's figure."""

    inner: Metric
    name: str

    def init(self) -> State:
        return self.inner.init()

    def update(self, state: State, prediction: Any, target: Any, weight: Any = None) -> State:
        return self.inner.update(state, prediction, target, weight)

    def compute(self, state: State) -> float:
        return math.sqrt(self.inner.compute(state))


def mean_squared_error(name: str = "mse") -> Metric:
    """The mean of ``(prediction - target)**2`` over all numbers.

    Example:
        >>> mean_squared_error()(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
        2.5
    """
    return Mean(_squared, name)


def mean_absolute_error(name: str = "mae") -> Metric:
    """The mean of ``|prediction - target|`` over all numbers.

    Example:
        >>> mean_absolute_error()(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
        1.5
    """
    return Mean(_absolute, name)


def root_mean_squared_error(name: str = "rmse") -> Metric:
    """The root of the mean of ``(prediction - target)**2`` over all numbers.

    Example:
        >>> root_mean_squared_error()(np.array([0.0, 0.0]), np.array([3.0, 4.0]))
        3.535...
    """
    return _Root(mean_squared_error(), name)


@dataclass(frozen=True)
class Perplexity(Metric):
    """``exp`` of the mean negative log likelihood of the labels.

    Args:
        from_logits: whether predictions are scores before the softmax, or probabilities.
        ignore: a label that does not count, such as that of padding.
        name: of the figure.

    Example:
        >>> Perplexity()(np.zeros((2, 5, 8)), np.ones((2, 5), int)).__round__(9)  # one guess of 8
        8.0
    """

    from_logits: bool = True
    ignore: int | None = None
    name: str = "perplexity"

    def init(self) -> State:
        return {"sum": np.zeros(()), "count": np.zeros(())}

    def update(self, state: State, prediction: Any, target: Any, weight: Any = None) -> State:
        scores = fnp.asarray(prediction).astype(np.float64)
        log = log_softmax(scores) if self.from_logits else fnp.log(scores)
        target = fnp.asarray(target)
        labels = target if self.ignore is None else fnp.where(target == self.ignore, 0, target)
        loss = -fnp.take_along_axis(log, labels[..., None], axis=-1)[..., 0]
        loss, weight = weighted(loss, weight)
        if self.ignore is not None:
            weight = fnp.where(target == self.ignore, 0.0, weight)
        counted = fnp.where(weight == 0, 0.0, loss * weight)
        return {"sum": state["sum"] + counted.sum(), "count": state["count"] + weight.sum()}

    def compute(self, state: State) -> float:
        mean = ratio(state["sum"], state["count"])
        return math.exp(mean) if mean < 700 else math.inf
