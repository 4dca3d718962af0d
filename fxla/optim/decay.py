"""What is added to updates: decayed weights and noise; and updates that are corrected."""

from __future__ import annotations

from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla import random
from fxla.core.pytree import tree_map
from fxla.optim.masking import masked
from fxla.optim.transformation import (
    EmptyState,
    GradientTransformation,
    required,
    safe_increment,
    stateless,
    zero_count,
)
from fxla.optim.tree_math import like, tree_add_scale, tree_random_like

__all__ = [
    "AddNoiseState",
    "WeightDecaySchedule",
    "ZeroNansState",
    "add_decayed_weights",
    "add_noise",
    "keep_params_nonnegative",
    "zero_nans",
]


class WeightDecaySchedule(NamedTuple):
    """How many updates were made."""

    count: Any


def add_decayed_weights(weight_decay: Any = 0.0, mask: Any = None) -> GradientTransformation:
    """``g + weight_decay p``.

    Loshchilov, Hutter: "Decoupled weight decay regularization" (arXiv:1711.05101).

    Args:
        weight_decay: a number, or a schedule.
        mask: a tree of booleans, which parameters decay, or a function that makes one of them.

    Example:
        >>> tx = add_decayed_weights(0.5)
        >>> tx.update([1.0], tx.init([4.0]), [4.0])[0]
        [3.0]
    """

    def init(params: Any) -> Any:
        return WeightDecaySchedule(zero_count()) if callable(weight_decay) else EmptyState()

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        params = required(params, "optim.add_decayed_weights")
        rate = weight_decay
        if callable(weight_decay):
            rate = weight_decay(state.count)
            state = WeightDecaySchedule(safe_increment(state.count))
        elif isinstance(rate, (int, float)) and rate == 0:
            return updates, state
        return tree_map(lambda g, p: g + like(rate, p) * p, updates, params), state

    tx = GradientTransformation(init, update)
    return tx if mask is None else masked(tx, mask)


class AddNoiseState(NamedTuple):
    """How many updates were made, and the key of the next noise."""

    count: Any
    rng_key: Any


def add_noise(eta: Any, gamma: Any, key: Any) -> GradientTransformation:
    """Normal noise of variance ``eta / count^gamma``.

    Neelakantan et al.: "Adding gradient noise improves learning" (arXiv:1511.06807).

    Args:
        eta: the variance of the first noise.
        gamma: how fast it falls.
        key: a key or a seed.

    Example:
        >>> tx = add_noise(0.0, 0.5, key=0)
        >>> tx.update([2.0], tx.init([0.0]))[0]
        [Array(2.)]
    """

    def init(params: Any) -> AddNoiseState:
        seeded = random.key(key) if isinstance(key, int) else key
        return AddNoiseState(zero_count(), seeded)

    def update(updates: Any, state: AddNoiseState, params: Any = None) -> tuple[Any, AddNoiseState]:
        count = safe_increment(state.count)
        deviation = fnp.sqrt(eta / count**gamma)
        following, now = random.split(state.rng_key)
        noise = tree_random_like(now, updates)
        noisy = tree_map(fnp.asarray, tree_add_scale(updates, deviation, noise))
        return noisy, AddNoiseState(count, following)

    return GradientTransformation(init, update)


def keep_params_nonnegative() -> GradientTransformation:
    """Updates that would make a parameter negative make it zero.

    Example:
        >>> tx = keep_params_nonnegative()
        >>> tx.update([-3.0, -1.0], tx.init([2.0, 2.0]), [2.0, 2.0])[0]
        [Array(-2.), Array(-1.)]
    """
    return stateless(
        lambda updates, params: tree_map(
            lambda u, p: fnp.where(p + u < 0, -p, u),
            updates, required(params, "optim.keep_params_nonnegative"),
        )
    )  # fmt: skip


class ZeroNansState(NamedTuple):
    """For each leaf, whether the last update had a NaN."""

    found_nan: Any


def zero_nans() -> GradientTransformation:
    """Zero in place of NaN.

    Example:
        >>> updates, state = zero_nans().update([float("nan"), 1.0], zero_nans().init([0.0, 0.0]))
        >>> updates, state
        ([Array(0.), Array(1.)], ZeroNansState(found_nan=[Array(True), Array(False)]))
    """

    def init(params: Any) -> ZeroNansState:
        return ZeroNansState(tree_map(lambda p: fnp.asarray(False), params))

    def update(updates: Any, state: ZeroNansState, params: Any = None) -> tuple[Any, ZeroNansState]:
        found = tree_map(lambda g: fnp.any(fnp.isnan(g)), updates)
        cleaned = tree_map(lambda g: fnp.where(fnp.isnan(g), 0, g), updates)
        return cleaned, ZeroNansState(found)

    return GradientTransformation(init, update)
