"""Draws of many numbers that are compiled, though nobody asked for it.

A number takes some twenty passes of NumPy over fresh memory, and one pass of a program: a hundred
times as long, which is what initialising a large model was spent on.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from fxla.control.jit import jit
from fxla.core.dtypes import DType
from fxla.core.trace import Value, eval_trace, state

__all__ = ["program_if_large"]

_LARGE = 1 << 17
"""Numbers that NumPy draws in about the time in which a program is compiled."""


def program_if_large(draw: Callable[..., Value]) -> Callable[..., Value]:
    """A draw ``(*values, shape=, dtype=)`` as a program if it is eager and there is much to draw.

    The numbers are those that the same draw has under ``jit``.

    Example:
        >>> import numpy as np
        >>> from fxla.ops.structure import full
        >>> draw = program_if_large(lambda *, shape, dtype: full(shape, 2.0, dtype))
        >>> draw(shape=(2,), dtype=np.dtype("float32"))
        Array([2., 2.], dtype=float32)
    """
    program = jit(draw, static_argnames=("shape", "dtype"))

    @functools.wraps(draw)
    def call(*values: Value, shape: tuple[int, ...], dtype: DType) -> Value:
        large = math.prod(shape) >= _LARGE and state.trace is eval_trace
        return (program if large else draw)(*values, shape=shape, dtype=dtype)

    return call
