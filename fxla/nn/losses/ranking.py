"""Losses of whole lists and of embeddings: what is to come first, what is to be near."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fxla.numpy as fnp
from fxla.core.dtypes import finfo_of
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.nn.losses.operands import floating_operand, integer_operand, labels_like, loss
from fxla.nn.losses.regression import cosine_similarity
from fxla.nn.normalisation import log_softmax, logsumexp

__all__ = ["ntxent", "ranking_softmax_loss", "triplet_margin_loss"]


@loss
def ranking_softmax_loss(
    logits: Any,
    labels: Any,
    *,
    where: Any = None,
    weights: Any = None,
    reduce_fn: Callable[..., Any] | None = fnp.mean,
) -> Any:
    """``-sum(y log(softmax(logits)))`` of each list, where y says how relevant each item is.

    Cao et al.: "Learning to rank: from pairwise approach to listwise approach" (ICML 2007).

    Args:
        logits: scores ``[..., items]``, floating.
        labels: of the same shape.
        where: which items there are.
        weights: of the items.
        reduce_fn: makes one number of the lists' losses, and takes ``where=``; None keeps them.

    Example:
        >>> import fxla.numpy as np
        >>> np.round(ranking_softmax_loss([0.0, 0.0], [1.0, 0.0]), 6)
        Array(0.693147)
    """
    call = "nn.losses.ranking_softmax_loss"
    x = floating_operand(logits, "logits", call)
    y = labels_like(x, labels, call)
    if weights is not None:
        y = y * weights
    if where is None:
        loss = -fnp.sum(y * log_softmax(x), axis=-1)
        return loss if reduce_fn is None else reduce_fn(loss)
    logs = fnp.where(where, log_softmax(x, where=where), 0)
    loss = -fnp.sum(fnp.where(where, y, 0) * logs, axis=-1)
    lists = fnp.any(where, axis=-1)
    if reduce_fn is None:
        return fnp.where(lists, loss, 0)
    if reduce_fn is fnp.mean:
        # The mean of no list is 0, not NaN.
        return fnp.sum(fnp.where(lists, loss, 0)) / fnp.maximum(fnp.sum(lists), 1).astype(
            typeof(loss).dtype
        )
    return reduce_fn(loss, where=lists)


@loss
def triplet_margin_loss(
    anchors: Any,
    positives: Any,
    negatives: Any,
    axis: int = -1,
    norm_degree: Any = 2,
    margin: Any = 1.0,
    eps: Any = 1e-6,
) -> Any:
    """``max(0, |a - p| - |a - n| + margin)``.

    Schroff, Kalenichenko, Philbin: "FaceNet" (arXiv:1503.03832).

    Args:
        anchors: embeddings ``[..., n]``.
        positives: what is to be near.
        negatives: what is to be far.
        axis: the axis of the embeddings.
        norm_degree: p of the norm.
        margin: how much farther the negatives are to be.
        eps: added under the root.

    Example:
        >>> import fxla.numpy as np
        >>> np.round(triplet_margin_loss([0.0, 0.0], [3.0, 4.0], [0.0, 4.0]), 4)
        Array(2.)
    """
    call = "nn.losses.triplet_margin_loss"
    a, p, n = (
        floating_operand(x, what, call)
        for x, what in ((anchors, "anchors"), (positives, "positives"), (negatives, "negatives"))
    )

    def distance(x: Any, y: Any) -> Any:
        return (fnp.sum((x - y) ** norm_degree, axis=axis) + eps) ** (1 / norm_degree)

    return fnp.maximum(distance(a, p) - distance(a, n) + margin, 0)


@loss
def ntxent(embeddings: Any, labels: Any, temperature: Any = 0.07) -> Any:
    """The mean of ``-log(e^s(i, j) / (e^s(i, j) + sum_k e^s(i, k)))`` over pairs of one class.

    k runs through the embeddings of other classes, s is the cosine over the temperature. Chen et
    al.: "A simple framework for contrastive learning" (arXiv:2002.05709).

    Args:
        embeddings: ``[n, features]``, floating.
        labels: integers ``[n]``; equal ones belong together.
        temperature: of the cosines.

    Raises:
        ValueError: if there are not as many labels as embeddings.

    Example:
        >>> import fxla.numpy as np
        >>> np.round(ntxent([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0, 0, 1], 1.0), 6)
        Array(0.313262)
    """
    call = "nn.losses.ntxent"
    x = floating_operand(embeddings, "embeddings", call)
    y = integer_operand(labels, "labels", call)
    if typeof(x).shape[:1] != typeof(y).shape:
        raise ShapeError(f"{call}: {typeof(x)} needs as many labels, got {typeof(y)}{where_am_i()}")
    tiny = float(finfo_of(typeof(x).dtype).eps)
    similar = cosine_similarity(x[None], x[:, None], epsilon=tiny) / temperature
    same = y[:, None] == y[None]
    pairs = same & ~fnp.eye(typeof(y).shape[0], dtype=bool)
    others = logsumexp(similar, axis=1, keepdims=True, where=~same)
    losses = fnp.logaddexp(similar, others) - similar
    return fnp.sum(fnp.where(pairs, losses, 0)) / fnp.sum(pairs).astype(typeof(x).dtype)
