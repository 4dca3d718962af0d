"""What a variable may hold at the end of a branch or of a loop's step, and its words for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.capturing.undefined import Undefined
from fxla.core.aval import Aval
from fxla.core.dtypes import bfloat16, result_type
from fxla.core.pytree import tree_flatten, tree_unflatten
from fxla.core.source import user_source
from fxla.core.trace import Tracer, is_on_device, typeof, where_am_i
from fxla.errors import ControlFlowError
from fxla.ops.logic import ne

__all__ = [
    "describe",
    "into_container",
    "is_array",
    "joined_type",
    "line_of_user",
    "own_containers",
    "truth",
    "unlike",
]


def is_array(x: Any) -> bool:
    """Whether a program can hold a value: an array of numbers or a number."""
    if isinstance(x, np.ndarray):
        return x.dtype.kind in "biufc" or x.dtype == bfloat16
    return isinstance(x, (Tracer, np.generic, bool, int, float, complex)) or is_on_device(x)


def describe(x: Any) -> str:
    """A value for messages: ``f64[3]``, ``None``, ``[f64[], i64[]]``, ``a str``."""
    if isinstance(x, Undefined):
        return "nothing"
    if x is None:
        return "None"
    if is_array(x):
        return str(typeof(x))
    leaves = tree_flatten(x)[0]
    if isinstance(x, str):
        return repr(x) if len(x) < 30 else "a str"
    if len(leaves) == 1 and leaves[0] is x:
        return f"{'an' if type(x).__name__[0] in 'aeiou' else 'a'} {type(x).__name__}"
    if isinstance(x, (list, tuple)) and len(x) <= 4:
        inside = ", ".join(describe(item) for item in x)
        return f"[{inside}]" if isinstance(x, list) else f"({inside})"
    return f"a {type(x).__name__} of {len(leaves)} arrays"


def line_of_user() -> str:
    """``line 12``: where the user's code is now."""
    source = user_source()
    return "another line" if source is None else f"line {source.line}"


def own_containers(values: Sequence[Any]) -> list[Any]:
    """The values, with copies of lists and dictionaries: a branch may change them."""
    return [
        tree_unflatten(*tree_flatten(x)[::-1]) if isinstance(x, (list, dict)) else x for x in values
    ]


def into_container(container: Any, value: Any) -> Any:
    """A value; if it is what became of a list or a dictionary, that one is changed to it."""
    if isinstance(container, list) and type(value) is list:
        container[:] = value
        return container
    if isinstance(container, dict) and type(value) is dict:
        container.clear()
        container.update(value)
        return container
    return value


def joined_type(a: Aval, b: Aval) -> Aval | None:
    """The type that holds both, as NumPy promotes; None if the shapes differ."""
    if a.shape != b.shape:
        return None
    return Aval(a.shape, *result_type((a.dtype, a.weak_type), (b.dtype, b.weak_type)))


def unlike(name: str, first: str, second: str, remedy: str) -> ControlFlowError:
    """The error of a variable that is one thing on one path and another on another."""
    title = "the value that the function returns" if name == "fx_result" else f"variable {name!r}"
    title = name if " " in name else title
    return ControlFlowError(f"{title} is {first}, but {second}{where_am_i()}. {remedy}")


def truth(x: Any, what: str) -> Any:
    """A traced condition as a boolean scalar.

    Raises:
        ValueError: if it has more than one element, as NumPy's arrays do.
    """
    if x.size != 1:
        raise ControlFlowError(
            f"{what} depends on a traced {x.aval}: the truth value of an array with more than one "
            f"element is ambiguous{where_am_i()}. Use np.any or np.all, or np.where to choose for "
            "each element."
        )
    if x.shape:
        x = x.reshape(())
    return x if x.dtype == np.bool_ else ne(x, 0)
