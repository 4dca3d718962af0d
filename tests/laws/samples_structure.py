"""Samples of broadcasting, summing, permuting and reshaping, with loops over indices as oracles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.laws.sample import BFLOAT16, Sample, draw_bool, draw_float, draw_int

__all__ = ["SAMPLES"]

Shape = tuple[int, ...]


def _draw(shape: Shape, dtype: Any) -> Any:
    kind = np.dtype(dtype).kind
    if kind == "b":
        draw: Any = draw_bool(shape)
    elif kind in "iu":
        draw = draw_int(shape, dtype)
    else:
        draw = draw_float(shape, dtype)
    return lambda rng: (draw(rng),)


def _linear(label: str, shape: Shape, dtype: Any, params: Any, oracle: Any, **more: Any) -> Sample:
    double = np.dtype(dtype).name in ("float64", "complex128")
    name = f"{label}-{np.dtype(dtype).name}-{'x'.join(map(str, shape)) or 'scalar'}"
    return Sample(
        name,
        _draw(shape, dtype),
        params,
        oracle,
        differentiable=(0,) if double else (),
        linear=((0,),) if double else (),
        **more,
    )


def _broadcast(shape: Shape, to: Shape, dims: Shape, dtype: Any = "float64") -> Sample:
    def oracle(x: Any) -> Any:
        out = np.empty(to, x.dtype)
        for i in np.ndindex(to):
            out[i] = x[tuple(0 if n == 1 else i[d] for n, d in zip(x.shape, dims, strict=True))]
        return out

    return _linear(f"to{to}at{dims}".replace(" ", ""), shape, dtype,
                   {"shape": to, "dims": dims}, oracle)  # fmt: skip


def _sum(shape: Shape, axes: Shape, dtype: Any = "float64") -> Sample:
    kept = tuple(i for i in range(len(shape)) if i not in axes)

    def oracle(x: Any) -> Any:
        wide = np.dtype(dtype).kind
        total = np.zeros(tuple(shape[i] for i in kept), object)
        for i in np.ndindex(shape):
            value = x[i].item() if wide in "biuc" else float(x[i])
            total[tuple(i[k] for k in kept)] += value
        if wide == "b":
            return (total != 0).astype(bool)
        return total.astype(complex if wide == "c" else float if wide not in "iu" else int).astype(
            dtype
        )

    # a sum of n terms in any order: n roundings, of the largest partial sum
    n = math.prod(shape[a] for a in axes)
    return _linear(f"over{axes}".replace(" ", ""), shape, dtype, {"axes": axes}, oracle,
                   ulps=n, kernel_ulps=2 * n, whole=True)  # fmt: skip


def _permute(shape: Shape, perm: Shape, dtype: Any = "float64") -> Sample:
    def oracle(x: Any) -> Any:
        out = np.empty(tuple(shape[p] for p in perm), x.dtype)
        for i in np.ndindex(out.shape):
            index = [0] * len(shape)
            for k, p in enumerate(perm):
                index[p] = i[k]
            out[i] = x[tuple(index)]
        return out

    return _linear(f"by{perm}".replace(" ", ""), shape, dtype, {"perm": perm}, oracle)


def _reshape(shape: Shape, to: Shape, dtype: Any = "float64") -> Sample:
    def oracle(x: Any) -> Any:
        out = np.empty(to, x.dtype)
        for i, j in zip(np.ndindex(shape), np.ndindex(to), strict=True):
            out[j] = x[i]
        return out

    return _linear(f"to{to}".replace(" ", ""), shape, dtype, {"shape": to}, oracle)


SAMPLES: dict[str, list[Sample]] = {
    "broadcast_in_dim": [
        _broadcast((), (2, 3), ()),
        _broadcast((3,), (2, 3), (1,)),
        _broadcast((2,), (2, 3), (0,)),
        _broadcast((1, 3), (2, 3), (0, 1)),
        _broadcast((3, 2), (2, 4, 3), (2, 0)),
        _broadcast((1,), (0, 1), (1,)),
        _broadcast((2,), (2, 3), (0,), "float32"),
        _broadcast((), (5,), (), BFLOAT16),
        _broadcast((2,), (3, 2), (1,), "int32"),
        _broadcast((2,), (3, 2), (1,), "complex128"),
        _broadcast((1,), (3,), (0,), "bool"),
    ],
    "reduce_sum": [
        _sum((2, 3), (0,)),
        _sum((2, 3), (1,)),
        _sum((2, 3), (0, 1)),
        _sum((2, 3, 5), (0, 2)),
        _sum((2, 3, 5), (1,)),
        _sum((0, 3), (0,)),
        _sum((1,), (0,)),
        _sum((19,), (0,), "float32"),
        _sum((3, 4), (1,), "float16"),
        _sum((3, 4), (1,), BFLOAT16),
        _sum((3, 4), (0,), "int32"),
        _sum((3, 4), (0,), "uint8"),
        _sum((3, 4), (1,), "bool"),
        _sum((3, 4), (0,), "complex128"),
    ],
    "transpose": [
        _permute((2, 3), (1, 0)),
        _permute((2, 3, 4), (2, 0, 1)),
        _permute((2, 1, 3), (1, 2, 0), "float32"),
        _permute((0, 3), (1, 0)),
        _permute((3, 2), (1, 0), "int8"),
        _permute((3, 2), (1, 0), "bool"),
        _permute((3, 2), (1, 0), BFLOAT16),
        _permute((3, 2), (1, 0), "complex128"),
    ],
    "reshape": [
        _reshape((2, 3), (6,)),
        _reshape((6,), (3, 1, 2)),
        _reshape((2, 3, 4), (4, 6)),
        _reshape((), (1, 1)),
        _reshape((1, 1), ()),
        _reshape((0, 3), (3, 0)),
        _reshape((2, 6), (4, 3), "float32"),
        _reshape((2, 6), (3, 4), "int32"),
        _reshape((4,), (2, 2), BFLOAT16),
        _reshape((4,), (2, 2), "complex128"),
    ],
}
