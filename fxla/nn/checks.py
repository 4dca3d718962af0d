"""Errors of layers, which say where in the model the layer is."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.nn.calls import path_of

__all__ = ["check_features", "check_rank", "check_size", "refuse"]


def refuse(module: Any, expected: str, x: Any, name: str = "x") -> NoReturn:
    """Raise the error for an input of a wrong shape."""
    raise ShapeError(
        f"{path_of(module)}: expected {name} of shape {expected}, got {typeof(x)}{where_am_i()}"
    )


def check_size(module: Any, name: str, n: Any) -> None:
    """A size of a layer must be a positive integer."""
    call = f"nn.{type(module).__name__}"
    if not isinstance(n, (int, np.integer)):
        raise TypeError(
            f"{call}: {name} must be an integer, got {n!r}{where_am_i()}. Other options are given "
            "by name."
        )
    if n < 0:
        raise ValueError(f"{call}: {name} must not be negative, got {n}{where_am_i()}")


def check_features(module: Any, x: Any, n: int, name: str = "x") -> None:
    """The last axis must have `n` elements."""
    shape = typeof(x).shape
    if not shape or shape[-1] != n:
        refuse(module, f"[..., {n}]", x, name)


def check_rank(module: Any, x: Any, rank: int, expected: str) -> None:
    """There must be `rank` axes."""
    if typeof(x).ndim != rank:
        refuse(module, expected, x)
