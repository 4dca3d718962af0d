"""Hyperparameters as arrays of the state, which a program may read and change between updates."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

import fxla.numpy as fnp
from fxla.core.pytree import tree_flatten
from fxla.core.trace import Tracer, where_am_i
from fxla.optim.transformation import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    Schedule,
    safe_increment,
    with_extra_args_support,
    zero_count,
)

__all__ = [
    "InjectHyperparamsState",
    "StatefulSchedule",
    "WrappedScheduleState",
    "inject_hyperparams",
]


@runtime_checkable
class StatefulSchedule(Protocol):
    """A schedule that remembers more than a count, or looks at the update's keyword arguments.

    Example:
        >>> from fxla import optim
        >>> class Halving:  # whenever the value has not fallen
        ...     def init(self):
        ...         return {"best": float("inf"), "rate": 1.0}
        ...
        ...     def update(self, state, *, value, **extra_args):
        ...         rate = fnp.where(value < state["best"], state["rate"], state["rate"] / 2)
        ...         return {"best": fnp.minimum(value, state["best"]), "rate": rate}
        ...
        ...     def __call__(self, state, **extra_args):
        ...         return state["rate"]
        >>> isinstance(Halving(), optim.StatefulSchedule)
        True
    """

    def init(self) -> Any:
        """The first state."""

    def update(self, state: Any, **extra_args: Any) -> Any:
        """The next state."""

    def __call__(self, state: Any, **extra_args: Any) -> Any:
        """The value."""


class WrappedScheduleState(NamedTuple):
    """How many updates were made."""

    count: Any


class _Counting:
    """A schedule as a stateful one."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def init(self) -> WrappedScheduleState:
        return WrappedScheduleState(zero_count())

    def update(self, state: WrappedScheduleState, **extra_args: Any) -> WrappedScheduleState:
        return WrappedScheduleState(safe_increment(state.count))

    def __call__(self, state: WrappedScheduleState, **extra_args: Any) -> Any:
        return self.schedule(state.count)


class InjectHyperparamsState(NamedTuple):
    """Updates made, hyperparameters, what schedules remember, and the optimiser's own state."""

    count: Any
    hyperparams: dict[str, Any]
    hyperparams_states: dict[str, Any]
    inner_state: Any


def _floating(tree: Any) -> Any:
    """The widest floating dtype of a tree; float32 if there is none."""
    dtypes = [fnp.asarray(x).dtype for x in tree_flatten(tree)[0]]
    real = [d for d in dtypes if fnp.issubdtype(d, fnp.floating)]
    return fnp.result_type(*real) if real else np.dtype(np.float32)


def _as(value: Any, dtype: Any) -> Any:
    value = fnp.asarray(value)
    return value.astype(dtype) if fnp.issubdtype(value.dtype, fnp.floating) else value


def inject_hyperparams(
    inner_factory: Callable[..., GradientTransformation],
    static_args: str | Iterable[str] = (),
    hyperparam_dtype: Any = None,
) -> Callable[..., GradientTransformationExtraArgs]:
    """The maker of an optimiser, made to keep its numbers and schedules in the state.

    ``state.hyperparams["learning_rate"]`` can then be read, logged, and changed between updates
    without compiling anew.

    Args:
        inner_factory: makes a transformation, e.g. `adam`.
        static_args: names of arguments that are to stay as they are.
        hyperparam_dtype: the dtype of numbers; the widest one of the parameters if None.

    Raises:
        ValueError: if a static argument is none of the factory's.

    Example:
        >>> from fxla import optim
        >>> tx = inject_hyperparams(optim.sgd)(learning_rate=0.5)
        >>> state = tx.init([1.0])
        >>> state.hyperparams["learning_rate"] = 0.25
        >>> tx.update([1.0], state, [1.0])[0]
        [Array(-0.25)]
    """
    static = {static_args} if isinstance(static_args, str) else set(static_args)
    signature = inspect.signature(inner_factory)
    unknown = sorted(static - set(signature.parameters))
    if unknown:
        raise ValueError(
            f"optim.inject_hyperparams: {unknown} are no arguments of {inner_factory.__name__}, "
            f"which takes {list(signature.parameters)}{where_am_i()}"
        )

    @functools.wraps(inner_factory)
    def made(*args: Any, **kwargs: Any) -> GradientTransformationExtraArgs:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        schedules: dict[str, StatefulSchedule] = {}
        numbers: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            if name in static or isinstance(value, bool):
                others[name] = value
            elif isinstance(value, StatefulSchedule):
                schedules[name] = value
            elif callable(value):
                schedules[name] = _Counting(value)
            elif isinstance(value, (int, float, np.ndarray, np.generic, Tracer)):
                numbers[name] = value
            else:
                others[name] = value
        return _injected(inner_factory, numbers, schedules, others, hyperparam_dtype)

    return made


def _injected(
    factory: Callable[..., GradientTransformation],
    numbers: dict[str, Any],
    schedules: dict[str, StatefulSchedule],
    others: dict[str, Any],
    dtype: Any,
) -> GradientTransformationExtraArgs:
    """The optimiser whose numbers and schedules live in its state."""

    def init(params: Any) -> InjectHyperparamsState:
        of = dtype or _floating(params)
        states = {name: s.init() for name, s in schedules.items()}
        values = {name: _as(v, of) for name, v in numbers.items()}
        values |= {name: _as(s(states[name]), of) for name, s in schedules.items()}
        inner = factory(**others, **values).init(params)
        return InjectHyperparamsState(zero_count(), values, states, inner)

    def update(
        updates: Any, state: InjectHyperparamsState, params: Any = None, **extra_args: Any
    ) -> tuple[Any, InjectHyperparamsState]:
        of = dtype or _floating(updates if params is None else params)
        before = state.hyperparams_states
        values = {name: _as(v, of) for name, v in state.hyperparams.items()}
        values |= {name: _as(s(before[name], **extra_args), of) for name, s in schedules.items()}
        states = {name: s.update(before[name], **extra_args) for name, s in schedules.items()}
        tx = with_extra_args_support(factory(**others, **values))
        updates, inner = tx.update(updates, state.inner_state, params, **extra_args)
        count = safe_increment(state.count)
        return updates, InjectHyperparamsState(count, values, states, inner)

    return GradientTransformationExtraArgs(init, update)
