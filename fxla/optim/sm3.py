"""SM3: Adagrad's sums of squares, kept for the rows and columns of an array only."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla.core.pytree import tree_map
from fxla.core.trace import where_am_i
from fxla.optim import scaling
from fxla.optim.combine import chain
from fxla.optim.transformation import GradientTransformation
from fxla.optim.transformation import GradientTransformationExtraArgs as Optimizer
from fxla.optim.tree_math import like, tree_update_moment, tree_zeros_like

__all__ = ["ScaleBySM3State", "scale_by_sm3", "sm3"]


class ScaleBySM3State(NamedTuple):
    """For each leaf the largest sum along each of its axes; and the mean of updates."""

    mu: Any
    nu: Any


def _maxima(sums: Any) -> list[Any]:
    """The largest element of every slice, for each axis; all elements if there is one axis."""
    if sums.ndim < 2:
        return [sums]
    axes = range(sums.ndim)
    return [fnp.max(sums, axis=tuple([k for k in axes if k != axis])) for axis in axes]


def _bound(shape: tuple[int, ...], maxima: list[Any]) -> Any:
    """The least of what the slices that an element is in allow for its sum."""
    if len(shape) < 2:
        return maxima[0]
    spread = [
        fnp.reshape(most, [n if k == axis else 1 for k, n in enumerate(shape)])
        for axis, most in enumerate(maxima)
    ]
    return functools.reduce(fnp.minimum, spread)


def scale_by_sm3(b1: Any = 0.9, b2: Any = 1.0, eps: Any = 1e-8) -> GradientTransformation:
    """The mean of ``g / sqrt(s + eps)``, s being an upper bound of Adagrad's sum of squares.

    Anil, Gupta, Koren, Singer: "Memory-efficient adaptive optimization" (arXiv:1901.11150),
    algorithm SM3-II with a cover by the slices along each axis.

    Args:
        b1: decay of the mean of updates.
        b2: decay of the sums; 1 for sums without decay.
        eps: added under the root.

    Raises:
        TypeError: for complex parameters, which have no largest element.

    Example:
        >>> tx = scale_by_sm3(b1=0.0, eps=0.0)
        >>> tx.update([fnp.array([3.0, -4.0])], tx.init([fnp.zeros(2)]))[0]
        [Array([ 1., -1.])]
    """
    gain = 1.0 if type(b2) in (int, float) and b2 == 1 else 1.0 - b2

    def init(params: Any) -> ScaleBySM3State:
        def zeros(p: Any) -> list[Any]:
            if fnp.iscomplexobj(p):
                raise TypeError(
                    f"optim.scale_by_sm3: parameters must be real, got {fnp.asarray(p).dtype}; use "
                    f"optim.adam, which takes complex ones{where_am_i()}"
                )
            return _maxima(fnp.zeros_like(p))

        return ScaleBySM3State(tree_map(zeros, params), tree_zeros_like(params))

    def update(
        updates: Any, state: ScaleBySM3State, params: Any = None
    ) -> tuple[Any, ScaleBySM3State]:
        def summed(g: Any, maxima: list[Any]) -> Any:
            g = fnp.asarray(g)
            return like(gain, g) * g**2 + like(b2, g) * _bound(g.shape, maxima)

        def scaled(g: Any, total: Any) -> Any:
            # A sum of zero has only seen zeros; its root is not to be divided by.
            safe = fnp.where(total > 0, total + like(eps, total), 1.0)
            return g * fnp.where(total > 0, 1 / fnp.sqrt(safe), 0.0)

        sums = tree_map(summed, updates, state.mu)
        nu = tree_update_moment(tree_map(scaled, updates, sums), state.nu, b1, 1)
        return nu, ScaleBySM3State(tree_map(_maxima, sums), nu)

    return GradientTransformation(init, update)


def sm3(learning_rate: Any, momentum: Any = 0.9) -> Optimizer:
    """Adagrad with a state the size of rows and columns. Anil et al. (arXiv:1901.11150).

    Args:
        learning_rate: a number, or a schedule.
        momentum: decay of the mean of updates.

    Example:
        >>> from fxla import optim
        >>> tx = optim.sm3(0.1, momentum=0.0)
        >>> params = {"w": 2.0}
        >>> updates, state = tx.update({"w": 1.0}, tx.init(params), params)
        >>> round(float(updates["w"]), 4)
        -0.1
    """
    return chain(scale_by_sm3(momentum), scaling.scale_by_learning_rate(learning_rate))
