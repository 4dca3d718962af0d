"""When to make what is costly to make and cheap to have: once it was asked for a few times.

A derived program costs as much as some plain applications of the rules it replaces. Making it at
the request that reaches that cost is never more than twice as slow as the better of making it at
once and never making it, whatever comes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

__all__ = ["Patience", "make_room", "once_worth"]

T = TypeVar("T")


class Patience:
    """How many requests go unanswered.

    Attributes:
        scale: 0 makes everything at once, as tests of what is made want it.
    """

    scale: int = 1


def once_worth(
    table: dict[Any, Any], key: Hashable, make: Callable[[], T], requests: int
) -> T | None:
    """What `make` gives, kept in `table`; None for the first `requests` requests.

    Example:
        >>> table = {}
        >>> [once_worth(table, "k", list, requests=2) for _ in range(4)]
        [None, None, [], []]
    """
    found = table.get(key, 0)
    if type(found) is not int:
        return found  # type: ignore[no-any-return]
    if found < requests * Patience.scale:
        table[key] = found + 1
        return None
    made = table[key] = make()
    return made


def make_room(table: dict[Any, Any], capacity: int) -> None:
    """Drop the older half of a full table; programs may be met with ever new shapes.

    Example:
        >>> table = dict.fromkeys(range(4))
        >>> make_room(table, capacity=4)
        >>> list(table)
        [2, 3]
    """
    if len(table) >= capacity:
        for key in list(table)[: len(table) - capacity // 2]:
            table.pop(key, None)
