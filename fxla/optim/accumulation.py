"""Gradients of several small batches as one update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla.core.pytree import tree_flatten, tree_map
from fxla.optim.conditional import either
from fxla.optim.transformation import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    safe_increment,
    with_extra_args_support,
    zero_count,
)
from fxla.optim.tree_math import abs_sq, tree_cast_like, tree_where, tree_zeros_like

__all__ = ["MultiSteps", "MultiStepsState", "skip_large_updates", "skip_not_finite"]


class MultiStepsState(NamedTuple):
    """Batches since the last update, updates, the optimiser's state, the mean, what was skipped."""

    mini_step: Any
    gradient_step: Any
    inner_opt_state: Any
    acc_grads: Any
    skip_state: Any = ()


def skip_not_finite(updates: Any, gradient_step: Any, params: Any) -> tuple[Any, dict[str, Any]]:
    """Says that a gradient with NaNs or infinities is to be skipped; for `MultiSteps`.

    Example:
        >>> skip_not_finite([float("nan")], 0, None)[0]
        Array(True)
    """
    bad = [fnp.sum(fnp.logical_not(fnp.isfinite(g))) for g in tree_flatten(updates)[0]]
    count = fnp.asarray(sum(bad))
    return count > 0, {"should_skip": count > 0, "num_not_finite": count}


def skip_large_updates(
    updates: Any, gradient_step: Any, params: Any, max_squared_norm: float
) -> tuple[Any, dict[str, Any]]:
    """Says that a gradient of a large norm is to be skipped; for `MultiSteps`.

    Example:
        >>> skip_large_updates([3.0], 0, None, max_squared_norm=4.0)[0]
        Array(True)
    """
    squared = fnp.asarray(sum(fnp.sum(abs_sq(g)) for g in tree_flatten(updates)[0]))
    skip = fnp.logical_not(squared < max_squared_norm)
    return skip, {"should_skip": skip, "norm_squared": squared}


class MultiSteps:
    """An optimiser that is asked every k-th time, for the mean of the gradients since.

    Args:
        opt: the optimiser.
        every_k_schedule: k, or a function of the number of updates that gives it.
        use_grad_mean: the mean; else the sum.
        should_skip_update_fn: takes gradients, the number of updates and parameters; says whether
            the gradients are not to count, and something to remember about it. See
            `skip_not_finite`.
        accumulator_dtype: the dtype of the mean; that of the gradients if None.

    Example:
        >>> from fxla import optim
        >>> optimizer = MultiSteps(optim.sgd(1.0), every_k_schedule=2)
        >>> first, state = optimizer.update([1.0], optimizer.init([0.0]))
        >>> first, optimizer.update([3.0], state)[0]
        ([Array(0.)], [Array(-2.)])
    """

    def __init__(
        self,
        opt: GradientTransformation,
        every_k_schedule: int | Callable[[Any], Any],
        use_grad_mean: bool = True,
        should_skip_update_fn: Callable[..., Any] | None = None,
        accumulator_dtype: Any = None,
    ) -> None:
        self._opt = with_extra_args_support(opt)
        self._every = every_k_schedule
        self._mean = use_grad_mean
        self._skip = should_skip_update_fn
        self._dtype = accumulator_dtype
        self._pair = GradientTransformationExtraArgs(self._init, self._update)

    @property
    def inner_opt(self) -> GradientTransformation:
        """The optimiser."""
        return self._opt

    def init(self, params: Any) -> MultiStepsState:
        """The state before the first batch."""
        state: MultiStepsState = self._pair.init(params)
        return state

    def update(
        self, updates: Any, state: MultiStepsState, params: Any = None, **extra_args: Any
    ) -> tuple[Any, MultiStepsState]:
        """Updates of zero, or every k-th time those of the optimiser; and the next state."""
        return self._pair.update(updates, state, params, **extra_args)

    def _init(self, params: Any) -> MultiStepsState:
        zeros = tree_zeros_like(params)
        skipped = () if self._skip is None else self._skip(zeros, zero_count(), params)[1]
        inner = self._opt.init(params)
        return MultiStepsState(
            zero_count(), zero_count(), inner, tree_zeros_like(params, self._dtype), skipped
        )

    def _add(self, g: Any, acc: Any, batches: Any) -> Any:
        if not self._mean:
            return (acc + g).astype(acc.dtype)
        return (acc + (g - acc) / (batches + 1).astype(acc.dtype)).astype(acc.dtype)

    def _update(
        self, updates: Any, state: MultiStepsState, params: Any = None, **extra_args: Any
    ) -> tuple[Any, MultiStepsState]:
        every = self._every
        k = every(state.gradient_step) if callable(every) else every
        skip, skipped = fnp.asarray(False), ()
        if self._skip is not None:
            skip, skipped = self._skip(updates, state.gradient_step, params)
        total = tree_map(
            lambda g, acc: self._add(g, acc, state.mini_step), updates, state.acc_grads
        )
        last = fnp.logical_and(state.mini_step == k - 1, fnp.logical_not(skip))
        emitted, inner = either(
            last, self._opt, tree_zeros_like(updates), tree_cast_like(total, updates),
            state.inner_opt_state, params, extra_args,
        )  # fmt: skip
        kept = tree_map(lambda acc: fnp.where(last, fnp.zeros_like(acc), acc), total)
        place = (safe_increment(state.mini_step) % k).astype(fnp.int32)
        return emitted, MultiStepsState(
            fnp.where(skip, state.mini_step, place),
            fnp.where(last, safe_increment(state.gradient_step), state.gradient_step),
            inner,
            tree_where(skip, state.acc_grads, kept),
            skipped,
        )

    def has_updated(self, state: MultiStepsState) -> Any:
        """Whether the last batch completed an update."""
        return fnp.logical_and(state.mini_step == 0, state.gradient_step > 0)

    def gradient_transformation(self) -> GradientTransformationExtraArgs:
        """This as a pair of functions, to be chained."""
        return self._pair
