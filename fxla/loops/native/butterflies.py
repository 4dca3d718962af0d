"""Fourier transforms of a few complex values, which are pairs of vectors, as instructions."""

from __future__ import annotations

import math

from fxla.loops.native.builder import Builder
from fxla.loops.native.instructions import Value

__all__ = ["Complex", "real_pair", "small_transform", "times"]

Complex = tuple[Value, Value]


def real_pair(
    b: Builder, x: Complex, y: Complex, root: Complex, after: bool
) -> tuple[Complex, Complex]:
    """X[k] and X[m - k] of n = 2 m real numbers from Z[k] and the conjugate of Z[m - k], or back.

    With w = exp(-2 pi i k / n):

        X[k] = E + w O,  X[m - k] = conj(E - w O),   E = (Z + Z') / 2,  O = (Z - Z') / 2i
        Z[k] = E + i O,  Z[m - k] = conj(E - i O),   E = X + X',        O = (X - X') conj w

    Args:
        b: prints.
        x: Z[k], or X[k].
        y: the conjugate of Z[m - k], or of X[m - k].
        root: w.
        after: whether X is made of Z; else twice Z is made of X.
    """
    total, off = _add(x, y), _sub(x, y)
    if after:
        half = b.constant(0.5, x[0].type, x[0].width)
        total = total[0] * half, total[1] * half
        turned = times((off[1] * half, -(off[0] * half)), root)
    else:
        off = times(off, (root[0], -root[1]))
        turned = -off[1], off[0]
    return _add(total, turned), (total[0] - turned[0], -(total[1] - turned[1]))


def times(x: Complex, w: Complex) -> Complex:
    """The product."""
    return x[0] * w[0] - x[1] * w[1], x[0] * w[1] + x[1] * w[0]


def _add(x: Complex, y: Complex) -> Complex:
    return x[0] + y[0], x[1] + y[1]


def _sub(x: Complex, y: Complex) -> Complex:
    return x[0] - y[0], x[1] - y[1]


def _turned(x: Complex) -> Complex:
    """Times -i."""
    return x[1], -x[0]


def small_transform(b: Builder, x: list[Complex]) -> list[Complex]:
    """The transform of 2, 4, 8 or an odd number of values."""
    n = len(x)
    if n == 2:
        return [_add(*x), _sub(*x)]
    if n % 2:
        return _odd(b, x)
    even, odd = small_transform(b, x[::2]), small_transform(b, x[1::2])
    pairs = [_rotated(b, e, o, k, n) for k, (e, o) in enumerate(zip(even, odd, strict=True))]
    return [*(low for low, _ in pairs), *(high for _, high in pairs)]


def _rotated(b: Builder, e: Complex, o: Complex, k: int, n: int) -> tuple[Complex, Complex]:
    """``e + w^k o`` and ``e - w^k o`` for the n-th root, n = 4 or 8."""
    eighth = 8 * k // n
    if eighth == 0:
        return _add(e, o), _sub(e, o)
    if eighth == 2:
        return (e[0] + o[1], e[1] - o[0]), (e[0] - o[1], e[1] + o[0])
    half = b.constant(math.sqrt(0.5), o[0].type, o[0].width)
    t = (o[0] + o[1], o[1] - o[0]) if eighth == 1 else (o[1] - o[0], -(o[0] + o[1]))
    t = t[0] * half, t[1] * half
    return _add(e, t), _sub(e, t)


def _odd(b: Builder, x: list[Complex]) -> list[Complex]:
    """The transform of an odd number of values, which pairs x[q] with x[r - q]."""
    r = len(x)
    pairs = range(1, r // 2 + 1)
    sums = [_add(x[q], x[r - q]) for q in pairs]
    offs = [_sub(x[q], x[r - q]) for q in pairs]
    total = x[0]
    for s in sums:
        total = _add(total, s)
    out = [total] * r
    for j in pairs:
        even, odd = x[0], None
        for q, s, d in zip(pairs, sums, offs, strict=True):
            angle = 2 * math.pi * (j * q % r) / r
            c, v = math.cos(angle), math.sin(angle)
            even = even[0] + s[0] * c, even[1] + s[1] * c
            here = d[0] * v, d[1] * v
            odd = here if odd is None else _add(odd, here)
        assert odd is not None
        turned = _turned(odd)
        out[j], out[r - j] = _add(even, turned), _sub(even, turned)
    return out
