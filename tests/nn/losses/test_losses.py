"""Losses beside their formulas in NumPy and SciPy, with derivatives, masks, extremes and errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.special

import fxla
from fxla.nn import losses
from tests.lax.checks import gradients_agree

RNG = np.random.default_rng(1)
X = RNG.standard_normal((5, 4)) * 2
Y = RNG.standard_normal((5, 4))
P = scipy.special.softmax(Y, axis=1)
CLASSES = np.array([0, 3, 2, 1, 1])
BINARY = (Y > 0).astype(float)
SIGNS = 2 * BINARY - 1
SEEN = np.array([[1, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 1], [1, 1, 0, 0]], bool)
LOGS = scipy.special.log_softmax(X, axis=1)


def log_sigmoid(x):
    return -np.logaddexp(0, -x)


def sparse_plus(x):
    return np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4))


def focal(x, y, alpha, gamma):
    p = scipy.special.expit(x)
    right, weight = np.where(y == 1, p, 1 - p), np.where(y == 1, alpha, 1 - alpha)
    return -weight * (1 - right) ** gamma * np.log(right)


def multiclass(x, margin):
    others = x + margin * (np.arange(4) != CLASSES[:, None])
    return others.max(1) - x[np.arange(5), CLASSES]


CASES = {
    "squared_error": (lambda x: losses.squared_error(x, Y), (X - Y) ** 2),
    "l2_loss": (lambda x: losses.l2_loss(x, Y), (X - Y) ** 2 / 2),
    "l2_loss of errors": (losses.l2_loss, X**2 / 2),
    "huber_loss": (lambda x: losses.huber_loss(x, Y, delta=0.8), scipy.special.huber(0.8, X - Y)),
    "log_cosh": (lambda x: losses.log_cosh(x, Y), np.log(np.cosh(X - Y))),
    "cosine_distance": (
        lambda x: losses.cosine_distance(x, Y),
        [scipy.spatial.distance.cosine(x, y) for x, y in zip(X, Y, strict=True)],
    ),
    "sigmoid_binary_cross_entropy": (
        lambda x: losses.sigmoid_binary_cross_entropy(x, BINARY),
        -BINARY * log_sigmoid(X) - (1 - BINARY) * log_sigmoid(-X),
    ),
    "sigmoid_focal_loss": (
        lambda x: losses.sigmoid_focal_loss(x, BINARY, alpha=0.25, gamma=1.5),
        focal(X, BINARY, 0.25, 1.5),
    ),
    "softmax_cross_entropy": (lambda x: losses.softmax_cross_entropy(x, P), -(P * LOGS).sum(1)),
    "safe_softmax_cross_entropy": (
        lambda x: losses.safe_softmax_cross_entropy(x, P),
        -(P * LOGS).sum(1),
    ),
    "softmax_cross_entropy along another axis": (
        lambda x: losses.softmax_cross_entropy(x.T, P.T, axis=0),
        -(P * LOGS).sum(1),
    ),
    "integer labels": (
        lambda x: losses.softmax_cross_entropy_with_integer_labels(x, CLASSES),
        -LOGS[np.arange(5), CLASSES],
    ),
    "integer labels along another axis": (
        lambda x: losses.softmax_cross_entropy_with_integer_labels(x.T, CLASSES, axis=0),
        -LOGS[np.arange(5), CLASSES],
    ),
    "poly_loss_cross_entropy": (
        lambda x: losses.poly_loss_cross_entropy(x, P, epsilon=0.5),
        -(P * LOGS).sum(1) + 0.5 * (P * (1 - np.exp(LOGS))).sum(1),
    ),
    "hinge_loss": (lambda x: losses.hinge_loss(x, SIGNS), np.maximum(0, 1 - X * SIGNS)),
    "perceptron_loss": (lambda x: losses.perceptron_loss(x, SIGNS), np.maximum(0, -X * SIGNS)),
    "sparsemax_loss": (lambda x: losses.sparsemax_loss(x, BINARY), sparse_plus(-X * SIGNS)),
    "multiclass_hinge_loss": (
        lambda x: losses.multiclass_hinge_loss(x, CLASSES),
        multiclass(X, 1),
    ),
    "multiclass_perceptron_loss": (
        lambda x: losses.multiclass_perceptron_loss(x, CLASSES),
        multiclass(X, 0),
    ),
    "kl_divergence": (
        lambda x: losses.kl_divergence(x, P),
        scipy.special.rel_entr(P, np.exp(X)).sum(1),
    ),
    "kl_divergence_with_log_targets": (
        lambda x: losses.kl_divergence_with_log_targets(x, np.log(P)),
        scipy.special.rel_entr(P, np.exp(X)).sum(1),
    ),
    "generalized_kl_divergence": (
        lambda x: losses.generalized_kl_divergence(x, P),
        scipy.special.kl_div(P, np.exp(X)).sum(1),
    ),
    "smooth_labels": (lambda x: losses.smooth_labels(x, 0.2), 0.8 * X + 0.05),
    "ranking_softmax_loss": (
        lambda x: losses.ranking_softmax_loss(x, BINARY),
        -(BINARY * LOGS).sum(1).mean(),
    ),
    "triplet_margin_loss": (
        lambda x: losses.triplet_margin_loss(x, Y, P, eps=0.0),
        np.maximum(np.linalg.norm(X - Y, axis=1) - np.linalg.norm(X - P, axis=1) + 1, 0),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name):
    loss, wanted = CASES[name]
    np.testing.assert_allclose(loss(X), wanted, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(fxla.jit(loss)(X), wanted, rtol=1e-10, atol=1e-12)
    single = loss(X.astype(np.float32)) if "smooth" in name else None
    assert single is None or single.dtype == np.float32
    gradients_agree(lambda x: loss(x), X, rtol=1e-6)


def test_single_precision_stays():
    x, y, p = (a.astype(np.float32) for a in (X, Y, P))
    for made in (
        losses.squared_error(x, y), losses.huber_loss(x, y), losses.log_cosh(x, y),
        losses.cosine_similarity(x, y), losses.sigmoid_binary_cross_entropy(x, BINARY),
        losses.softmax_cross_entropy(x, P), losses.kl_divergence(x, p),
        losses.softmax_cross_entropy_with_integer_labels(x, CLASSES),
        losses.sigmoid_focal_loss(x, BINARY), losses.hinge_loss(x, SIGNS),
        losses.multiclass_hinge_loss(x, CLASSES), losses.triplet_margin_loss(x, y, p),
        losses.ntxent(x, CLASSES), losses.dice_loss(x[:, None], BINARY[:, None]),
        losses.ranking_softmax_loss(x, BINARY, where=SEEN),
    ):  # fmt: skip
        assert made.dtype == np.float32


def test_masks_leave_elements_out():
    def each(f):
        return [f(x[s], p[s]) if s.any() else 0 for x, p, s in zip(X, P, SEEN, strict=True)]

    log_softmax = scipy.special.log_softmax
    entropy = each(lambda x, p: -(p * log_softmax(x)).sum())
    np.testing.assert_allclose(losses.softmax_cross_entropy(X, P, where=SEEN), entropy, atol=1e-12)
    divergence = each(lambda x, p: scipy.special.rel_entr(p, np.exp(x)).sum())
    np.testing.assert_allclose(losses.kl_divergence(X, P, where=SEEN), divergence, atol=1e-12)
    first = [log_softmax(x[s])[0] if s[0] else 0 for x, s in zip(X, SEEN, strict=True)]
    out = losses.softmax_cross_entropy_with_integer_labels(X, np.zeros(5, int), where=SEEN)
    np.testing.assert_allclose(out[SEEN[:, 0]], -np.array(first)[SEEN[:, 0]], rtol=1e-12)
    assert out[2] == 0
    whole = losses.softmax_cross_entropy_with_integer_labels(X, CLASSES, where=CLASSES != 1)
    assert (whole[CLASSES == 1] == 0).all() and (whole[CLASSES != 1] > 0).all()
    ranked = each(lambda x, p: -(p * log_softmax(x)).sum())
    kept = losses.ranking_softmax_loss(X, P, where=SEEN, reduce_fn=None)
    np.testing.assert_allclose(kept, ranked, atol=1e-12)
    mean = losses.ranking_softmax_loss(X, P, where=SEEN)
    np.testing.assert_allclose(mean, np.sum(ranked) / 4, rtol=1e-12)
    for f in (
        lambda x: losses.softmax_cross_entropy(x, P, where=SEEN),
        lambda x: losses.ranking_softmax_loss(x, P, where=SEEN),
        lambda x: losses.softmax_cross_entropy_with_integer_labels(x, CLASSES, where=SEEN),
    ):
        assert np.isfinite(fxla.grad(lambda x, f=f: f(x).sum())(X)).all()


def test_extremes():
    big = np.array([1e4, -1e4, 0.0])
    np.testing.assert_array_equal(losses.sigmoid_binary_cross_entropy(big, [1, 0, 0])[:2], 0)
    np.testing.assert_allclose(losses.log_cosh(big)[:2], 1e4 - np.log(2))
    low = np.array([0.0, -np.inf])
    assert losses.safe_softmax_cross_entropy(low, [1.0, 0.0]) == 0
    grad = fxla.grad(lambda x: losses.safe_softmax_cross_entropy(x, np.array([1.0, 0.0])))(low)
    np.testing.assert_array_equal(grad, 0)
    grad = fxla.grad(lambda y: losses.kl_divergence(LOGS[0], y))(np.array([1.0, 0.0, 0.0, 0.0]))
    assert np.isfinite(grad).all()


def test_ntxent():
    cosine = X @ X.T / np.outer(np.linalg.norm(X, axis=1), np.linalg.norm(X, axis=1)) / 0.07
    same = CLASSES[:, None] == CLASSES
    terms = [
        np.log(np.exp(cosine[i, j]) + np.exp(cosine[i][~same[i]]).sum()) - cosine[i, j]
        for i, j in itertools.permutations(range(5), 2)
        if same[i, j]
    ]
    np.testing.assert_allclose(losses.ntxent(X, CLASSES), np.mean(terms), rtol=1e-10)


def read(path):
    """What an alignment reads as: repeats are one, blanks (0) are none."""
    return [k for k, _ in itertools.groupby(path) if k]


@pytest.mark.parametrize("labels", [[1, 2], [1, 1], [2]])
def test_ctc_sums_over_all_alignments(labels):
    frames = RNG.standard_normal((1, 6, 3))
    probabilities = scipy.special.softmax(frames[0, :5], axis=1)  # the last frame is padding
    total = sum(
        np.prod([probabilities[t, k] for t, k in enumerate(path)])
        for path in itertools.product(range(3), repeat=5)
        if read(path) == labels
    )
    padded = np.array([labels + [0] * (3 - len(labels))])
    pads = np.array([[0.0] * len(labels) + [1.0] * (3 - len(labels))])
    frame_pads = np.array([[0.0] * 5 + [1.0]])

    def loss(x):
        return losses.ctc_loss(x, frame_pads, padded, pads)[0]

    np.testing.assert_allclose(loss(frames), -np.log(total), rtol=1e-10)
    np.testing.assert_allclose(fxla.jit(loss)(frames), -np.log(total), rtol=1e-10)
    if len(labels) == 1:
        gradients_agree(fxla.jit(loss), frames, rtol=1e-6)


def test_dice():
    image, region = P.reshape(5, 2, 2), BINARY.reshape(5, 2, 2)
    both = (image * region).sum((1, 2))
    one = 1 - (2 * both + 2) / (image.sum((1, 2)) + region.sum((1, 2)) + 2)
    out = losses.binary_dice_loss(image, region, apply_sigmoid=False)
    np.testing.assert_allclose(out, one, rtol=1e-12)
    kept = losses.dice_loss(
        image[..., None], region, apply_softmax=False, reduction="none", alpha=1.0, beta=1.0
    )
    union = (image + region).sum((1, 2)) - both
    np.testing.assert_allclose(kept[:, 0], 1 - (both + 1) / (union + 1), rtol=1e-12)
    with pytest.raises(ValueError, match="reduction must be"):
        losses.dice_loss(image, region, reduction="max")


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"squared_error: shapes differ: f64\[5,4\] and f64\[5\]"):
        losses.squared_error(X, X[:, 0])
    with pytest.raises(TypeError, match=r"logits must be floating, got i64\[5\]"):
        losses.softmax_cross_entropy_with_integer_labels(CLASSES, CLASSES)
    with pytest.raises(TypeError, match=r"labels must be integers, got f64\[5,4\].*one-hot"):
        losses.softmax_cross_entropy_with_integer_labels(X, P)
    with pytest.raises(ValueError, match=r"need labels of shape \(5,\), got i64\[5,1\]"):
        losses.softmax_cross_entropy_with_integer_labels(X, CLASSES[:, None])
    with pytest.raises(ValueError, match="softmax_cross_entropy"):
        losses.softmax_cross_entropy(X, P[:3])
    with pytest.raises(ValueError, match=r"ctc_loss: .* do not fit f64\[5,4\]"):
        losses.ctc_loss(X, X, CLASSES[None], CLASSES[None])
    with pytest.raises(ValueError, match=r"ntxent: f64\[5,4\] needs as many labels"):
        losses.ntxent(X, CLASSES[:2])
