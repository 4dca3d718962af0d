"""What line searches share, and the value and gradient that they leave in their state."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.pytree import tree_flatten, tree_map
from fxla.core.trace import where_am_i
from fxla.optim.state import tree_get
from fxla.optim.tree_math import (
    tree_cast_like,
    tree_conj,
    tree_vdot,
)
from fxla.transforms.autodiff import value_and_grad

__all__ = [
    "own_arguments",
    "positive_part",
    "real_dtype",
    "slope_of",
    "value_and_grad_from_state",
]


def real_dtype(params: Any) -> Any:
    """The dtype of step sizes and values: the real one of the first leaf."""
    return fnp.real(fnp.asarray(tree_flatten(params)[0][0])).dtype


def slope_of(updates: Any, grad: Any) -> Any:
    """The derivative of the objective along the updates."""
    return fnp.real(tree_vdot(tree_conj(grad), updates))


def own_arguments(value_fn: Callable[..., Any], extra: dict[str, Any], name: str) -> dict[str, Any]:
    """The keyword arguments of an update, which must be arguments of the objective."""
    unknown = sorted(set(extra) - set(inspect.signature(value_fn).parameters))
    if unknown:
        raise TypeError(
            f"optim.{name}: update was given {unknown}, which value_fn does not take; it takes "
            f"value=, grad=, value_fn= and the arguments of value_fn by name{where_am_i()}"
        )
    return extra


def positive_part(error: Any) -> Any:
    """An error as far as it is one; infinite if it is not a number."""
    return fnp.where(fnp.isnan(error), fnp.inf, fnp.maximum(error, 0)).astype(error.dtype)


def value_and_grad_from_state(value_fn: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """``value_and_grad`` that takes both from the state of a line search, if it has been there.

    Args:
        value_fn: the objective.

    Returns:
        A function of the parameters, further arguments of the objective, and ``state=``.

    Raises:
        ValueError: by that function, if the state keeps no value or no gradient.

    Example:
        >>> from fxla import optim
        >>> f = lambda x: x**2
        >>> value_and_grad_from_state(f)(3.0, state=optim.lbfgs().init(3.0))
        (Array(9.), Array(6.))
    """

    def from_state(params: Any, *args: Any, state: Any, **kwargs: Any) -> Any:
        value, grad = tree_get(state, "value"), tree_get(state, "grad")
        if value is None or grad is None:
            raise ValueError(
                "optim.value_and_grad_from_state: the state keeps no value and gradient; chain a "
                "line search that does, e.g. "
                f"scale_by_backtracking_linesearch(store_grad=True){where_am_i()}"
            )

        def anew(params: Any) -> Any:
            made = value_and_grad(value_fn)(params, *args, **kwargs)
            return tree_cast_like(made, (value, grad))

        return lax.cond(
            fnp.isfinite(value), lambda _: (value, grad), anew, tree_map(fnp.asarray, params)
        )

    return from_state
