"""Second moments of matrices by rows and columns: Adafactor's memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import fxla.numpy as fnp
from fxla.core.pytree import tree_flatten, tree_map
from fxla.optim.transformation import (
    GradientTransformation,
    required,
    safe_increment,
    zero_count,
)
from fxla.optim.tree_math import abs_sq, like

__all__ = ["FactoredState", "scale_by_factored_rms"]


class FactoredState(NamedTuple):
    """How many updates were made; for each leaf means over columns, over rows, or of elements."""

    count: Any
    v_row: Any
    v_col: Any
    v: Any


def _decay_rate(step: Any, exponent: Any) -> Any:
    return 1.0 - (step + 1.0) ** (-exponent)


def _two_largest(shape: tuple[int, ...], factored: bool, smallest: int) -> tuple[int, int] | None:
    """The second largest axis and the largest one, if the leaf is to be factored."""
    if not factored or len(shape) < 2:
        return None
    order = np.argsort(shape)
    return (int(order[-2]), int(order[-1])) if shape[order[-2]] >= smallest else None


def scale_by_factored_rms(
    factored: bool = True,
    decay_rate: Any = 0.8,
    step_offset: int = 0,
    min_dim_size_to_factor: int = 128,
    epsilon: Any = 1e-30,
    decay_rate_fn: Callable[[Any, Any], Any] = _decay_rate,
) -> GradientTransformation:
    """``g / sqrt(v)``, where v of a matrix is a product of means over its rows and columns.

    Shazeer, Stern: "Adafactor" (arXiv:1804.04235), algorithm 4.

    Args:
        factored: whether any leaf is.
        decay_rate: the exponent of the decay, ``1 - count^-decay_rate``.
        step_offset: how many updates were made before, by another optimiser.
        min_dim_size_to_factor: leaves whose second largest axis is shorter are not factored.
        epsilon: added to the squares.
        decay_rate_fn: the decay, of the number of updates and `decay_rate`.

    Example:
        >>> tx = scale_by_factored_rms()
        >>> tx.update([-3.0], tx.init([2.0]), [2.0])[0]
        [Array(-1.)]
    """

    def axes(p: Any) -> tuple[int, int] | None:
        return _two_largest(fnp.shape(p), factored, min_dim_size_to_factor)

    def init(params: Any) -> FactoredState:
        def leaf(p: Any, drop: int | None, whole: bool) -> Any:
            dims, shape, dtype = axes(p), fnp.shape(p), fnp.asarray(p).dtype
            if dims is None:
                return fnp.zeros(shape if whole else (1,), dtype)
            if drop is None:
                return fnp.zeros((1,), dtype)
            return fnp.zeros([n for i, n in enumerate(shape) if i != dims[drop]], dtype)

        return FactoredState(
            zero_count(),
            tree_map(lambda p: leaf(p, 1, False), params),
            tree_map(lambda p: leaf(p, 0, False), params),
            tree_map(lambda p: leaf(p, None, True), params),
        )

    def one(decay: Any, g: Any, row: Any, col: Any, v: Any, p: Any) -> tuple[Any, Any, Any, Any]:
        squared, decay, dims = abs_sq(g) + epsilon, like(decay, row), axes(p)
        if dims is None:
            v = decay * v + (1 - decay) * squared
            return g / fnp.sqrt(v), row, col, v
        second, largest = dims
        row = decay * row + (1 - decay) * fnp.mean(squared, axis=largest)
        col = decay * col + (1 - decay) * fnp.mean(squared, axis=second)
        along = second - 1 if second > largest else second
        by_row = 1 / fnp.sqrt(row / fnp.mean(row, axis=along, keepdims=True))
        by_col = 1 / fnp.sqrt(col)
        scale = fnp.expand_dims(by_row, largest) * fnp.expand_dims(by_col, second)
        return g * scale, row, col, v

    def update(updates: Any, state: FactoredState, params: Any = None) -> tuple[Any, FactoredState]:
        params = required(params, "optim.scale_by_factored_rms")
        leaves, structure = tree_flatten(updates)
        trees = (state.v_row, state.v_col, state.v, params)
        decay = decay_rate_fn(state.count - step_offset, decay_rate)
        rest = [structure.flatten_up_to(tree) for tree in trees]
        done = [one(decay, *parts) for parts in zip(leaves, *rest, strict=True)]
        new, row, col, v = (
            structure.unflatten([fnp.asarray(x[i]) for x in done]) for i in range(4)
        )
        return new, FactoredState(safe_increment(state.count), row, col, v)

    return GradientTransformation(init, update)
