"""What a metric is: sums over examples that a compiled step adds to, and a figure made of them.

The sums of two parts of the data are added, so a figure is that of all examples, whatever the sizes
of batches were, and not the mean of the batches' figures. Sums are float64.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError

__all__ = ["Mean", "Metric", "State", "weighted"]

State = dict[str, Any]
"""The sums of a metric, by name."""


class Metric(abc.ABC):
    """Sums over examples (`init`, `update`), and the figure they give (`compute`).

    Calling a metric gives the figure of one batch.

    Example:
        >>> from fxla import train
        >>> accuracy = train.Accuracy()
        >>> state = accuracy.init()
        >>> state = accuracy.update(state, np.array([[0.2, 0.8], [0.9, 0.1]]), np.array([1, 1]))
        >>> state = accuracy.update(state, np.array([[0.3, 0.7]]), np.array([1]))
        >>> round(accuracy.compute(state), 3)  # 2 of 3, and not the mean of 1/2 and 1
        0.667
    """

    name: str

    @abc.abstractmethod
    def init(self) -> State:
        """The sums over no examples."""

    @abc.abstractmethod
    def update(self, state: State, prediction: Any, target: Any, weight: Any = None) -> State:
        """The sums with the examples of a batch added; traceable.

        Args:
            state: the sums so far.
            prediction: what the model gave, ``[n, ...]``.
            target: what it should give, ``[n, ...]``.
            weight: how much each example counts, ``[n]`` or with the target's further axes;
                None: 1 each. Examples of weight 0 do not count.
        """

    @abc.abstractmethod
    def compute(self, state: State) -> Any:
        """The figure, of concrete sums."""

    def __call__(self, prediction: Any, target: Any, weight: Any = None) -> Any:
        """The figure of one batch."""
        return self.compute(self.update(self.init(), prediction, target, weight))


def weighted(values: Any, weight: Any) -> tuple[Any, Any]:
    """``values`` and weights of their shape, both float64.

    Raises:
        ValueError: if the weights' shape does not begin as that of the values.
    """
    values = fnp.asarray(values).astype(np.float64)
    if weight is None:
        return values, fnp.ones(values.shape, np.float64)
    weight = fnp.asarray(weight).astype(np.float64)
    if weight.shape != values.shape[: weight.ndim]:
        raise ShapeError(
            f"fxla.train: weights {typeof(weight)} do not fit examples "
            f"{typeof(values)}: give one for each example, or for each of its parts{where_am_i()}"
        )
    weight = weight.reshape(*weight.shape, *(1,) * (values.ndim - weight.ndim))
    return values, fnp.broadcast_to(weight, values.shape)


@dataclass(frozen=True)
class Mean(Metric):
    """The mean over examples of a function of prediction and target.

    Args:
        function: gives one value for each example, ``[n]`` or ``[n, ...]``.
        name: of the figure; default: the function's.

    Example:
        >>> distance = Mean(lambda p, t: abs(p - t), "distance")
        >>> distance(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
        1.5
    """

    function: Callable[[Any, Any], Any]
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", getattr(self.function, "__name__", "mean"))

    def init(self) -> State:
        return {"sum": np.zeros(()), "count": np.zeros(())}

    def update(self, state: State, prediction: Any, target: Any, weight: Any = None) -> State:
        values = fnp.asarray(self.function(prediction, target))
        if values.ndim == 0:  # the mean of the batch: as if each example had that value
            values = fnp.broadcast_to(values, np.shape(target)[:1])
        values, weight = weighted(values, weight)
        counted = fnp.where(weight == 0, 0.0, values * weight)  # NaN times 0 does not count
        return {"sum": state["sum"] + counted.sum(), "count": state["count"] + weight.sum()}

    def compute(self, state: State) -> float:
        return ratio(state["sum"], state["count"])


def ratio(a: Any, b: Any) -> float:
    """``a / b``; NaN where nothing was counted."""
    return float(a) / float(b) if float(b) else float("nan")
