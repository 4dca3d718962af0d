"""Optimisers by their usual names: gradient descent, its relatives, and L-BFGS.

Each takes a learning rate, a number or a schedule, and gives a transformation whose updates are
added to the parameters by `apply_updates`. Names, arguments and meanings are optax's.
"""

from __future__ import annotations

from typing import Any

from fxla.optim import clipping, decay, factored, momentum, scaling, squares
from fxla.optim.combine import chain
from fxla.optim.masking import masked
from fxla.optim.quasi_newton import scale_by_lbfgs
from fxla.optim.transformation import GradientTransformation, identity
from fxla.optim.transformation import GradientTransformationExtraArgs as Optimizer
from fxla.optim.zoom import scale_by_zoom_linesearch

__all__ = [
    "adadelta",
    "adafactor",
    "adagrad",
    "lars",
    "lbfgs",
    "noisy_sgd",
    "optimistic_gradient_descent",
    "polyak_sgd",
    "rmsprop",
    "rprop",
    "sgd",
    "sign_sgd",
    "signum",
]


_ZOOM = scale_by_zoom_linesearch(max_linesearch_steps=20, initial_guess_strategy="one")
_factored = factored.scale_by_factored_rms
scale_by_polyak = scaling.scale_by_polyak


def _momentum(decay: Any, nesterov: bool, dtype: Any) -> GradientTransformation:
    return identity() if decay is None else momentum.trace(decay, nesterov, dtype)


def _mean(decay: Any, dtype: Any) -> GradientTransformation:
    return momentum.ema(decay, debias=False, accumulator_dtype=dtype)


def sgd(
    learning_rate: Any, momentum: Any = None, nesterov: bool = False, accumulator_dtype: Any = None
) -> Optimizer:
    """Gradient descent, with momentum if asked for: ``-learning_rate (g + momentum t)``.

    Args:
        learning_rate: a number, or a schedule.
        momentum: decay of the sum of gradients; None for none.
        nesterov: look one step ahead.
        accumulator_dtype: the dtype of the sum; that of the parameters if None.

    Example:
        >>> from fxla import optim
        >>> tx = optim.sgd(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        _momentum(momentum, nesterov, accumulator_dtype),
        scaling.scale_by_learning_rate(learning_rate),
    )


def lars(
    learning_rate: Any,
    weight_decay: Any = 0.0,
    weight_decay_mask: Any = True,
    trust_coefficient: Any = 0.001,
    eps: Any = 0.0,
    trust_ratio_mask: Any = True,
    momentum: Any = 0.9,
    nesterov: bool = False,
) -> Optimizer:
    """`sgd` with a step for each leaf in proportion to its norm. You et al. (arXiv:1708.03888).

    Args:
        learning_rate: a number, or a schedule.
        weight_decay: how much of the parameters is added; times the learning rate.
        weight_decay_mask: which parameters decay.
        trust_coefficient: the ratio of the norms of step and leaf.
        eps: added to the norm of the gradient.
        trust_ratio_mask: which leaves are scaled.
        momentum: decay of the sum of updates.
        nesterov: look one step ahead.

    Example:
        >>> from fxla import optim
        >>> tx = optim.lars(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        decay.add_decayed_weights(weight_decay, weight_decay_mask),
        masked(
            scaling.scale_by_trust_ratio(trust_coefficient=trust_coefficient, eps=eps),
            trust_ratio_mask,
        ),
        scaling.scale_by_learning_rate(learning_rate),
        _momentum(momentum, nesterov, None),
    )


