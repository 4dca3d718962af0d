"""How unlikely the wanted classes are by what was predicted."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.nn.activations import log_sigmoid, sparse_plus
from fxla.nn.encoding import one_hot
from fxla.nn.losses.operands import (
    alike,
    floating_operand,
    integer_operand,
    labels_like,
    loss,
    spread,
)
from fxla.nn.normalisation import log_softmax, logsumexp, softmax
from fxla.numpy.operands import common_shape

__all__ = [
    "generalized_kl_divergence",
    "hinge_loss",
    "kl_divergence",
    "kl_divergence_with_log_targets",
    "multiclass_hinge_loss",
    "multiclass_perceptron_loss",
    "perceptron_loss",
    "poly_loss_cross_entropy",
    "safe_softmax_cross_entropy",
    "sigmoid_binary_cross_entropy",
    "sigmoid_focal_loss",
    "smooth_labels",
    "softmax_cross_entropy",
    "softmax_cross_entropy_with_integer_labels",
    "sparsemax_loss",
]

_MODULE = "nn.losses."


def _total(x: Any, axis: Any, where: Any) -> Any:
    return fnp.sum(x if where is None else fnp.where(where, x, 0), axis=axis)


@loss
def sigmoid_binary_cross_entropy(logits: Any, labels: Any) -> Any:
    """``-y log(p) - (1 - y) log(1 - p)``, where p is the sigmoid of a logit; for each element.

    Args:
        logits: floating, of any shape.
        labels: probabilities, zeros and ones, or booleans, of a shape that broadcasts with it.

    Example:
        >>> sigmoid_binary_cross_entropy([0.0, 1000.0], [1, 1])
        Array([0.69314718, 0.        ])
    """
    call = _MODULE + "sigmoid_binary_cross_entropy"
    x = floating_operand(logits, "logits", call)
    y = labels_like(x, labels, call)
    return -y * log_sigmoid(x) - (1.0 - y) * log_sigmoid(-x)


@loss
def sigmoid_focal_loss(logits: Any, labels: Any, *, alpha: Any = None, gamma: Any = 2.0) -> Any:
    """`sigmoid_binary_cross_entropy` times ``(1 - p_t)^gamma``, p_t the right class's probability.

    Lin et al.: "Focal loss for dense object detection" (arXiv:1708.02002).

    Args:
        logits: floating, of any shape.
        labels: zeros and ones, of a shape that broadcasts with it.
        alpha: the weight of the positive class, and 1 less that of the other; None for no weights.
        gamma: how much easy examples count less.

    Example:
        >>> import fxla.numpy as np
        >>> np.round(sigmoid_focal_loss([0.0], [1]), 6)
        Array([0.173287])
    """
    call = _MODULE + "sigmoid_focal_loss"
    x = floating_operand(logits, "logits", call)
    y = labels_like(x, labels, call)
    # log(1 - p_t), which is log_sigmoid(-x) for a positive and log_sigmoid(x) for a negative.
    wrong = logsumexp(
        fnp.stack([log_sigmoid(x), log_sigmoid(-x)], axis=-1),
        axis=-1,
        b=fnp.stack([1 - y, y], axis=-1),
    )
    loss = sigmoid_binary_cross_entropy(x, y) * fnp.exp(gamma * wrong)
    return loss if alpha is None else (alpha * y + (1.0 - alpha) * (1.0 - y)) * loss


@loss
def softmax_cross_entropy(logits: Any, labels: Any, axis: Any = -1, where: Any = None) -> Any:
    """``-sum(y log(softmax(logits)))`` along the classes: for labels that are probabilities.

    Args:
        logits: floating, ``[..., classes]``.
        labels: probabilities of the same shape, e.g. one-hot.
        axis: the axis of the classes, or a tuple of them.
        where: which elements (or examples) count.

    Returns:
        A number for each example, ``[...]``.

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> import fxla.numpy as np
        >>> np.round(softmax_cross_entropy([[0.0, 0.0]], [[1.0, 0.0]]), 6)
        Array([0.693147])
    """
    call = _MODULE + "softmax_cross_entropy"
    x = floating_operand(logits, "logits", call)
    where = spread(where, x, axis)
    y = labels_like(x, labels, call)
    common_shape(call, typeof(x), typeof(y))  # its error names both
    if where is not None:
        y = fnp.where(where, y, 0)
        logs = fnp.where(where, log_softmax(x, axis, where), 0)
        return -fnp.sum(y * logs, axis=axis)
    return -fnp.sum(y * log_softmax(x, axis), axis=axis)


@loss
def safe_softmax_cross_entropy(logits: Any, labels: Any) -> Any:
    """`softmax_cross_entropy` where a logit may be -inf if its label is 0.

    Example:
        >>> safe_softmax_cross_entropy([0.0, -float("inf")], [1.0, 0.0])
        Array(-0.)
    """
    call = _MODULE + "safe_softmax_cross_entropy"
    x = floating_operand(logits, "logits", call)
    y = labels_like(x, labels, call)
    counts = y != 0
    # Labels of 0 take the logarithm of a class that has one; neither counts in the derivative.
    logs = fnp.where(counts, x, 0) - logsumexp(x, axis=-1, keepdims=True)
    return -fnp.sum(fnp.where(counts, y * logs, 0), axis=-1)


@loss
def softmax_cross_entropy_with_integer_labels(
    logits: Any, labels: Any, axis: Any = -1, where: Any = None
) -> Any:
    """``log(sum(exp(logits))) - logits[label]``: for labels that are classes.

    Args:
        logits: floating, ``[..., classes]``.
        labels: integers ``[...]``, from 0 to the number of classes less 1.
        axis: the axis of the classes, or a tuple of them, which the labels count through.
        where: which elements (or examples) count; 0 for examples without any.

    Returns:
        A number for each example, ``[...]``.

    Raises:
        TypeError: if logits are not floating, or labels not integers.
        ValueError: if the shapes do not fit.

    Example:
        >>> import fxla.numpy as np
        >>> np.round(softmax_cross_entropy_with_integer_labels([[0.0, 0.0]], [1]), 6)
        Array([0.693147])
    """
    call = _MODULE + "softmax_cross_entropy_with_integer_labels"
    x = floating_operand(logits, "logits", call)
    y = integer_operand(labels, "labels", call)
    where = spread(where, x, axis)
    if isinstance(axis, tuple):
        x, where = _flattened(x, axis), None if where is None else _flattened(where, axis)
        axis = -1
    axis %= max(typeof(x).ndim, 1)
    examples = typeof(x).shape[:axis] + typeof(x).shape[axis + 1 :]
    if typeof(y).shape != examples:
        raise ShapeError(
            f"{call}: logits {typeof(x)} with classes along axis {axis} need labels of shape "
            f"{examples}, got {typeof(y)}{where_am_i()}"
        )
    of_label = fnp.take_along_axis(x, fnp.expand_dims(y, axis), axis=axis)
    out = logsumexp(x, axis=axis, where=where) - fnp.squeeze(of_label, axis)
    return out if where is None else fnp.where(fnp.any(where, axis=axis), out, 0)


def _flattened(x: Any, axes: tuple[int, ...]) -> Any:
    """Several axes as the last one."""
    ndim = typeof(x).ndim
    last = tuple(a % ndim for a in axes)
    first = tuple(a for a in range(ndim) if a not in last)
    x = fnp.transpose(x, first + last)
    return fnp.reshape(x, (*typeof(x).shape[: len(first)], -1))


@loss
def poly_loss_cross_entropy(
    logits: Any, labels: Any, *, epsilon: Any = 2.0, axis: Any = -1, where: Any = None
) -> Any:
    """`softmax_cross_entropy` plus ``epsilon sum(y (1 - softmax(logits)))``.

    Leng et al.: "PolyLoss" (arXiv:2204.12511).

    Args:
        logits: floating, ``[..., classes]``.
        labels: probabilities of the same shape.
        epsilon: the weight of the second term.
        axis: the axis of the classes, or a tuple of them.
        where: which elements count.

    Example:
        >>> import fxla.numpy as np
        >>> np.round(poly_loss_cross_entropy([0.0, 0.0], [1.0, 0.0]), 6)
        Array(1.693147)
    """
    x = floating_operand(logits, "logits", _MODULE + "poly_loss_cross_entropy")
    mask = spread(where, x, axis)
    wrong = labels * (1 - softmax(x, axis, mask))
    entropy = softmax_cross_entropy(x, labels, axis, where)
    return entropy + epsilon * _total(wrong, axis, mask)


@loss
def hinge_loss(predictor_outputs: Any, targets: Any) -> Any:
    """``max(0, 1 - x y)`` for targets of -1 and 1, for each element.

    Example:
        >>> hinge_loss([0.5, 2.0], [1, 1])
        Array([0.5, 0. ])
    """
    x = floating_operand(predictor_outputs, "predictor_outputs", _MODULE + "hinge_loss")
    return fnp.maximum(0, 1 - x * labels_like(x, targets, _MODULE + "hinge_loss"))


@loss
def perceptron_loss(predictor_outputs: Any, targets: Any) -> Any:
    """``max(0, -x y)`` for targets of -1 and 1, for each element.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> perceptron_loss([-0.5, 2.0], [1, 1])
        Array([0.5, 0. ])
    """
    call = _MODULE + "perceptron_loss"
    x = floating_operand(predictor_outputs, "predictor_outputs", call)
    return fnp.maximum(0, -x * labels_like(x, alike(x, targets, call), call))


@loss
def sparsemax_loss(logits: Any, labels: Any) -> Any:
    """The binary loss of sparsemax, for labels of 0 and 1, for each element.

    Martins, Astudillo: "From softmax to sparsemax" (arXiv:1602.02068).

    Example:
        >>> sparsemax_loss([0.0, 1.0], [1, 1])
        Array([0.25, 0.  ])
    """
    x = floating_operand(logits, "logits", _MODULE + "sparsemax_loss")
    return sparse_plus(fnp.where(labels, -x, x))


@loss
def multiclass_hinge_loss(scores: Any, labels: Any) -> Any:
    """``max_i(x_i + [i != label]) - x_label``, ``[..., classes]`` to ``[...]``.

    Crammer, Singer: "On the algorithmic implementation of multiclass kernel-based vector machines"
    (JMLR 2, 2001).

    Example:
        >>> multiclass_hinge_loss([1.0, 0.5, 0.0], 0)
        Array(0.5)
    """
    call = _MODULE + "multiclass_hinge_loss"
    x, y = floating_operand(scores, "scores", call), integer_operand(labels, "labels", call)
    hot = one_hot(y, typeof(x).shape[-1], dtype=typeof(x).dtype)
    return fnp.max(x + 1.0 - hot, axis=-1) - fnp.sum(x * hot, axis=-1)


@loss
def multiclass_perceptron_loss(scores: Any, labels: Any) -> Any:
    """``max_i(x_i) - x_label``, ``[..., classes]`` to ``[...]``.

    Example:
        >>> multiclass_perceptron_loss([1.0, 1.5, 0.0], 0)
        Array(0.5)
    """
    call = _MODULE + "multiclass_perceptron_loss"
    x, y = floating_operand(scores, "scores", call), integer_operand(labels, "labels", call)
    hot = one_hot(y, typeof(x).shape[-1], dtype=typeof(x).dtype)
    return fnp.max(x, axis=-1) - fnp.sum(x * hot, axis=-1)


@loss
def kl_divergence(log_predictions: Any, targets: Any, axis: Any = -1, where: Any = None) -> Any:
    """``sum(y (log(y) - log_predictions))``: how much a distribution differs from the wanted one.

    Args:
        log_predictions: logarithms of probabilities, ``[..., n]``.
        targets: probabilities; a term of 0 counts nothing.
        axis: the axis of the events, or a tuple of them.
        where: which elements count.

    Example:
        >>> import fxla.numpy as np
        >>> import fxla.numpy as fnp
        >>> np.round(kl_divergence(fnp.log([0.5, 0.5]), [1.0, 0.0]), 6)
        Array(0.693147)
    """
    call = _MODULE + "kl_divergence"
    x = floating_operand(log_predictions, "log_predictions", call)
    y = floating_operand(targets, "targets", call)
    logs = fnp.where(y == 0, 0, fnp.log(fnp.where(y == 0, 1, y)))
    return _total(y * (logs - x), axis, where)


@loss
def kl_divergence_with_log_targets(
    log_predictions: Any, log_targets: Any, axis: Any = -1, where: Any = None
) -> Any:
    """`kl_divergence` for logarithms of probabilities.

    Example:
        >>> import fxla.numpy as fnp
        >>> kl_divergence_with_log_targets(fnp.log([0.5, 0.5]), fnp.log([0.5, 0.5]))
        Array(0.)
    """
    call = _MODULE + "kl_divergence_with_log_targets"
    x = floating_operand(log_predictions, "log_predictions", call)
    y = floating_operand(log_targets, "log_targets", call)
    return _total(fnp.exp(y) * (y - x), axis, where)


@loss
def generalized_kl_divergence(
    log_predictions: Any, targets: Any, axis: Any = -1, where: Any = None
) -> Any:
    """`kl_divergence` plus ``sum(exp(log_predictions) - y)``, for sums other than 1.

    Example:
        >>> import fxla.numpy as fnp
        >>> generalized_kl_divergence(fnp.log([0.5, 0.5]), [0.5, 0.5])
        Array(0.)
    """
    x = floating_operand(log_predictions, "log_predictions", _MODULE + "generalized_kl_divergence")
    excess = _total(fnp.exp(x) - targets, axis, where)
    return kl_divergence(x, targets, axis, where) + excess


@loss
def smooth_labels(labels: Any, alpha: Any, *, axis: Any = -1, where: Any = None) -> Any:
    """``(1 - alpha) y + alpha / classes``.

    Müller, Kornblith, Hinton: "When does label smoothing help?" (arXiv:1906.02629).

    Args:
        labels: probabilities, ``[..., classes]``.
        alpha: how much is spread evenly.
        axis: the axis of the classes.
        where: which classes there are.

    Example:
        >>> smooth_labels([1.0, 0.0], 0.5)
        Array([0.75, 0.25])
    """
    y = floating_operand(labels, "labels", _MODULE + "smooth_labels")
    if where is None:
        classes: Any = typeof(y).shape[axis]
    else:
        classes = fnp.sum(where, axis=axis, keepdims=True).astype(typeof(y).dtype)
    return (1.0 - alpha) * y + alpha / classes
