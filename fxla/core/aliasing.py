"""Which traced arrays share memory in the user's eyes, and what a write to one does to the others.

A tracer is never changed by a transformation, but NumPy code writes into its arrays. A write
computes the changed array as a new value, and the tracer that the user holds then *assumes* that
value; so reading costs nothing. A *view* remembers its base and how it is read from the base and
written into it, and a base its live views: a write to one of them changes the base, and then all
views of it are read again. What nobody reads of that is dead code.

Arguments of transformed functions, and what such a function sees from outside, are not written to.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.dtypes import float0
from fxla.core.trace import Tracer, Value, raise_leaked, state, typeof, where_am_i
from fxla.errors import InternalError, ReadOnlyError

__all__ = [
    "ARGUMENT",
    "CAPTURED",
    "Alias",
    "attach_view",
    "check_writable",
    "freeze",
    "live_views",
    "reread",
    "writable_copy",
    "write",
]


class Alias:
    """What a tracer shares its memory with.

    Attributes:
        base: the array that this one is a view of, or None.
        read: from the base's value to the view's.
        write: from the base and a new value of the view to the new value of the base; None if the
            view is read-only.
        index: the index that made the view, if one did.
        strided: from an array with the strides of the base to one with those of the view; None if
            the view is contiguous.
        views: the views of this array.
        frozen: why it may not be written to, or the empty string.
    """

    __slots__ = ("base", "frozen", "index", "limit", "read", "strided", "views", "write")

    def __init__(
        self,
        base: Tracer | None = None,
        read: Callable[[Value], Value] | None = None,
        write: Callable[[Value, Value], Value] | None = None,
        index: Any = None,
        frozen: str = "",
        strided: Callable[[Any], Any] | None = None,
    ) -> None:
        self.base = base
        self.read = read
        self.write = write
        self.index = index
        self.strided = strided
        self.frozen = frozen
        self.views: list[weakref.ref[Tracer]] = []
        self.limit = 32

    def add(self, view: Tracer) -> None:
        """Note a view; those that are gone are forgotten now and then."""
        if len(self.views) >= self.limit:
            self.views = [r for r in self.views if r() is not None]
            self.limit = max(32, 2 * len(self.views))
        self.views.append(weakref.ref(view))


ARGUMENT = Alias(frozen="is an argument of the traced function")
CAPTURED = Alias(frozen="was made outside of the traced function")


def freeze(x: Value, why: Alias = ARGUMENT) -> Value:
    """Mark an array that the traced function must not write to; numbers are never written to."""
    if isinstance(x, Tracer) and x.aval.shape:
        x.alias = why
    return x


def attach_view(
    view: Value,
    base: Tracer,
    read: Callable[[Value], Value],
    write: Callable[[Value, Value], Value] | None,
    index: Any = None,
    strided: Callable[[Any], Any] | None = None,
) -> None:
    """Say that one tracer is a view of another."""
    if view is base or not isinstance(view, Tracer):
        return
    if view.owner is not base.owner and not (view.owner is state.trace and state.trace.adopt(base)):
        return
    shared = getattr(base, "alias", None)
    if shared is None and not base.aval.shape:
        return  # a number, as NumPy's functions give: it has no memory to share
    if shared is None:
        shared = base.alias = Alias()
    elif shared.frozen:
        view.alias = shared
        return
    view.alias = Alias(base, read, write, index, strided=strided)
    shared.add(view)


def check_writable(x: Tracer, call: str) -> None:
    """Reject a write to what the traced function does not own.

    Args:
        x: the array.
        call: what the user wrote, e.g. ``x[i] = v``.

    Raises:
        ReadOnlyError: which is a ValueError, as NumPy's for a read-only array is.
    """
    alias = getattr(x, "alias", None)
    if x.owner is not state.trace:
        if not x.owner.alive:
            raise_leaked(x)
        if not state.trace.adopt(x) and not (alias is not None and alias.frozen):
            alias = CAPTURED
    if alias is None or not (alias.frozen or (alias.base is not None and alias.write is None)):
        return
    if alias.frozen:
        raise ReadOnlyError(
            f"{call}: assignment destination is read-only: x, {x.aval}, {alias.frozen}"
            f"{where_am_i()}. Write `x = x.copy()` before it, so that the function changes an "
            "array of its own, or give the result a new name: `y = x + v`, `y = x.at[i].set(v)`."
        )
    raise ReadOnlyError(
        f"{call}: assignment destination is read-only: x, {x.aval}, is a view that NumPy does not "
        f"write through, as of np.diagonal or np.broadcast_to{where_am_i()}. Write "
        "`x = x.copy()` before it."
    )


def write(x: Tracer, new: Value) -> None:
    """Let a tracer, its base and their views be as if `new` had been written into its memory."""
    _assume(x, new)
    fresh = {id(x)}
    alias = getattr(x, "alias", None)
    while alias is not None and alias.base is not None:
        base = alias.base
        _assume(base, alias.write(base, x))
        fresh.add(id(base))
        x, alias = base, getattr(base, "alias", None)
    if alias is not None:
        reread(x, alias, fresh)


def _assume(x: Tracer, new: Value) -> None:
    before, after = x.aval, typeof(new)
    if before.shape != after.shape or before.dtype != after.dtype or after.dtype == float0:
        raise InternalError(f"{after} was written into an array {before}")
    trace = x.owner
    if not (isinstance(new, Tracer) and new.owner is trace):
        # a copy, since NumPy may yet write to the array that was written here
        new = trace.lift(new if isinstance(new, Tracer) else np.array(new, after.dtype))
    x.assume(new)


def live_views(x: Tracer) -> list[Tracer]:
    """The views of an array, and views of them, that somebody holds."""
    found: list[Tracer] = []
    alias = getattr(x, "alias", None)
    for reference in alias.views if alias is not None else ():
        view = reference()
        if view is not None and view.alias.base is x:
            found += [view, *live_views(view)]
    return found


def reread(base: Tracer, alias: Alias, fresh: set[int]) -> None:
    """Read the live views of an array again, but those whose value is known already."""
    for reference in list(alias.views):
        view = reference()
        if view is None:
            continue
        own: Alias = view.alias
        if own.base is not base or own.read is None:  # since made a view in another way
            continue
        if id(view) not in fresh:
            _assume(view, own.read(base))
        if own.views:
            reread(view, own, fresh)


def writable_copy(x: Value) -> Value:
    """An array of the same value that shares no memory with `x`."""
    if isinstance(x, Tracer):
        return x.clone() if x.owner is state.trace else state.trace.lift(x)
    return x
