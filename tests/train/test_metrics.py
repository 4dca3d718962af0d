"""Metrics over batches of uneven sizes, beside scikit-learn on all examples at once."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as reference

import fxla
from fxla import train

RNG = np.random.default_rng(3)
N, CLASSES = 257, 5
SCORES = RNG.normal(size=(N, CLASSES))
LABELS = np.where(RNG.random(N) < 0.6, SCORES.argmax(1), RNG.integers(0, CLASSES, N))
PROBABILITIES = np.round(RNG.random(N), 2)  # with ties
BINARY = (RNG.random(N) < PROBABILITIES).astype(np.int32)
WEIGHTS = RNG.random(N) * (RNG.random(N) < 0.8)
CUTS = [0, 32, 64, 70, 71, 200, N]


def accumulated(metric: train.Metric, prediction: Any, target: Any, weight: Any = None) -> Any:
    update = fxla.jit(metric.update)
    state = metric.init()
    for a, b in pairwise(CUTS):
        extra = () if weight is None else (weight[a:b],)
        state = update(state, prediction[a:b], target[a:b], *extra)
    return metric.compute(state)


GUESSES, DECIDED = SCORES.argmax(1), (PROBABILITIES > 0.5).astype(int)
WORDS: dict[Any, str] = {train.Precision: "precision", train.Recall: "recall", train.F1: "f1"}


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("kind", WORDS)
def test_precision_recall_f1(kind: Any, weight: Any) -> None:
    score = getattr(reference, f"{WORDS[kind]}_score")
    for average in ("micro", "macro", None):
        metric = kind(average=average, classes=CLASSES)
        expected = score(LABELS, GUESSES, average=average, sample_weight=weight)
        np.testing.assert_allclose(accumulated(metric, SCORES, LABELS, weight), expected)
    expected = score(BINARY, DECIDED, sample_weight=weight)
    assert accumulated(kind(), PROBABILITIES, BINARY, weight) == pytest.approx(expected)


def test_macro_is_over_the_classes_that_occur() -> None:
    metric = train.F1(average="macro", classes=CLASSES + 3)
    expected = reference.f1_score(LABELS, GUESSES, average="macro")
    assert accumulated(metric, SCORES, LABELS) == pytest.approx(expected)
    never = np.zeros(5), np.ones(5, int)
    assert train.Precision()(*never) == reference.precision_score(
        never[1], [0] * 5, zero_division=0
    )


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
def test_accuracy_and_confusion(weight: Any) -> None:
    expected = reference.accuracy_score(LABELS, GUESSES, sample_weight=weight)
    one_hot = np.eye(CLASSES)[LABELS]
    for target in (LABELS, one_hot):
        value = accumulated(train.Accuracy(), SCORES, target, weight)
        assert value == pytest.approx(expected, rel=1e-12)
    expected = reference.accuracy_score(BINARY, DECIDED, sample_weight=weight)
    logits = PROBABILITIES - 0.5
    for prediction, target in [
        (logits, BINARY),
        (logits[:, None], BINARY),
        (logits[:, None],) * 1 + (BINARY[:, None],),
    ]:
        value = accumulated(train.Accuracy(threshold=0), prediction, target, weight)
        assert value == pytest.approx(expected, rel=1e-12)
    matrix = accumulated(train.ConfusionMatrix(CLASSES), SCORES, LABELS, weight)
    expected = reference.confusion_matrix(LABELS, GUESSES, sample_weight=weight)
    np.testing.assert_allclose(matrix, expected, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_top_k(k: int) -> None:
    expected = reference.top_k_accuracy_score(LABELS, SCORES, k=k, labels=range(CLASSES))
    assert accumulated(train.TopK(k), SCORES, LABELS) == pytest.approx(expected, rel=1e-12)
    assert accumulated(train.TopK(k), SCORES, np.eye(CLASSES)[LABELS]) == pytest.approx(expected)
    assert train.TopK(k).name == f"top_{k}"
    assert train.TopK(k)(np.full((3, 5), np.nan), np.zeros(3, int)) == 0


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
def test_auc(weight: Any) -> None:
    expected = reference.roc_auc_score(BINARY, PROBABILITIES, sample_weight=weight)
    value = accumulated(train.AUC(), PROBABILITIES, BINARY, weight)
    assert value == pytest.approx(expected, rel=1e-12)  # values of two decimals share no bins
    logits = RNG.normal(size=N) + BINARY
    expected = reference.roc_auc_score(BINARY, logits, sample_weight=weight)
    metric = train.AUC(from_logits=True)
    assert accumulated(metric, logits, BINARY, weight) == pytest.approx(expected, abs=2e-3)
    pair = np.stack([np.zeros(N), logits], axis=1)
    assert accumulated(metric, pair, BINARY, weight) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
def test_errors_of_numbers(weight: Any) -> None:
    target, prediction = RNG.normal(size=N), RNG.normal(size=(N, 1)).astype(np.float32)
    for made, score in [
        (train.mean_squared_error, reference.mean_squared_error),
        (train.mean_absolute_error, reference.mean_absolute_error),
        (train.root_mean_squared_error, reference.root_mean_squared_error),
    ]:
        expected = score(target, prediction[:, 0], sample_weight=weight)
        assert accumulated(made(), prediction, target, weight) == pytest.approx(expected, rel=1e-12)


def test_perplexity() -> None:
    scores = RNG.normal(size=(N, 3, CLASSES))
    labels = RNG.integers(0, CLASSES, (N, 3))
    shares = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    expected = np.exp(reference.log_loss(labels.ravel(), shares.reshape(-1, CLASSES)))
    assert accumulated(train.Perplexity(), scores, labels) == pytest.approx(expected)
    probabilities = train.Perplexity(from_logits=False)
    assert accumulated(probabilities, shares, labels) == pytest.approx(expected)
    padded = np.where(RNG.random((N, 3)) < 0.3, -1, labels)
    kept = padded >= 0
    expected = np.exp(reference.log_loss(labels[kept], shares[kept], labels=range(CLASSES)))
    assert accumulated(train.Perplexity(ignore=-1), scores, padded) == pytest.approx(expected)


def test_a_mean_of_ones_own() -> None:
    metric = train.Mean(lambda p, t: (p - t) ** 4, "fourth")
    p, t = RNG.normal(size=(2, N))
    assert accumulated(metric, p, t) == pytest.approx(((p - t) ** 4).mean())
    scalar = train.Mean(lambda p, t: ((p - t) ** 4).mean(), "fourth")
    assert accumulated(scalar, p, t) == pytest.approx(((p - t) ** 4).mean())
    bad = np.where(np.arange(N) < 3, np.nan, p)
    counted = accumulated(metric, bad, t, (np.arange(N) >= 3).astype(float))
    assert counted == pytest.approx(((p - t) ** 4)[3:].mean())


def test_nothing_counted_is_no_number() -> None:
    assert np.isnan(train.Accuracy().compute(train.Accuracy().init()))


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"predictions f64\[3,4\] beside targets f64\[3,2\]"):
        train.Accuracy()(np.zeros((3, 4)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"weights f64\[2\] do not fit examples f64\[3\]"):
        train.Accuracy()(np.zeros((3, 4)), np.zeros(3), np.ones(2))
    with pytest.raises(ValueError, match="average='binary' is of two classes"):
        train.F1(classes=4)
    with pytest.raises(ValueError, match=r"predictions f64\[3\] beside targets f64\[4\]"):
        train.mean_squared_error()(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match=r"train.AUC: predictions f64\[3,3\]"):
        train.AUC()(np.zeros((3, 3)), np.zeros(3))
