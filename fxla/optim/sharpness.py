"""Sharpness-aware minimisation: the gradient from where the loss near the parameters is high."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla.core.pytree import tree_map
from fxla.core.trace import where_am_i
from fxla.nn import apply_updates
from fxla.optim.transformation import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    required,
    with_extra_args_support,
    zero_count,
)
from fxla.optim.tree_math import tree_scale, tree_where

__all__ = ["SAMState", "sam"]


class SAMState(NamedTuple):
    """Steps since the last outer update, both optimisers' states, and the outer parameters."""

    steps_since_sync: Any
    opt_state: Any
    adv_state: Any
    cache: Any


def sam(
    optimizer: GradientTransformation,
    adv_optimizer: GradientTransformation,
    sync_period: int = 2,
    reset_state: bool = True,
    opaque_mode: bool = False,
) -> GradientTransformationExtraArgs:
    """Steps uphill by one optimiser, then one from where they began, with the gradient up there.

    Foret, Kleiner, Mobahi, Neyshabur: "Sharpness-aware minimization" (arXiv:2010.01412), where
    ``adv_optimizer`` is ``chain(normalize_by_update_norm(eps=0.0), sgd(rho))``. It is what optax
    has as ``optax.contrib.sam``.

    Args:
        optimizer: makes the outer updates.
        adv_optimizer: its updates are made backward, uphill.
        sync_period: every so many updates one is an outer one.
        reset_state: whether `adv_optimizer` begins anew after an outer update.
        opaque_mode: whether all steps of a period are made in one ``update``, which then needs
            ``grad_fn=``: a function of parameters and the step in the period, from 0.

    Raises:
        ValueError: if `sync_period` is not positive, or if ``grad_fn`` is not given where it is
            needed.

    Example:
        >>> import fxla
        >>> from fxla import optim
        >>> uphill = optim.chain(optim.normalize_by_update_norm(eps=0.0), optim.sgd(0.05))
        >>> tx = optim.sam(optim.sgd(0.1), uphill, opaque_mode=True)
        >>> gradient = fxla.grad(lambda p, step: p**2)
        >>> updates, state = tx.update(gradient(1.0, 0), tx.init(1.0), 1.0, grad_fn=gradient)
        >>> round(float(updates), 6)  # -0.1 times the gradient at 1.05
        -0.21
    """
    if sync_period < 1:
        raise ValueError(
            f"optim.sam: sync_period must be at least 1, not {sync_period}{where_am_i()}"
        )
    outer, uphill = with_extra_args_support(optimizer), with_extra_args_support(adv_optimizer)

    def init(params: Any) -> SAMState:
        # Copies: the caller may go on writing into the parameters.
        cache = None if opaque_mode else tree_map(fnp.array, params)
        return SAMState(zero_count(), outer.init(params), uphill.init(params), cache)

    def visible(
        updates: Any, state: SAMState, params: Any = None, **extra_args: Any
    ) -> tuple[Any, SAMState]:
        params = required(params, "optim.sam")
        last = state.steps_since_sync == sync_period - 1
        begin = tree_where(state.steps_since_sync == 0, params, state.cache)
        up, adv_state = uphill.update(updates, state.adv_state, params, **extra_args)
        down, opt_state = outer.update(updates, state.opt_state, begin, **extra_args)
        back = tree_map(lambda b, p, u: b - p + u, begin, params, down)
        after = uphill.init(params) if reset_state else state.adv_state
        return tree_where(last, back, tree_scale(-1, up)), SAMState(
            (state.steps_since_sync + 1) % sync_period,
            tree_where(last, opt_state, state.opt_state),
            tree_where(last, after, adv_state),
            begin,
        )

    def opaque(
        updates: Any,
        state: SAMState,
        params: Any = None,
        *,
        grad_fn: Callable[[Any, int], Any] | None = None,
        **extra_args: Any,
    ) -> tuple[Any, SAMState]:
        if grad_fn is None:
            raise ValueError(
                "optim.sam: opaque_mode=True needs the gradient's function; call "
                "optimizer.update(grads, state, params, grad_fn=lambda params, step: "
                f"...){where_am_i()}"
            )
        place, adv_state = required(params, "optim.sam"), state.adv_state
        for step in range(sync_period - 1):
            up, adv_state = uphill.update(updates, adv_state, place, **extra_args)
            place = apply_updates(place, tree_scale(-1, up))
            updates = grad_fn(place, step)
        updates, opt_state = outer.update(updates, state.opt_state, params, **extra_args)
        after = uphill.init(params) if reset_state else adv_state
        return updates, SAMState(zero_count(), opt_state, after, None)

    return GradientTransformationExtraArgs(init, opaque if opaque_mode else visible)
