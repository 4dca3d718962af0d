"""The scalar operations a kernel can contain: one row each.

A row names the op, its number of operands, the kinds of dtype it takes (b boolean, i signed, u
unsigned integer, f real floating, c complex) and its meaning, as the NumPy or SciPy function that
the printers are tested against. All operands have one dtype; so has the result, except that ops in
`PREDICATES` give a boolean and those in `PARTS` take or give the parts of a complex number.

A row may have a `definition`: the op as an expression of others, for ops that no machine or math
library offers. Such an op is expanded before printing, the same way for every target.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.deferred import deferred
from fxla.core.records import dataclass
from fxla.loops.ir import Expr

__all__ = ["PARTS", "PREDICATES", "SCALAR_OPS", "ScalarOp"]

scipy = deferred("scipy")


@dataclass(frozen=True, slots=True)
class ScalarOp:
    """One scalar operation.

    Attributes:
        name: as it stands in an `Op` node.
        arity: number of operands.
        kinds: dtype kinds it takes.
        reference: NumPy's or SciPy's function of the same meaning.
        cost: rough cost in units of an addition; guides fusion.
        definition: the op as an expression of others, if it is expanded.
    """

    name: str
    arity: int
    kinds: str
    reference: Callable[..., Any]
    cost: int = 1
    definition: Callable[..., Expr] | None = None


def _special(name: str) -> Callable[..., Any]:
    """A function of `scipy.special`, which takes 0.2 s to load: found when it is called."""

    def call(*xs: Any) -> Any:
        return getattr(scipy.special, name)(*xs)

    call.__name__ = name
    return call


def _rsqrt(x: Any) -> Any:
    return 1 / np.sqrt(x)


def _shift_right_logical(x: Any, n: Any) -> Any:
    unsigned = np.dtype(f"u{np.asarray(x).dtype.itemsize}")
    bits = np.asarray(x).view(unsigned)
    return (bits >> np.asarray(n).view(unsigned)).view(np.asarray(x).dtype)


def _clz(x: Any) -> Any:
    x = np.asarray(x)
    width = x.dtype.itemsize * 8
    bits = x.astype(object) % (1 << width)
    return np.vectorize(lambda v: width - int(v).bit_length(), otypes=[x.dtype])(bits)


def _complex(x: Any, y: Any) -> Any:
    """The parts as they are; ``x + 1j * y`` would make NaN of an infinite one."""
    out = np.empty(np.broadcast(x, y).shape, np.result_type(x, y, np.complex64))
    out.real, out.imag = x, y
    return out


def _truncated_div(x: Any, y: Any) -> Any:
    """C's integer division, rounding toward zero; 0 where y is 0."""
    x, y = np.asarray(x), np.asarray(y)
    safe = np.where(y == 0, y.dtype.type(1), y)
    q = x // safe
    q = q + ((x - q * safe != 0) & ((x < 0) != (safe < 0)))
    return np.where(y == 0, 0, q).astype(x.dtype)


