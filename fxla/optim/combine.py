"""Transformations one after the other."""

from __future__ import annotations

import collections
from typing import Any

from fxla.core.trace import where_am_i
from fxla.optim.transformation import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    with_extra_args_support,
)

__all__ = ["chain", "named_chain"]


def chain(*args: GradientTransformation) -> GradientTransformationExtraArgs:
    """Transformations one after the other; the state is the tuple of theirs.

    Raises:
        ValueError: by the update, if the state is not of as many transformations.

    Example:
        >>> from fxla import optim
        >>> tx = chain(optim.clip(1.0), optim.sgd(0.1))
        >>> tx.update([3.0], tx.init([0.0]))[0]
        [Array(-0.1)]
    """
    transforms = [with_extra_args_support(tx) for tx in args]

    def init(params: Any) -> tuple[Any, ...]:
        return tuple([tx.init(params) for tx in transforms])

    def update(
        updates: Any, state: Any, params: Any = None, **extra_args: Any
    ) -> tuple[Any, tuple[Any, ...]]:
        if len(state) != len(transforms):
            raise ValueError(
                f"optim.chain: {len(transforms)} transformations and a state of {len(state)}; is "
                f"it the state that optimizer.init(params) made?{where_am_i()}"
            )
        states = []
        for tx, before in zip(transforms, state, strict=True):
            updates, after = tx.update(updates, before, params, **extra_args)
            states.append(after)
        return updates, tuple(states)

    return GradientTransformationExtraArgs(init, update)


def named_chain(*args: tuple[str, GradientTransformation]) -> GradientTransformationExtraArgs:
    """`chain` of pairs of a name and a transformation; the state is a dict of theirs.

    Raises:
        ValueError: if two have the same name.

    Example:
        >>> from fxla import optim
        >>> tx = named_chain(("clip", optim.clip(1.0)), ("scale", optim.scale(2.0)))
        >>> updates, state = tx.update([3.0], tx.init([0.0]))
        >>> updates, list(state)
        ([Array(2.)], ['clip', 'scale'])
    """
    names = [name for name, _ in args]
    if len(set(names)) < len(names):
        raise ValueError(f"optim.named_chain: names must differ, got {names}{where_am_i()}")
    transforms = {name: with_extra_args_support(tx) for name, tx in args}

    def init(params: Any) -> Any:
        return collections.OrderedDict((n, tx.init(params)) for n, tx in transforms.items())

    def update(updates: Any, state: Any, params: Any = None, **extra_args: Any) -> tuple[Any, Any]:
        states = collections.OrderedDict()
        for name, tx in transforms.items():
            updates, states[name] = tx.update(updates, state[name], params, **extra_args)
        return updates, states

    return GradientTransformationExtraArgs(init, update)
