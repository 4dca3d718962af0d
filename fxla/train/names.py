"""What the names of losses, optimisers and metrics mean: Keras's words for fxla's functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla import optim
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.nn import losses
from fxla.train.classification import AUC, F1, Accuracy, Precision, Recall, TopK
from fxla.train.metric import Mean, Metric
from fxla.train.regression import (
    Perplexity,
    mean_absolute_error,
    mean_squared_error,
    root_mean_squared_error,
)

__all__ = ["Loss", "check_probabilities", "loss_of", "metrics_of", "optimizer_of"]

_SMALLEST = 1e-7  # Keras's epsilon, below which a probability is taken for it


@dataclass(frozen=True)
class Loss:
    """A loss function and what it expects.

    Attributes:
        function: takes predictions and targets, gives one value for each example, or their mean.
        name: for messages.
        probabilities: whether predictions must be probabilities, and of what: ``"classes"`` that
            sum to 1, or ``"each"`` by itself.
    """

    function: Callable[[Any, Any], Any]
    name: str
    probabilities: str = ""


def _alike(prediction: Any, target: Any, name: str) -> tuple[Any, Any]:
    """Predictions and targets of one shape; ``[n, 1]`` beside ``[n]`` is one number an example."""
    prediction, target = fnp.asarray(prediction), fnp.asarray(target)
    if prediction.shape == (*target.shape, 1):
        target = target[..., None]
    if prediction.shape != target.shape:
        raise ShapeError(
            f"fxla.train: loss {name!r}: predictions {typeof(prediction)} beside targets "
            f"{typeof(target)}{where_am_i()}"
        )
    return prediction, target.astype(prediction.dtype)


def _elementwise(function: Callable[[Any, Any], Any], name: str) -> Callable[[Any, Any], Any]:
    return lambda p, t: function(*_alike(p, t, name))


def _log(p: Any) -> Any:
    return fnp.log(fnp.clip(p, _SMALLEST, 1 - _SMALLEST))


def _labels(target: Any, prediction: Any) -> Any:
    """Labels ``[n]``, also where they come as ``[n, 1]``."""
    target = fnp.asarray(target)
    return target[..., 0] if target.ndim == fnp.asarray(prediction).ndim else target


def _sparse_categorical(p: Any, t: Any) -> Any:
    labels = _labels(t, p).astype(fnp.int64)
    return -fnp.take_along_axis(_log(p), labels[..., None], axis=-1)[..., 0]


def _sparse_categorical_logits(p: Any, t: Any) -> Any:
    return losses.softmax_cross_entropy_with_integer_labels(p, _labels(t, p))


def _categorical(p: Any, t: Any) -> Any:
    p, t = _alike(p, t, "categorical_crossentropy")
    return -(t * _log(p)).sum(axis=-1)


def _binary(p: Any, t: Any) -> Any:
    p, t = _alike(p, t, "binary_crossentropy")
    return -(t * _log(p) + (1 - t) * _log(1 - p))


def _binary_logits(p: Any, t: Any) -> Any:
    return losses.sigmoid_binary_cross_entropy(*_alike(p, t, "binary_crossentropy_from_logits"))


def _logits(p: Any, t: Any) -> Any:
    return losses.softmax_cross_entropy(*_alike(p, t, "categorical_crossentropy_from_logits"))


_LOSSES: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "sparse_categorical_crossentropy": (_sparse_categorical, "classes"),
    "sparse_categorical_crossentropy_from_logits": (_sparse_categorical_logits, ""),
    "categorical_crossentropy": (_categorical, "classes"),
    "categorical_crossentropy_from_logits": (_logits, ""),
    "binary_crossentropy": (_binary, "each"),
    "binary_crossentropy_from_logits": (_binary_logits, ""),
    "mse": (_elementwise(losses.squared_error, "mse"), ""),
    "mean_squared_error": (_elementwise(losses.squared_error, "mean_squared_error"), ""),
    "mae": (_elementwise(lambda p, t: fnp.abs(p - t), "mae"), ""),
    "mean_absolute_error": (
        _elementwise(lambda p, t: fnp.abs(p - t), "mean_absolute_error"),
        "",
    ),
    "huber": (_elementwise(losses.huber_loss, "huber"), ""),
    "log_cosh": (_elementwise(losses.log_cosh, "log_cosh"), ""),
    "hinge": (_elementwise(losses.hinge_loss, "hinge"), ""),
}

_OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": lambda: optim.sgd(0.01),
    "adam": lambda: optim.adam(1e-3),
    "adamw": lambda: optim.adamw(1e-3),
    "nadam": lambda: optim.nadam(1e-3),
    "adamax": lambda: optim.adamax(1e-3),
    "rmsprop": lambda: optim.rmsprop(1e-3),
    "adagrad": lambda: optim.adagrad(1e-3),
    "lion": lambda: optim.lion(1e-4),
    "lamb": lambda: optim.lamb(1e-3),
}

_METRICS: dict[str, Callable[[str, bool], Metric]] = {
    "accuracy": lambda name, logits: Accuracy(0.0 if logits else 0.5, name),
    "acc": lambda name, logits: Accuracy(0.0 if logits else 0.5, name),
    "binary_accuracy": lambda name, logits: Accuracy(0.0 if logits else 0.5, name),
    "categorical_accuracy": lambda name, _: Accuracy(name=name),
    "sparse_categorical_accuracy": lambda name, _: Accuracy(name=name),
    "top_5": lambda name, _: TopK(5, name),
    "precision": lambda name, logits: Precision(threshold=0.0 if logits else 0.5, name=name),
    "recall": lambda name, logits: Recall(threshold=0.0 if logits else 0.5, name=name),
    "f1": lambda name, logits: F1(threshold=0.0 if logits else 0.5, name=name),
    "auc": lambda name, logits: AUC(from_logits=logits, name=name),
    "mse": lambda name, _: mean_squared_error(name),
    "mean_squared_error": lambda name, _: mean_squared_error(name),
    "mae": lambda name, _: mean_absolute_error(name),
    "mean_absolute_error": lambda name, _: mean_absolute_error(name),
    "rmse": lambda name, _: root_mean_squared_error(name),
    "root_mean_squared_error": lambda name, _: root_mean_squared_error(name),
    "perplexity": lambda name, logits: Perplexity(from_logits=logits, name=name),
}


def _known(kind: str, name: str, table: Mapping[str, Any]) -> Any:
    if name not in table:
        raise ValueError(
            f"Trainer: there is no {kind} {name!r}; known are {', '.join(table)}{where_am_i()}. Or "
            f"pass the {kind} itself."
        )
    return table[name]


def loss_of(given: Any) -> Loss:
    """The loss of a name or a function.

    Raises:
        ValueError: for an unknown name.
    """
    if isinstance(given, str):
        function, probabilities = _known("loss", given, _LOSSES)
        return Loss(function, given, probabilities)
    if not callable(given):
        raise TypeError(
            f"Trainer: loss is a name or a function, not a {type(given).__qualname__}{where_am_i()}"
        )
    return Loss(given, getattr(given, "__name__", type(given).__name__))


def check_probabilities(loss: Loss, prediction: Any) -> None:
    """Reject scores where a loss takes probabilities, which would train to nonsense.

    Raises:
        ValueError: if `prediction` has values outside of 0..1, or classes that do not sum to 1.
    """
    p = np.asarray(prediction, np.float64)
    outside = bool((p < 0).any() or (p > 1 + 1e-3).any())
    if loss.probabilities == "classes":
        outside = outside or bool((abs(p.sum(axis=-1) - 1) > 1e-2).any())
    if outside and np.isfinite(p).all():
        raise ValueError(
            f"Trainer: loss {loss.name!r} takes probabilities, as in Keras, and the model gives "
            f"values from {p.min():.3g} to {p.max():.3g}{where_am_i()}. End the model with a "
            f"softmax or sigmoid, or choose {loss.name + '_from_logits'!r}."
        )


def optimizer_of(given: Any) -> Any:
    """The optimiser of a name, or the one given.

    Raises:
        ValueError: for an unknown name.
    """
    if isinstance(given, str):
        return _known("optimizer", given, _OPTIMIZERS)()
    if not (hasattr(given, "init") and hasattr(given, "update")):
        raise TypeError(
            "Trainer: optimizer is a name or has `init` and `update`, as those of fxla.optim; got "
            f"a {type(given).__qualname__}{where_am_i()}"
        )
    return given


def metrics_of(given: Any, loss: Loss) -> dict[str, Metric]:
    """Metrics by the names of their figures.

    Args:
        given: names, metrics, or functions of prediction and target; or one of them, or a dict
            that names them.
        loss: tells whether scores are logits, for metrics given by name.

    Raises:
        ValueError: for an unknown name, or for two metrics of one name.
    """
    if isinstance(given, Mapping):
        return {name: _metric(m, loss) for name, m in given.items()}
    listed: Iterable[Any] = [given] if isinstance(given, (str, Metric)) else given
    found: dict[str, Metric] = {}
    for metric in (_metric(m, loss) for m in listed):
        if metric.name in found or metric.name == "loss":
            raise ValueError(
                f"Trainer: two metrics are called {metric.name!r}; give one another `name=`, or "
                f"pass a dict {{name: metric}}{where_am_i()}"
            )
        found[metric.name] = metric
    return found


def _metric(given: Any, loss: Loss) -> Metric:
    if isinstance(given, str):
        if given.startswith("top_") and given[4:].isdigit():
            return TopK(int(given[4:]))
        made: Metric = _known("metric", given, _METRICS)(given, not loss.probabilities)
        return made
    if isinstance(given, Metric):
        return given
    if callable(given):
        return Mean(given)
    raise TypeError(
        "Trainer: a metric is a name, a Metric or a function, not a "
        f"{type(given).__qualname__}{where_am_i()}"
    )
