"""Elementwise functions whose values are SciPy's own, with derivatives of ours.

Incomplete gamma and beta functions, Bessel functions and their like have many cases, and SciPy's
series for them are good over their whole range. Such a function is a row of `SciPyCall`: SciPy's
name, and a derivative for each operand as in `fxla.ops.elementwise`, written on other primitives.
Compiled programs call SciPy on whole arrays, as they call LAPACK, unless the row has an expression
(`fxla.ops.special_series`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.deferred import deferred
from fxla.core.dtypes import complex64, complex128, float32, float64
from fxla.core.trace import Value
from fxla.errors import DtypeError, NotDifferentiableError
from fxla.loops.ir import Expr
from fxla.loops.view import Opaque, View
from fxla.ops.elementwise import SAME, Elementwise, Rule

__all__ = ["SciPyCall", "no_derivative"]

scipy = deferred("scipy")


class SciPyCall(Elementwise):
    """``scipy.special.name(x0, x1, ...)``, or one of its results.

    Attributes:
        function: SciPy's name.
        part: which result, of a function that has several.
        scalar: the expression that compiled programs compute; None if they call SciPy.
    """

    def __init__(
        self,
        function: str,
        jvp: Sequence[Rule | None],
        *,
        name: str | None = None,
        part: int | None = None,
        kinds: str = "f",
        result: str = SAME,
        integers: int = 0,
        scalar: Callable[..., Expr] | None = None,
    ) -> None:
        def value(*xs: Any) -> Any:
            counts = [np.asarray(x).astype(np.int64) for x in xs[:integers]]
            with np.errstate(all="ignore"):
                out = getattr(scipy.special, function)(*counts, *xs[integers:])
            out = out if part is None else out[part]
            # mixed operands, as whole numbers and floats, can give a wider loop of SciPy's
            return np.asarray(out).astype(self.result_dtype(np.asarray(xs[-1]).dtype), copy=False)

        self.function = function
        self.opaque = scalar is None
        super().__init__(name or function, kinds, value, scalar, jvp=jvp, result=result)

    def abstract_eval(self, *avals: Aval) -> tuple[Aval, ...]:
        (out,) = super().abstract_eval(*avals)
        if avals[0].dtype not in (float32, float64, complex64, complex128):
            raise DtypeError(f"{self.name}: takes single and double precision, got {avals[0]}")
        return (out,)

    def lower(self, *views: View) -> Any:
        return Opaque() if self.opaque else super().lower(*views)


def no_derivative(function: str, operand: str) -> Rule:
    """The rule for an operand by which there is no derivative; it says so."""

    def rule(*_: Value) -> Value:
        raise NotDifferentiableError(
            f"{function} has no derivative by its {operand}; hold it fixed with `lax.stop_gradient`"
        )

    return rule
