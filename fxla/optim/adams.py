"""Optimisers that divide by running moments: Adam and its relatives.

Each takes a learning rate, a number or a schedule, and gives a transformation whose updates are
added to the parameters by `apply_updates`. Names, arguments and meanings are optax's.
"""

from __future__ import annotations

from typing import Any

from fxla.optim import adaptive, decay, scaling
from fxla.optim.combine import chain
from fxla.optim.transformation import GradientTransformationExtraArgs as Optimizer

__all__ = [
    "adabelief",
    "adam",
    "adamax",
    "adamaxw",
    "adamw",
    "adan",
    "amsgrad",
    "lamb",
    "lion",
    "nadam",
    "nadamw",
    "radam",
    "yogi",
]


def adam(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
) -> Optimizer:
    """Gradients over the root of their mean square. Kingma, Ba (arXiv:1412.6980).

    Args:
        learning_rate: a number, or a schedule.
        b1: decay of the mean of gradients.
        b2: decay of the mean of their squares.
        eps: added to the root.
        eps_root: added under the root.
        mu_dtype: the dtype in which the mean of gradients is kept; that of the parameters if None.
        nesterov: look one step ahead.

    Example:
        >>> from fxla import optim
        >>> tx = optim.adam(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        adaptive.scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        scaling.scale_by_learning_rate(learning_rate),
    )


def nadam(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
) -> Optimizer:
    """`adam` with Nesterov's momentum. Dozat: "Incorporating Nesterov momentum into Adam" (2016).

    Args:
        learning_rate: a number, or a schedule.
        b1: decay of the mean of gradients.
        b2: decay of the mean of their squares.
        eps: added to the root.
        eps_root: added under the root.
        mu_dtype: the dtype in which the mean of gradients is kept; that of the parameters if None.
        nesterov: look one step ahead.

    Example:
        >>> from fxla import optim
        >>> tx = optim.nadam(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return adam(learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)


def adamw(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    weight_decay: Any = 1e-4,
    mask: Any = None,
    *,
    nesterov: bool = False,
) -> Optimizer:
    """`adam` with decoupled weight decay. Loshchilov, Hutter (arXiv:1711.05101).

    Args:
        learning_rate: a number, or a schedule.
        b1: decay of the mean of gradients.
        b2: decay of the mean of their squares.
        eps: added to the root.
        eps_root: added under the root.
        mu_dtype: the dtype in which the mean of gradients is kept; that of the parameters if None.
        weight_decay: how much of the parameters is added; times the learning rate.
        mask: which parameters decay: a tree of booleans, or a function that makes one.
        nesterov: look one step ahead.

    Example:
        >>> from fxla import optim
        >>> tx = optim.adamw(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        adaptive.scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        decay.add_decayed_weights(weight_decay, mask),
        scaling.scale_by_learning_rate(learning_rate),
    )


def nadamw(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    weight_decay: Any = 1e-4,
    mask: Any = None,
    *,
    nesterov: bool = True,
) -> Optimizer:
    """`adamw` with Nesterov's momentum.

    Args:
        learning_rate: a number, or a schedule.
        b1: decay of the mean of gradients.
        b2: decay of the mean of their squares.
        eps: added to the root.
        eps_root: added under the root.
        mu_dtype: the dtype in which the mean of gradients is kept; that of the parameters if None.
        weight_decay: how much of the parameters is added; times the learning rate.
        mask: which parameters decay: a tree of booleans, or a function that makes one.
        nesterov: look one step ahead.

    Example:
        >>> from fxla import optim
        >>> tx = optim.nadamw(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return adamw(
        learning_rate, b1, b2, eps, eps_root, mu_dtype, weight_decay, mask, nesterov=nesterov
    )


def amsgrad(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> Optimizer:
    """`adam` with the largest mean square so far. Reddi, Kale, Kumar (ICLR 2018).

    Args:
        learning_rate: a number, or a schedule.
        b1: decay of the mean of gradients.
        b2: decay of the mean of their squares.
        eps: added to the root.
        eps_root: added under the root.
        mu_dtype: the dtype in which the mean of gradients is kept; that of the parameters if None.
        bias_correction_mu: whether the mean of gradients is corrected.
        bias_correction_nu: whether that of their squares is.

    Example:
        >>> from fxla import optim
        >>> tx = optim.amsgrad(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        adaptive.scale_by_amsgrad(
            b1, b2, eps, eps_root, mu_dtype, bias_correction_mu, bias_correction_nu
        ),
        scaling.scale_by_learning_rate(learning_rate),
    )


def adamax(learning_rate: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> Optimizer:
    """`adam` with the infinity norm. Kingma, Ba (arXiv:1412.6980), section 7.1.

    Args:
        learning_rate: a number, or a schedule.
        b1: decay of the mean of gradients.
        b2: decay of the largest gradient.
        eps: added to gradients.

    Example:
        >>> from fxla import optim
        >>> tx = optim.adamax(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        adaptive.scale_by_adamax(b1, b2, eps),
        scaling.scale_by_learning_rate(learning_rate),
    )


def adamaxw(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    weight_decay: Any = 1e-4,
    mask: Any = None,
) -> Optimizer:
    """`adamax` with decoupled weight decay.

    Args:
        learning_rate: a number, or a schedule.
        b1: decay of the mean of gradients.
        b2: decay of the largest gradient.
        eps: added to gradients.
        weight_decay: how much of the parameters is added; times the learning rate.
        mask: which parameters decay: a tree of booleans, or a function that makes one.

    Example:
        >>> from fxla import optim
        >>> tx = optim.adamaxw(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        adaptive.scale_by_adamax(b1, b2, eps),
        decay.add_decayed_weights(weight_decay, mask),
        scaling.scale_by_learning_rate(learning_rate),
    )


def radam(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    threshold: Any = 5.0,
    *,
    nesterov: bool = False,
) -> Optimizer:
    """Rectified `adam`. Liu et al. (arXiv:1908.03265).

    Args:
        learning_rate: a number, or a schedule.
        b1: decay of the mean of gradients.
        b2: decay of the mean of their squares.
        eps: added to the root.
        eps_root: added under the root.
        threshold: how long the average must be for the variance to be used.
        nesterov: look one step ahead.

    Example:
        >>> from fxla import optim
        >>> tx = optim.radam(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        adaptive.scale_by_radam(b1, b2, eps, eps_root, threshold, nesterov=nesterov),
        scaling.scale_by_learning_rate(learning_rate),
    )


def yogi(learning_rate: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-3) -> Optimizer:
    """`adam` whose mean square grows slowly. Zaheer et al. (NeurIPS 2018).

    Args:
        learning_rate: a number, or a schedule.
        b1: decay of the mean of gradients.
        b2: decay of the mean of their squares.
        eps: added to the root.

    Example:
        >>> from fxla import optim
        >>> tx = optim.yogi(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        adaptive.scale_by_yogi(b1, b2, eps),
        scaling.scale_by_learning_rate(learning_rate),
    )


def adabelief(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-16,
    eps_root: Any = 1e-16,
    *,
    nesterov: bool = False,
) -> Optimizer:
    """`adam` by the surprise of the gradient. Zhuang et al. (arXiv:2010.07468).

    Args:
        learning_rate: a number, or a schedule.
        b1: decay of the mean of gradients.
        b2: decay of the mean square of the surprise.
        eps: added to the root.
        eps_root: added under the root.
        nesterov: look one step ahead.

    Example:
        >>> from fxla import optim
        >>> tx = optim.adabelief(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        adaptive.scale_by_belief(b1, b2, eps, eps_root, nesterov=nesterov),
        scaling.scale_by_learning_rate(learning_rate),
    )


def adan(
    learning_rate: Any,
    b1: Any = 0.98,
    b2: Any = 0.92,
    b3: Any = 0.99,
    eps: Any = 1e-8,
    eps_root: Any = 1e-8,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> Optimizer:
    """`adam` with adaptive Nesterov momentum. Xie et al. (arXiv:2208.06677).

    Args:
        learning_rate: a number, or a schedule.
        b1: decay of the mean of gradients.
        b2: decay of the mean of their changes.
        b3: decay of the mean square.
        eps: added to the root.
        eps_root: added under the root.
        weight_decay: how much of the parameters is added; times the learning rate.
        mask: which parameters decay: a tree of booleans, or a function that makes one.

    Example:
        >>> from fxla import optim
        >>> tx = optim.adan(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        adaptive.scale_by_adan(b1, b2, b3, eps, eps_root),
        decay.add_decayed_weights(weight_decay, mask),
        scaling.scale_by_learning_rate(learning_rate),
    )


def lion(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.99,
    mu_dtype: Any = None,
    weight_decay: Any = 1e-3,
    mask: Any = None,
) -> Optimizer:
    """The sign of a mean of gradients. Chen et al. (arXiv:2302.06675).

    Args:
        learning_rate: a number, or a schedule.
        b1: how much of the mean the direction takes.
        b2: decay of the mean.
        mu_dtype: the dtype in which the mean of gradients is kept; that of the parameters if None.
        weight_decay: how much of the parameters is added; times the learning rate.
        mask: which parameters decay: a tree of booleans, or a function that makes one.

    Example:
        >>> from fxla import optim
        >>> tx = optim.lion(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        adaptive.scale_by_lion(b1, b2, mu_dtype),
        decay.add_decayed_weights(weight_decay, mask),
        scaling.scale_by_learning_rate(learning_rate),
    )


def lamb(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-6,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> Optimizer:
    """`adam` with a step for each leaf in proportion to its norm. You et al. (arXiv:1904.00962).

    Args:
        learning_rate: a number, or a schedule.
        b1: decay of the mean of gradients.
        b2: decay of the mean of their squares.
        eps: added to the root.
        eps_root: added under the root.
        weight_decay: how much of the parameters is added; times the learning rate.
        mask: which parameters decay: a tree of booleans, or a function that makes one.

    Example:
        >>> from fxla import optim
        >>> tx = optim.lamb(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        adaptive.scale_by_adam(b1, b2, eps, eps_root),
        decay.add_decayed_weights(weight_decay, mask),
        scaling.scale_by_trust_ratio(),
        scaling.scale_by_learning_rate(learning_rate),
    )
