"""Between a user's function of pytrees and the flat functions that traces work on."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field
from typing import Any, TypeVar

import numpy as np

from fxla.core.aliasing import freeze
from fxla.core.array import as_array
from fxla.core.aval import Aval
from fxla.core.dtypes import bfloat16
from fxla.core.located import locate
from fxla.core.pytree import TreeDef, leaf_paths, tree_flatten, tree_unflatten
from fxla.core.records import dataclass
from fxla.core.stateful import hold, is_stateful, updates
from fxla.core.trace import Tracer, Value, is_on_device, state, typeof, where_am_i

F = TypeVar("F", bound=Callable[..., Any])

__all__ = [
    "FlatFunction",
    "argument",
    "aval_of",
    "check_function",
    "check_leaf",
    "flatten_function",
    "function_name",
    "kind_of",
    "local_arrays",
    "normalise_argnums",
    "strip_finished",
    "traced_call",
    "what_is",
    "wraps_as",
]


def function_name(f: Callable[..., Any]) -> str:
    """How a function is called in messages and jaxprs."""
    while isinstance(f, functools.partial):
        f = f.func
    return getattr(f, "__name__", type(f).__name__)


def check_function(f: Any, call: str) -> None:
    """Refuse what is not a function where one is to be transformed.

    Args:
        f: what the user gave.
        call: what the user called, e.g. ``grad``.

    Raises:
        TypeError: if `f` cannot be called.
    """
    if not callable(f):
        raise TypeError(
            f"{call}: expected a function, got {what_is(f)}{where_am_i()}. Give the function "
            f"itself, and its arguments to what comes back: `{call}(f)(x)`, not `{call}(f(x))`."
        )


def wraps_as(transform: str, f: Callable[..., Any], call: str) -> Callable[[F], F]:
    """Decorator: make a wrapper look like `f` under a transformation.

    Args:
        transform: what the wrapper is, for its docstring.
        f: the user's function.
        call: what the user called, for messages.

    Raises:
        TypeError: if `f` is not a function.
    """
    check_function(f, call)

    def decorate(wrapper: F) -> F:
        functools.update_wrapper(wrapper, f, updated=())
        wrapper.__name__ = function_name(f)
        if getattr(f, "__doc__", None):
            wrapper.__doc__ = f"{transform} of {function_name(f)}.\n\n{f.__doc__}"
        return wrapper

    return decorate


def what_is(x: Any) -> str:
    """What a user gave in place of something else: ``one f64[3]``, ``a dict``."""
    return f"one {typeof(x)}" if isinstance(x, (Tracer, np.ndarray)) else kind_of(x)


def kind_of(x: Any) -> str:
    """The type of what a user gave, with its article.

    Example:
        >>> kind_of("text"), kind_of(object())
        ('a str', 'an object')
    """
    name = type(x).__qualname__
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


_PLAIN = (Tracer, np.ndarray, np.generic, bool, int, float, complex)


def aval_of(x: Any) -> Aval | None:
    """The type of an array or a number, and None of anything else.

    Example:
        >>> str(aval_of(2.0)), aval_of("text")
        ('f64[]', None)
    """
    plain = isinstance(x, _PLAIN) or getattr(x, "aval", None) is not None or is_on_device(x)
    return typeof(x) if plain else None


def check_leaf(x: Any, path: str, call: str) -> None:
    """Reject what is not an array or a number, naming where in the arguments it is."""
    if isinstance(x, (Tracer, np.ndarray, np.generic, bool, int, float, complex)):
        if isinstance(x, np.ndarray) and x.dtype.kind in "OSUmMV" and x.dtype != bfloat16:
            raise TypeError(
                f"{call}: {path} is an array of dtype {x.dtype}, which cannot be "
                f"traced{where_am_i()}. "
                "Convert it to numbers first, or make the argument static."
            )
        return
    if getattr(x, "aval", None) is not None or hasattr(x, "__cuda_array_interface__"):
        return
    raise TypeError(
        f"{call}: {path} is {kind_of(x)}, not an array or a number{where_am_i()}. Close "
        "over it, make it a static argument of `jit`, or register its class as a container of "
        "arrays with `fxla.tree.register_dataclass` or `fxla.tree.register_pytree_node`."
    )


def check_result(x: Any, path: str, name: str) -> None:
    """Reject what is not an array or a number in a result."""
    try:
        check_leaf(x, path, name)
    except TypeError:
        raise TypeError(
            f'"{name}" returned {kind_of(x)} ({path}), not an array or a '
            f"number{where_am_i()}. Return arrays, and make what is not one outside of the "
            "function, or register its class with `fxla.tree.register_dataclass`."
        ) from None


local_arrays: list[Callable[[Callable[..., Any]], AbstractContextManager[Any]]] = [
    contextlib.nullcontext
]
"""The scope in which a user's function is traced; the NumPy floor says what it is."""


def argument(x: Any) -> Any:
    """An argument as the traced function sees it: an array that it may not write to."""
    trace = state.trace
    if isinstance(x, Tracer):
        if x.owner is not trace and x.aval.shape:
            x = trace.lift(x)
    elif isinstance(x, np.ndarray) and x.shape and x.dtype.kind in "biufc":
        x = trace.lift(x)
    return freeze(x) if isinstance(x, Tracer) and x.owner is trace else x


