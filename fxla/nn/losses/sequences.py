"""Losses of sequences whose alignment is not known."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.nn.losses.operands import floating_operand, integer_operand, loss
from fxla.nn.normalisation import log_softmax

__all__ = ["ctc_loss", "ctc_loss_with_forward_probs"]


@loss
def ctc_loss(
    logits: Any,
    logit_paddings: Any,
    labels: Any,
    label_paddings: Any,
    *,
    blank_id: int = 0,
    log_epsilon: float = -1e5,
) -> Any:
    """Minus the log probability of all alignments that read as the labels.

    Graves et al.: "Connectionist temporal classification" (ICML 2006).

    Args:
        logits: ``[batch, time, classes]``, floating.
        logit_paddings: ``[batch, time]``, 1 where there is no frame any more.
        labels: integers ``[batch, length]``.
        label_paddings: ``[batch, length]``, 1 where there is no label any more.
        blank_id: the class that stands for no label.
        log_epsilon: stands for the logarithm of 0.

    Returns:
        A number for each sequence, ``[batch]``.

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> import fxla.numpy as np
        >>> np.round(ctc_loss(np.zeros((1, 2, 2)), np.zeros((1, 2)), [[1]], [[0]]), 6)
        Array([0.287682])
    """
    return ctc_loss_with_forward_probs(
        logits, logit_paddings, labels, label_paddings,
        blank_id=blank_id, log_epsilon=log_epsilon,
    )[0]  # fmt: skip


@loss
def ctc_loss_with_forward_probs(
    logits: Any,
    logit_paddings: Any,
    labels: Any,
    label_paddings: Any,
    *,
    blank_id: int = 0,
    log_epsilon: float = -1e5,
) -> tuple[Any, Any, Any]:
    """`ctc_loss`, and log probabilities of the beginnings of alignments.

    Returns:
        The loss ``[batch]``, and for every frame the log probabilities of having read n labels
        with a blank, ``[time, batch, length + 1]``, and with the n-th label itself last,
        ``[time, batch, length]``.

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> import fxla.numpy as np
        >>> out = ctc_loss_with_forward_probs(np.zeros((1, 2, 2)), np.zeros((1, 2)), [[1]], [[0]])
        >>> [x.shape for x in out]
        [(1,), (2, 1, 2), (2, 1, 1)]
    """
    call = "nn.losses.ctc_loss"
    x = floating_operand(logits, "logits", call)
    y = integer_operand(labels, "labels", call)
    no_frame = fnp.asarray(logit_paddings, dtype=typeof(x).dtype)
    no_label = fnp.asarray(label_paddings)
    _check(call, x, no_frame, y, no_label)
    batch, length = typeof(y).shape
    dtype = typeof(x).dtype

    lengths = length - fnp.sum(no_label, axis=1).astype(int)
    same = fnp.pad((y[:, :-1] == y[:, 1:]).astype(dtype), ((0, 0), (0, 1)))
    logs = log_softmax(x)
    blank = fnp.transpose(logs[:, :, blank_id : blank_id + 1], (1, 0, 2))
    which = fnp.broadcast_to(y[:, None, :], (batch, typeof(x).shape[1], length))
    emit = fnp.transpose(fnp.take_along_axis(logs, which, axis=2), (1, 0, 2))

    def joined(phi: Any, score: Any) -> Any:
        return fnp.concatenate([phi[:, :1], fnp.logaddexp(phi[:, 1:], score)], axis=-1)

    def frame(before: Any, given: Any) -> tuple[Any, Any]:
        (phi, last), (p_emit, p_blank, pad) = before, given
        reached = joined(phi, last + log_epsilon * same)
        next_last = fnp.logaddexp(reached[:, :-1] + p_emit, last + p_emit)
        next_phi = joined(reached + p_blank, last + p_blank + log_epsilon * (1.0 - same))
        pad = pad[:, None]
        after = (pad * phi + (1 - pad) * next_phi, pad * last + (1 - pad) * next_last)
        return after, after

    first = fnp.where(fnp.arange(length + 1) == 0, 0.0, log_epsilon).astype(dtype)
    start = (
        fnp.broadcast_to(first, (batch, length + 1)),
        fnp.full((batch, length), log_epsilon, dtype),
    )
    (phi, last), (phis, lasts) = lax.scan(frame, start, (emit, blank, fnp.transpose(no_frame)))
    final = joined(phi, last)
    loss = -fnp.squeeze(fnp.take_along_axis(final, lengths[:, None], axis=1), 1)
    return loss, fnp.concatenate([phis[:-1], final[None]]), lasts


def _check(call: str, x: Any, no_frame: Any, y: Any, no_label: Any) -> None:
    a, b, c, d = (typeof(v) for v in (x, no_frame, y, no_label))
    fits = a.ndim == 3 and c.ndim == 2 and a.shape[0] == c.shape[0]
    if not (fits and b.shape == a.shape[:2] and d.shape == c.shape):
        raise ShapeError(
            f"{call}: logits [batch, time, classes], logit_paddings [batch, time], labels and "
            f"label_paddings [batch, length] do not fit {a}, {b}, {c}, {d}{where_am_i()}"
        )
