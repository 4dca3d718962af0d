"""Contractions read transposed operands in place, where BLAS or tiles can."""

from __future__ import annotations

from typing import Any

import numpy as np

import fxla
import fxla.numpy as fnp
from fxla.compile.build import build_program
from fxla.compile.executable import compile_jaxpr
from fxla.compile.passes.transposes import absorb_transposes
from fxla.compile.program import Gemm
from fxla.core.jaxpr import Jaxpr
from fxla.core.staging import eval_jaxpr

RNG = np.random.default_rng(0)


def jaxpr_of(f: Any, *args: Any) -> Jaxpr:
    return fxla.make_jaxpr(f)(*args).jaxpr


def names(jaxpr: Jaxpr) -> list[str]:
    return [e.primitive.name for e in jaxpr.eqns]


def test_transposed_operands_are_absorbed() -> None:
    x, y = np.ones((20, 30)), np.ones((20, 40))
    small = absorb_transposes(jaxpr_of(lambda x, y: x.T @ y, x, y))
    (dot,) = (e for e in small.eqns if e.primitive.name == "dot_general")
    assert dot.inputs == small.invars
    program = build_program(jaxpr_of(lambda x, y: x.T @ y, x, y))
    assert program.kernels() == []
    run = compile_jaxpr(jaxpr_of(lambda x, y: x.T @ y, x, y))
    assert len(run.program.kernels()) <= 1
    np.testing.assert_array_equal(run(x, y)[0], x.T @ y)


def test_a_transposed_product_exchanges_its_operands() -> None:
    """(a b)^T = b^T a^T, if nobody else reads a b."""
    a, b = RNG.integers(-4, 5, (20, 30)).astype(float), RNG.integers(-4, 5, (30, 40)).astype(float)
    only = absorb_transposes(jaxpr_of(lambda a, b: (a @ b).T, a, b))
    assert names(only) == ["dot_general"]
    np.testing.assert_array_equal(eval_jaxpr(only, a, b)[0], (a @ b).T)
    both = absorb_transposes(jaxpr_of(lambda a, b: ((a @ b).T, a @ b), a, b))
    assert "transpose" in names(both) or names(both).count("dot_general") == 2
    for got, want in zip(eval_jaxpr(both, a, b), ((a @ b).T, a @ b), strict=True):
        np.testing.assert_array_equal(got, want)


def test_what_blas_cannot_read_is_permuted_first() -> None:
    a, b = np.ones((4, 50, 6)), np.ones((4, 6, 30))
    f = lambda a, b: fnp.einsum("ikj,ijl->kl", a, b)  # noqa: E731
    regular = absorb_transposes(jaxpr_of(f, a, b))
    assert "transpose" in names(regular)
    np.testing.assert_array_equal(eval_jaxpr(regular, a, b)[0], np.einsum("ikj,ijl->kl", a, b))
    program = build_program(jaxpr_of(f, a, b))
    assert sum(isinstance(i, Gemm) for i in program.body) == 1
