"""Which Python functions are which scalar operation, by what they do in numba."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["BINARY", "CONSTRUCTORS", "CONVERSIONS", "REDUCTIONS", "UNARY", "same"]

UNARY: dict[Any, str] = {
    **{getattr(math, name): name for name in (
        "sqrt cbrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh "
        "asinh acosh atanh erf erfc lgamma fabs isnan isinf isfinite floor ceil trunc").split()},
    **{getattr(np, name): name for name in (
        "sqrt cbrt exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh tanh isnan isinf "
        "isfinite floor ceil trunc rint sign signbit").split()},
    **{getattr(np, "arc" + name): "a" + name for name in "sin cos tan sinh cosh tanh".split()},
    math.fabs: "abs", np.fabs: "abs", abs: "abs", np.abs: "abs", np.negative: "neg",
    np.square: "square", math.radians: "radians", math.degrees: "degrees", np.radians: "radians",
    np.deg2rad: "radians", np.degrees: "degrees", np.rad2deg: "degrees",
    np.reciprocal: "reciprocal",
}  # fmt: skip
"""By function object. `math.floor`, `ceil` and `trunc` give integers, NumPy's floats."""

BINARY: dict[Any, str] = {
    math.atan2: "atan2", np.arctan2: "atan2", math.hypot: "hypot", np.hypot: "hypot",
    math.pow: "pow", np.power: "pow", pow: "pow", math.fmod: "fmod", np.fmod: "fmod",
    math.copysign: "copysign", np.copysign: "copysign", np.maximum: "maximum",
    np.minimum: "minimum", np.fmax: "maximum", np.fmin: "minimum", np.add: "add",
    np.subtract: "sub", np.multiply: "mul", np.divide: "div", np.true_divide: "div",
    np.floor_divide: "floordiv", np.mod: "mod", np.remainder: "mod",
}  # fmt: skip

CONVERSIONS: dict[Any, np.dtype[Any]] = {
    int: np.dtype(np.int64),
    float: np.dtype(np.float64),
    bool: np.dtype(np.bool_),
    **{t: np.dtype(t) for t in (
        np.float64, np.float32, np.int64, np.int32, np.int16, np.int8, np.uint64, np.uint32,
        np.uint16, np.uint8, np.bool_)},
}  # fmt: skip

CONSTRUCTORS: dict[Any, float | None] = {np.empty: None, np.zeros: 0, np.ones: 1}
"""Functions that make an array of a shape, and what they fill it with."""

LIKE: dict[Any, float | None] = {np.empty_like: None, np.zeros_like: 0, np.ones_like: 1}

REDUCTIONS: dict[str, str] = {
    "sum": "add", "prod": "mul", "max": "max", "min": "min", "mean": "add", "amax": "max",
    "amin": "min",
}  # fmt: skip
"""Reductions over all elements, as NumPy functions and as methods."""


def same(x: Any, *others: Any) -> bool:
    """Whether an object is one of some others; for what may not be compared or hashed."""
    return any(x is other for other in others)