def adagrad(learning_rate: Any, initial_accumulator_value: Any = 0.1, eps: Any = 1e-7) -> Optimizer:
    """Gradients over the root of the sum of their squares. Duchi, Hazan, Singer (JMLR 2011).

    Args:
        learning_rate: a number, or a schedule.
        initial_accumulator_value: what the sum begins with.
        eps: added under the root.

    Example:
        >>> from fxla import optim
        >>> tx = optim.adagrad(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        squares.scale_by_rss(initial_accumulator_value, eps),
        scaling.scale_by_learning_rate(learning_rate),
    )


def rmsprop(
    learning_rate: Any,
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: Any = None,
    nesterov: bool = False,
    bias_correction: bool = False,
) -> Optimizer:
    """Gradients over the root of their mean square. Tieleman, Hinton (2012).

    Args:
        learning_rate: a number, or a schedule.
        decay: of the mean square.
        eps: keeps from dividing by zero.
        initial_scale: what the mean square begins with.
        eps_in_sqrt: whether `eps` is added under the root; PyTorch adds it to the root.
        centered: take the variance. Graves (arXiv:1308.0850).
        momentum: decay of the sum of updates; None for none.
        nesterov: look one step ahead.
        bias_correction: correct the mean for its beginning.

    Example:
        >>> from fxla import optim
        >>> tx = optim.rmsprop(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        (squares.scale_by_stddev if centered else squares.scale_by_rms)(
            decay, eps, initial_scale, eps_in_sqrt, bias_correction
        ),
        scaling.scale_by_learning_rate(learning_rate),
        _momentum(momentum, nesterov, None),
    )


def adadelta(
    learning_rate: Any = None,
    rho: Any = 0.9,
    eps: Any = 1e-6,
    weight_decay: Any = 0.0,
    weight_decay_mask: Any = None,
) -> Optimizer:
    """Gradients times the ratio of the sizes of updates and gradients. Zeiler (arXiv:1212.5701).

    Args:
        learning_rate: a number, or a schedule.
        rho: decay of both mean squares.
        eps: added under the root.
        weight_decay: how much of the parameters is added; times the learning rate.
        weight_decay_mask: which parameters decay.

    Example:
        >>> from fxla import optim
        >>> tx = optim.adadelta(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        decay.add_decayed_weights(weight_decay, weight_decay_mask),
        squares.scale_by_adadelta(rho, eps),
        scaling.scale_by_learning_rate(learning_rate),
    )


def rprop(
    learning_rate: Any,
    eta_minus: Any = 0.5,
    eta_plus: Any = 1.2,
    min_step_size: Any = 1e-6,
    max_step_size: Any = 50.0,
) -> Optimizer:
    """Steps by the sign of the gradient alone. Riedmiller, Braun (1993); see `scale_by_rprop`.

    Args:
        learning_rate: the first step size.
        eta_minus: the factor where the sign has turned.
        eta_plus: the factor where it is the same.
        min_step_size: the shortest step.
        max_step_size: the longest.

    Example:
        >>> from fxla import optim
        >>> tx = optim.rprop(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        squares.scale_by_rprop(learning_rate, eta_minus, eta_plus, min_step_size, max_step_size),
        scaling.scale(-1.0),
    )


def sign_sgd(learning_rate: Any) -> Optimizer:
    """The sign of the gradient. Bernstein et al. (arXiv:1802.04434).

    Args:
        learning_rate: a number, or a schedule.

    Example:
        >>> from fxla import optim
        >>> tx = optim.sign_sgd(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        scaling.scale_by_sign(),
        scaling.scale_by_learning_rate(learning_rate),
    )


def signum(learning_rate: Any, beta: Any = 0.9, accumulator_dtype: Any = None) -> Optimizer:
    """The sign of the mean of gradients. Bernstein et al. (arXiv:1802.04434).

    Args:
        learning_rate: a number, or a schedule.
        beta: decay of the mean.
        accumulator_dtype: the dtype of the mean.

    Example:
        >>> from fxla import optim
        >>> tx = optim.signum(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        momentum.ema(beta, debias=False, accumulator_dtype=accumulator_dtype),
        scaling.scale_by_sign(),
        scaling.scale_by_learning_rate(learning_rate),
    )


def noisy_sgd(learning_rate: Any, eta: Any = 0.01, gamma: Any = 0.55, key: Any = 0) -> Optimizer:
    """`sgd` of gradients with noise. Neelakantan et al. (arXiv:1511.06807).

    Args:
        learning_rate: a number, or a schedule.
        eta: the variance of the first noise.
        gamma: how fast it falls.
        key: a key or a seed.

    Example:
        >>> from fxla import optim
        >>> tx = optim.noisy_sgd(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        decay.add_noise(eta, gamma, key),
        scaling.scale_by_learning_rate(learning_rate),
    )


def optimistic_gradient_descent(learning_rate: Any, alpha: Any = 1.0, beta: Any = 1.0) -> Optimizer:
    """`sgd` that expects the gradient to change as it did. Mokhtari et al. (arXiv:1901.08511).

    Args:
        learning_rate: a number, or a schedule.
        alpha: how much of the gradient.
        beta: how much of its change.

    Example:
        >>> from fxla import optim
        >>> tx = optim.optimistic_gradient_descent(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        momentum.scale_by_optimistic_gradient(alpha, beta),
        scaling.scale_by_learning_rate(learning_rate),
    )


