"""NovoGrad: a mean of gradients, each divided by the running norm of its own leaf."""

from __future__ import annotations

from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla.core.pytree import tree_map
from fxla.optim import scaling
from fxla.optim.combine import chain
from fxla.optim.transformation import (
    GradientTransformation,
    required,
    safe_increment,
    zero_count,
)
from fxla.optim.transformation import GradientTransformationExtraArgs as Optimizer
from fxla.optim.tree_math import abs_sq, like, tree_cast, tree_zeros_like

__all__ = ["ScaleByNovogradState", "novograd", "scale_by_novograd"]


class ScaleByNovogradState(NamedTuple):
    """How many updates were made, their sum with decay, and the running ``|g|^2`` of each leaf."""

    count: Any
    mu: Any
    nu: Any


def scale_by_novograd(
    b1: Any = 0.9,
    b2: Any = 0.25,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
    mu_dtype: Any = None,
) -> GradientTransformation:
    """``m = b1 m + g / (sqrt(v) + eps) + weight_decay p``, v being a number for each leaf.

    ``v = b2 v + (1 - b2) |g|^2``, and ``|g|^2`` in the first step.
    Ginsburg et al.: "Stochastic gradient methods with layer-wise adaptive moments"
    (arXiv:1905.11286), algorithm 1.

    Args:
        b1: decay of the sum of directions.
        b2: decay of the squared norms.
        eps: added to the root.
        eps_root: added under the root.
        weight_decay: how much of the parameters is added.
        mu_dtype: the dtype in which the sum is kept; that of the parameters if None.

    Example:
        >>> tx = scale_by_novograd(eps=0.0)
        >>> tx.update([fnp.array([3.0, 4.0])], tx.init([fnp.zeros(2)]), [fnp.zeros(2)])[0]
        [Array([0.6, 0.8])]
    """

    def init(params: Any) -> ScaleByNovogradState:
        squares = tree_map(lambda p: fnp.zeros((), abs_sq(fnp.asarray(p)).dtype), params)
        return ScaleByNovogradState(zero_count(), tree_zeros_like(params, mu_dtype), squares)

    def update(
        updates: Any, state: ScaleByNovogradState, params: Any = None
    ) -> tuple[Any, ScaleByNovogradState]:
        first = state.count == 0

        def squared_norm(g: Any, v: Any) -> Any:
            new = fnp.sum(abs_sq(g)).astype(v.dtype)
            return fnp.where(first, new, like(b2, v) * v + (1 - like(b2, v)) * new)

        def moved(m: Any, g: Any, v: Any, p: Any) -> Any:
            direction = g / (fnp.sqrt(v + like(eps_root, v)) + like(eps, v))
            # In the first step m is zero.
            return like(b1, m) * m + direction + like(weight_decay, p) * p

        nu = tree_map(squared_norm, updates, state.nu)
        mu = tree_map(moved, state.mu, updates, nu, required(params, "optim.scale_by_novograd"))
        mu = tree_cast(mu, mu_dtype)
        return mu, ScaleByNovogradState(safe_increment(state.count), mu, nu)

    return GradientTransformation(init, update)


def novograd(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.25,
    eps: Any = 1e-6,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
) -> Optimizer:
    """Gradients divided by the running norm of their leaf. Ginsburg et al. (arXiv:1905.11286).

    It keeps half of what `adam` keeps.

    Args:
        learning_rate: a number, or a schedule.
        b1: decay of the sum of directions.
        b2: decay of the squared norms.
        eps: added to the root.
        eps_root: added under the root.
        weight_decay: how much of the parameters is added; times the learning rate.

    Example:
        >>> from fxla import optim
        >>> tx = optim.novograd(0.1)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> round(float(updates["w"]), 4)
        -0.1
    """
    return chain(
        scale_by_novograd(b1, b2, eps, eps_root, weight_decay),
        scaling.scale_by_learning_rate(learning_rate),
    )
