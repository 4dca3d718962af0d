"""Eager calls with 16-bit floats that NumPy refuses, or answers in another dtype.

bfloat16 is not NumPy's own: `einsum` raises TypeError, and functions that ask for the dtype of a
number beside it give float64. Of float16 NumPy has no linear algebra. Such calls are served by the
body that is traced otherwise, with the arrays as they are, so that they give what compiled ones do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fxla.core.dtypes import DType, bfloat16, float16
from fxla.errors import FxlaError

__all__ = ["OWN_IN_BFLOAT16", "by_body", "has_bfloat16", "instead"]

OWN_IN_BFLOAT16 = frozenset(
    "clip convolve correlate dot einsum gradient hfft histogram2d histogramdd i0 inner irfft "
    "irfft2 irfftn linspace matmul matrix_norm matrix_power nanmedian norm polydiv tensordot "
    "unwrap vdot vecdot vector_norm".split()
)
"""Functions of which NumPy's results for bfloat16 are of another dtype than for other floats."""

_BFLOAT16 = (bfloat16,)
_HALVES = (bfloat16, float16)


def has_bfloat16(args: Iterable[Any]) -> bool:
    """Whether an array of bfloat16 is among arguments, or in a list of them.

    Example:
        >>> has_bfloat16([1, [np.ones(2, bfloat16)]]), has_bfloat16([np.ones(2, np.float16)])
        (True, False)
    """
    return _has(args, _BFLOAT16)


def _has(args: Iterable[Any], dtypes: tuple[DType, ...]) -> bool:
    for x in args:
        if isinstance(x, np.ndarray) and x.itemsize == 2 and x.dtype in dtypes:
            return True
        if type(x) in (list, tuple) and _has(x, dtypes):
            return True
    return False


def by_body(body: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of a body for arrays, written to ``out=`` if that is given."""
    out = kwargs.get("out")
    if out is None:
        return body(*args, **kwargs)
    made = body(*args, **{k: v for k, v in kwargs.items() if k != "out"})
    np.copyto(out, made, casting="same_kind")
    return out


def instead(
    refused: TypeError, body: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The result of a body for 16-bit floats, where NumPy has refused a call.

    Raises:
        TypeError: what NumPy raised, if there are none, or the body does not take the call either.
        FxlaError: what the body raised that names the call and its operands.
    """
    if not _has(args, _HALVES):
        raise refused
    try:
        return by_body(body, args, kwargs)
    except FxlaError:
        raise
    except TypeError:  # the dtype was not what NumPy refused
        raise refused from None