def adafactor(
    learning_rate: Any = None,
    min_dim_size_to_factor: int = 128,
    decay_rate: Any = 0.8,
    decay_offset: int = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: Any = 1.0,
    momentum: Any = None,
    dtype_momentum: Any = None,
    weight_decay_rate: Any = None,
    eps: Any = 1e-30,
    factored: bool = True,
    weight_decay_mask: Any = None,
) -> Optimizer:
    """`adam` with little memory: mean squares by row and column. Shazeer, Stern (arXiv:1804.04235).

    Args:
        learning_rate: a number, or a schedule. None for 1.
        min_dim_size_to_factor: matrices with a shorter side keep all mean squares.
        decay_rate: the exponent of their decay.
        decay_offset: how many updates were made before, by another optimiser.
        multiply_by_parameter_scale: steps in proportion to the leaf's root mean square.
        clipping_threshold: the largest root mean square of an update; None for any.
        momentum: decay of the mean of updates; None for none.
        dtype_momentum: the dtype of that mean; that of the parameters if None.
        weight_decay_rate: how much of the parameters is added; None for nothing.
        eps: added to the squares.
        factored: whether matrices are factored.
        weight_decay_mask: which parameters decay.

    Example:
        >>> from fxla import optim
        >>> tx = optim.adafactor(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        _factored(factored, decay_rate, decay_offset, min_dim_size_to_factor, eps),
        identity()
        if clipping_threshold is None
        else clipping.clip_by_block_rms(clipping_threshold),
        scaling.scale_by_learning_rate(learning_rate, flip_sign=False),
        scaling.scale_by_param_block_rms() if multiply_by_parameter_scale else identity(),
        identity() if momentum is None else _mean(momentum, dtype_momentum),
        identity()
        if weight_decay_rate is None
        else decay.add_decayed_weights(weight_decay_rate, weight_decay_mask),
        scaling.scale(-1),
    )


def polyak_sgd(
    max_learning_rate: Any = 1.0,
    scaling: Any = 1.0,
    f_min: Any = 0.0,
    eps: Any = 0.0,
    variant: str = "sps",
) -> Optimizer:
    """`sgd` with Polyak's step size; its update takes ``value=``. Loizou et al. (arXiv:2002.10542).

    Args:
        max_learning_rate: the largest step size.
        scaling: a factor of all step sizes.
        f_min: a lower bound of the objective.
        eps: added to the squared norm of the gradient.
        variant: ``"sps"``, or ``"sps+"``, which takes no negative step.

    Example:
        >>> from fxla import optim
        >>> tx = optim.polyak_sgd()
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params, value=1.0)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        sgd(scaling),
        scale_by_polyak(f_min, max_learning_rate, eps, variant),
    )


def lbfgs(
    learning_rate: Any = None,
    memory_size: int = 10,
    scale_init_precond: bool = True,
    linesearch: GradientTransformation | None = _ZOOM,
) -> Optimizer:
    """L-BFGS with a line search; its update takes ``value=``, ``grad=`` and ``value_fn=``.

    Liu, Nocedal: "On the limited memory BFGS method for large scale optimization" (1989).
    `value_and_grad_from_state` saves the evaluation that the line search has made already.

    Args:
        learning_rate: a factor before the line search; 1 if None.
        memory_size: how many differences are kept.
        scale_init_precond: begin with a multiple of the identity that fits.
        linesearch: chained after the direction; None for none.

    Example:
        >>> from fxla import optim
        >>> tx = optim.lbfgs()
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update(
        ...     {"w": 4.0}, tx.init(params), params,
        ...     value=4.0, grad={"w": 4.0}, value_fn=lambda p: p["w"] ** 2)
        >>> bool(optim.apply_updates(params, updates)["w"] < 2.0)
        True
    """
    return chain(
        scale_by_lbfgs(memory_size, scale_init_precond),
        scaling.scale(-1.0)
        if learning_rate is None
        else scaling.scale_by_learning_rate(learning_rate),
        identity() if linesearch is None else linesearch,
    )
