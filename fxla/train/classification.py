"""Metrics of classes: accuracy, precision and its kin, the area under the ROC curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import fxla.numpy as fnp
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.nn.activations import sigmoid
from fxla.train.metric import Metric, State, ratio, weighted

__all__ = ["AUC", "F1", "Accuracy", "ConfusionMatrix", "Precision", "Recall", "TopK"]


def classes_of(prediction: Any, target: Any, threshold: float) -> tuple[Any, Any]:
    """The class predicted and the right one, integers of one shape.

    Scores ``[n, classes]`` beside labels ``[n]`` or one-hot rows ``[n, classes]``: the highest
    score. Scores ``[n]`` or ``[n, 1]``: whether they are above the threshold. With further axes,
    as ``[n, time, classes]`` has, each place is an example.

    Raises:
        ValueError: if the shapes are none of these.
    """
    prediction, target = fnp.asarray(prediction), fnp.asarray(target)
    if prediction.shape == (*target.shape, 1):
        prediction = prediction[..., 0]
    elif target.shape == (*prediction.shape, 1) or (
        target.shape == (*prediction.shape[:-1], 1) and prediction.shape[-1:] != (1,)
    ):
        target = target[..., 0]
    if prediction.ndim == target.ndim + 1:
        return fnp.argmax(prediction, axis=-1), target.astype(np.int64)
    if prediction.shape != target.shape:
        raise ShapeError(
            f"fxla.train: predictions {typeof(prediction)} beside targets "
            f"{typeof(target)}: expected scores [n, classes] with labels [n] or one-hot rows [n, "
            f"classes], or scores [n] with labels [n]{where_am_i()}"
        )
    if prediction.ndim > 1 and prediction.shape[-1] > 1:
        return fnp.argmax(prediction, axis=-1), fnp.argmax(target, axis=-1)
    if prediction.ndim > 1:
        prediction, target = prediction[..., 0], target[..., 0]
    return (prediction > threshold).astype(np.int64), target.astype(np.int64)


class _Share(Metric):
    """The share of examples that are right."""

    def init(self) -> State:
        return {"right": np.zeros(()), "count": np.zeros(())}

    def _counted(self, state: State, right: Any, weight: Any) -> State:
        right, weight = weighted(right, weight)
        return {
            "right": state["right"] + (right * weight).sum(),
            "count": state["count"] + weight.sum(),
        }

    def compute(self, state: State) -> float:
        return ratio(state["right"], state["count"])


@dataclass(frozen=True)
class Accuracy(_Share):
    """The share of examples whose class is right.

    Args:
        threshold: for one score an example, above which the class is 1: 0.5 for probabilities,
            0 for logits.
        name: of the figure.

    Example:
        >>> Accuracy()(np.array([[1.0, 3.0], [2.0, 0.0]]), np.array([1, 1]))
        0.5
        >>> Accuracy(threshold=0)(np.array([-2.0, 0.1, 3.0]), np.array([0, 1, 1]))
        1.0
    """

    threshold: float = 0.5
    name: str = "accuracy"

    def update(self, state: State, prediction: Any, target: Any, weight: Any = None) -> State:
        predicted, actual = classes_of(prediction, target, self.threshold)
        return self._counted(state, predicted == actual, weight)


@dataclass(frozen=True)
class TopK(_Share):
    """The share of examples whose class has one of the `k` highest scores; a tie counts as right.

    Args:
        k: how many.
        name: of the figure; default: ``top_k``.

    Example:
        >>> scores = np.array([[0.1, 0.5, 0.4], [0.6, 0.3, 0.1]])
        >>> TopK(2)(scores, np.array([2, 2]))
        0.5
    """

    k: int = 5
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", f"top_{self.k}")

    def update(self, state: State, prediction: Any, target: Any, weight: Any = None) -> State:
        scores, target = fnp.asarray(prediction), fnp.asarray(target)
        labels = fnp.argmax(target, axis=-1) if target.ndim == scores.ndim else target
        own = fnp.take_along_axis(scores, labels.astype(np.int64)[..., None], axis=-1)
        higher = fnp.sum(~(scores <= own), axis=-1)  # NaN is no success
        return self._counted(state, higher < self.k, weight)


@dataclass(frozen=True)
class ConfusionMatrix(Metric):
    """How often each class (row) was taken for each class (column), as scikit-learn has it.

    Args:
        classes: how many there are.
        threshold: for one score an example; see `Accuracy`.
        name: of the figure.

    Example:
        >>> ConfusionMatrix(2)(np.array([0.9, 0.2, 0.7]), np.array([1, 0, 0]))
        array([[1., 1.],
               [0., 1.]])
    """

    classes: int
    threshold: float = 0.5
    name: str = "confusion"

    def init(self) -> State:
        return {"counts": np.zeros((self.classes, self.classes))}

    def update(self, state: State, prediction: Any, target: Any, weight: Any = None) -> State:
        predicted, actual = classes_of(prediction, target, self.threshold)
        _, weight = weighted(predicted, weight)
        cells = (actual * self.classes + predicted).reshape(-1)
        flat = fnp.bincount(cells, weights=weight.reshape(-1), length=self.classes**2)
        return {"counts": state["counts"] + flat.reshape(self.classes, self.classes)}

    def compute(self, state: State) -> Any:
        return np.asarray(state["counts"])


Average = Literal["binary", "micro", "macro"] | None


@dataclass(frozen=True)
class _Counts(Metric):
    """A ratio of true positives, false positives and false negatives.

    Args:
        average: ``"binary"``: of class 1; ``"micro"``: of all decisions; ``"macro"``: the mean
            over classes; None: an array, a figure for each class. As scikit-learn has them, and as
            there, a ratio of nothing is 0.
        classes: how many there are; 2 for ``"binary"``.
        threshold: for one score an example; see `Accuracy`.
        name: of the figure; default: that of the class.
    """

    average: Average = "binary"
    classes: int = 2
    threshold: float = 0.5
    name: str = ""

    def __post_init__(self) -> None:
        if self.average not in ("binary", "micro", "macro", None):
            raise ValueError(
                f"train.{type(self).__name__}: average={self.average!r}; expected 'binary', "
                f"'micro', 'macro' or None{where_am_i()}"
            )
        if self.average == "binary" and self.classes != 2:
            raise ValueError(
                f"train.{type(self).__name__}: average='binary' is of two classes, and "
                f"classes={self.classes}; choose average='macro', 'micro' or None{where_am_i()}"
            )
        if not self.name:
            object.__setattr__(self, "name", type(self).__name__.lower())

    @property
    def matrix(self) -> ConfusionMatrix:
        """What is counted."""
        return ConfusionMatrix(self.classes, self.threshold)

    def init(self) -> State:
        return self.matrix.init()

    def update(self, state: State, prediction: Any, target: Any, weight: Any = None) -> State:
        return self.matrix.update(state, prediction, target, weight)

    def compute(self, state: State) -> Any:
        counts = np.asarray(state["counts"])
        true = np.diag(counts)
        false_positive, false_negative = counts.sum(axis=0) - true, counts.sum(axis=1) - true
        if self.average == "micro":
            return float(self.of(true.sum(), false_positive.sum(), false_negative.sum()))
        each = self.of(true, false_positive, false_negative)
        if self.average is None:
            return each
        if self.average == "binary":
            return float(each[1])
        there = (true + false_positive + false_negative) > 0  # as scikit-learn: classes that occur
        return float(each[there].mean()) if there.any() else 0.0

    def of(self, true: Any, false_positive: Any, false_negative: Any) -> Any:
        """The ratio, elementwise."""
        raise NotImplementedError


def _share(a: Any, b: Any) -> Any:
    return np.divide(a, b, out=np.zeros(np.shape(a)), where=np.asarray(b) != 0)


@dataclass(frozen=True)
class Precision(_Counts):
    """Of what was taken for a class, the share that is of it.

    Takes the arguments of scikit-learn's ``precision_score``: `average`, and how many `classes`.

    Example:
        >>> Precision()(np.array([0.9, 0.8, 0.1]), np.array([1, 0, 1]))
        0.5
    """

    def of(self, true: Any, false_positive: Any, false_negative: Any) -> Any:
        return _share(true, true + false_positive)


@dataclass(frozen=True)
class Recall(_Counts):
    """Of what is of a class, the share that was found.

    Example:
        >>> Recall()(np.array([0.9, 0.8, 0.1, 0.2]), np.array([1, 1, 1, 1]))
        0.5
    """

    def of(self, true: Any, false_positive: Any, false_negative: Any) -> Any:
        return _share(true, true + false_negative)


@dataclass(frozen=True)
class F1(_Counts):
    """The harmonic mean of precision and recall.

    Example:
        >>> F1(average="macro", classes=3)(np.eye(3), np.array([0, 1, 1]))
        0.555...
    """

    def of(self, true: Any, false_positive: Any, false_negative: Any) -> Any:
        return _share(2 * true, 2 * true + false_positive + false_negative)


@dataclass(frozen=True)
class AUC(Metric):
    """The area under the ROC curve of two classes, from histograms of the scores.

    It is the probability that an example of class 1 has a higher score than one of class 0. Scores
    are counted in `bins` equal parts of 0..1; a pair in one bin counts half. The error is at most
    half the share of pairs that share a bin, and none where bins hold scores of one value.

    Args:
        bins: how many.
        from_logits: whether predictions are logits, of which the sigmoid is taken first.
        name: of the figure.

    Example:
        >>> AUC()(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
        0.75
    """

    bins: int = 8192
    from_logits: bool = False
    name: str = "auc"

    def init(self) -> State:
        return {"positive": np.zeros(self.bins), "negative": np.zeros(self.bins)}

    def update(self, state: State, prediction: Any, target: Any, weight: Any = None) -> State:
        scores, target = fnp.asarray(prediction), fnp.asarray(target)
        if scores.shape == (*target.shape, 2):
            scores = scores[..., 1] - scores[..., 0] if self.from_logits else scores[..., 1]
        scores, target = scores.reshape(-1), target.reshape(-1)
        if scores.shape != target.shape:
            raise ShapeError(
                f"train.AUC: predictions {typeof(prediction)} are not one score (or "
                f"two) for each of targets {typeof(target)}{where_am_i()}"
            )
        scores = scores.astype(np.float64)
        if self.from_logits:
            scores = sigmoid(scores)
        place = fnp.clip(fnp.floor(scores * self.bins), 0, self.bins - 1).astype(np.int64)
        _, weight = weighted(scores, None if weight is None else fnp.reshape(weight, -1))
        positive = fnp.where(target > 0.5, weight, 0.0)
        return {
            "positive": state["positive"] + fnp.bincount(place, positive, length=self.bins),
            "negative": state["negative"]
            + fnp.bincount(place, weight - positive, length=self.bins),
        }

    def compute(self, state: State) -> float:
        positive, negative = np.asarray(state["positive"]), np.asarray(state["negative"])
        below = np.cumsum(negative) - negative
        pairs = positive.sum() * negative.sum()
        return ratio((positive * (below + negative / 2)).sum(), pairs)
