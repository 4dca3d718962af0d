"""Updates scaled by squares of past gradients alone: RMSProp and its relatives."""

from __future__ import annotations

from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla.core.pytree import tree_map
from fxla.optim.transformation import GradientTransformation, safe_increment, zero_count
from fxla.optim.tree_math import (
    abs_sq,
    tree_bias_correction,
    tree_full_like,
    tree_update_moment,
    tree_update_moment_per_elem_norm,
    tree_zeros_like,
)

__all__ = [
    "ScaleByAdaDeltaState",
    "ScaleByRStdDevState",
    "ScaleByRmsState",
    "ScaleByRpropState",
    "ScaleByRssState",
    "scale_by_adadelta",
    "scale_by_rms",
    "scale_by_rprop",
    "scale_by_rss",
    "scale_by_stddev",
]


class ScaleByRssState(NamedTuple):
    """The sum of squares of all gradients."""

    sum_of_squares: Any


def scale_by_rss(initial_accumulator_value: Any = 0.1, eps: Any = 1e-7) -> GradientTransformation:
    """``g / sqrt(s + eps)``, where s is the sum of all g^2; 0 where s is 0.

    Duchi, Hazan, Singer: "Adaptive subgradient methods" (JMLR 12, 2011).

    Example:
        >>> tx = scale_by_rss(initial_accumulator_value=0.0, eps=0.0)
        >>> tx.update([-3.0], tx.init([0.0]))[0]
        [Array(-1.)]
    """

    def init(params: Any) -> ScaleByRssState:
        return ScaleByRssState(tree_full_like(params, initial_accumulator_value))

    def update(
        updates: Any, state: ScaleByRssState, params: Any = None
    ) -> tuple[Any, ScaleByRssState]:
        total = tree_map(lambda g, s: abs_sq(g) + s, updates, state.sum_of_squares)
        updates = tree_map(
            lambda g, s: fnp.where(s > 0, g / fnp.sqrt(fnp.where(s > 0, s + eps, 1)), 0),
            updates,
            total,
        )
        return updates, ScaleByRssState(total)

    return GradientTransformation(init, update)


class ScaleByRmsState(NamedTuple):
    """How many updates were made (None if nobody asks), and the running mean of g^2."""

    count: Any
    nu: Any


def _under(v: Any, eps: Any, eps_in_sqrt: bool) -> Any:
    """The denominator of an update."""
    return fnp.sqrt(v + eps) if eps_in_sqrt else fnp.sqrt(v) + eps


