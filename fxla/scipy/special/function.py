"""How a special function is made public: SciPy decides the dtypes and serves eager calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_values, broadcast, convert_all
from fxla.numpy.typed import ANY_NUMBER
from fxla.numpy.ufunc_loops import loop_dtypes
from fxla.ops.casts import convert
from fxla.ops.elementwise import Elementwise

__all__ = ["special_function"]


def special_function(
    ufunc: Any,
    rule: Callable[..., Any] | Elementwise,
    operands: str,
    summary: str,
    example: str,
) -> Any:
    """The public form of a universal function of ``scipy.special``.

    Args:
        ufunc: SciPy's function.
        rule: computes it, on operands of one dtype that broadcast against each other.
        operands: their names.
        summary: what it is, a sentence without its end.
        example: ``arguments -> printed result``.
    """
    ufunc = inspect.unwrap(ufunc)  # with SCIPY_ARRAY_API=1 it is a function around it
    name = ufunc.__name__
    call = f"special.{name}"
    names = operands.split()

    def body(*xs: Any) -> Any:
        values = as_values(call, *xs)
        loop = loop_dtypes(call, ufunc, values)
        outs = loop[ufunc.nin :]
        given = broadcast(call, *convert_all(values, outs[0]))
        if isinstance(rule, Elementwise):
            return convert(rule.bind(*given)[0], outs[0])
        found = rule(*given)
        if ufunc.nout == 1:
            return convert(found, outs[0])
        return tuple([convert(x, d) for x, d in zip(found, outs, strict=True)])

    arguments, _, printed = example.partition(" -> ")
    given = "".join([f"    {n}: array or number.\n" for n in names])
    body.__doc__ = (
        f"{summary}. See `scipy.special.{name}`.\n\nArgs:\n{given}\n"
        f"Example:\n    >>> from fxla.scipy import special\n    >>> special.{name}({arguments})\n"
        f"    {printed}\n"
    )
    body.__name__ = body.__qualname__ = name
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(n, kind) for n in names])
    body.__signature__ = signature  # type: ignore[attr-defined]
    inner = public(ufunc, name=name, by_type=ANY_NUMBER)(body)

    def function(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not kwargs.keys().isdisjoint(names):
            bound = signature.bind(*args, **kwargs)
            return inner(*bound.args)
        return inner(*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = body.__doc__
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__module__ = "fxla.scipy.special"
    return function
