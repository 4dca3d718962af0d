"""Arrays that NumPy reads or computes: from files, buffers and strings, and windows."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.numpy.dispatch import result

__all__ = [
    "bartlett",
    "blackman",
    "from_dlpack",
    "frombuffer",
    "fromfile",
    "fromiter",
    "fromregex",
    "fromstring",
    "genfromtxt",
    "hamming",
    "hanning",
    "kaiser",
    "load",
    "loadtxt",
]


def _concrete(numpy_function: Callable[..., Any], summary: str, example: str) -> Callable[..., Any]:
    """NumPy's function, whose result becomes an `fxla.Array`."""
    name = numpy_function.__name__

    @functools.wraps(numpy_function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return result(numpy_function(*args, **kwargs))

    expression, _, printed = example.partition(" -> ")
    call.__doc__ = (
        f"{summary}. See `numpy.{name}`.\n\nThe result is concrete, while tracing too.\n\n"
        f"Example:\n    >>> import fxla.numpy as np\n    >>> np.{name}({expression})\n"
        f"    {printed}\n"
    )
    return call


frombuffer = _concrete(
    np.frombuffer,
    "The memory of a buffer as a vector",
    "b'\\x01\\x02', dtype=np.uint8 -> Array([1, 2], dtype=uint8)",
)
fromiter = _concrete(
    np.fromiter, "A vector of what an iterable gives", "range(3), dtype=int -> Array([0, 1, 2])"
)
fromstring = _concrete(
    np.fromstring, "A vector of the numbers in a text", "'1 2', sep=' ' -> Array([1., 2.])"
)
from_dlpack = _concrete(
    np.from_dlpack,
    "Another library's array, without a copy, by DLPack",
    "np.arange(2) -> Array([0, 1])",
)
fromfile = _concrete(
    np.fromfile,
    "A vector of the bytes of a file",
    "'/dev/null', dtype=np.uint8 -> Array([], dtype=uint8)",
)
loadtxt = _concrete(np.loadtxt, "An array from a text", "['1 2'] -> Array([1., 2.])")
genfromtxt = _concrete(
    np.genfromtxt,
    "An array from a text with gaps",
    "['1,,2'], delimiter=',' -> Array([ 1., nan,  2.])",
)
fromregex = _concrete(
    np.fromregex,
    "An array of records, from the groups that a pattern finds in a text",
    "io.StringIO('1 2'), r'(\\d+)', [('n', int)] -> array([(1,), (2,)], dtype=[('n', '<i8')])",
)
bartlett = _concrete(np.bartlett, "Bartlett's window", "3 -> Array([0., 1., 0.])")
blackman = _concrete(np.blackman, "Blackman's window", "1 -> Array([1.])")
hamming = _concrete(np.hamming, "Hamming's window", "3 -> Array([0.08, 1.  , 0.08])")
hanning = _concrete(np.hanning, "Hann's window", "3 -> Array([0., 1., 0.])")
kaiser = _concrete(np.kaiser, "Kaiser's window", "1, 14 -> Array([1.])")


def load(file: Any, **kwargs: Any) -> Any:
    """An array, or a mapping of arrays, that `save` or `savez` wrote. See `numpy.load`.

    Example:
        >>> import io
        >>> import fxla.numpy as np
        >>> file = io.BytesIO()
        >>> np.save(file, np.arange(2))
        >>> _ = file.seek(0)
        >>> np.load(file)
        Array([0, 1])
    """
    return result(np.load(file, **kwargs))
