"""Errors of layers, which say where in the model the layer is."""

from __future__ import annotations

from typing import Any, NoReturn

from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.nn.calls import path_of

__all__ = ["check_features", "check_rank", "refuse"]


def refuse(module: Any, expected: str, x: Any, name: str = "x") -> NoReturn:
    """Raise the error for an input of a wrong shape."""
    raise ShapeError(
        f"{path_of(module)}: expected {name} of shape {expected}, got {typeof(x)}{where_am_i()}"
    )


def check_features(module: Any, x: Any, n: int, name: str = "x") -> None:
    """The last axis must have `n` elements."""
    shape = typeof(x).shape
    if not shape or shape[-1] != n:
        refuse(module, f"[..., {n}]", x, name)


def check_rank(module: Any, x: Any, rank: int, expected: str) -> None:
    """There must be `rank` axes."""
    if typeof(x).ndim != rank:
        refuse(module, expected, x)
