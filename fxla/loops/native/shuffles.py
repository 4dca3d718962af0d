"""Rearrangements of vectors in registers: lanes picked, interleaved, transposed."""

from __future__ import annotations

from collections.abc import Sequence

from fxla.loops.native.instructions import Instructions, Value, llvm_type

__all__ = ["deinterleave", "interleave", "shuffle", "transpose"]


def shuffle(b: Instructions, x: Value, y: Value | None, lanes: Sequence[int]) -> Value:
    """The given lanes of `x`, then of `y`; -1 is any."""
    t = llvm_type(x.type, x.width)
    items = ", ".join("i32 poison" if k < 0 else f"i32 {k}" for k in lanes)
    other = "poison" if y is None else y.name
    text = f"shufflevector {x.text}, {t} {other}, <{len(lanes)} x i32> <{items}>"
    return b.emit(text, x.type, len(lanes), *([x] if y is None else [x, y]))


def deinterleave(b: Instructions, vectors: Sequence[Value], places: Sequence[int]) -> Value:
    """One vector of the elements at `places` of the concatenation of some vectors."""
    width = vectors[0].width
    if len(vectors) == 1:
        return shuffle(b, vectors[0], None, places)
    inside = [p if p < 2 * width else -1 for p in places]
    found = shuffle(b, vectors[0], vectors[1], inside)
    for k, v in enumerate(vectors[2:], 2):
        if any(p // width == k for p in places):
            lanes = [
                i if p < k * width else width + p % width if p // width == k else -1
                for i, p in enumerate(places)
            ]
            found = shuffle(b, found, v, lanes)
    return found


def interleave(b: Instructions, fields: Sequence[Value]) -> list[Value]:
    """The elements of all fields, lane by lane, as as many vectors.

    Example: fields a0 a1 and b0 b1 become a0 b0 and a1 b1.
    """
    n, width = len(fields), fields[0].width
    out = []
    for k in range(n):
        places = [k * width + lane for lane in range(width)]
        at = [p % n * width + p // n for p in places]
        out.append(deinterleave(b, fields, at))
    return out


def transpose(b: Instructions, rows: Sequence[Value]) -> list[Value]:
    """The columns of a square of vectors, by log2(n) rounds of exchanges of halves."""
    n = len(rows)
    rows = list(rows)
    half = n // 2
    while half:
        out = list(rows)
        low = [k if not k & half else n + (k ^ half) for k in range(n)]
        high = [k | half if not k & half else n + k for k in range(n)]
        for k in range(n):
            if not k & half:
                x, y = rows[k], rows[k | half]
                out[k] = shuffle(b, x, y, low)
                out[k | half] = shuffle(b, x, y, high)
        rows = out
        half //= 2
    return rows
