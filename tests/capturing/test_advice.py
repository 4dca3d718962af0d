"""What an error offers to paste works when it is pasted."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
from fxla import lax
from fxla.errors import ConcretizationError


def branch(x: Any) -> Any:
    scale = 2.0
    if x > 0:
        y = x * scale
        scale = 1.0
    else:
        y = -x
    return y + scale


def one_sided(x: Any) -> Any:
    y = x * 3.0
    if x > 0:
        y = y + 1.0
    return y


def early_return(x: Any) -> Any:
    if x > 0:
        y = x * 2.0
        return y
    return -x


def halvings(x: Any) -> Any:
    n = 0
    while x > 1:
        x = x / 2
        n += 1
    return n


def total(n: Any) -> Any:
    found = 0
    for i in range(2, n):
        found += i
    return found


CASES: list[tuple[Callable[..., Any], str, list[Any]]] = [
    (branch, "if x > 0:", [1.0, -2.0]),
    (one_sided, "if x > 0:", [1.0, -2.0]),
    (early_return, "if x > 0:", [1.0, -2.0]),
    (halvings, "while x > 1:", [9.0, 0.5]),
    (total, "for i in range(2, n):", [6, 1]),
]


def _offered(f: Callable[..., Any], x: Any) -> str:
    with pytest.raises(ConcretizationError) as error:
        fxla.jit(f)(x)
    return textwrap.dedent(str(error.value).split("Here that would be\n\n")[1])


def _replaced(f: Callable[..., Any], first: str, text: str) -> Callable[..., Any]:
    """The function with the statement that begins so replaced by a text, as a person does it."""
    lines = inspect.getsource(f).splitlines()
    start = next(k for k, line in enumerate(lines) if line.strip() == first)
    end = start + 1
    while lines[end].startswith("        ") or lines[end].strip() == "else:":
        end += 1
    if text.splitlines()[-1].startswith("return"):
        end = len(lines)
    space: dict[str, Any] = {"np": np, "lax": lax, "Any": Any}
    exec("\n".join([*lines[:start], textwrap.indent(text, "    "), *lines[end:]]), space)
    found: Callable[..., Any] = space[f.__name__]
    return found


@pytest.mark.parametrize(("f", "first", "values"), CASES, ids=lambda c: getattr(c, "__name__", ""))
def test_the_statement_offered_does_the_same(
    f: Callable[..., Any], first: str, values: list[Any]
) -> None:
    pasted = fxla.jit(_replaced(f, first, _offered(f, values[0])))
    for x in values:
        assert pasted(x) == f(x)


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda x: 1.0 if x > 0 else 2.0, "lax.cond(x > 0, lambda: 1.0, lambda: 2.0)"),
        (lambda x: 0 < x < 2, "(0 < x) & (x < 2)"),
        (lambda x: x > 0 and not x > 3, "(x > 0) & ~(x > 3)"),
        (lambda x: not x > 3, "~(x > 3)"),
    ],
)
def test_expressions(f: Callable[..., Any], text: str) -> None:
    assert _offered(f, 1.0).startswith(text)


def test_what_has_no_short_form_names_capture_only() -> None:
    def f(x: Any) -> Any:
        while x > 1:
            x = x / 2
            if x < 3:
                break
        return x

    with pytest.raises(ConcretizationError, match='control_flow="capture"') as error:
        fxla.jit(f)(9.0)
    assert "Here that would be" not in str(error.value)


def test_a_number_that_is_no_bound_of_a_loop_is_offered_nothing() -> None:
    with pytest.raises(ConcretizationError) as error:
        fxla.jit(lambda x: int(x) + 1)(2)
    assert "capture" not in str(error.value)
