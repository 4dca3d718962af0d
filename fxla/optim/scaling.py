"""Updates times a number: a constant, a schedule, or a ratio of norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla.core.pytree import tree_map
from fxla.core.trace import where_am_i
from fxla.optim.transformation import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    Schedule,
    identity,
    init_empty_state,
    required,
    safe_increment,
    stateless,
    stateless_with_tree_map,
    zero_count,
)
from fxla.optim.tree_math import abs_sq, global_norm, like, tree_norm

__all__ = [
    "ScaleByScheduleState",
    "centralize",
    "normalize_by_update_norm",
    "safe_norm",
    "safe_root_mean_squares",
    "scale",
    "scale_by_learning_rate",
    "scale_by_param_block_norm",
    "scale_by_param_block_rms",
    "scale_by_polyak",
    "scale_by_schedule",
    "scale_by_sign",
    "scale_by_trust_ratio",
]


def scale(step_size: Any) -> GradientTransformation:
    """``step_size g``.

    Example:
        >>> scale(-0.5).update([2.0], ())[0]
        [-1.0]
    """
    return stateless_with_tree_map(lambda g, p: like(step_size, g) * g)


class ScaleByScheduleState(NamedTuple):
    """How many updates were made."""

    count: Any


def scale_by_schedule(step_size_fn: Schedule) -> GradientTransformation:
    """``step_size_fn(count) g``.

    Example:
        >>> tx = scale_by_schedule(lambda count: 10.0 * (count + 1))
        >>> state = tx.init([1.0])
        >>> first, state = tx.update([1.0], state)
        >>> second, state = tx.update([1.0], state)
        >>> first, second
        ([Array(10.)], [Array(20.)])
    """

    def init(params: Any) -> ScaleByScheduleState:
        return ScaleByScheduleState(zero_count())

    def update(
        updates: Any, state: ScaleByScheduleState, params: Any = None
    ) -> tuple[Any, ScaleByScheduleState]:
        step_size = step_size_fn(state.count)
        scaled = tree_map(lambda g: fnp.asarray(like(step_size, g) * g), updates)
        return scaled, ScaleByScheduleState(safe_increment(state.count))

    return GradientTransformation(init, update)


def scale_by_learning_rate(learning_rate: Any, *, flip_sign: bool = True) -> GradientTransformation:
    """``-learning_rate g``: the last link of most optimisers.

    Args:
        learning_rate: a number, or a schedule: a function of the number of updates made; None
            leaves the updates as they are.
        flip_sign: whether there is a minus, so that the updates are added to the parameters.

    Example:
        >>> scale_by_learning_rate(0.5).update([2.0], ())[0]
        [-1.0]
    """
    if learning_rate is None:
        return identity()
    sign = -1 if flip_sign else 1
    if callable(learning_rate):
        schedule: Callable[[Any], Any] = learning_rate
        return scale_by_schedule(lambda count: sign * schedule(count))
    return scale(sign * learning_rate)


def scale_by_sign() -> GradientTransformation:
    """The signs of the updates.

    Example:
        >>> scale_by_sign().update([-2.0, 0.0], ())[0]
        [Array(-1.), Array(0.)]
    """
    return stateless_with_tree_map(lambda g, p: fnp.sign(g))


def safe_norm(x: Any, min_norm: Any) -> Any:
    """``max(|x|, min_norm)``, with derivative zero where x is that short.

    Example:
        >>> safe_norm([3.0, 4.0], 0.1), safe_norm([0.0, 0.0], 0.1)
        (Array(5.), Array(0.1))
    """
    squared = fnp.sum(abs_sq(x))
    short = squared <= min_norm**2
    return fnp.where(
        short, like(fnp.asarray(min_norm), squared), fnp.sqrt(fnp.where(short, 1, squared))
    )


def safe_root_mean_squares(x: Any, min_rms: Any) -> Any:
    """``max(sqrt(mean(|x|^2)), min_rms)``, with derivative zero where x is that small.

    Example:
        >>> safe_root_mean_squares([3.0, 3.0], 0.1)
        Array(3.)
    """
    mean = fnp.mean(abs_sq(x))
    small = mean <= min_rms**2
    return fnp.where(small, like(fnp.asarray(min_rms), mean), fnp.sqrt(fnp.where(small, 1, mean)))


def scale_by_trust_ratio(
    min_norm: float = 0.0, trust_coefficient: Any = 1.0, eps: Any = 0.0
) -> GradientTransformation:
    """Each leaf's update times ``trust_coefficient |p| / (|g| + eps)``, or 1 where a norm is zero.

    You et al.: "Large batch optimization for deep learning" (arXiv:1904.00962).

    Example:
        >>> tx = scale_by_trust_ratio()
        >>> tx.update([2.0], tx.init([6.0]), [6.0])[0]
        [Array(6.)]
    """

    def update(g: Any, p: Any) -> Any:
        parameter, step = safe_norm(p, min_norm), safe_norm(g, min_norm)
        zero = fnp.logical_or(parameter == 0, step == 0)
        ratio = trust_coefficient * parameter / (fnp.where(zero, 1, step) + eps)
        return g * like(fnp.where(zero, 1, ratio), g)

    return stateless(
        lambda updates, params: tree_map(
            update, updates, required(params, "optim.scale_by_trust_ratio")
        )
    )


def scale_by_param_block_norm(min_scale: float = 1e-3) -> GradientTransformation:
    """Each leaf's update times the norm of its parameters, at least `min_scale`.

    Example:
        >>> tx = scale_by_param_block_norm()
        >>> tx.update([2.0], tx.init([3.0]), [3.0])[0]
        [Array(6.)]
    """
    return stateless(
        lambda updates, params: tree_map(
            lambda u, p: u * like(safe_norm(p, min_scale), u),
            updates, required(params, "optim.scale_by_param_block_norm"),
        )
    )  # fmt: skip


def scale_by_param_block_rms(min_scale: float = 1e-3) -> GradientTransformation:
    """Each leaf's update times the root mean square of its parameters, at least `min_scale`.

    Example:
        >>> tx = scale_by_param_block_rms()
        >>> tx.update([2.0], tx.init([3.0]), [3.0])[0]
        [Array(6.)]
    """
    return stateless(
        lambda updates, params: tree_map(
            lambda u, p: u * like(safe_root_mean_squares(p, min_scale), u),
            updates, required(params, "optim.scale_by_param_block_rms"),
        )
    )  # fmt: skip


def normalize_by_update_norm(scale_factor: Any = 1.0, eps: float = 1e-6) -> GradientTransformation:
    """All updates divided by their common norm (plus `eps`), times `scale_factor`.

    Example:
        >>> normalize_by_update_norm(eps=0.0).update([3.0, 4.0], ())[0]
        [Array(0.6), Array(0.8)]
    """

    def update(updates: Any, params: Any) -> Any:
        norm = (global_norm(updates) + eps) / scale_factor
        return tree_map(lambda g: g / like(norm, g), updates)

    return stateless(update)


def centralize() -> GradientTransformation:
    """Updates of matrices less their mean over all axes but the first.

    Yong et al.: "Gradient centralization" (arXiv:2004.01461).

    Example:
        >>> import numpy as np
        >>> centralize().update([np.array([[1.0, 3.0]])], ())[0]
        [Array([[-1.,  1.]])]
    """

    def update(g: Any, p: Any) -> Any:
        axes = tuple(range(1, fnp.ndim(g)))
        return g - fnp.mean(g, axis=axes, keepdims=True) if axes else g

    return stateless_with_tree_map(update)


def scale_by_polyak(
    f_min: Any = 0.0, max_learning_rate: Any = 1.0, eps: Any = 0.0, variant: str = "sps"
) -> GradientTransformationExtraArgs:
    """Polyak's step size, ``min((f(x) - f_min) / (|g|^2 + eps), max_learning_rate)``.

    Its update takes the objective's value as ``value=``. Loizou et al.: "Stochastic Polyak
    step-size for SGD" (arXiv:2002.10542).

    Args:
        f_min: a lower bound of the objective.
        max_learning_rate: the largest step size.
        eps: added to the denominator.
        variant: ``"sps"``, or ``"sps+"``, which takes no negative step.

    Raises:
        ValueError: for another `variant`.

    Example:
        >>> tx = scale_by_polyak()
        >>> tx.update([2.0], tx.init([1.0]), value=1.0)[0]
        [Array(0.5)]
    """
    if variant not in ("sps", "sps+"):
        raise ValueError(
            f"optim.scale_by_polyak: variant must be 'sps' or 'sps+', not {variant!r}{where_am_i()}"
        )

    def update(
        updates: Any, state: Any, params: Any = None, *, value: Any, **extra_args: Any
    ) -> tuple[Any, Any]:
        squared = tree_norm(updates, squared=True)
        gap = value - f_min
        if variant == "sps+":
            gap = fnp.maximum(gap, 0)
        tiny = squared + eps <= fnp.finfo(float).eps
        step = fnp.minimum(gap / fnp.where(tiny, 1, squared + eps), max_learning_rate)
        step = fnp.where(tiny, 0, step)
        return tree_map(lambda g: like(step, g) * g, updates), state

    return GradientTransformationExtraArgs(init_empty_state, update)
