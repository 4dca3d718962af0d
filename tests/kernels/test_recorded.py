"""What a way back puts aside, and what it does where nothing comes back."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.kernels.adjoint import adjoint
from fxla.kernels.ir import Loop, Program, Push, Put, walk
from fxla.kernels.translate import translate
from fxla.loops.ir import If


def backward(f: Any, *ranks: int) -> Program:
    program = translate(f, [(np.dtype(float), n) for n in ranks]).program
    return adjoint(program, (True,) * len(ranks), (True,))


def innermost(program: Program) -> list[Loop]:
    loops = [s for s in walk(program.body) if isinstance(s, Loop)]
    return [s for s in loops if not any(isinstance(t, Loop) for t in walk(s.body))]


def roots_of_sums(x: Any) -> Any:
    y = np.zeros(x.shape[0])
    for i in range(x.shape[0]):
        s = 1.0
        for j in range(x.shape[1]):
            s += x[i, j] * x[i, j]
        y[i] = np.sqrt(s)
    return y


def powers(x: Any) -> Any:
    y = np.zeros(x.shape[0])
    for i in range(x.shape[0]):
        s = 1.0
        for _ in range(3):
            s = s * s * x[i] + x[i]
        y[i] = s
    return y


def shortest(w: Any) -> Any:
    d = w.copy()
    n = d.shape[0]
    for k in range(n):
        for i in range(n):
            for j in range(n):
                through = d[i, k] + d[k, j]
                if through < d[i, j]:
                    d[i, j] = through
    return d


def test_a_running_sum_is_put_aside_once_for_each_loop() -> None:
    program = backward(roots_of_sums, 2)
    assert not any(isinstance(s, Push) for loop in innermost(program) for s in walk(loop.body))
    assert sum(isinstance(s, Push) for s in walk(program.body)) == 1


def test_what_the_next_step_multiplies_is_put_aside_in_each() -> None:
    program = backward(powers, 1)
    assert any(isinstance(s, Push) for loop in innermost(program) for s in walk(loop.body))


def test_adjoints_run_in_the_branch_that_uses_them() -> None:
    program = backward(shortest, 2)
    back = [loop for loop in innermost(program) if any(isinstance(s, If) for s in loop.body)][-1]
    assert not any(isinstance(s, Put) for s in back.body)
    (branch,) = [s for s in back.body if isinstance(s, If)]
    assert sum(isinstance(s, Put) for s in branch.then) == 3
