"""Layers whose sizes may be left to their first input."""

from __future__ import annotations

from typing import Any

from fxla.nn.calls import may_build
from fxla.nn.module import Module

__all__ = ["Deferred"]


class Deferred(Module):
    """Base of layers that make their arrays when a size is known, at the latest in a first call."""

    def _make(self, features: int, **options: Any) -> None:
        """Make the arrays for inputs of so many features."""
        raise NotImplementedError

    def _make_or_defer(self, features: int | None, **options: Any) -> None:
        """Make the arrays now if the number of features is known."""
        if features is None:
            self._deferred = options
        else:
            self._make(features, **options)

    def _ensure(self, features: int) -> None:
        """Make the arrays if that was left to the first call."""
        options = vars(self).get("_deferred")
        if options is not None:
            with may_build(self, "parameters"):
                del vars(self)["_deferred"]
                self._make(features, **options)
