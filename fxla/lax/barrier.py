"""Keeping computations apart that a compiler would merge."""

from __future__ import annotations

from typing import Any

from fxla.control.checkpoint import barrier_p
from fxla.core.pytree import tree_flatten, tree_unflatten

__all__ = ["optimization_barrier"]


def optimization_barrier(operand: Any) -> Any:
    """The operand, of which nothing is merged with, or moved before, what it is computed from.

    Args:
        operand: a pytree of arrays.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.optimization_barrier((fnp.ones(2), 1.0))
        (Array([1., 1.]), Array(1.))
    """
    leaves, tree = tree_flatten(operand)
    return tree_unflatten(tree, barrier_p.bind(*leaves, token=0) if leaves else ())
