"""What a law needs to know of one call of a primitive, and how two arrays are compared.

A `Sample` is one call: operands drawn from a seed, params, an oracle that is not fxla, and what may
be asked of the derivative. Tolerances are counted in ulps (units in the last place) of the result's
dtype, and a family states its reason beside the number.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np

from fxla.core.primitive import Primitive

__all__ = [
    "Draw",
    "Sample",
    "assert_close",
    "assert_ulps",
    "direction",
    "draw_bool",
    "draw_distinct",
    "draw_float",
    "draw_int",
    "is_inexact_array",
]

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
Draw = Callable[[np.random.Generator], tuple[Any, ...]]


@dataclass(frozen=True)
class Sample:
    """One call of a primitive.

    Attributes:
        label: tells the samples of a primitive apart in the names of the tests.
        operands: draws operands; every draw has the same shapes and dtypes.
        params: of the primitive.
        oracle: the results by something that is neither fxla nor the primitive's own `impl`; None
            where only agreement of the kernels with `impl` is asked (infinities, NaN).
        differentiable: operands to differentiate by; only in float64 and complex128.
        linear: groups of operands the primitive is jointly linear in, for the transpose rule.
        ulps: of `impl` from the oracle.
        kernel_ulps: of a compiled kernel from `impl`.
        whole: whether an ulp is that of the largest element (sums, products of matrices) instead of
            that of each element.
        second: whether second derivatives exist where the operands are.
        holomorphic: whether the complex step gives the derivative.
        canonical: brings results that are unique up to a sign or an order to one form, before they
            are compared with the oracle.
        call: how to make the call, when it is not ``primitive.bind(*operands, **params)``.
        defined: whether there is a derivative; where there is none, it is refused.
        recorded: whether the primitive stands in the program that a trace of the call gives.
        forward: whether forward mode exists where reverse mode does.
        reverse: whether reverse mode exists where forward mode does.
        batchable: operands that may be batched; all if None.
    """

    label: str
    operands: Draw
    params: dict[str, Any] = field(default_factory=dict)
    oracle: Callable[..., Any] | None = None
    differentiable: tuple[int, ...] = ()
    linear: tuple[tuple[int, ...], ...] = ()
    ulps: float = 0.0
    kernel_ulps: float = 0.0
    whole: bool = False
    second: bool = True
    holomorphic: bool = False
    canonical: Callable[..., tuple[Any, ...]] | None = None
    call: Callable[..., Sequence[Any]] | None = None
    defined: bool = True
    recorded: bool = True
    forward: bool = True
    reverse: bool = True
    batchable: tuple[int, ...] | None = None

    def draw(self, seed: int = 0) -> tuple[Any, ...]:
        """Operands, the same for the same seed on every machine."""
        start = zlib.crc32(self.label.encode())
        return self.operands(np.random.default_rng([start, seed]))

    def run(self, primitive: Primitive, *operands: Any) -> tuple[Any, ...]:
        """Make the call, under whatever is tracing."""
        if self.call is not None:
            return tuple(self.call(*operands))
        return primitive.bind(*operands, **self.params)

    def value(self, primitive: Primitive, *operands: Any) -> tuple[Any, ...]:
        """The results as NumPy arrays."""
        return tuple(np.asarray(x) for x in self.run(primitive, *operands))


def is_inexact_array(x: Any) -> bool:
    """Whether `x` is floating point or complex."""
    dtype = np.asarray(x).dtype
    return dtype.kind in "fc" or dtype == BFLOAT16


def draw_float(
    shape: tuple[int, ...], dtype: Any = "float64", low: float = -2.0, high: float = 2.0
) -> Callable[[np.random.Generator], Any]:
    """Uniform numbers; both parts of a complex number are."""
    dtype = np.dtype(dtype)

    def draw(rng: np.random.Generator) -> Any:
        x = rng.uniform(low, high, shape)
        if dtype.kind == "c":
            x = x + 1j * rng.uniform(low, high, shape)
        return np.asarray(x).astype(dtype)

    return draw


def draw_int(
    shape: tuple[int, ...], dtype: Any = "int64", low: int = -9, high: int = 9
) -> Callable[[np.random.Generator], Any]:
    """Integers from `low` to `high`, both included; no negatives in an unsigned dtype."""
    dtype = np.dtype(dtype)
    low = max(low, int(np.iinfo(dtype).min))

    def draw(rng: np.random.Generator) -> Any:
        return np.asarray(rng.integers(low, high, shape, endpoint=True)).astype(dtype)

    return draw


def draw_bool(shape: tuple[int, ...]) -> Callable[[np.random.Generator], Any]:
    """True or False."""
    return lambda rng: np.asarray(rng.random(shape) < 0.5)


def draw_distinct(
    shape: tuple[int, ...], dtype: Any = "float64", gap: float = 0.25
) -> Callable[[np.random.Generator], Any]:
    """Numbers in random order that differ by more than the steps of differences."""
    dtype = np.dtype(dtype)
    n = int(np.prod(shape))

    def draw(rng: np.random.Generator) -> Any:
        if dtype.kind in "iu":
            return rng.permutation(n).reshape(shape).astype(dtype)
        x = (np.arange(n) - n / 2) * gap + rng.uniform(0.0, gap / 3, n)
        return np.asarray(rng.permutation(x).reshape(shape)).astype(dtype)

    return draw


def direction(rng: np.random.Generator, x: Any) -> Any:
    """A random tangent at `x`."""
    x = np.asarray(x)
    return draw_float(x.shape, x.dtype, -1.0, 1.0)(rng)


def _spacing(dtype: np.dtype[Any], magnitude: Any) -> Any:
    """One ulp at `magnitude`, as float64."""
    info: Any = ml_dtypes.finfo(dtype) if dtype == BFLOAT16 else np.finfo(dtype)
    smallest, eps = float(info.smallest_subnormal), float(info.eps)
    finite = np.where(np.isfinite(magnitude), magnitude, 0.0)
    _, exponent = np.frexp(np.maximum(finite, float(info.tiny)))
    return np.maximum(np.ldexp(eps, exponent - 1), smallest)


def assert_ulps(actual: Any, expected: Any, ulps: float, whole: bool = False) -> None:
    """Same shape, same dtype, NaN and infinity in the same places, and within `ulps`."""
    a, e = np.asarray(actual), np.asarray(expected)
    assert a.dtype == e.dtype, f"dtype {a.dtype} is not {e.dtype}"
    assert a.shape == e.shape, f"shape {a.shape} is not {e.shape}"
    if a.size == 0:
        return
    if not is_inexact_array(a):
        np.testing.assert_array_equal(a, e)
        return
    dtype = np.dtype(f"f{a.dtype.itemsize // 2}") if a.dtype.kind == "c" else a.dtype
    kind = np.complex128 if a.dtype.kind == "c" else np.float64
    wide_a, wide_e = a.astype(kind), e.astype(kind)
    np.testing.assert_array_equal(np.isnan(wide_a), np.isnan(wide_e), "NaN in other places")
    known = ~np.isnan(wide_e)
    infinite = known & (np.isinf(wide_e) | np.isinf(wide_a))
    np.testing.assert_array_equal(wide_a[infinite], wide_e[infinite], "other infinities")
    finite = known & ~infinite
    if not finite.any():
        return
    size = np.abs(wide_e[finite])
    unit = _spacing(dtype, np.max(size) if whole else size)
    error = np.abs(wide_a[finite] - wide_e[finite]) / unit
    worst = int(np.argmax(error))
    assert error[worst] <= ulps, (
        f"{error[worst]:.3g} ulp, allowed {ulps}: {wide_a[finite][worst]!r} is not "
        f"{wide_e[finite][worst]!r}"
    )


def assert_close(actual: Any, expected: Any, tolerance: float) -> None:
    """Equal relative to the largest element, or to one if all are smaller."""
    a, e = np.asarray(actual), np.asarray(expected)
    assert a.shape == e.shape, f"shape {a.shape} is not {e.shape}"
    if a.size == 0:
        return
    scale = max(1.0, float(np.max(np.abs(e))))
    error = float(np.max(np.abs(a - e))) / scale
    assert error <= tolerance, f"relative error {error:.3g} > {tolerance:.3g}:\n{a}\n{e}"
