"""Sample operands for every scalar op, what its reference makes of them, and how near is enough."""

from __future__ import annotations

import warnings

import ml_dtypes
import numpy as np

from fxla.loops.ir import Buffer, For, Kernel, Load, Op, Store
from fxla.loops.scalar import PREDICATES, SCALAR_OPS
from fxla.loops.view import extent, fresh_index

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOAT16 = np.dtype(np.float16)
HALVES = (FLOAT16, BFLOAT16)
DTYPES = [
    np.dtype(t)
    for t in (
        "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 float16 "
        "complex64 complex128"
    ).split()
] + [BFLOAT16]

EXACT = set(
    "add sub mul truncdiv floordiv mod fmod maximum minimum neg abs sign copysign nextafter and or "
    "xor not shl shr shr_logical popcount clz floor ceil trunc rint sqrt real imag conj complex "
    "bitcast".split()
) | set(PREDICATES)
"""Ops that must agree to the bit (NaN with any NaN)."""

ULPS = {"fma": 2, "pow": 4, "erfc": 32, "erfinv": 16, "lgamma": 64, "digamma": 64}
"""Ops of lower accuracy, ours or SciPy's; all others agree to 4 ulps. Near zeros of lgamma and
digamma the ulp is that of 1."""


def kind(dtype):
    return "f" if dtype == BFLOAT16 else dtype.kind


def ops_of(dtype):
    """The ops that take a dtype."""
    rows = [row for row in SCALAR_OPS.values() if kind(dtype) in row.kinds]
    return [row for row in rows if not (row.name == "complex" and dtype in HALVES)]


def result_dtype(name, dtype):
    if name in PREDICATES:
        return np.dtype(bool)
    if name in ("real", "imag"):
        return np.dtype(f"f{dtype.itemsize // 2}")
    if name == "complex":
        return np.dtype(f"c{dtype.itemsize * 2}")
    if name == "bitcast":
        other = {"i": "u", "u": "i", "f": "i"}[kind(dtype)]
        return np.dtype(f"{other}{dtype.itemsize}")
    return dtype


def samples(dtype, count=None):
    """Three operand arrays of one length: all pairs of interesting values, and a third."""
    rng = np.random.default_rng(len(dtype.name))
    if kind(dtype) == "f":
        named = [0.0, -0.0, 1, -1, 0.5, -0.5, 2, 3.7, -3.7, np.inf, -np.inf, np.nan, 1e-5, -1e-5]
        named += [10, -10, 100, 0.9, -0.9, 0.999, 25.3, -0.1, 1.4616, 88.9, -104, 65519]
        bits = rng.integers(0, 2 ** (8 * dtype.itemsize - 1), 12).astype(f"u{dtype.itemsize}")
        base = np.concatenate([np.array(named).astype(dtype), bits.view(dtype)])
        base = np.concatenate([base, (rng.standard_normal(12) * 3).astype(dtype)])
    elif dtype.kind == "c":
        base = (rng.standard_normal((40, 2)) * 2).view(np.complex128)[:, 0]
        base = np.append(base, [0, 1, -1, 1j, -2j, 3, 2.5]).astype(dtype)
    elif dtype.kind == "b":
        base = np.array([False, True])
    else:
        info = np.iinfo(dtype)
        named = [0, 1, 2, 3, 5, 7, 8, 31, 33, 63, 64, 100, info.max, info.min, info.max // 3]
        named += [-1, -2, -7, -31, -100] if dtype.kind == "i" else [info.max - 1]
        base = np.array(named, dtype=dtype)
    x, y = (a.reshape(-1) for a in np.meshgrid(base, base, indexing="ij"))
    z = rng.permutation(x)
    if count is not None:
        keep = rng.permutation(len(x))[:count]
        x, y, z = x[keep], y[keep], z[keep]
    return [np.ascontiguousarray(a) for a in (x, y, z)]


def all_ops_kernel(dtype, n):
    """A kernel with an output for each op on a dtype; and the ops."""
    rows = ops_of(dtype)
    inputs = tuple(Buffer(name, dtype, (extent(n),)) for name in "xyz")
    outputs = tuple(
        Buffer(f"{row.name}_out", result_dtype(row.name, dtype), (extent(n),)) for row in rows
    )
    i = fresh_index()
    loads = [Load(dtype, b, (i,)) for b in inputs]
    stores = tuple(
        Store(out, (i,), Op(out.dtype, row.name, tuple(loads[: row.arity])))
        for row, out in zip(rows, outputs, strict=True)
    )
    loop = For(i, extent(n), stores, "parallel")
    return Kernel(f"all_ops_{dtype.name}", inputs, outputs, (), (loop,)), rows


def expected(row, operands):
    """What the reference gives; half floats are computed in float32 and rounded once."""
    dtype = operands[0].dtype
    args = operands[: row.arity]
    out = result_dtype(row.name, dtype)
    if row.name == "bitcast":
        return args[0].view(out)
    if row.name == "pow" and dtype.kind in "iu":
        args = [args[0], np.maximum(args[1], 0)]  # NumPy refuses the others
    widened = dtype in HALVES and row.name != "nextafter"
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = row.reference(*[a.astype(np.float32) if widened else a for a in args])
        return np.asarray(got).astype(out)


def mismatches(row, operands, got, want):
    """Descriptions of the worst disagreement, if there is one that is too large."""
    skip = np.zeros(len(got), bool)
    if row.name == "pow" and operands[0].dtype.kind in "iu":
        skip = operands[1] < 0
    if row.name == "pow" and kind(operands[0].dtype) == "f":
        skip = np.isneginf(operands[0].astype(float))  # NumPy's fast paths make NaN of -inf**0.5
    off = np.where(skip, 0, distance(row.name, got, want))
    at = int(off.argmax())
    allowed = 0 if row.name in EXACT else ULPS.get(row.name, 4)
    if got.dtype.kind == "c" and allowed:
        allowed = 128 if row.name == "pow" else 8
    if row.name in ("sqrt", "mul") and got.dtype.kind == "c":
        allowed = 4  # NumPy multiplies with fused operations
    if off[at] <= allowed:
        return []
    args = [a[at] for a in operands[: row.arity]]
    return [f"{row.name}{tuple(args)} = {got[at]}, want {want[at]}: {off[at]:.3g} ulps"]


def distance(name, got, want):
    """Distance in units of the last place of the wanted value; huge if one is NaN."""
    if got.dtype.kind in "iub":
        return (got != want) * 1e9
    with np.errstate(all="ignore"):
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        if got.dtype.kind == "c":
            unit = np.spacing(np.abs(want))
            gap = np.abs(got.astype(np.complex128) - want)
        else:
            info = ml_dtypes.finfo(got.dtype)
            gap = np.abs(got.astype(float) - want.astype(float))
            size = np.abs(want.astype(float))
            if name in ("lgamma", "digamma"):
                size = np.maximum(size, 1.0)
            exponent = np.frexp(np.maximum(size, float(info.smallest_normal)))[1]
            unit = np.ldexp(1.0, np.minimum(exponent, 1023) - 1) * float(info.eps)
        off = np.where(same, 0.0, gap / unit)
        signs = np.signbit(got) != np.signbit(want) if got.dtype.kind == "f" else False
        if name in EXACT - {"maximum", "minimum", "nextafter"}:
            off = np.where(signs & (want == 0), 1e9, off)
    return np.nan_to_num(off, nan=1e9, posinf=1e9)
