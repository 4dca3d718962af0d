"""How little two regions overlap."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla.core.trace import typeof, where_am_i
from fxla.nn.activations import sigmoid
from fxla.nn.losses.operands import alike, floating_operand, labels_like, loss
from fxla.nn.normalisation import softmax

__all__ = ["binary_dice_loss", "dice_loss", "multiclass_generalized_dice_loss"]


@loss
def dice_loss(
    predictions: Any,
    targets: Any,
    *,
    class_weights: Any = None,
    smooth: Any = 1.0,
    alpha: Any = 0.5,
    beta: Any = 0.5,
    apply_softmax: bool = True,
    reduction: str = "mean",
    ignore_background: bool = False,
    axis: Any = None,
) -> Any:
    """``1 - (|P T| + smooth) / (|P T| + alpha |P - T| + beta |T - P| + smooth)`` of each class.

    Milletari, Navab, Ahmadi: "V-Net" (arXiv:1606.04797); with other alpha and beta Tversky's
    (arXiv:1706.05721).

    Args:
        predictions: ``[batch, ..., classes]``, logits or probabilities; a missing axis of one class
            is added.
        targets: of the same shape, one-hot or probabilities.
        class_weights: of the classes.
        smooth: keeps from dividing by zero.
        alpha: the weight of what is predicted and not wanted.
        beta: the weight of what is wanted and not predicted.
        apply_softmax: make probabilities of the predictions, by the sigmoid for one class.
        reduction: ``"mean"``, ``"sum"`` or ``"none"`` over the classes.
        ignore_background: leave out the first class.
        axis: the axes of places; all but the first and the last if None.

    Returns:
        A number for each example, or for each example and class.

    Raises:
        ValueError: if the shapes differ, or for another `reduction`.

    Example:
        >>> import fxla.numpy as np
        >>> dice_loss(np.eye(2)[None], np.eye(2)[None], apply_softmax=False)
        Array([0.])
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(
            "nn.losses.dice_loss: reduction must be 'mean', 'sum' or 'none', not "
            f"{reduction!r}{where_am_i()}"
        )
    call = "nn.losses.dice_loss"
    x = floating_operand(predictions, "predictions", call)
    y = labels_like(x, targets, call)
    if typeof(x).ndim == typeof(y).ndim - 1:
        x = x[..., None]
    if typeof(y).ndim == typeof(x).ndim - 1:
        y = y[..., None]
    alike(x, y, call)
    if apply_softmax:
        x = sigmoid(x) if typeof(x).shape[-1] == 1 else softmax(x)
    places = tuple(range(1, typeof(x).ndim - 1)) if axis is None else axis
    both = fnp.sum(x * y, axis=places)
    predicted, wanted = fnp.sum(x, axis=places), fnp.sum(y, axis=places)
    over = both + alpha * (predicted - both) + beta * (wanted - both) + smooth
    loss = 1.0 - (both + smooth) / over
    if class_weights is not None:
        loss = loss * class_weights
    if ignore_background and typeof(x).shape[-1] > 1:
        loss = loss[..., 1:]
    if reduction == "none":
        return loss
    return fnp.mean(loss, axis=-1) if reduction == "mean" else fnp.sum(loss, axis=-1)


@loss
def binary_dice_loss(
    predictions: Any, targets: Any, *, smooth: Any = 1.0, apply_sigmoid: bool = True
) -> Any:
    """`dice_loss` of one class, whose axis may be left out.

    Example:
        >>> import fxla.numpy as np
        >>> binary_dice_loss(np.ones((1, 4)), np.ones((1, 4)), apply_sigmoid=False)
        Array([0.])
    """
    x, y = fnp.asarray(predictions), fnp.asarray(targets)
    if x.ndim == y.ndim and x.shape[-1] != 1:
        x, y = x[..., None], y[..., None]
    return dice_loss(x, y, smooth=smooth, apply_softmax=apply_sigmoid)


@loss
def multiclass_generalized_dice_loss(
    predictions: Any,
    targets: Any,
    *,
    smooth: Any = 1.0,
    apply_softmax: bool = True,
    ignore_background: bool = False,
) -> Any:
    """The mean `dice_loss` with weights of ``1 / frequency^2``, so that rare classes count.

    Sudre et al.: "Generalised Dice overlap" (arXiv:1707.03237).

    Example:
        >>> import fxla.numpy as np
        >>> multiclass_generalized_dice_loss(np.eye(2)[None], np.eye(2)[None], apply_softmax=False)
        Array(0.)
    """
    y = fnp.asarray(targets)
    frequency = fnp.sum(y, axis=tuple(range(y.ndim - 1)))
    weights = 1.0 / (frequency**2 + 1e-7)
    weights = weights / fnp.sum(weights) * y.shape[-1]
    losses = dice_loss(
        predictions, y, class_weights=weights, smooth=smooth, apply_softmax=apply_softmax,
        reduction="none", ignore_background=ignore_background,
    )  # fmt: skip
    return fnp.mean(losses)
