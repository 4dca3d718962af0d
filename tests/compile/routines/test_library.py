"""Contractions served by BLAS: every arrangement of axes that is claimed to be readable is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fxla
import fxla.numpy as fnp
from fxla.compile.build import build_program
from fxla.compile.executable import executable_from
from fxla.compile.program import Gemm, HostCall, walk_instructions
from fxla.compile.routines import library
from fxla.compile.routines.library import matrix_layout, served_by_blas
from fxla.core.jaxpr import Jaxpr
from fxla.ops.dot import DotDims, dot_general

RNG = np.random.default_rng(0)


def jaxpr_of(f: Any, *args: Any) -> Jaxpr:
    return fxla.make_jaxpr(f)(*args).jaxpr


def names(jaxpr: Jaxpr) -> list[str]:
    return [e.primitive.name for e in jaxpr.eqns]


@st.composite
def contractions(draw: Any) -> tuple[tuple[int, ...], tuple[int, ...], DotDims]:
    """Shapes and axes, in any order, with sizes of one among them."""
    counts = [draw(st.integers(0, 2)) for _ in range(4)]
    sizes = [[draw(st.integers(1, 4)) for _ in range(n)] for n in counts]
    batch, contract, left, right = sizes

    def side(kept: list[int]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        tagged = [("b", k, n) for k, n in enumerate(batch)]
        tagged += [("c", k, n) for k, n in enumerate(contract)]
        tagged += [("k", k, n) for k, n in enumerate(kept)]
        order = draw(st.permutations(tagged))
        where = {(kind, k): axis for axis, (kind, k, _) in enumerate(order)}
        return (
            tuple(n for _, _, n in order),
            tuple(where["c", k] for k in range(len(contract))),
            tuple(where["b", k] for k in range(len(batch))),
        )

    (ls, lc, lb), (rs, rc, rb) = side(left), side(right)
    return ls, rs, DotDims(lc, rc, lb, rb)


@given(contractions(), st.sampled_from(["float64", "complex64"]))
@settings(max_examples=60)
def test_every_contraction(case: Any, dtype: str) -> None:
    """Through absorb_transposes and BLAS, however small; against the primitive's own value."""
    ls, rs, dims = case
    a, b = (RNG.integers(-4, 5, s).astype(dtype) for s in (ls, rs))
    with pytest.MonkeyPatch.context() as patch:  # each example by BLAS
        patch.setattr(library, "LOOP_LIMIT", 0)
        patch.setattr(library, "MIN_DEPTH", 0)
        run = executable_from(build_program(jaxpr_of(lambda a, b: dot_general(a, b, dims), a, b)))
    np.testing.assert_array_equal(run(a, b)[0], dot_general(a, b, dims))
    kinds = {type(i) for i in walk_instructions(run.program.body)}
    assert HostCall not in kinds
    assert Gemm in kinds


def test_layouts() -> None:
    plain = matrix_layout((5, 6), (), (0,), (1,))
    assert plain is not None
    assert (plain.rows, plain.columns, plain.stride, plain.transposed) == (5, 6, 6, False)
    turned = matrix_layout((5, 6), (), (1,), (0,))
    assert turned is not None
    assert (turned.rows, turned.columns, turned.stride, turned.transposed) == (6, 5, 6, True)
    merged = matrix_layout((2, 3, 4), (), (0, 1), (2,))
    assert merged is not None
    assert (merged.rows, merged.columns) == (6, 4)
    assert matrix_layout((2, 3, 4), (), (0, 2), (1,)) is None  # rows are not at one stride
    batch = matrix_layout((7, 3, 4), (0,), (1,), (2,))
    assert batch is not None
    assert (batch.batch, batch.batch_stride) == (7, 12)


def test_what_blas_serves() -> None:
    def served(x: Any, y: Any) -> bool:
        (eqn,) = (e for e in jaxpr_of(fnp.matmul, x, y).eqns if e.primitive.name == "dot_general")
        return served_by_blas(eqn)

    assert served(np.ones((64, 64)), np.ones((64, 64)))
    assert not served(np.ones((4, 4)), np.ones((4, 4)))  # the call would cost more than the work
    assert not served(np.ones((64, 64), np.int32), np.ones((64, 64), np.int32))
    assert not served(np.ones((64, 64), np.float16), np.ones((64, 64), np.float16))
    assert not served(np.ones((64, 0)), np.ones((0, 64)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize(
    "shapes",
    [
        ((70, 1), (1, 50)),
        ((1, 70), (70, 50)),
        ((50, 70), (70, 1)),
        ((5, 40, 30), (5, 30, 20)),
        ((40, 30), (5, 30, 20)),
    ],
)
def test_products(dtype: str, shapes: Any) -> None:
    a, b = (RNG.standard_normal(s).astype(dtype) for s in shapes)
    rtol = 1e-4 if dtype in ("float32", "complex64") else 1e-12
    np.testing.assert_allclose(fxla.jit(fnp.matmul)(a, b), a @ b, rtol=rtol, atol=rtol)
