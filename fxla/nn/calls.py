"""What happens around a module's call: whether it trains, where it is in the model, its errors."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fxla.core.pytree import tree_flatten
from fxla.core.scopes import special
from fxla.core.trace import eval_trace, running, state, typeof, where_am_i
from fxla.nn.layout import Composite, walk_modules
from fxla.nn.symbol import Symbol

__all__ = ["building", "calls", "is_training", "may_build", "path_of", "training_mode", "wrapped"]


class _Calls(threading.local):
    """The modules whose calls are under way on this thread.

    Attributes:
        stack: outermost first.
        building: whether layers may make arrays of sizes that they see first, while tracing.
        watcher: told of every call of a module that begins (`enter`) and ends (`leave`).
    """

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.building = False
        self.watcher: Any = None


calls = _Calls()
_TRAINING = ("training",)


def is_training() -> bool:
    """Whether the call under way was made with ``training=True``, or is inside of one that was.

    Example:
        >>> from fxla import nn
        >>> is_training()
        False
        >>> nn.Lambda(lambda x: is_training())(0.0, training=True)
        True
    """
    return state.ambient is _TRAINING


@contextmanager
def training_mode(training: bool = True) -> Iterator[None]:
    """Say what `is_training` answers in a ``with`` block.

    Example:
        >>> from fxla import nn
        >>> with nn.training_mode():
        ...     nn.is_training()
        True
    """
    before = state.ambient
    if training:
        special.append(None)
    state.ambient = _TRAINING if training else ()
    try:
        yield
    finally:
        state.ambient = before
        if training:
            special.pop()


@contextmanager
def building() -> Iterator[None]:
    """Let layers make arrays of sizes that they see for the first time, though it is traced."""
    before = calls.building
    calls.building = True
    try:
        yield
    finally:
        calls.building = before


@contextmanager
def may_build(module: Any, what: str) -> Iterator[None]:
    """Make a layer's arrays, whose sizes its first input tells; they are values, never traced.

    Raises:
        TypeError: in a transformed function, which would be left with a model of another structure.
    """
    if state.trace is not eval_trace and not calls.building:
        raise TypeError(
            f"{path_of(module)} has no {what} yet: its sizes were left to the first call, and this "
            f"one is inside of a transformation{where_am_i()}. Call `model.build(x)` before, or "
            "the model itself, or give the sizes."
        )
    with running(eval_trace):
        yield


def path_of(module: Any) -> str:
    """Where a module is in the model that is being called: ``model.layers[2] (Linear)``."""
    root = next((m for m in calls.stack if isinstance(m, Composite)), module)
    found = next((path for path, m in walk_modules(root) if m is module), None)
    if found is None and calls.stack:  # made during the call
        found = "..."
    name = "model" if not found else f"model.{found}"
    return f"{name} ({type(module).__name__})"


def wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
    """A module's method with what happens around it."""
    parameters = inspect.signature(call).parameters
    takes_training = "training" in parameters

    @functools.wraps(call)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        for x in args:
            if type(x) is Symbol or (type(x) is list and any(type(y) is Symbol for y in x)):
                return Symbol(self, args, kwargs)
        training = (kwargs.get if takes_training else kwargs.pop)("training", None)
        if training is not None and bool(training) is not is_training():
            with training_mode(bool(training)):
                return called(self, *args, **kwargs)
        stack = calls.stack
        if stack and stack[-1] is self:  # a base class's call, or `forward` in a call
            return call(self, *args, **kwargs)
        stack.append(self)
        try:
            if calls.watcher is None:
                return call(self, *args, **kwargs)
            watcher = calls.watcher
            watcher.enter(self)
            result = call(self, *args, **kwargs)
            watcher.leave(self, result)
            return result
        except Exception as error:
            _say_where(error, self, args)
            raise
        finally:
            stack.pop()

    return called


def _say_where(error: Exception, module: Any, args: Any) -> None:
    """Add to an error which module was called, the innermost one only."""
    if getattr(error, "_in_module", False):
        return
    try:
        error._in_module = True  # type: ignore[attr-defined]
        given = ", ".join([_type_text(x) for x in args])
        error.add_note(f"In {path_of(module)}, called with ({given}).")
    except AttributeError:  # an exception without attributes
        return


def _type_text(x: Any) -> str:
    leaves, tree = tree_flatten(x)
    try:
        if len(leaves) == 1 and leaves[0] is x:
            return str(typeof(x))
        return f"{type(x).__name__} of {len(leaves)} arrays" if tree else type(x).__name__
    except TypeError:
        return type(x).__name__
