"""Updates that are made under a condition only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla import lax
from fxla.core.pytree import tree_flatten, tree_map
from fxla.optim.transformation import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    safe_increment,
    with_extra_args_support,
    zero_count,
)
from fxla.optim.tree_math import tree_zeros_like

__all__ = [
    "ApplyIfFiniteState",
    "ConditionallyMaskState",
    "ConditionallyTransformState",
    "apply_if_finite",
    "conditionally_mask",
    "conditionally_transform",
]


def either(condition: Any, tx: Any, otherwise: Any, updates: Any, state: Any, *args: Any) -> Any:
    """``tx.update`` where a condition holds, else other updates and the state as it was."""
    params, extra_args = args

    def do(updates: Any, state: Any, other: Any) -> Any:
        new, after = tx.update(updates, state, params, **extra_args)
        return tree_map(lambda n, o: fnp.asarray(n).astype(o.dtype), new, other), after

    def leave(updates: Any, state: Any, other: Any) -> Any:
        return other, state

    other, updates, state = tree_map(fnp.asarray, (otherwise, updates, state))
    return lax.cond(condition, do, leave, updates, state, other)


def _conditionally(
    inner: GradientTransformation,
    should_transform_fn: Callable[..., Any],
    forward_extra_args: bool,
    state_of: Callable[[Any, Any], Any],
    otherwise: Callable[[Any], Any],
) -> GradientTransformationExtraArgs:
    """A transformation where a condition on the step holds, else what `otherwise` makes of updates.

    `state_of` takes the step and the inner state, whose order optax has differently in the two.
    """
    tx = with_extra_args_support(inner)

    def init(params: Any) -> Any:
        return state_of(zero_count(), tx.init(params))

    def update(updates: Any, state: Any, params: Any = None, **extra_args: Any) -> tuple[Any, Any]:
        given = extra_args if forward_extra_args else {}
        updates, after = either(
            should_transform_fn(state.step, **given), tx, otherwise(updates), updates,
            state.inner_state, params, extra_args,
        )  # fmt: skip
        return updates, state_of(safe_increment(state.step), after)

    return GradientTransformationExtraArgs(init, update)


class ConditionallyTransformState(NamedTuple):
    """The transformation's state, and how many updates were seen."""

    inner_state: Any
    step: Any


def conditionally_transform(
    inner: GradientTransformation,
    should_transform_fn: Callable[..., Any],
    forward_extra_args: bool = False,
) -> GradientTransformationExtraArgs:
    """A transformation where ``should_transform_fn(step)`` holds; else the updates stay.

    Args:
        inner: the transformation.
        should_transform_fn: takes the number of updates seen.
        forward_extra_args: whether it takes the update's keyword arguments, too.

    Example:
        >>> from fxla import optim
        >>> tx = conditionally_transform(optim.scale(10.0), lambda step: step >= 1)
        >>> first, state = tx.update([1.0], tx.init([0.0]))
        >>> first, tx.update([1.0], state)[0]
        ([Array(1.)], [Array(10.)])
    """
    return _conditionally(
        inner,
        should_transform_fn,
        forward_extra_args,
        lambda step, inner_state: ConditionallyTransformState(inner_state, step),
        lambda updates: updates,
    )


class ConditionallyMaskState(NamedTuple):
    """How many updates were seen, and the transformation's state."""

    step: Any
    inner_state: Any


def conditionally_mask(
    inner: GradientTransformation,
    should_transform_fn: Callable[..., Any],
    forward_extra_args: bool = False,
) -> GradientTransformationExtraArgs:
    """A transformation where ``should_transform_fn(step)`` holds; else updates of zero.

    Args:
        inner: the transformation.
        should_transform_fn: takes the number of updates seen.
        forward_extra_args: whether it takes the update's keyword arguments, too.

    Example:
        >>> from fxla import optim
        >>> tx = conditionally_mask(optim.scale(10.0), lambda step: step >= 1)
        >>> first, state = tx.update([1.0], tx.init([0.0]))
        >>> first, tx.update([1.0], state)[0]
        ([Array(0.)], [Array(10.)])
    """
    return _conditionally(
        inner, should_transform_fn, forward_extra_args, ConditionallyMaskState, tree_zeros_like
    )


class ApplyIfFiniteState(NamedTuple):
    """NaNs and infinities in a row, whether the last update had none, how often in all."""

    notfinite_count: Any
    last_finite: Any
    total_notfinite: Any
    inner_state: Any


def apply_if_finite(
    inner: GradientTransformation, max_consecutive_errors: int
) -> GradientTransformationExtraArgs:
    """Updates of zero, and the state as it was, where a gradient has a NaN or an infinity.

    Args:
        inner: the transformation.
        max_consecutive_errors: after so many in a row the update is made all the same.

    Example:
        >>> from fxla import optim
        >>> tx = apply_if_finite(optim.sgd(1.0), 3)
        >>> updates, state = tx.update([float("nan")], tx.init([0.0]))
        >>> updates, int(state.total_notfinite)
        ([Array(0.)], 1)
    """
    tx = with_extra_args_support(inner)

    def init(params: Any) -> ApplyIfFiniteState:
        state = tx.init(params)
        return ApplyIfFiniteState(zero_count(), fnp.asarray(True), zero_count(), state)

    def update(
        updates: Any, state: ApplyIfFiniteState, params: Any = None, **extra_args: Any
    ) -> tuple[Any, ApplyIfFiniteState]:
        finite = fnp.asarray(True)
        for g in tree_flatten(updates)[0]:
            finite = fnp.logical_and(finite, fnp.all(fnp.isfinite(g)))
        in_a_row = fnp.where(finite, 0, safe_increment(state.notfinite_count))
        total = safe_increment(state.total_notfinite)
        updates, after = either(
            fnp.logical_or(finite, in_a_row > max_consecutive_errors), tx,
            tree_zeros_like(updates), updates, state.inner_state, params, extra_args,
        )  # fmt: skip
        return updates, ApplyIfFiniteState(
            in_a_row, finite, fnp.where(finite, state.total_notfinite, total), after
        )

    return GradientTransformationExtraArgs(init, update)
