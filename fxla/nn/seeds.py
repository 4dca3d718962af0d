"""The stream of keys that modules draw from when they are given none."""

from __future__ import annotations

import operator
import threading
from typing import Any

from fxla import random
from fxla.core.trace import eval_trace, running, where_am_i
from fxla.errors import TracerIntegerConversionError
from fxla.transforms.api import aval_of, kind_of

__all__ = ["keys", "next_key", "seed"]


class _Stream:
    """A key and how often it was drawn from."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seed = 0
        self.drawn = 0


_stream = _Stream()


def seed(n: int) -> None:
    """Start the stream of keys anew: models made afterwards are the same in every run.

    Args:
        n: any integer below 2**64; the stream starts with 0.

    Raises:
        TypeError: `n` is no integer.
        TracerIntegerConversionError: `n` is traced: give modules a `key` instead.

    Example:
        >>> from fxla import nn
        >>> def weight():
        ...     nn.seed(7)
        ...     return nn.Linear(2, 3).weight
        >>> bool((weight() == weight()).all())
        True
    """
    try:
        start = operator.index(n)
    except TracerIntegerConversionError:
        raise
    except TypeError:
        raise TypeError(
            f"nn.seed: the seed must be an integer, got {aval_of(n) or kind_of(n)}{where_am_i()}. "
            "Of a text, take `zlib.crc32(text.encode())`."
        ) from None
    with _stream.lock:
        _stream.seed, _stream.drawn = start, 0


def next_key(key: Any = None) -> Any:
    """The next key of the stream, or the one that is given.

    Example:
        >>> from fxla import nn
        >>> nn.next_key().shape
        (2,)
    """
    if key is not None:
        return key
    with _stream.lock:
        n = _stream.drawn
        _stream.drawn += 1
        start = _stream.seed
    with running(eval_trace):
        return random.fold_in(random.key(start), n)


def keys(key: Any, n: int) -> list[Any]:
    """Several keys: parts of the one that is given, or the next of the stream.

    Example:
        >>> from fxla import nn, random
        >>> [k.shape for k in nn.keys(random.key(0), 2)]
        [(2,), (2,)]
    """
    if key is None:
        return [next_key() for _ in range(n)]
    parts = random.split(key, n)
    return [parts[k] for k in range(n)]
