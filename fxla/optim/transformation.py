"""What an optimiser is: a pair of pure functions, `init` and `update`."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import fxla.numpy as fnp
from fxla.core.pytree import tree_map
from fxla.core.stateful import is_stateful
from fxla.core.trace import where_am_i
from fxla.errors import FxlaError
from fxla.nn.trees import parameters
from fxla.transforms.api import kind_of

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


class _Pair(NamedTuple):
    init: Callable[[Any], Any]
    update: Callable[..., tuple[Any, Any]]


class GradientTransformation(_Pair):
    """A pair of pure functions that turn gradients into updates.

    Both look at the parameters of modules only (`fxla.nn.parameters`): a model can be handed to
    them as it is, and what they were made of sees None in place of its buffers.

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
        {'w': 1.5}
    """

    __slots__ = ()

    def __new__(cls, init: Callable[[Any], Any], update: Callable[..., Any]) -> Self:
        """The pair, of functions that look at parameters only."""
        return super().__new__(cls, _init_of_parameters(init), _update_of_parameters(update))


class GradientTransformationExtraArgs(GradientTransformation):
    """A `GradientTransformation` whose `update` takes further keyword arguments.

    It ignores those that it does not need, so that transformations with different needs chain.
    """

    __slots__ = ()


_of_parameters: weakref.WeakSet[Any] = weakref.WeakSet()
"""Functions that have been made to look at parameters only."""


def _init_of_parameters(init: Callable[[Any], Any]) -> Callable[[Any], Any]:
    if init in _of_parameters:
        return init

    @functools.wraps(init)
    def wrapped(params: Any) -> Any:
        return init(parameters(params) if is_stateful(params) else params)

    _of_parameters.add(wrapped)
    return wrapped


def _update_of_parameters(update: Callable[..., Any]) -> Callable[..., Any]:
    if update in _of_parameters:
        return update

    @functools.wraps(update)
    def wrapped(updates: Any, state: Any, params: Any = None, **extra_args: Any) -> Any:
        if is_stateful(updates):
            updates = parameters(updates)
        if params is None:
            return update(updates, state, **extra_args)
        if is_stateful(params):
            model, params = params, parameters(params)
            if callable(extra_args.get("value_fn")):
                extra_args["value_fn"] = _of_whole(extra_args["value_fn"], model)
        return update(updates, state, params, **extra_args)

    _of_parameters.add(wrapped)
    return wrapped


def _of_whole(value_fn: Callable[..., Any], model: Any) -> Callable[..., Any]:
    """An objective of a model, as one of the model's parameters: line searches call it."""

    @functools.wraps(value_fn)
    def wrapped(params: Any, *args: Any, **kwargs: Any) -> Any:
        whole = tree_map(lambda old, new: old if new is None else new, model, params)
        return value_fn(whole, *args, **kwargs)

    return wrapped


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
    if not (hasattr(tx, "init") and hasattr(tx, "update")):
        raise TypeError(
            f"optim: expected a transformation, got {kind_of(tx)}{where_am_i()}. It is a pair of "
            "`init` and `update`, as `optim.adam(1e-3)` is."
        )

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
            f"{name}: this transformation needs the current parameters; call "
            f"optimizer.update(grads, state, params){where_am_i()}"
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
