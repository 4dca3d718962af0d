"""How much programs do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.build import build_program
from fxla.compile.work import work_of


def work(f: Any, *args: Any) -> float:
    return work_of(build_program(fxla.make_jaxpr(f)(*args).jaxpr).body)


def test_it_grows_with_what_is_done() -> None:
    assert 10 <= work(lambda x: x + 1, np.ones(10)) < 100
    assert 1e6 <= work(lambda x: x + 1, np.ones(10**6)) < 1e7
    assert work(lambda x: x @ x, np.ones((100, 100))) >= 1e6
    scan = lambda x: lax.scan(lambda c, _: (fnp.sin(c), None), x, None, 500)[0]  # noqa: E731
    assert work(scan, np.ones(100)) >= 50_000


def test_the_larger_branch_counts() -> None:
    branch = lambda p, x: lax.cond(p, lambda v: v, lambda v: v @ v, x)  # noqa: E731
    assert work(branch, True, np.ones((50, 50))) >= 125_000


def test_what_nobody_knows_is_infinite() -> None:
    loop = lambda x: lax.while_loop(lambda c: c.sum() < 9, lambda c: c @ c, x)  # noqa: E731
    assert work(loop, np.ones((2, 2))) == math.inf
    assert work(fnp.linalg.cholesky, np.eye(30)) == math.inf
