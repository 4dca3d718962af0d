"""Roots found by the user's own algorithm, differentiated by the implicit function theorem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fxla.control.api import closure_convert
from fxla.control.custom_jvp import custom_jvp
from fxla.control.linear_solve import custom_linear_solve
from fxla.core.dtypes import float0
from fxla.core.pytree import tree_map
from fxla.core.trace import Value, typeof
from fxla.ops.arithmetic import neg
from fxla.ops.structure import zeros_of
from fxla.transforms.autodiff import linearize
from fxla.transforms.jvp import jvp, zeros_float0

__all__ = ["custom_linear_solve", "custom_root", "zero_tangent"]


def custom_root(
    f: Callable[[Any], Any],
    initial_guess: Any,
    solve: Callable[[Callable[[Any], Any], Any], Any],
    tangent_solve: Callable[[Callable[[Any], Any], Any], Any],
    has_aux: bool = False,
) -> Any:
    """A root of ``f``, found by the user's algorithm, with derivatives by the implicit function.

    If f(x, p) = 0, then dx = -(df/dx)^-1 df/dp dp: derivatives go to what `f` closes over, and not
    through the steps of the algorithm, nor to the initial guess.

    Args:
        f: from a pytree like `initial_guess` to one of the same structure and shapes.
        initial_guess: where `solve` starts.
        solve: ``(f, initial_guess) -> x`` with f(x) = 0.
        tangent_solve: ``(g, y) -> x`` with g(x) = y for a linear g, such as
            ``lambda g, y: y / g(1.0)`` for scalars. Must be linear in y.
        has_aux: whether `solve` returns ``(x, aux)``, of which aux has no derivative.

    Returns:
        What `solve` returns.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> from fxla import lax
        >>> def cube_root(a):
        ...     def newton(f, x):
        ...         step = lambda i, x: x - f(x) / (3.0 * x * x)
        ...         return lax.fori_loop(0, 20, step, x)
        ...     return lax.custom_root(lambda x: x**3 - a, 1.0, newton, lambda g, y: y / g(1.0))
        >>> round(float(fxla.grad(cube_root)(8.0)), 6)
        0.083333
    """
    converted, consts = closure_convert(f, initial_guess)

    @custom_jvp
    def root(guess: Any, *params: Any) -> Any:
        return solve(lambda x: converted(x, *params), guess)

    @root.defjvp
    def root_jvp(primals: Any, tangents: Any) -> Any:
        params, changes = primals[1:], tangents[1:]
        out = root(*primals)
        x, aux = out if has_aux else (out, None)
        t: Any
        if params:
            _, moved = jvp(lambda *ps: converted(x, *ps), tuple(params), tuple(changes))
            _, slope = linearize(lambda y: converted(y, *params), x)
            t = tree_map(neg, tangent_solve(slope, moved))
        else:
            t = tree_map(zero_tangent, x)
        return out, ((t, tree_map(zero_tangent, aux)) if has_aux else t)

    return root(initial_guess, *consts)


def zero_tangent(x: Value) -> Value:
    """The tangent of a value that does not move."""
    aval = typeof(x).tangent()
    return zeros_float0(aval) if aval.dtype == float0 else zeros_of(aval)
