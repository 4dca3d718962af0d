"""Equal programs have equal texts, different programs different ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.core.identity import identity
from fxla.core.jaxpr import Eqn, Jaxpr, Literal, Var
from fxla.core.primitive import registered

X = np.ones((3, 4))

DIFFERENT: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "plain": (lambda x: x + 1, (X,)),
    "another operation": (lambda x: x - 1, (X,)),
    "another literal": (lambda x: x + 2, (X,)),
    "zero": (lambda x: x + 0.0, (X,)),
    "minus zero": (lambda x: x + -0.0, (X,)),
    "another shape": (lambda x: x + 1, (X.T,)),
    "another dtype": (lambda x: x + 1, (X.astype("f4"),)),
    "weak": (lambda x: x + 1, (1.0,)),
    "not weak": (lambda x: x + 1, (np.float64(1.0),)),
    "two inputs": (lambda x, y: x + 1, (X, X)),
    "the other input": (lambda x, y: y + 1, (X, X)),
    "two outputs": (lambda x: (x + 1, x), (X,)),
    "outputs exchanged": (lambda x: (x, x + 1), (X,)),
    "operands": (lambda x, y: x - y, (X, X)),
    "operands exchanged": (lambda x, y: y - x, (X, X)),
    "axis 0": (lambda x: x.sum(0), (X,)),
    "axis 1": (lambda x: x.sum(1), (X,)),
    "loop of 3": (lambda x: lax.fori_loop(0, 3, lambda i, x: x * 2, x), (X,)),
    "loop of 4": (lambda x: lax.fori_loop(0, 4, lambda i, x: x * 2, x), (X,)),
    "another body": (lambda x: lax.fori_loop(0, 4, lambda i, x: x * 3, x), (X,)),
    "product": (lambda x, y: x @ y.T, (X, X)),
    "branches": (lambda x: lax.cond(x.sum() > 0, fnp.sin, fnp.cos, x), (X,)),
    "branches exchanged": (lambda x: lax.cond(x.sum() > 0, fnp.cos, fnp.sin, x), (X,)),
    "slice": (lambda x: x[1:], (X,)),
    "another slice": (lambda x: x[:2], (X,)),
}


def text(name: str) -> str:
    f, args = DIFFERENT[name]
    found = identity(fxla.make_jaxpr(f)(*args).jaxpr)
    assert found is not None
    return found


@pytest.mark.parametrize("name", list(DIFFERENT))
def test_traced_again_it_is_the_same(name: str) -> None:
    assert text(name) == text(name)


def test_all_are_different() -> None:
    texts = {name: text(name) for name in DIFFERENT}
    for a, b in itertools.combinations(texts, 2):
        assert texts[a] != texts[b], (a, b)


def test_rules_of_calls_in_loops_do_not_matter() -> None:
    def in_a_loop(body: Callable[[Any], Any], slope: float) -> str | None:
        f = fxla.custom_jvp(body)
        f.defjvp(lambda primals, tangents: (body(*primals), slope * tangents[0]))
        loop = lambda x: lax.scan(lambda c, _: (f(c), None), x, length=3)[0]  # noqa: E731
        return identity(fxla.make_jaxpr(loop)(X).jaxpr)

    same, other = in_a_loop(fnp.sin, 1.0), in_a_loop(fnp.sin, 2.0)
    assert same is not None and same == other
    assert in_a_loop(fnp.cos, 1.0) not in (None, same)


def with_param(value: Any) -> str | None:
    """The text of a program with some param."""
    var, out = (Var(fxla.make_jaxpr(lambda x: x)(1.0).jaxpr.invars[0].aval) for _ in range(2))
    eqn = Eqn(registered["sin"], (var,), {"value": value}, (out,))
    return identity(Jaxpr((var,), (eqn,), (out,)))


VALUES = [
    True, 1, 1.0, "1", b"1", None, (1,), [1], (1, 1), ((1,), 1), {"a": 1}, {"a": 2}, slice(1),
    np.float32(1), np.float64(1), np.dtype("f4"), np.dtype(">f4"), fnp.dtype("bfloat16"),
    np.ones(1), np.ones((1, 1)), np.ones(1, "f4"), range(3), np.float32, ...,
]  # fmt: skip


def test_params_of_different_content_or_type() -> None:
    texts = [with_param(v) for v in VALUES]
    assert None not in texts
    assert len(set(texts)) == len(VALUES)


@pytest.mark.parametrize("value", [lambda x: x, object(), np.array([print]), (1, print)])
def test_what_is_known_by_identity_has_no_text(value: Any) -> None:
    assert with_param(value) is None


def test_literals_to_the_bit() -> None:
    aval = fxla.make_jaxpr(lambda x: x)(1.0).jaxpr.invars[0].aval
    values = (np.nan, -np.nan, 0.0, -0.0, 1.0, np.nextafter(1.0, 2.0))
    texts = {identity(Jaxpr((), (), (Literal(v, aval),))) for v in values}
    assert len(texts) == len(values)
