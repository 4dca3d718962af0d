"""Updates scaled by running moments of the gradient: Adam and its relatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla.core.pytree import tree_map
from fxla.core.trace import where_am_i
from fxla.optim.transformation import GradientTransformation, safe_increment, zero_count
from fxla.optim.tree_math import (
    abs_sq,
    like,
    tree_bias_correction,
    tree_cast,
    tree_cast_like,
    tree_full_like,
    tree_sub,
    tree_update_infinity_moment,
    tree_update_moment,
    tree_update_moment_per_elem_norm,
    tree_zeros_like,
)

__all__ = [
    "ScaleByAdamState",
    "ScaleByAdanState",
    "ScaleByAmsgradState",
    "ScaleByBeliefState",
    "ScaleByLionState",
    "scale_by_adam",
    "scale_by_adamax",
    "scale_by_adan",
    "scale_by_amsgrad",
    "scale_by_belief",
    "scale_by_lion",
    "scale_by_radam",
    "scale_by_yogi",
]


class ScaleByAdamState(NamedTuple):
    """How many updates were made, and the running means of g and g^2."""

    count: Any
    mu: Any
    nu: Any


def _ahead(mu: Any, updates: Any, b1: Any, count: Any) -> Any:
    """Nesterov's first moment: the mean as the next step will see it.

    Dozat: "Incorporating Nesterov momentum into Adam" (2016).
    """
    return tree_map(
        lambda m, g: b1 * m + (1 - b1) * g,
        tree_bias_correction(mu, b1, safe_increment(count)),
        tree_bias_correction(updates, b1, count),
    )


def _first(mu: Any, updates: Any, b1: Any, count: Any, nesterov: bool) -> Any:
    return _ahead(mu, updates, b1, count) if nesterov else tree_bias_correction(mu, b1, count)


def scale_by_adam(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """``m / (sqrt(v + eps_root) + eps)`` of the corrected running means m of g and v of g^2.

    Kingma, Ba: "Adam" (arXiv:1412.6980).

    Args:
        b1: decay of the mean of gradients.
        b2: decay of the mean of their squares.
        eps: added to the root.
        eps_root: added under the root, for derivatives through the update.
        mu_dtype: the dtype in which the first mean is kept; that of the parameters if None.
        nesterov: look one step ahead (Nadam).

    Example:
        >>> tx = scale_by_adam(eps=0.0)
        >>> tx.update([-3.0], tx.init([0.0]))[0]
        [Array(-1.)]
    """

    def init(params: Any) -> ScaleByAdamState:
        mu = tree_zeros_like(params, mu_dtype)
        return ScaleByAdamState(zero_count(), mu, tree_zeros_like(params))

    def update(
        updates: Any, state: ScaleByAdamState, params: Any = None
    ) -> tuple[Any, ScaleByAdamState]:
        count = safe_increment(state.count)
        mu = tree_update_moment(updates, state.mu, b1, 1)
        nu = tree_update_moment_per_elem_norm(updates, state.nu, b2, 2)
        first = _first(mu, updates, b1, count, nesterov)
        second = tree_bias_correction(nu, b2, count)
        updates = tree_map(lambda m, v: m / (fnp.sqrt(v + eps_root) + eps), first, second)
        mu = tree_cast(tree_map(fnp.asarray, mu), mu_dtype)
        return tree_map(fnp.asarray, updates), ScaleByAdamState(
            count, mu, tree_cast_like(nu, state.nu)
        )

    return GradientTransformation(init, update)


class ScaleByAmsgradState(NamedTuple):
    """How many updates were made, the running means, and the largest second one so far."""

    count: Any
    mu: Any
    nu: Any
    nu_max: Any


def scale_by_amsgrad(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> GradientTransformation:
    """`scale_by_adam` with the largest second moment so far.

    Reddi, Kale, Kumar: "On the convergence of Adam and beyond" (ICLR 2018).

    Args:
        b1: decay of the mean of gradients.
        b2: decay of the mean of their squares.
        eps: added to the root.
        eps_root: added under the root.
        mu_dtype: the dtype in which the first mean is kept.
        bias_correction_mu: whether the first mean is divided by the sum of its weights.
        bias_correction_nu: whether the second one is.

    Example:
        >>> tx = scale_by_amsgrad(eps=0.0)
        >>> tx.update([-3.0], tx.init([0.0]))[0]
        [Array(-1.)]
    """

    def init(params: Any) -> ScaleByAmsgradState:
        zeros = tree_zeros_like(params)
        return ScaleByAmsgradState(zero_count(), tree_zeros_like(params, mu_dtype), zeros, zeros)

    def update(
        updates: Any, state: ScaleByAmsgradState, params: Any = None
    ) -> tuple[Any, ScaleByAmsgradState]:
        count = safe_increment(state.count)
        mu = tree_update_moment(updates, state.mu, b1, 1)
        nu = tree_update_moment_per_elem_norm(updates, state.nu, b2, 2)
        first = tree_bias_correction(mu, b1, count) if bias_correction_mu else mu
        second = tree_bias_correction(nu, b2, count) if bias_correction_nu else nu
        largest = tree_map(fnp.maximum, state.nu_max, second)
        updates = tree_map(lambda m, v: m / (fnp.sqrt(v + eps_root) + eps), first, largest)
        mu = tree_cast(tree_map(fnp.asarray, mu), mu_dtype)
        nu = tree_map(fnp.asarray, nu)
        return tree_map(fnp.asarray, updates), ScaleByAmsgradState(count, mu, nu, largest)

    return GradientTransformation(init, update)


def scale_by_adamax(b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> GradientTransformation:
    """``m / u`` of the corrected mean of g and ``u = max(|g| + eps, b2 u)``.

    Kingma, Ba: "Adam" (arXiv:1412.6980), section 7.1.

    Example:
        >>> tx = scale_by_adamax(eps=0.0)
        >>> tx.update([-3.0], tx.init([0.0]))[0]
        [Array(-1.)]
    """

    def init(params: Any) -> ScaleByAdamState:
        return ScaleByAdamState(zero_count(), tree_zeros_like(params), tree_zeros_like(params))

    def update(
        updates: Any, state: ScaleByAdamState, params: Any = None
    ) -> tuple[Any, ScaleByAdamState]:
        count = safe_increment(state.count)
        mu = tree_map(fnp.asarray, tree_update_moment(updates, state.mu, b1, 1))
        nu = tree_update_infinity_moment(updates, state.nu, b2, eps)
        updates = tree_map(lambda m, v: m / v, tree_bias_correction(mu, b1, count), nu)
        return tree_map(fnp.asarray, updates), ScaleByAdamState(count, mu, nu)

    return GradientTransformation(init, update)


class ScaleByLionState(NamedTuple):
    """How many updates were made, and the running mean of gradients."""

    count: Any
    mu: Any


def scale_by_lion(
    b1: Any = 0.9,
    b2: Any = 0.99,
    mu_dtype: Any = None,
    *,
    mode: str = "hard",
    smooth_beta: Any = 1.0,
) -> GradientTransformation:
    """``sign(b1 m + (1 - b1) g)``, where ``m = b2 m + (1 - b2) g`` afterwards.

    Chen et al.: "Symbolic discovery of optimization algorithms" (arXiv:2302.06675).

    Args:
        b1: how much of the mean the direction takes.
        b2: decay of the mean.
        mu_dtype: the dtype in which the mean is kept.
        mode: ``"hard"`` for the sign, ``"smooth"`` for ``tanh(smooth_beta x)``, ``"refined"`` for
            x clipped to -1 and 1.
        smooth_beta: how steep ``"smooth"`` is.

    Raises:
        ValueError: for another `mode`.

    Example:
        >>> tx = scale_by_lion()
        >>> tx.update([-3.0], tx.init([0.0]))[0]
        [Array(-1.)]
    """
    shapes: dict[str, Callable[[Any], Any]] = {
        "hard": fnp.sign,
        "smooth": lambda x: fnp.tanh(smooth_beta * x),
        "refined": lambda x: fnp.clip(x, -1, 1),
    }
    if mode not in shapes:
        raise ValueError(
            f"optim.scale_by_lion: mode must be one of {list(shapes)}, not {mode!r}{where_am_i()}"
        )

    def init(params: Any) -> ScaleByLionState:
        return ScaleByLionState(zero_count(), tree_zeros_like(params, mu_dtype))

    def update(
        updates: Any, state: ScaleByLionState, params: Any = None
    ) -> tuple[Any, ScaleByLionState]:
        directions = tree_map(lambda g, m: shapes[mode]((1.0 - b1) * g + b1 * m), updates, state.mu)
        mu = tree_map(fnp.asarray, tree_update_moment(updates, state.mu, b2, 1))
        return directions, ScaleByLionState(safe_increment(state.count), tree_cast(mu, mu_dtype))

    return GradientTransformation(init, update)


class ScaleByBeliefState(NamedTuple):
    """How many updates were made, the mean of g, and the mean square of its surprise."""

    count: Any
    mu: Any
    nu: Any


def scale_by_belief(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-16,
    eps_root: Any = 1e-16,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """`scale_by_adam` with the second moment of ``g - m`` in place of that of g.

    Zhuang et al.: "AdaBelief optimizer" (arXiv:2010.07468).

    Example:
        >>> tx = scale_by_belief()
        >>> float(tx.update([-3.0], tx.init([0.0]))[0][0].round(6))
        -1.111111
    """

    def init(params: Any) -> ScaleByBeliefState:
        return ScaleByBeliefState(zero_count(), tree_zeros_like(params), tree_zeros_like(params))

    def update(
        updates: Any, state: ScaleByBeliefState, params: Any = None
    ) -> tuple[Any, ScaleByBeliefState]:
        count = safe_increment(state.count)
        mu = tree_map(fnp.asarray, tree_update_moment(updates, state.mu, b1, 1))
        surprise = tree_sub(updates, mu)
        nu = tree_update_moment_per_elem_norm(surprise, state.nu, b2, 2)
        nu = tree_map(lambda v: fnp.asarray(v + eps_root), nu)
        first = _first(mu, updates, b1, count, nesterov)
        second = tree_bias_correction(nu, b2, count)
        updates = tree_map(lambda m, v: m / (fnp.sqrt(v) + eps), first, second)
        return tree_map(fnp.asarray, updates), ScaleByBeliefState(count, mu, nu)

    return GradientTransformation(init, update)


def scale_by_yogi(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-3,
    eps_root: Any = 0.0,
    initial_accumulator_value: Any = 1e-6,
) -> GradientTransformation:
    """`scale_by_adam` whose second moment moves by ``(1 - b2) sign(v - g^2) g^2``.

    Zaheer et al.: "Adaptive methods for nonconvex optimization" (NeurIPS 2018).

    Example:
        >>> tx = scale_by_yogi()
        >>> float(tx.update([-3.0], tx.init([0.0]))[0][0].round(4))
        -0.9996
    """

    def init(params: Any) -> ScaleByAdamState:
        full = tree_full_like(params, initial_accumulator_value)
        return ScaleByAdamState(zero_count(), full, full)

    def update(
        updates: Any, state: ScaleByAdamState, params: Any = None
    ) -> tuple[Any, ScaleByAdamState]:
        count = safe_increment(state.count)
        mu = tree_map(fnp.asarray, tree_update_moment(updates, state.mu, b1, 1))
        nu = tree_map(
            lambda g, v: fnp.asarray(v - (1 - b2) * fnp.sign(v - abs_sq(g)) * abs_sq(g)),
            updates,
            state.nu,
        )
        updates = tree_map(
            lambda m, v: fnp.asarray(m / (fnp.sqrt(v + eps_root) + eps)),
            tree_bias_correction(mu, b1, count),
            tree_bias_correction(nu, b2, count),
        )
        return updates, ScaleByAdamState(count, mu, nu)

    return GradientTransformation(init, update)


def scale_by_radam(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    threshold: Any = 5.0,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """`scale_by_adam` times its rectification; the plain mean while the variance is not tractable.

    Liu et al.: "On the variance of the adaptive learning rate and beyond" (arXiv:1908.03265).

    Args:
        b1: decay of the mean of gradients.
        b2: decay of the mean of their squares.
        eps: added to the root.
        eps_root: added under the root.
        threshold: how long the average must be for the variance to be used.
        nesterov: look one step ahead.

    Example:
        >>> tx = scale_by_radam()
        >>> tx.update([-3.0], tx.init([0.0]))[0]
        [Array(-3.)]
    """
    longest = 2.0 / (1.0 - b2) - 1.0

    def init(params: Any) -> ScaleByAdamState:
        return ScaleByAdamState(zero_count(), tree_zeros_like(params), tree_zeros_like(params))

    def update(
        updates: Any, state: ScaleByAdamState, params: Any = None
    ) -> tuple[Any, ScaleByAdamState]:
        count = safe_increment(state.count)
        mu = tree_map(fnp.asarray, tree_update_moment(updates, state.mu, b1, 1))
        nu = tree_map(fnp.asarray, tree_update_moment_per_elem_norm(updates, state.nu, b2, 2))
        decayed = b2**count
        length = longest - 2 * count * decayed / (1 - decayed)
        tractable = length >= threshold
        safe = fnp.where(tractable, length, longest)
        rectified = fnp.sqrt(
            (safe - 4.0) * (safe - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * safe)
        )
        first = _first(mu, updates, b1, count, nesterov)
        updates = tree_map(
            lambda m, v: fnp.where(
                tractable, like(rectified, m) * m / (fnp.sqrt(v + eps_root) + eps), m
            ),
            first,
            tree_bias_correction(nu, b2, count),
        )
        return updates, ScaleByAdamState(count, mu, nu)

    return GradientTransformation(init, update)


class ScaleByAdanState(NamedTuple):
    """Means of g, of its change, of both squared; the last gradient; how many updates."""

    m: Any
    v: Any
    n: Any
    g: Any
    t: Any


def scale_by_adan(
    b1: Any = 0.98, b2: Any = 0.92, b3: Any = 0.99, eps: Any = 1e-8, eps_root: Any = 0.0
) -> GradientTransformation:
    """Adam with Nesterov's momentum, which is estimated from the change of the gradient.

    Xie et al.: "Adan" (arXiv:2208.06677).

    Example:
        >>> tx = scale_by_adan(eps=0.0)
        >>> tx.update([-3.0], tx.init([0.0]))[0]
        [Array(-1.)]
    """

    def init(params: Any) -> ScaleByAdanState:
        zeros = tree_zeros_like(params)
        return ScaleByAdanState(zeros, zeros, zeros, zeros, zero_count())

    def update(
        updates: Any, state: ScaleByAdanState, params: Any = None
    ) -> tuple[Any, ScaleByAdanState]:
        g = tree_map(fnp.asarray, updates)
        change = tree_map(lambda new, old: fnp.where(state.t == 0, 0, new - old), g, state.g)
        ahead = tree_map(lambda a, d: a + (1 - b2) * d, g, change)
        m = tree_map(fnp.asarray, tree_update_moment(g, state.m, b1, 1))
        v = tree_map(fnp.asarray, tree_update_moment(change, state.v, b2, 1))
        n = tree_map(fnp.asarray, tree_update_moment_per_elem_norm(ahead, state.n, b3, 2))
        t = safe_increment(state.t)
        updates = tree_map(
            lambda m, v, n: fnp.asarray((m + (1 - b2) * v) / (fnp.sqrt(n + eps_root) + eps)),
            tree_bias_correction(m, b1, t),
            tree_bias_correction(v, b2, t),
            tree_bias_correction(n, b3, t),
        )
        return updates, ScaleByAdanState(m, v, n, g, t)

    return GradientTransformation(init, update)
