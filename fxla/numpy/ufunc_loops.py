"""Which loop of a ufunc NumPy would run: it decides the dtypes of operands and results."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import (
    DType,
    complex64,
    complex128,
    default_float,
    float16,
    float32,
    float64,
    is_inexact,
)
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import DtypeError
from fxla.numpy.operands import describe

__all__ = ["loop_dtypes"]

_WEAK: dict[str, type] = {"i": int, "u": int, "f": float, "c": complex}


@functools.lru_cache(maxsize=4096)
def _resolve(
    ufunc: np.ufunc, kinds: tuple[Any, ...], signature: Any, casting: str, default: DType
) -> tuple[DType, ...]:
    """NumPy's loop; where only the default precision made it wide, that of this thread."""
    if all(isinstance(k, type) for k in kinds):
        # Asked about Python integers alone, NumPy would answer that it computes with objects.
        given: tuple[Any, ...] = tuple([np.dtype(k) for k in kinds])
    else:
        given = kinds
    asked: Any = (*given, *[None] * ufunc.nout)
    wanted: Any = {} if casting == "same_kind" else {"casting": casting}
    if signature is not None:
        wanted["signature"] = signature
    loop = tuple(ufunc.resolve_dtypes(asked, **wanted))
    exact = [k for k in kinds if isinstance(k, type) or not is_inexact(k)]
    if default == float64 or signature is not None or len(exact) < len(kinds):
        return loop
    wide = {float64: default, float32: default, float16: default, complex128: complex64}
    return tuple([wide.get(d, d) for d in loop])


def _whole_signature(ufunc: np.ufunc, signature: Any) -> Any:
    """A ``signature=`` or ``dtype=`` as a tuple with an entry for each operand and result."""
    if signature is None:
        return None
    if isinstance(signature, tuple):
        return tuple([None if s is None else np.dtype(s) for s in signature])
    if isinstance(signature, str) and "->" in signature:
        return tuple([np.dtype(s) for s in signature.replace("->", "")])
    return (None,) * ufunc.nin + (np.dtype(signature),) * ufunc.nout


def loop_dtypes(
    call: str,
    ufunc: np.ufunc,
    xs: Sequence[Value],
    signature: Any = None,
    casting: str = "same_kind",
) -> tuple[DType, ...]:
    """The dtypes of operands and results in the loop that NumPy would run.

    Args:
        call: the user's call, for messages.
        ufunc: decides.
        xs: operands.
        signature: a dtype of the results, or the user's ``signature=``.
        casting: the user's ``casting=``.

    Raises:
        DtypeError: if the function is not defined for them.
    """
    avals = [typeof(x) for x in xs]
    kinds = tuple([_WEAK[a.dtype.kind] if a.weak_type else a.dtype for a in avals])
    try:
        chosen = _whole_signature(ufunc, signature)
        return _resolve(ufunc, kinds, chosen, casting, default_float())
    except TypeError as error:
        reason = str(error)
        if "not supported for the input types" in reason or "did not contain a loop" in reason:
            reason = "not defined for"
        raise DtypeError(
            f"{call}: {reason} {', '.join(describe(x) for x in xs)}{where_am_i()}. Convert the "
            "operands with `.astype` first."
        ) from None
