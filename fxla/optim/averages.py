"""Averages of parameters."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.pytree import tree_map
from fxla.optim.tree_math import like

__all__ = ["incremental_update", "periodic_update"]


def incremental_update(new_tensors: Any, old_tensors: Any, step_size: Any) -> Any:
    """``step_size new + (1 - step_size) old``: Polyak's averaging.

    Example:
        >>> incremental_update([4.0], [2.0], 0.5)
        [3.0]
    """
    return tree_map(
        lambda new, old: like(step_size, new) * new + like(1.0 - step_size, old) * old,
        new_tensors,
        old_tensors,
    )


def periodic_update(new_tensors: Any, old_tensors: Any, steps: Any, update_period: int) -> Any:
    """The new tree every `update_period` steps, the old one in between.

    Example:
        >>> periodic_update([4.0], [2.0], 6, 3)
        [Array(4.)]
    """
    return lax.cond(
        fnp.equal(fnp.mod(steps, update_period), 0),
        lambda new, old: new,
        lambda new, old: old,
        new_tensors,
        old_tensors,
    )
