"""What tests of reductions share: dtypes, axes and samples."""

from __future__ import annotations

from typing import Any

import numpy as np

DTYPES = "bool int8 int32 int64 uint8 uint16 uint64 float16 float32 float64 complex64 complex128"
AXES: list[Any] = [None, 0, -1, (0, 2), (), (1,)]


def sample(dtype: str, shape: tuple[int, ...] = (3, 2, 4), seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.random(shape) < 0.6
    if dtype.startswith("complex"):
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    if "int" in dtype:
        return rng.integers(0 if dtype[0] == "u" else -3, 4, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)
