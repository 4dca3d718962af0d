"""Scalar functions that generated kernels call, in the Python that every target understands.

The same source runs in plain Python, under ``numba.njit``, under ``numba.cuda.jit(device=True)``
and in the CUDA simulator. So these functions use only arithmetic, ``math``, one
another, and the few that a target provides itself: the bits of a float, rounding to an integral
float, ``fmod`` and scratch arrays (`TARGET_FUNCTIONS`). In plain Python ``math`` is `numpy_math`,
whose functions neither raise nor lose the dtype, and ``np`` is `wrapping_np`.

Arguments are of one dtype. A result may come in a wider one; the printer casts it back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np

from fxla.loops.python import basics, complex_numbers, special
from fxla.loops.python.basics import WrappingCast
from fxla.loops.scalar import SCALAR_OPS

__all__ = [
    "PRELUDE",
    "TARGET_FUNCTIONS",
    "bind_prelude",
    "numpy_math",
    "plain_functions",
    "prelude_text",
]

TARGET_FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(basics, name)
    for name in (
        "float32_bits float32_from_bits float64_bits float64_from_bits floor ceil trunc rint fmod "
        "scratch"
    ).split()
}
"""What a target provides itself; the values are plain Python's."""

_MODULES = (basics, special, complex_numbers)

PRELUDE: dict[str, Callable[..., Any]] = {
    name: f
    for module in _MODULES
    for name, f in vars(module).items()
    if isinstance(f, FunctionType) and f.__module__ == module.__name__
    if name not in TARGET_FUNCTIONS
}
"""The functions that every target compiles."""

numpy_math = SimpleNamespace(
    **{
        name: getattr(np, name)
        for name in (
            "copysign cos cosh exp exp2 expm1 hypot isfinite isinf isnan log log10 log1p log2 "
            "sin sinh sqrt tan tanh"
        ).split()
    },
    acos=np.arccos,
    acosh=np.arccosh,
    asin=np.arcsin,
    asinh=np.arcsinh,
    atan=np.arctan,
    atan2=np.arctan2,
    atanh=np.arctanh,
    pow=np.power,
    erf=SCALAR_OPS["erf"].reference,
    erfc=SCALAR_OPS["erfc"].reference,
    lgamma=SCALAR_OPS["lgamma"].reference,
    inf=math.inf,
    nan=math.nan,
    pi=math.pi,
)
"""``math`` for plain Python: NumPy's functions, which keep the dtype and raise nothing."""

wrapping_np = SimpleNamespace(
    float32=np.float32,
    float64=np.float64,
    complex64=np.complex64,
    complex128=np.complex128,
    **{
        name: WrappingCast(getattr(np, name))
        for name in "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
    },
)
"""``np`` for plain Python: the dtypes, as conversions that wrap."""


def bind_prelude(
    wrap: Callable[[Callable[..., Any]], Any],
    provided: dict[str, Any],
    math_module: Any = math,
    np_module: Any = np,
) -> dict[str, Any]:
    """The prelude's functions, each made by `wrap`, seeing each other and what is provided.

    Args:
        wrap: a target's decorator, such as ``numba.njit``.
        provided: the target's own `TARGET_FUNCTIONS`, and any others it does better itself.
        math_module: what ``math`` means.
        np_module: what ``np`` means.

    Returns:
        The names a generated kernel may use.
    """
    scope: dict[str, Any] = {"np": np_module, "math": math_module, "__name__": __name__, **provided}
    for name in PRELUDE.keys() - provided.keys():
        f = PRELUDE[name]
        scope[name] = wrap(FunctionType(f.__code__, scope, name))
    return scope


def prelude_text() -> str:
    """The source of the prelude, for the hash of what is compiled with it."""
    return "".join([Path(str(module.__file__)).read_text() for module in _MODULES])


def plain_functions() -> dict[str, Any]:
    """The functions as plain Python runs them: with NumPy's floating-point semantics."""
    return bind_prelude(lambda f: f, TARGET_FUNCTIONS, numpy_math, wrapping_np)
