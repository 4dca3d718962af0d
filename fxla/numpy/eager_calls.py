"""Eager calls of ufuncs, which are counted until native code for them is worth its loading."""

from __future__ import annotations

import itertools
from typing import Any

from fxla.core.array import applying
from fxla.core.background import in_background
from fxla.core.deferred import deferred

__all__ = ["apply"]

eager = deferred("fxla.compile.calls.eager")  # imports the compiler

_ENOUGH = 200
"""Calls of a script that will make more."""
_calls = itertools.count(1)


def apply(ufunc: Any, *operands: Any) -> Any:
    """Call a ufunc; the `_ENOUGH`-th time, have the function loaded that takes over."""
    if next(_calls) == _ENOUGH:
        in_background(lambda: eager.quicken(), "fxla-eager", brief=True)  # its import, too
    return ufunc(*operands)


applying.append(apply)
