"""Two sets of parameters: fast ones that explore, slow ones that follow."""

from __future__ import annotations

from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla.core.pytree import tree_map
from fxla.core.trace import where_am_i
from fxla.optim.transformation import (
    GradientTransformation,
    required,
    zero_count,
)
from fxla.optim.tree_math import like, tree_where

__all__ = ["LookaheadParams", "LookaheadState", "lookahead"]


class LookaheadState(NamedTuple):
    """The fast optimiser's state, and the updates since the sets met."""

    fast_state: Any
    steps_since_sync: Any


class LookaheadParams(NamedTuple):
    """The parameters that gradients are taken at, and those that follow them."""

    fast: Any
    slow: Any

    @classmethod
    def init_synced(cls, params: Any) -> LookaheadParams:
        """Both sets equal, as before the first update."""
        return cls(fast=params, slow=params)


def lookahead(
    fast_optimizer: GradientTransformation,
    sync_period: int,
    slow_step_size: float,
    reset_state: bool = False,
) -> GradientTransformation:
    """Every `sync_period` updates the slow parameters go a part of the way, the fast ones back.

    Its parameters are `LookaheadParams`; its gradients are those at the fast ones. Zhang et al.:
    "Lookahead optimizer: k steps forward, 1 step back" (arXiv:1907.08610).

    Args:
        fast_optimizer: the optimiser of the fast parameters.
        sync_period: how many updates it makes between meetings.
        slow_step_size: which part of the way the slow parameters go.
        reset_state: whether the fast optimiser begins anew then.

    Raises:
        ValueError: if the period is not positive.

    Example:
        >>> from fxla import optim
        >>> tx = lookahead(optim.sgd(1.0), sync_period=1, slow_step_size=0.5)
        >>> params = LookaheadParams.init_synced(4.0)
        >>> updates, _ = tx.update(2.0, tx.init(params), params)
        >>> optim.apply_updates(params, updates)
        LookaheadParams(fast=Array(3.), slow=Array(3.))
    """
    if sync_period < 1:
        raise ValueError(
            f"optim.lookahead: sync_period must be at least 1, not {sync_period}{where_am_i()}"
        )

    def init(params: Any) -> LookaheadState:
        return LookaheadState(fast_optimizer.init(getattr(params, "fast", params)), zero_count())

    def update(
        updates: Any, state: LookaheadState, params: Any = None
    ) -> tuple[Any, LookaheadState]:
        params = required(params, "optim.lookahead")
        updates, fast = fast_optimizer.update(updates, state.fast_state, params.fast)
        meet = state.steps_since_sync == sync_period - 1
        way = tree_map(lambda f, u, s: f + u - s, params.fast, updates, params.slow)
        slow = tree_map(lambda d: fnp.where(meet, slow_step_size * d, like(0, d)), way)
        back = tree_map(lambda u, d: fnp.where(meet, u - (1 - slow_step_size) * d, u), updates, way)
        if reset_state:
            fast = tree_where(meet, fast_optimizer.init(params.fast), fast)
        since = ((state.steps_since_sync + 1) % sync_period).astype(fnp.int32)
        return LookaheadParams(back, slow), LookaheadState(fast, since)

    return GradientTransformation(init, update)