def traced_call(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a user's function that is being traced."""
    try:
        with local_arrays[0](f):
            return f(*args, **kwargs)
    except Exception as error:
        locate(error)
        raise


@dataclass
class FlatFunction:
    """A user's function as a function of flat leaves. Records the tree of its last result.

    Attributes:
        f: the function.
        in_tree: structure of its arguments.
        out_tree: structure of its last result.
        aux: its last auxiliary result, if it `has_aux`.
        stateful: whether there are modules, which it may update, among its arguments.
        fixed: leaves of its arguments that are not leaves it is called with, by number.
        updates: leaves of modules that it assigned in the last call, by number.
    """

    f: Callable[..., Any]
    in_tree: TreeDef
    out_tree: TreeDef | None = None
    aux: Any = None
    has_aux: bool = False
    stateful: bool = False
    fixed: Mapping[int, Value] = field(default_factory=dict)
    updates: dict[int, Value] = field(default_factory=dict)

    def __call__(self, *leaves: Value) -> list[Value]:
        given: Iterable[Value] = leaves
        if self.fixed:
            rest = iter(leaves)
            n = self.in_tree.num_leaves
            given = [self.fixed[k] if k in self.fixed else next(rest) for k in range(n)]
        args, kwargs = tree_unflatten(self.in_tree, [argument(x) for x in given])
        held = hold((args, kwargs)) if self.stateful else ()
        out = traced_call(self.f, *args, **kwargs)
        if held:
            self.updates = updates(held, f"{state.trace.label} of {function_name(self.f)}")
        if self.has_aux:
            if not (isinstance(out, tuple) and len(out) == 2):
                raise TypeError(
                    f'"{function_name(self.f)}" must return a pair (value, aux) because '
                    f"has_aux=True; it returned {what_is(out)}{where_am_i()}"
                )
            out, self.aux = out
        if isinstance(out, (Tracer, np.ndarray)):
            self.out_tree = _LEAF
            return [out]
        flat, self.out_tree = tree_flatten(out)
        for x, path in _suspicious(flat, out):
            check_result(x, path, function_name(self.f))
        return flat

    def with_updates(self, *leaves: Value) -> list[Value]:
        """Call it; after its results comes what it assigned to modules."""
        outs = self(*leaves)
        return [*outs, *self.updates.values()] if self.updates else outs

    def result(self, leaves: Sequence[Value]) -> Any:
        """Leaves in the shape of the function's result."""
        assert self.out_tree is not None
        return leaves[0] if self.out_tree is _LEAF else tree_unflatten(self.out_tree, leaves)

    def arguments(self, leaves: Sequence[Value]) -> Any:
        """Leaves in the shape of ``(args, kwargs)``, with None for those that are fixed."""
        if not self.fixed:
            return tree_unflatten(self.in_tree, leaves)
        rest = iter(leaves)
        n = self.in_tree.num_leaves
        full = [None if k in self.fixed else next(rest) for k in range(n)]
        return tree_unflatten(self.in_tree, full)


_LEAF = tree_flatten(0)[1]
"""The tree of a result that is one array, for which there is nothing to flatten."""


def _suspicious(flat: list[Any], tree: Any) -> list[tuple[Any, str]]:
    """Leaves that are not arrays or numbers, with their paths, which are costly to name."""
    if all(isinstance(x, _PLAIN) for x in flat):
        return []
    return list(zip(flat, leaf_paths(tree, "result"), strict=True))


def flatten_function(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    has_aux: bool = False,
    *,
    call: str = "",
    positions: Sequence[int] | None = None,
) -> tuple[FlatFunction, list[Value]]:
    """The flat form of ``f(*args, **kwargs)`` and its flat arguments.

    Args:
        f: the user's function.
        args: its positional arguments, or those of them at `positions`.
        kwargs: its arguments by name.
        has_aux: whether it returns ``(value, aux)``.
        call: what the user called, for messages: ``grad of loss``.
        positions: which arguments `args` are, for messages.
    """
    leaves, in_tree = tree_flatten((args, kwargs))
    if not all([isinstance(x, _PLAIN) for x in leaves]):  # noqa: C419 - faster than a generator
        numbers = range(len(args)) if positions is None else positions
        given = [(f"args[{i}]", x) for i, x in zip(numbers, args, strict=True)]
        for name, value in [*given, *kwargs.items()]:
            paths = leaf_paths(value, name)
            for x, path in zip(tree_flatten(value)[0], paths, strict=True):
                check_leaf(x, path, call or function_name(f))
    stateful = is_stateful((args, kwargs), in_tree)
    return FlatFunction(f, in_tree, has_aux=has_aux, stateful=stateful), leaves


def strip_finished(aux: Any) -> Any:
    """Auxiliary output with the tracers of the finished trace replaced by their primal values."""

    def strip(x: Any) -> Any:
        ended = isinstance(x, Tracer) and not x.owner.alive
        return as_array(getattr(x, "primal", x)) if ended else x

    leaves, tree = tree_flatten(aux)
    return tree_unflatten(tree, [strip(x) for x in leaves])


def normalise_argnums(argnums: int | Sequence[int], n: int, call: str) -> tuple[int, ...]:
    """Non-negative positions of arguments.

    Raises:
        TypeError: if a position is not an integer.
        ValueError: if it is out of range.
    """
    given = (argnums,) if isinstance(argnums, (int, str)) else tuple(argnums)
    for i in given:
        if not isinstance(i, int):
            raise TypeError(
                f"{call}: argnums are integers, got {argnums!r}{where_am_i()}. The first argument "
                "has the number 0."
            )
        if not -n <= i < n:
            raise ValueError(
                f"{call}: argnums={argnums} but the call has {n} positional "
                f"argument{'s' if n != 1 else ''}{where_am_i()}. "
                "Arguments to differentiate must be positional."
            )
    return tuple(i % n for i in given)