def scale_by_rms(
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> GradientTransformation:
    """``g / sqrt(v + eps)``, where v is the running mean of g^2.

    Tieleman, Hinton: "RMSProp" (Coursera, lecture 6.5, 2012).

    Args:
        decay: of the running mean.
        eps: keeps from dividing by zero.
        initial_scale: what the mean begins with.
        eps_in_sqrt: whether `eps` is added under the root, or to it.
        bias_correction: divide the mean by the sum of its weights.

    Example:
        >>> tx = scale_by_rms(decay=0.75, eps=0.0)
        >>> tx.update([-3.0], tx.init([0.0]))[0]
        [Array(-2.)]
    """

    def init(params: Any) -> ScaleByRmsState:
        count = zero_count() if bias_correction else None
        return ScaleByRmsState(count, tree_full_like(params, initial_scale))

    def update(
        updates: Any, state: ScaleByRmsState, params: Any = None
    ) -> tuple[Any, ScaleByRmsState]:
        nu = tree_map(fnp.asarray, tree_update_moment_per_elem_norm(updates, state.nu, decay, 2))
        count, second = state.count, nu
        if bias_correction:
            count = safe_increment(state.count)
            second = tree_bias_correction(nu, decay, count)
        updates = tree_map(
            lambda g, v: fnp.asarray(g / _under(v, eps, eps_in_sqrt)), updates, second
        )
        return updates, ScaleByRmsState(count, nu)

    return GradientTransformation(init, update)


class ScaleByRStdDevState(NamedTuple):
    """How many updates were made (None if nobody asks), and the running means of g and g^2."""

    count: Any
    mu: Any
    nu: Any


def scale_by_stddev(
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> GradientTransformation:
    """``g / sqrt(v - m^2 + eps)``: `scale_by_rms`, of the variance of the gradient.

    Graves: "Generating sequences with recurrent neural networks" (arXiv:1308.0850).

    Example:
        >>> tx = scale_by_stddev(decay=0.5, eps=0.0)
        >>> tx.update([-3.0], tx.init([0.0]))[0]
        [Array(-2.)]
    """

    def init(params: Any) -> ScaleByRStdDevState:
        count = zero_count() if bias_correction else None
        return ScaleByRStdDevState(
            count, tree_zeros_like(params), tree_full_like(params, initial_scale)
        )

    def update(
        updates: Any, state: ScaleByRStdDevState, params: Any = None
    ) -> tuple[Any, ScaleByRStdDevState]:
        mu = tree_map(fnp.asarray, tree_update_moment(updates, state.mu, decay, 1))
        nu = tree_map(fnp.asarray, tree_update_moment_per_elem_norm(updates, state.nu, decay, 2))
        count, first, second = state.count, mu, nu
        if bias_correction:
            count = safe_increment(state.count)
            first = tree_bias_correction(mu, decay, count)
            second = tree_bias_correction(nu, decay, count)
        updates = tree_map(
            lambda g, m, v: fnp.asarray(g / _under(v - abs_sq(m), eps, eps_in_sqrt)),
            updates,
            first,
            second,
        )
        return updates, ScaleByRStdDevState(count, mu, nu)

    return GradientTransformation(init, update)


class ScaleByAdaDeltaState(NamedTuple):
    """Running means of the squares of gradients and of updates."""

    e_g: Any
    e_x: Any


def scale_by_adadelta(rho: Any = 0.9, eps: Any = 1e-6) -> GradientTransformation:
    """``g sqrt(e_x + eps) / sqrt(e_g + eps)`` of the running means of squared updates and g^2.

    Zeiler: "ADADELTA" (arXiv:1212.5701).

    Example:
        >>> tx = scale_by_adadelta(rho=0.75, eps=1.0)
        >>> float(tx.update([2.0], tx.init([0.0]))[0][0].round(6))
        1.414214
    """

    def init(params: Any) -> ScaleByAdaDeltaState:
        return ScaleByAdaDeltaState(tree_zeros_like(params), tree_zeros_like(params))

    def update(
        updates: Any, state: ScaleByAdaDeltaState, params: Any = None
    ) -> tuple[Any, ScaleByAdaDeltaState]:
        e_g = tree_map(fnp.asarray, tree_update_moment(updates, state.e_g, rho, 2))
        updates = tree_map(
            lambda g, of_g, of_x: fnp.asarray(fnp.sqrt(of_x + eps) / fnp.sqrt(of_g + eps) * g),
            updates,
            e_g,
            state.e_x,
        )
        e_x = tree_map(fnp.asarray, tree_update_moment(updates, state.e_x, rho, 2))
        return updates, ScaleByAdaDeltaState(e_g, e_x)

    return GradientTransformation(init, update)


class ScaleByRpropState(NamedTuple):
    """The step size of each parameter, and the last updates."""

    step_sizes: Any
    prev_updates: Any


def scale_by_rprop(
    learning_rate: Any,
    eta_minus: Any = 0.5,
    eta_plus: Any = 1.2,
    min_step_size: Any = 1e-6,
    max_step_size: Any = 50.0,
) -> GradientTransformation:
    """Steps by the sign of the gradient, longer while it stays and shorter when it turns.

    As the paper says, and unlike optax's, which applies each step one update late. Riedmiller,
    Braun: "A direct adaptive method for faster backpropagation learning" (1993).

    Args:
        learning_rate: the first step size.
        eta_minus: the factor where the sign has turned; the step is left out there.
        eta_plus: the factor where it is the same.
        min_step_size: the shortest step.
        max_step_size: the longest.

    Example:
        >>> tx = scale_by_rprop(0.5)
        >>> tx.update([-3.0], tx.init([0.0]))[0]
        [Array(-0.5)]
    """

    def init(params: Any) -> ScaleByRpropState:
        return ScaleByRpropState(tree_full_like(params, learning_rate), tree_zeros_like(params))

    def update(
        updates: Any, state: ScaleByRpropState, params: Any = None
    ) -> tuple[Any, ScaleByRpropState]:
        turns = tree_map(lambda g, before: g * before, updates, state.prev_updates)
        sizes = tree_map(
            lambda s, size: fnp.where(
                s == 0,
                size,
                fnp.clip(
                    size * fnp.where(s > 0, eta_plus, eta_minus).astype(size.dtype),
                    min_step_size,
                    max_step_size,
                ),
            ),
            turns,
            state.step_sizes,
        )
        steps = tree_map(
            lambda s, g, size: fnp.where(s < 0, 0, size * fnp.sign(g)), turns, updates, sizes
        )
        return steps, ScaleByRpropState(sizes, steps)

    return GradientTransformation(init, update)
