"""How a universal function is applied to traced arrays: NumPy decides the dtypes, ops compute.

``ufunc.resolve_dtypes`` names the loop that NumPy would run, so every function has NumPy's result
dtype for every combination of operand dtypes, weak Python scalars included. A *rule* then works on
operands of the loop's dtypes, which broadcast against each other. A rule is an elementwise
primitive, or a function written on them; the latter computes the 16-bit floats in float32, as
NumPy's own loops do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.dtypes import bfloat16, float16, float32, is_complex
from fxla.core.trace import Value, typeof
from fxla.numpy.operands import as_values, broadcast, convert_all
from fxla.numpy.typed import ANY_NUMBER
from fxla.numpy.ufunc_keywords import public_ufunc
from fxla.numpy.ufunc_loops import loop_dtypes
from fxla.ops.casts import convert
from fxla.ops.elementwise import Elementwise

__all__ = ["apply_ufunc", "binary", "documented", "unary"]

Rule = Callable[..., Any] | Elementwise


def apply_ufunc(
    call: str,
    ufunc: np.ufunc,
    rule: Rule,
    xs: tuple[Any, ...],
    dtype: Any = None,
    *,
    widen: bool = True,
) -> Any:
    """Apply a rule as NumPy would apply `ufunc`: checked, promoted, broadcast, converted.

    Args:
        call: the user's call, for messages.
        ufunc: decides the dtypes.
        rule: computes on operands of the loop's dtypes.
        xs: the user's operands.
        dtype: the user's ``dtype=``.
        widen: whether a rule that is not a primitive computes 16-bit floats in float32.
    """
    values = as_values(call, *xs)
    loop = loop_dtypes(call, ufunc, values, dtype)
    operands = [convert_all([x], d)[0] for x, d in zip(values, loop[: ufunc.nin], strict=True)]
    operands = broadcast(call, *operands)
    if isinstance(rule, Elementwise):
        (out,) = rule.bind(*operands)
        return convert(out, loop[-1])
    if widen and loop[0] in (float16, bfloat16):
        operands = [convert(x, float32) if typeof(x).dtype.itemsize == 2 else x for x in operands]
    out = rule(*operands)
    if ufunc.nout == 1:
        return convert(out, loop[-1])
    return tuple([convert(o, d) for o, d in zip(out, loop[ufunc.nin :], strict=True)])


def documented(body: Any, name: str, summary: str, operands: int, example: str) -> Any:
    """Name and document a generated body. `example` is ``expression -> printed result``."""
    body.__name__ = body.__qualname__ = name
    expression, _, printed = example.partition(" -> ")
    arguments = (
        "    x: array or number.\n"
        if operands == 1
        else "    x1: array or number.\n    x2: array or number; broadcasts against `x1`.\n"
    )
    if "dtype" in (body.__kwdefaults__ or ()):
        arguments += "    dtype: dtype to compute in and to return.\n"
    body.__doc__ = (
        f"{summary}, elementwise. See `numpy.{name}`.\n\nArgs:\n{arguments}\n"
        f"Example:\n    >>> import fxla.numpy as np\n    >>> np.{name}({expression})\n"
        f"    {printed}\n"
    )
    return body


def _chosen(rule: Rule, complex_rule: Rule | None) -> Rule:
    if complex_rule is None:
        return rule

    def by_dtype(*xs: Value) -> Any:
        chosen = complex_rule if is_complex(typeof(xs[0]).dtype) else rule
        return chosen.bind(*xs)[0] if isinstance(chosen, Elementwise) else chosen(*xs)

    return by_dtype


def unary(
    ufunc: np.ufunc,
    rule: Rule,
    summary: str,
    example: str,
    *,
    complex_rule: Rule | None = None,
    name: str | None = None,
) -> Callable[..., Any]:
    """The public function of a ufunc with one operand."""
    known = name or ufunc.__name__
    call, chosen = f"np.{known}", _chosen(rule, complex_rule)

    def body(x: Any, /, *, dtype: Any = None) -> Any:
        return apply_ufunc(call, ufunc, chosen, (x,), dtype)

    body = documented(body, known, summary, 1, example)
    made: Callable[..., Any] = public_ufunc(ufunc, by_type=ANY_NUMBER)(body)
    return made


def binary(
    ufunc: np.ufunc,
    rule: Rule,
    summary: str,
    example: str,
    *,
    complex_rule: Rule | None = None,
    name: str | None = None,
) -> Callable[..., Any]:
    """The public function of a ufunc with two operands."""
    known = name or ufunc.__name__
    call, chosen = f"np.{known}", _chosen(rule, complex_rule)

    def body(x1: Any, x2: Any, /, *, dtype: Any = None) -> Any:
        return apply_ufunc(call, ufunc, chosen, (x1, x2), dtype)

    body = documented(body, known, summary, 2, example)
    made: Callable[..., Any] = public_ufunc(ufunc, by_type=ANY_NUMBER)(body)
    return made
