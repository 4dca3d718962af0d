"""einsum: every form of subscripts NumPy takes, and what a plan looks like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxla.control.jit import jit
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import typeof
from fxla.numpy.einstein import einsum, einsum_path
from tests.numpy.agreement import agree, check_gradient, same_error

SIZES = dict(zip("abcdefgh", (2, 3, 4, 1, 5, 2, 3, 1), strict=True))
RNG = np.random.default_rng(0)


def operands(subscripts: str, dtype: str = "float64") -> list[Any]:
    terms = subscripts.replace(" ", "").split("->")[0].split(",")
    shapes = [
        tuple(SIZES[a] for a in term.replace("...", "")) if "..." not in term else (2, 3, *(
            SIZES[a] for a in term.replace("...", "")))
        for term in terms
    ]  # fmt: skip
    return [np.asarray(RNG.standard_normal(s) * 4).astype(dtype) for s in shapes]


CASES = [
    "a->a", "ab->ba", "ab->", "ab", "ba", "aa", "aa->a", "aab->b", "abab->ab", "ab->b",
    "a,a", "a,a->a", "a,b", "a,b->ba", "ab,bc", "ab,bc->ca", "ab,b->a", "ab,ab->", "ab,ab->ab",
    "abc,cde->abde", "abe,ace->abc", "aab,bc->ac", "ab,cd->", "ab,cd->ad", "ad,bd->ab",
    "ab,bc,ce->ae", "a,b,c->abc", "ab,ac,ae->bce", "abc,ab,bc->c", "ab,ab,ab,ab->a", "a,ab,abc->c",
    "af,f->a", "ab,gc->abgc", ",ab->ba", ",->",
]  # fmt: skip


@pytest.mark.parametrize("subscripts", CASES)
def test_subscripts(subscripts: str) -> None:
    for dtype in ("float64", "int32", "complex128", "float32"):
        xs = operands(subscripts, dtype)
        agree(lambda *a: einsum(subscripts, *a), lambda *a: np.einsum(subscripts, *a), *xs,
              tolerance=1e-4 if dtype == "float32" else None)  # fmt: skip
    check_gradient(lambda *a: einsum(subscripts, *a), *operands(subscripts), tolerance=1e-5)


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("...a,...ab->...b", [(5, 1, 2), (4, 2, 3)]),
        ("...a->...", [(5, 2)]),
        ("a...->...a", [(2, 3, 4)]),
        ("...ab,...bc", [(6, 2, 3), (3, 4)]),
        ("...,...", [(2, 3), (3,)]),
        ("a...b,b->...", [(2, 3, 4), (4,)]),
        ("ab,bc->ac", [(2, 1), (3, 4)]),
        ("ab,ab->ab", [(2, 1), (1, 3)]),
        ("ab,ab,ab->b", [(2, 1), (1, 3), (2, 3)]),
        (" ab , bc -> ac ", [(2, 3), (3, 4)]),
    ],
)
def test_ellipsis_and_broadcasting(subscripts: str, shapes: Any) -> None:
    xs = [RNG.standard_normal(s) for s in shapes]
    agree(lambda *a: einsum(subscripts, *a), lambda *a: np.einsum(subscripts, *a), *xs)
    check_gradient(lambda *a: einsum(subscripts, *a), *xs)


def test_lists_of_labels() -> None:
    x, y = RNG.standard_normal((2, 3)), RNG.standard_normal((3, 4))
    agree(
        lambda a, b: einsum(a, [0, 1], b, [1, 2], [2, 0]),
        lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [2, 0]),
        x,
        y,
    )
    agree(
        lambda a, b: einsum(a, [5, 1], b, [1, 2]),
        lambda a, b: np.einsum(a, [5, 1], b, [1, 2]),
        x,
        y,
    )
    agree(
        lambda a: einsum(a, [Ellipsis, 1], [Ellipsis]),
        lambda a: np.einsum(a, [Ellipsis, 1], [Ellipsis]),
        x,
    )


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ab,bc->ac", [(2, 3), (4, 5)]),
        ("ab->c", [(2, 3)]),
        ("ab->aa", [(2, 3)]),
        ("abc->a", [(2, 3)]),
        ("a->a", [(2, 3)]),
        ("ab", [(2, 3), (3,)]),
        ("aa->a", [(2, 3)]),
        ("a*b->a", [(2, 3)]),
        ("...a->a", [(2, 3)]),
    ],
)
def test_errors(subscripts: str, shapes: Any) -> None:
    xs = [np.ones(s) for s in shapes]
    same_error(lambda *a: einsum(subscripts, *a), lambda *a: np.einsum(subscripts, *a), *xs)


def test_dtype() -> None:
    x = np.ones((2, 3), np.float32)
    agree(
        lambda a: einsum("ab->a", a, dtype="float64"),
        lambda a: np.einsum("ab->a", a, dtype="float64"),
        x,
    )
    same_error(
        lambda a: einsum("ab->a", a, dtype="int32"),
        lambda a: np.einsum("ab->a", a, dtype="int32"),
        x,
    )
    agree(lambda a: einsum("ab,ab->a", a, a), lambda a: np.einsum("ab,ab->a", a, a), x > 0)


def primitives(subscripts: str, *shapes: tuple[int, ...], **options: Any) -> list[str]:
    avals = [typeof(np.zeros(s)) for s in shapes]
    closed = trace_to_jaxpr(lambda *xs: [einsum(subscripts, *xs, **options)], avals)
    return [e.primitive.name for e in closed.eqns]


def test_a_contraction_is_one_product() -> None:
    assert primitives("ab,bc->ac", (2, 3), (3, 4)) == ["dot_general"]
    assert primitives("xab,xbc->xac", (5, 2, 3), (5, 3, 4)) == ["dot_general"]
    assert "dot_general" not in primitives("ab,b->ab", (2, 3), (3,))


def test_three_operands_are_multiplied_in_the_cheap_order() -> None:
    closed = trace_to_jaxpr(
        lambda *xs: [einsum("ab,bc,cd->ad", *xs)],
        [typeof(np.zeros(s)) for s in ((100, 100), (100, 100), (100, 1))],
    )
    products = [e.outputs[0].aval.shape for e in closed.eqns if e.primitive.name == "dot_general"]
    assert (100, 100) not in products


def test_path() -> None:
    xs = operands("ab,bc,ce->ae")
    path, report = einsum_path("ab,bc,ce->ae", *xs)
    assert (path, report) == np.einsum_path("ab,bc,ce->ae", *xs)
    agree(
        lambda *a: einsum("ab,bc,ce->ae", *a, optimize=path),
        lambda *a: np.einsum("ab,bc,ce->ae", *a, optimize=path),
        *xs,
    )


@given(st.data())
def test_random_subscripts(data: Any) -> None:
    term = st.text(alphabet="abcd", min_size=0, max_size=3)
    terms = data.draw(st.lists(term, min_size=1, max_size=3))
    present = sorted(set("".join(terms)))
    out = data.draw(st.permutations(present))[: data.draw(st.integers(0, len(present)))]
    subscripts = f"{','.join(terms)}->{''.join(out)}"
    xs = operands(subscripts)
    agree(lambda *a: einsum(subscripts, *a), lambda *a: np.einsum(subscripts, *a), *xs)


def test_sizes_that_differ_are_named_with_the_operands() -> None:
    x = np.ones((2, 3), "f")
    for subscripts, message in {
        "ij,jk->ik": r"label 'j' has size 3 .* and 2 in operand 1: f32\[2,3\], f32\[2,3\]",
        "i,i->i": r"operand 0 has 2 axes, .* name 1",
        "ii,ij->i": r"label 'i' has size 2 .* and 3 in operand 0",
    }.items():
        with pytest.raises(ValueError, match=message + r".*, at test_einstein.py:\d"):
            jit(lambda x, subscripts=subscripts: einsum(subscripts, x, x))(x)
