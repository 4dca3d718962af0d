"""Gradients times an approximate inverse of the Hessian: L-BFGS."""

from __future__ import annotations

from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla import lax
from fxla.core.pytree import tree_map
from fxla.core.trace import where_am_i
from fxla.optim.transformation import (
    GradientTransformation,
    required,
    safe_increment,
    zero_count,
)
from fxla.optim.tree_math import (
    like,
    tree_add_scale,
    tree_cast_like,
    tree_norm,
    tree_scale,
    tree_sub,
    tree_vdot,
    tree_zeros_like,
)

__all__ = ["ScaleByLBFGSState", "scale_by_lbfgs"]


class ScaleByLBFGSState(NamedTuple):
    """Updates made, the last parameters and gradients, their differences, and 1 / products."""

    count: Any
    params: Any
    updates: Any
    diff_params_memory: Any
    diff_updates_memory: Any
    weights_memory: Any


def _dot(x: Any, y: Any) -> Any:
    return fnp.real(tree_vdot(x, y))


def _preconditioned(updates: Any, pairs: Any, weights: Any, scale: Any, oldest: Any) -> Any:
    """The two loops of Nocedal, Wright: "Numerical optimization", algorithm 7.4."""
    size = weights.shape[0]
    places = (oldest + fnp.arange(size)) % size

    def newest_first(direction: Any, place: Any) -> tuple[Any, Any]:
        of_params, of_updates = tree_map(lambda x: x[place], pairs)
        alpha = weights[place] * _dot(of_params, direction)
        following = tree_add_scale(direction, -alpha, of_updates)
        return tree_cast_like(following, direction), alpha

    def oldest_first(direction: Any, place_alpha: Any) -> tuple[Any, None]:
        place, alpha = place_alpha
        of_params, of_updates = tree_map(lambda x: x[place], pairs)
        beta = weights[place] * _dot(of_updates, direction)
        following = tree_add_scale(direction, alpha - beta, of_params)
        return tree_cast_like(following, direction), None

    direction, alphas = lax.scan(newest_first, updates, places, reverse=True)
    direction = tree_scale(scale, direction)
    return lax.scan(oldest_first, direction, (places, alphas))[0]


def scale_by_lbfgs(
    memory_size: int = 10, scale_init_precond: bool = True
) -> GradientTransformation:
    """Gradients times the inverse Hessian that their last differences suggest.

    Liu, Nocedal: "On the limited memory BFGS method for large scale optimization" (1989).

    Args:
        memory_size: how many differences are kept.
        scale_init_precond: begin with a multiple of the identity that fits the last difference
            (and at first with one that makes the step no longer than 1).

    Raises:
        ValueError: if the memory is empty.

    Example:
        >>> tx = scale_by_lbfgs()
        >>> tx.update(0.5, tx.init(1.0), 1.0)[0]
        Array(0.5)
    """
    if memory_size < 1:
        raise ValueError(
            f"optim.scale_by_lbfgs: memory_size must be at least 1, not {memory_size}{where_am_i()}"
        )

    def init(params: Any) -> ScaleByLBFGSState:
        params = tree_map(fnp.asarray, params)
        memory = tree_map(lambda p: fnp.zeros((memory_size, *p.shape), p.dtype), params)
        zeros = tree_zeros_like(params)
        weights = fnp.zeros(memory_size, fnp.asarray(_dot(zeros, zeros)).dtype)
        return ScaleByLBFGSState(zero_count(), zeros, zeros, memory, memory, weights)

    def update(
        updates: Any, state: ScaleByLBFGSState, params: Any = None
    ) -> tuple[Any, ScaleByLBFGSState]:
        params = tree_map(fnp.asarray, required(params, "optim.scale_by_lbfgs"))
        updates = tree_map(fnp.asarray, updates)
        later = state.count > 0
        newest = (state.count - 1) % memory_size

        def difference(new: Any, old: Any) -> Any:
            return tree_map(lambda d: fnp.where(later, d, like(0, d)), tree_sub(new, old))

        of_params = difference(params, state.params)
        of_updates = difference(updates, state.updates)
        product = _dot(of_updates, of_params)
        weight = fnp.where(product == 0, 0, 1 / fnp.where(product == 0, 1, product))
        pairs: Any = tree_map(
            lambda memory, x: memory.at[newest].set(x),
            (state.diff_params_memory, state.diff_updates_memory),
            (of_params, of_updates),
        )
        weights = state.weights_memory.at[newest].set(weight)
        scale: Any = 1.0
        if scale_init_precond:
            squared = tree_norm(of_updates, squared=True)
            fitted = fnp.where(squared > 0, product / fnp.where(squared > 0, squared, 1), 1)
            length = tree_norm(tree_map(lax.stop_gradient, updates))
            scale = fnp.where(later, fitted, 1 / fnp.maximum(length, 1))
        direction = _preconditioned(updates, pairs, weights, scale, state.count % memory_size)
        return direction, ScaleByLBFGSState(
            safe_increment(state.count), params, updates, pairs[0], pairs[1], weights
        )

    return GradientTransformation(init, update)
