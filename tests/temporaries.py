"""Eager programs that write into their temporaries at every size, not only at large ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from fxla.numpy import typed
from fxla.transforms import linear_rules, straight_line

__all__ = ["reused_temporaries"]


@contextlib.contextmanager
def reused_temporaries() -> Iterator[None]:
    """In this scope all programs are made anew, and elementwise results take operands' memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(straight_line, "_LARGE", 0)
        patch.setattr(typed, "_known", {})
        patch.setattr(typed, "_seen", {})
        patch.setattr(linear_rules, "_programs", {})
        yield
