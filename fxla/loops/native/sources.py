"""What stands for the text of a module that fxla prints itself: the source that prints it."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable

__all__ = ["source_key", "state_of_sources"]


_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


@functools.cache
def state_of_sources(names: tuple[str, ...]) -> str:
    """The hash of modules of fxla; empty if they are not there as source.

    Args:
        names: paths of the modules in the package, without their suffix.

    Example:
        >>> len(state_of_sources(("loops/native/isa",)))
        64
    """
    try:
        return hashlib.sha256(b"".join(map(_state_of_source, names))).hexdigest()
    except OSError:
        return ""


@functools.cache
def _state_of_source(name: str) -> bytes:
    with open(f"{_PACKAGE}/{name}.py", "rb", buffering=0) as file:
        return hashlib.sha256(file.read()).digest()


def source_key(sources: tuple[str, ...], what: str, text: Callable[[], str]) -> str:
    """Stands for a text, so that it is found without printing; without sources it is the text.

    Args:
        sources: the modules that decide what is printed, as for `state_of_sources`.
        what: is printed by them, of all that they print.
        text: prints it.

    Example:
        >>> source_key(("no/such",), "a module", lambda: "define void @f() ...")
        'define void @f() ...'
    """
    state = state_of_sources(sources)
    return f"{state}\n{what}" if state else text()
