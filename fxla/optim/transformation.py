"""What an optimiser is: a pair of pure functions, `init` and `update`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla.core.pytree import tree_map
from fxla.errors import FxlaError

__all__ = [
    "EmptyState",
    "GradientTransformation",
    "GradientTransformationExtraArgs",
    "MissingParametersError",
    "Schedule",
    "identity",
    "init_empty_state",
    "required",
    "safe_increment",
    "set_to_zero",
    "stateless",
    "stateless_with_tree_map",
    "with_extra_args_support",
    "zero_count",
]

Schedule = Callable[[Any], Any]
"""A hyperparameter as a function of the number of updates that were made."""


class MissingParametersError(FxlaError, ValueError):
    """An update needs the current parameters, and was not given them."""


class GradientTransformation(NamedTuple):
    """A pair of pure functions that turn gradients into updates.

    Attributes:
        init: takes the parameters, gives the state before the first update: a tree of arrays.
        update: takes ``(updates, state, params=None)``, gives the transformed updates, a tree like
            the parameters, and the next state.

    Example:
        >>> from fxla import optim
        >>> optimizer = optim.sgd(0.5)
        >>> params = {"w": 2.0}
        >>> state = optimizer.init(params)
        >>> updates, state = optimizer.update({"w": 1.0}, state, params)
        >>> optim.apply_updates(params, updates)
        {'w': Array(1.5)}
    """

    init: Callable[[Any], Any]
    update: Callable[..., tuple[Any, Any]]


class GradientTransformationExtraArgs(GradientTransformation):
    """A `GradientTransformation` whose `update` takes further keyword arguments.

    It ignores those that it does not need, so that transformations with different needs chain.
    """


class EmptyState(NamedTuple):
    """The state of a transformation that remembers nothing."""


def init_empty_state(params: Any) -> EmptyState:
    """`EmptyState`, whatever the parameters are.

    Example:
        >>> init_empty_state({"w": 1.0})
        EmptyState()
    """
    del params
    return EmptyState()


def with_extra_args_support(tx: GradientTransformation) -> GradientTransformationExtraArgs:
    """The transformation, made to accept and ignore further keyword arguments.

    Example:
        >>> from fxla import optim
        >>> tx = with_extra_args_support(optim.scale(2.0))
        >>> tx.update(3.0, tx.init(0.0), value=1.0)[0]
        6.0
    """
    if isinstance(tx, GradientTransformationExtraArgs):
        return tx

    def update(updates: Any, state: Any, params: Any = None, **extra_args: Any) -> tuple[Any, Any]:
        del extra_args
        return tx.update(updates, state, params)

    return GradientTransformationExtraArgs(tx.init, update)


def stateless(f: Callable[[Any, Any], Any]) -> GradientTransformation:
    """A transformation without state, of ``f(updates, params)``.

    Example:
        >>> tx = stateless(lambda updates, params: [-u for u in updates])
        >>> tx.update([1.0], tx.init([0.0]))[0]
        [-1.0]
    """

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return f(updates, params), state

    return GradientTransformation(init_empty_state, update)


def stateless_with_tree_map(f: Callable[[Any, Any], Any]) -> GradientTransformation:
    """A transformation without state, of ``f(update, parameter)`` for each leaf.

    Example:
        >>> tx = stateless_with_tree_map(lambda u, p: -u)
        >>> tx.update([1.0], tx.init([0.0]))[0]
        [-1.0]
    """

    def leaves(updates: Any, params: Any) -> Any:
        if params is None:
            return tree_map(lambda u: f(u, None), updates)
        return tree_map(f, updates, params)

    return stateless(leaves)


def identity() -> GradientTransformation:
    """The transformation that changes nothing.

    Example:
        >>> identity().update([1.0], EmptyState())[0]
        [1.0]
    """
    return stateless(lambda updates, params: updates)


def set_to_zero() -> GradientTransformation:
    """Updates of zero: what they are for keeps its value.

    Example:
        >>> set_to_zero().update([1.0], EmptyState())[0]
        [Array(0.)]
    """
    return stateless_with_tree_map(lambda u, p: fnp.zeros_like(u))


def required(params: Any, name: str) -> Any:
    """The parameters, for a transformation that cannot do without.

    Raises:
        MissingParametersError: if they were left out.

    Example:
        >>> required([1.0], "optim.lamb")
        [1.0]
    """
    if params is None:
        raise MissingParametersError(
            f"{name}: this transformation needs the current parameters; "
            "call optimizer.update(grads, state, params)"
        )
    return params


def zero_count() -> Any:
    """A count of updates before the first one, an int32.

    Example:
        >>> int(zero_count()), zero_count().dtype
        (0, dtype('int32'))
    """
    return fnp.zeros((), fnp.int32)


def safe_increment(count: Any) -> Any:
    """``count + 1``, or the largest number of its dtype if that is where it is.

    Example:
        >>> import numpy as np
        >>> int(safe_increment(np.int32(3))), int(safe_increment(np.int32(2**31 - 1)))
        (4, 2147483647)
    """
    count = fnp.asarray(count)
    kind = fnp.iinfo if fnp.issubdtype(count.dtype, fnp.integer) else fnp.finfo
    largest = kind(count.dtype).max
    return fnp.where(count < largest, count + (count < largest).astype(count.dtype), count)
