"""Classes whose objects the garbage collector does not follow.

It follows the objects of every class that a ``class`` statement makes, even where none of them can
be part of a cycle: those of a subclass of `numpy.ndarray` without attributes of its own hold no
more references than an ndarray, and NumPy does not have ndarrays followed. An array then takes 16
bytes more, costs more to make, and every few hundred of them start a collection.
"""

from __future__ import annotations

from typing import Any, TypeVar

from fxla.core.interpreter import holds, slot, unusual, word

__all__ = ["uncollected"]

C = TypeVar("C", bound="type[Any]")
_FLAGS, _TRAVERSE, _CLEAR, _FREE = 168, 184, 192, 320
"""Byte offsets of ``tp_flags`` and slots in a type; `uncollected` makes sure of them."""
_SLOTS = {_TRAVERSE: 71, _CLEAR: 51, _FREE: 74}
"""The numbers of the slots in the stable ABI."""
_HAVE_GC = 1 << 14


def uncollected(cls: C) -> C:
    """Have objects of a class allocated and freed as those of its base.

    To be called before there is any object. Where the interpreter lays out its types in another way
    nothing is changed; objects are then a little slower to make.

    Args:
        cls: adds no attributes to its base, whose objects are not followed.

    Example:
        >>> import gc, numpy
        >>> @uncollected
        ... class Plain(numpy.ndarray):
        ...     __slots__ = ()
        >>> gc.is_tracked(numpy.zeros(3).view(Plain))
        False
    """
    base: Any = cls.__base__
    alike = holds(cls) == holds(base) and not base.__flags__ & _HAVE_GC
    if alike and cls.__flags__ & _HAVE_GC and _laid_out_as_expected(cls):
        for offset in _SLOTS:
            word(id(cls) + offset).value = word(id(base) + offset).value
        word(id(cls) + _FLAGS).value = cls.__flags__ & ~_HAVE_GC
    return cls


def _laid_out_as_expected(cls: type[Any]) -> bool:
    if unusual() or word(id(cls) + _FLAGS).value != cls.__flags__:
        return False
    return all(slot(cls, offset, number) is not None for offset, number in _SLOTS.items())
