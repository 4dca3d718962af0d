"""Elementary functions for scalars and vectors, written once over the builder."""

from __future__ import annotations

from collections.abc import Callable

from fxla.loops.native_builder import Builder, Value

__all__ = ["MATH"]


def _libm(symbol: str) -> Callable[..., Value]:
    def call(b: Builder, *args: Value) -> Value:
        type = args[0].type
        return b.call(symbol + ("f" if type == "f32" else ""), type, *args)

    return call


MATH: dict[str, Callable[..., Value]] = {
    name: _libm(symbol)
    for name, symbol in {
        "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log2": "log2",
        "log10": "log10", "log1p": "log1p", "sin": "sin", "cos": "cos", "tan": "tan",
        "asin": "asin", "acos": "acos", "atan": "atan", "atan2": "atan2", "sinh": "sinh",
        "cosh": "cosh", "tanh": "tanh", "asinh": "asinh", "acosh": "acosh", "atanh": "atanh",
        "hypot": "hypot", "cbrt": "cbrt", "pow": "pow", "nextafter": "nextafter",
        "erf": "erf", "erfc": "erfc", "lgamma": "lgamma",
    }.items()
}  # fmt: skip
MATH["rsqrt"] = lambda b, x: 1.0 / b.intrinsic("sqrt", x)
MATH["logistic"] = lambda b, x: 1.0 / (MATH["exp"](b, -x) + 1.0)
