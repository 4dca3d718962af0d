"""Sums and means of past updates: momentum, averages, accumulation, optimism."""

from __future__ import annotations

from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla.core.pytree import tree_map
from fxla.optim.transformation import GradientTransformation, safe_increment, zero_count
from fxla.optim.tree_math import (
    like,
    tree_bias_correction,
    tree_cast,
    tree_update_moment,
    tree_zeros_like,
)

__all__ = [
    "ApplyEvery",
    "EmaState",
    "ScaleByOptimisticGradientState",
    "TraceState",
    "apply_every",
    "ema",
    "scale_by_optimistic_gradient",
    "trace",
]


class TraceState(NamedTuple):
    """The decaying sum of past updates."""

    trace: Any


def trace(
    decay: Any, nesterov: bool = False, accumulator_dtype: Any = None
) -> GradientTransformation:
    """Momentum: ``t = g + decay t``, and the update is t, or ``g + decay t`` anew by Nesterov.

    Sutskever et al.: "On the importance of initialization and momentum" (ICML 2013).

    Args:
        decay: what stays of the sum in a step.
        nesterov: whether the update looks one step ahead.
        accumulator_dtype: the dtype of the sum; that of the parameters if None.

    Example:
        >>> tx = trace(0.5)
        >>> state = tx.init([0.0])
        >>> updates, state = tx.update([1.0], state)
        >>> tx.update([1.0], state)[0]
        [Array(1.5)]
    """

    def init(params: Any) -> TraceState:
        return TraceState(tree_zeros_like(params, accumulator_dtype))

    def update(updates: Any, state: TraceState, params: Any = None) -> tuple[Any, TraceState]:
        total = tree_map(lambda g, t: fnp.asarray(g + decay * t), updates, state.trace)
        if nesterov:
            updates = tree_map(lambda g, t: fnp.asarray(g + decay * t), updates, total)
        else:
            updates = total
        return updates, TraceState(tree_cast(total, accumulator_dtype))

    return GradientTransformation(init, update)


class EmaState(NamedTuple):
    """How many updates were made, and their running mean."""

    count: Any
    ema: Any


def ema(decay: Any, debias: bool = True, accumulator_dtype: Any = None) -> GradientTransformation:
    """The exponential moving average ``m = decay m + (1 - decay) g``.

    Args:
        decay: what stays of the mean in a step.
        debias: divide by ``1 - decay^count``, as the mean began at zero.
        accumulator_dtype: the dtype of the mean; that of the parameters if None.

    Example:
        >>> tx = ema(0.5)
        >>> tx.update([1.0], tx.init([0.0]))[0]
        [Array(1.)]
    """

    def init(params: Any) -> EmaState:
        return EmaState(zero_count(), tree_zeros_like(params, accumulator_dtype))

    def update(updates: Any, state: EmaState, params: Any = None) -> tuple[Any, EmaState]:
        count = safe_increment(state.count)
        mean = tree_map(fnp.asarray, tree_update_moment(updates, state.ema, decay, 1))
        updates = tree_bias_correction(mean, decay, count) if debias else mean
        return tree_map(fnp.asarray, updates), EmaState(count, tree_cast(mean, accumulator_dtype))

    return GradientTransformation(init, update)


class ApplyEvery(NamedTuple):
    """The place in the period, and the sum since it began."""

    count: Any
    grad_acc: Any


def apply_every(k: Any = 1) -> GradientTransformation:
    """The sum of k updates, every k-th time; zeros in between.

    Transformations before it in a chain see every gradient; `MultiSteps` keeps them from that.

    Example:
        >>> tx = apply_every(2)
        >>> first, state = tx.update([1.0], tx.init([0.0]))
        >>> second, state = tx.update([1.0], state)
        >>> first, second
        ([Array(0.)], [Array(2.)])
    """

    def init(params: Any) -> ApplyEvery:
        return ApplyEvery(zero_count(), tree_zeros_like(params))

    def update(updates: Any, state: ApplyEvery, params: Any = None) -> tuple[Any, ApplyEvery]:
        place = state.count % k
        total = tree_map(lambda g, acc: fnp.where(place == 0, g, g + acc), updates, state.grad_acc)
        emitted = tree_map(lambda acc: fnp.where(place == k - 1, acc, like(0, acc)), total)
        return emitted, ApplyEvery((safe_increment(state.count) % k).astype(fnp.int32), total)

    return GradientTransformation(init, update)


class ScaleByOptimisticGradientState(NamedTuple):
    """Whether no update was made yet, and the last gradient."""

    is_initial_step: Any
    previous_gradient: Any


def scale_by_optimistic_gradient(alpha: Any = 1.0, beta: Any = 1.0) -> GradientTransformation:
    """``(alpha + beta) g - beta g'``, where g' is the previous gradient.

    Mokhtari, Ozdaglar, Pattathil: "A unified analysis of extra-gradient and optimistic gradient
    methods" (arXiv:1901.08511).

    Example:
        >>> tx = scale_by_optimistic_gradient()
        >>> first, state = tx.update([1.0], tx.init([0.0]))
        >>> tx.update([2.0], state)[0]
        [Array(3.)]
    """

    def init(params: Any) -> ScaleByOptimisticGradientState:
        return ScaleByOptimisticGradientState(fnp.asarray(True), tree_zeros_like(params))

    def update(
        updates: Any, state: ScaleByOptimisticGradientState, params: Any = None
    ) -> tuple[Any, ScaleByOptimisticGradientState]:
        def ahead(g: Any, before: Any) -> Any:
            before = fnp.where(state.is_initial_step, g, before)
            return fnp.asarray((alpha + beta) * g - beta * before)

        new = tree_map(ahead, updates, state.previous_gradient)
        kept = tree_map(fnp.asarray, updates)
        return new, ScaleByOptimisticGradientState(fnp.asarray(False), kept)

    return GradientTransformation(init, update)