_ROWS = [
    # arithmetic; on booleans add is `or` and mul is `and`, as in NumPy
    ScalarOp("add", 2, "biufc", np.add),
    ScalarOp("sub", 2, "iufc", np.subtract),
    ScalarOp("mul", 2, "biufc", np.multiply),
    ScalarOp("div", 2, "fc", np.true_divide, 4),
    ScalarOp("truncdiv", 2, "iu", _truncated_div, 20),
    ScalarOp("floordiv", 2, "iuf", np.floor_divide, 20),  # integers: 0 where the divisor is 0
    ScalarOp("mod", 2, "iuf", np.remainder, 20),  # sign of the divisor; integers: 0 by 0 is 0
    ScalarOp("fmod", 2, "iuf", np.fmod, 20),  # sign of the dividend
    ScalarOp("pow", 2, "iufc", np.power, 40),
    ScalarOp("maximum", 2, "biuf", np.maximum),  # NaN if either is
    ScalarOp("minimum", 2, "biuf", np.minimum),
    ScalarOp("neg", 1, "iufc", np.negative),
    ScalarOp("abs", 1, "iuf", np.abs),
    ScalarOp("sign", 1, "iuf", np.sign, 2),
    ScalarOp("copysign", 2, "f", np.copysign),
    ScalarOp("nextafter", 2, "f", np.nextafter, 8),
    ScalarOp("fma", 3, "f", lambda x, y, z: x * y + z),  # may round once or twice
    # bits
    ScalarOp("and", 2, "biu", np.bitwise_and),
    ScalarOp("or", 2, "biu", np.bitwise_or),
    ScalarOp("xor", 2, "biu", np.bitwise_xor),
    ScalarOp("not", 1, "biu", np.invert),
    ScalarOp("shl", 2, "iu", np.left_shift),  # 0 if the count is the width or more
    ScalarOp("shr", 2, "iu", np.right_shift),  # arithmetic for signed, logical for unsigned
    ScalarOp("shr_logical", 2, "iu", _shift_right_logical),
    ScalarOp("popcount", 1, "iu", np.bitwise_count, 2),
    ScalarOp("clz", 1, "iu", _clz, 2),
    # predicates
    ScalarOp("eq", 2, "biufc", np.equal),
    ScalarOp("ne", 2, "biufc", np.not_equal),
    ScalarOp("lt", 2, "biuf", np.less),
    ScalarOp("le", 2, "biuf", np.less_equal),
    ScalarOp("gt", 2, "biuf", np.greater),
    ScalarOp("ge", 2, "biuf", np.greater_equal),
    ScalarOp("isnan", 1, "f", np.isnan),
    ScalarOp("isinf", 1, "f", np.isinf),
    ScalarOp("isfinite", 1, "f", np.isfinite),
    ScalarOp("signbit", 1, "f", np.signbit),
    # rounding
    ScalarOp("floor", 1, "f", np.floor),
    ScalarOp("ceil", 1, "f", np.ceil),
    ScalarOp("trunc", 1, "f", np.trunc),
    ScalarOp("rint", 1, "f", np.rint),
    # roots, exponentials, logarithms
    ScalarOp("sqrt", 1, "fc", np.sqrt, 6),
    ScalarOp("rsqrt", 1, "f", _rsqrt, 8),
    ScalarOp("cbrt", 1, "f", np.cbrt, 20),
    ScalarOp("exp", 1, "fc", np.exp, 12),
    ScalarOp("exp2", 1, "f", np.exp2, 12),
    ScalarOp("expm1", 1, "f", np.expm1, 16),
    ScalarOp("log", 1, "fc", np.log, 14),
    ScalarOp("log2", 1, "f", np.log2, 14),
    ScalarOp("log10", 1, "f", np.log10, 14),
    ScalarOp("log1p", 1, "f", np.log1p, 18),
    # trigonometric and hyperbolic
    ScalarOp("sin", 1, "fc", np.sin, 16),
    ScalarOp("cos", 1, "fc", np.cos, 16),
    ScalarOp("tan", 1, "f", np.tan, 24),
    ScalarOp("asin", 1, "f", np.arcsin, 24),
    ScalarOp("acos", 1, "f", np.arccos, 24),
    ScalarOp("atan", 1, "f", np.arctan, 24),
    ScalarOp("atan2", 2, "f", np.arctan2, 30),
    ScalarOp("sinh", 1, "f", np.sinh, 24),
    ScalarOp("cosh", 1, "f", np.cosh, 24),
    ScalarOp("tanh", 1, "fc", np.tanh, 16),
    ScalarOp("asinh", 1, "f", np.arcsinh, 30),
    ScalarOp("acosh", 1, "f", np.arccosh, 30),
    ScalarOp("atanh", 1, "f", np.arctanh, 30),
    ScalarOp("hypot", 2, "f", np.hypot, 12),
    ScalarOp("logistic", 1, "f", _special("expit"), 16),
    # special functions
    ScalarOp("erf", 1, "f", _special("erf"), 20),
    ScalarOp("erfc", 1, "f", _special("erfc"), 24),
    ScalarOp("erfinv", 1, "f", _special("erfinv"), 24),
    ScalarOp("lgamma", 1, "f", _special("gammaln"), 30),
    ScalarOp("digamma", 1, "f", _special("digamma"), 40),
    # complex numbers
    ScalarOp("real", 1, "c", np.real),
    ScalarOp("imag", 1, "c", np.imag),
    ScalarOp("conj", 1, "c", np.conj),
    ScalarOp("complex", 2, "f", _complex),
]

SCALAR_OPS: dict[str, ScalarOp] = {row.name: row for row in _ROWS}
"""Every scalar op, by name. `bitcast`, to a dtype of the same width, is one too."""
SCALAR_OPS["bitcast"] = ScalarOp("bitcast", 1, "iuf", lambda x: x)

PREDICATES = frozenset("eq ne lt le gt ge isnan isinf isfinite signbit".split())
"""Ops whose result is a boolean."""

PARTS = frozenset(["real", "imag", "complex", "bitcast"])
"""Ops whose result dtype is not that of their operands; the node states it."""
