"""Parameters after an update, and averages of parameters."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.pytree import tree_map
from fxla.optim.tree_math import like

__all__ = ["apply_updates", "incremental_update", "periodic_update"]


def _is_none(x: Any) -> bool:
    return x is None


def apply_updates(params: Any, updates: Any) -> Any:
    """``params + updates``, in the dtypes of the parameters; None leaves a leaf alone.

    Args:
        params: a tree of arrays, e.g. a module.
        updates: a tree of the same structure, with None where nothing is to change.

    Example:
        >>> apply_updates({"w": 1.0, "steps": 3}, {"w": 0.5, "steps": None})
        {'w': Array(1.5), 'steps': 3}
    """

    def step(u: Any, p: Any) -> Any:
        if u is None or p is None:
            return p
        return fnp.asarray(p + u).astype(fnp.asarray(p).dtype)

    return tree_map(step, updates, params, is_leaf=_is_none)


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
