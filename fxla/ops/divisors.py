"""Greatest common divisors, by Euclid's algorithm on each element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.primitive import Primitive, Zero, not_linear
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops.ir import BOOL, Assign, Buffer, Let, Stmt, Store, While
from fxla.loops.view import IndexTuple, Nest, View, compare, const, fresh_local, op, select
from fxla.ops.structure import batch_move

__all__ = ["gcd", "gcd_p"]


class Gcd(Primitive):
    """The greatest common divisor of two arrays of integers of one type, which is not negative.

    x, y: T[s] -> T[s].  That of 0 and y is the modulus of y.
    """

    name = "gcd"

    def abstract_eval(self, x: Aval, y: Aval) -> tuple[Aval, ...]:
        if x.dtype != y.dtype or x.dtype.kind not in "iu":
            raise DtypeError(f"gcd: takes integers of one type, got {x}, {y}")
        if x.shape != y.shape:
            raise ShapeError(f"gcd: shapes differ: {x}, {y}")
        return (x.strong(),)

    def impl(self, x: Any, y: Any) -> tuple[Any, ...]:
        return (np.asarray(np.gcd(x, y)),)

    def jvp(self, primals: Any, tangents: Any) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        out = gcd(*primals)
        return (out,), (Zero(typeof(out).tangent()),)

    transpose = not_linear

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        return self.bind(*batch_move(axis, operands, axes)), (0,)

    def lower(self, *views: View) -> Nest:
        """A loop for each element. Moduli are unsigned, so that of the least integer is right."""
        x, y = views
        dtype = x.dtype
        u = np.dtype(f"u{dtype.itemsize}")
        zero = const(0, u)

        def modulus(v: View, outer: IndexTuple) -> Any:
            e = v[outer]
            if dtype.kind == "u":
                return e
            bits = op("bitcast", u, e)
            negative = compare("lt", e, const(0, dtype))
            return select(negative, op("sub", u, zero, bits), bits)

        def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
            a, b, rest = (fresh_local(u, stem) for stem in ("a", "b", "rest"))
            going = fresh_local(BOOL, "going")
            step = (
                Let(rest, op("mod", u, a, b)),
                Assign(a, b),
                Assign(b, rest),
                Assign(going, compare("ne", b, zero)),
            )
            return [
                Let(a, modulus(x, outer), mutable=True),
                Let(b, modulus(y, outer), mutable=True),
                Let(going, compare("ne", b, zero), mutable=True),
                While(going, step),
                Store(outs[0], outer, op("bitcast", dtype, a)),
            ]

        return Nest(((x.shape, dtype),), x.shape, body)


gcd_p = Gcd()


def gcd(x: Value, y: Value) -> Value:
    """The greatest common divisor of two arrays of integers of one type and shape."""
    return gcd_p.bind1(x, y)
