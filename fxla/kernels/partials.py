"""Partial derivatives of the scalar operations, as expressions."""

from __future__ import annotations

import math
from collections.abc import Callable

from fxla.kernels.ir import number
from fxla.kernels.values import UntranslatableError
from fxla.loops.ir import BOOL, Const, Expr, Op, Select

__all__ = ["FLAT", "partials"]

FLAT = frozenset(
    "sign rint floor ceil trunc floordiv eq ne lt le gt ge isnan isinf isfinite signbit and or xor "
    "not shl shr".split()
)
"""Operations with derivative zero wherever it exists."""


def _op(name: str, *args: Expr) -> Expr:
    return Op(args[0].dtype, name, args)


def _n(value: float, like: Expr) -> Expr:
    return number(value, like.dtype)


def _test(name: str, a: Expr, b: Expr) -> Expr:
    return Op(BOOL, name, (a, b))


def _pow(x: Expr, y: Expr) -> tuple[Expr, Expr]:
    """At y = 0 the slope in x is 0; at x <= 0 that in y is taken to be 0."""
    zero, one = _n(0, x), _n(1, x)
    if isinstance(y, Const):
        if y.value == 2:
            return _op("mul", y, x), zero
        return _op("mul", y, _op("pow", x, _n(y.value - 1, x))), zero
    at_x = _op("mul", y, _op("pow", x, _op("sub", y, one)))
    safe = Select(x.dtype, _test("gt", x, zero), x, one)
    at_y = _op("mul", _op("log", safe), _op("pow", x, y))
    return (
        Select(x.dtype, _test("eq", y, zero), zero, at_x),
        Select(x.dtype, _test("gt", x, zero), at_y, zero),
    )


def _atan2(y: Expr, x: Expr) -> tuple[Expr, Expr]:
    square = _op("add", _op("mul", x, x), _op("mul", y, y))
    return _op("div", x, square), _op("neg", _op("div", y, square))


def _hypot(x: Expr, y: Expr) -> tuple[Expr, Expr]:
    length = _op("hypot", x, y)
    return _over(x, length), _over(y, length)


def _over(x: Expr, length: Expr) -> Expr:
    """x / length; 0 at the origin."""
    zero = _n(0, x)
    return Select(x.dtype, _test("eq", length, zero), zero, _op("div", x, length))


def _larger(x: Expr, y: Expr) -> tuple[Expr, Expr]:
    one, zero, half = _n(1, x), _n(0, x), _n(0.5, x)
    tie = Select(x.dtype, _test("eq", x, y), half, zero)
    first = Select(x.dtype, _test("gt", x, y), one, tie)
    return first, _op("sub", one, first)


def _smaller(x: Expr, y: Expr) -> tuple[Expr, Expr]:
    first, second = _larger(x, y)
    return second, first


def _root_slope(x: Expr) -> Expr:
    """1 / (2 sqrt x); 0 at 0, as everywhere in fxla."""
    zero = _n(0, x)
    slope = _op("div", _n(0.5, x), _op("sqrt", x))
    return Select(x.dtype, _test("eq", x, zero), zero, slope)


def _cube_root_slope(x: Expr) -> Expr:
    root = _op("cbrt", x)
    return _op("div", _n(1 / 3, x), _op("mul", root, root))


_ONE: dict[str, Callable[[Expr], Expr]] = {
    "neg": lambda x: _n(-1, x),
    "abs": lambda x: _op("sign", x),
    "sqrt": _root_slope,
    "cbrt": _cube_root_slope,
    "exp": lambda x: _op("exp", x),
    "exp2": lambda x: _op("mul", _op("exp2", x), _n(math.log(2), x)),
    "expm1": lambda x: _op("exp", x),
    "log": lambda x: _op("div", _n(1, x), x),
    "log2": lambda x: _op("div", _n(1 / math.log(2), x), x),
    "log10": lambda x: _op("div", _n(1 / math.log(10), x), x),
    "log1p": lambda x: _op("div", _n(1, x), _op("add", _n(1, x), x)),
    "sin": lambda x: _op("cos", x),
    "cos": lambda x: _op("neg", _op("sin", x)),
    "tan": lambda x: _op("add", _n(1, x), _op("mul", _op("tan", x), _op("tan", x))),
    "asin": lambda x: _op("div", _n(1, x), _op("sqrt", _one_minus_square(x))),
    "acos": lambda x: _op("div", _n(-1, x), _op("sqrt", _one_minus_square(x))),
    "atan": lambda x: _op("div", _n(1, x), _op("add", _n(1, x), _op("mul", x, x))),
    "sinh": lambda x: _op("cosh", x),
    "cosh": lambda x: _op("sinh", x),
    "tanh": lambda x: _one_minus_square(_op("tanh", x)),
    "asinh": lambda x: _op("div", _n(1, x), _op("hypot", _n(1, x), x)),
    "acosh": lambda x: _op(
        "div", _n(1, x), _op("sqrt", _op("sub", _op("mul", x, x), _n(1, x)))
    ),
    "atanh": lambda x: _op("div", _n(1, x), _one_minus_square(x)),
    "erf": lambda x: _bell(x, 2 / math.sqrt(math.pi)),
    "erfc": lambda x: _bell(x, -2 / math.sqrt(math.pi)),
}  # fmt: skip

_TWO: dict[str, Callable[[Expr, Expr], tuple[Expr, Expr]]] = {
    "add": lambda x, y: (_n(1, x), _n(1, x)),
    "sub": lambda x, y: (_n(1, x), _n(-1, x)),
    "mul": lambda x, y: (y, x),
    "div": lambda x, y: (
        _op("div", _n(1, x), y), _op("neg", _op("div", _op("div", x, y), y))
    ),
    "pow": _pow,
    "atan2": _atan2,
    "hypot": _hypot,
    "maximum": _larger,
    "minimum": _smaller,
    "mod": lambda x, y: (_n(1, x), _op("neg", _op("floor", _op("div", x, y)))),
    "fmod": lambda x, y: (_n(1, x), _op("neg", _op("trunc", _op("div", x, y)))),
    "copysign": lambda x, y: (
        _op("mul", _op("sign", x), _op("copysign", _n(1, x), y)), _n(0, x)
    ),
}  # fmt: skip


def _one_minus_square(x: Expr) -> Expr:
    return _op("sub", _n(1, x), _op("mul", x, x))


def _bell(x: Expr, factor: float) -> Expr:
    return _op("mul", _n(factor, x), _op("exp", _op("neg", _op("mul", x, x))))


def partials(e: Op) -> tuple[Expr, ...]:
    """The derivative of an operation in each operand.

    Raises:
        UntranslatableError: if it is not known.
    """
    if e.name in _ONE:
        return (_ONE[e.name](e.args[0]),)
    if e.name in _TWO:
        return _TWO[e.name](e.args[0], e.args[1])
    raise UntranslatableError(f"the derivative of `{e.name}`")
