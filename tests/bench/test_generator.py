from __future__ import annotations

import time
from typing import Any

import numpy

from bench.generator import generator_seconds


def test_tracing_counts_every_time() -> None:
    def slow(x: Any) -> Any:
        time.sleep(0.03)
        return x + 1

    for _ in range(2):
        assert generator_seconds(slow, (numpy.ones(3),)) >= 0.03


def test_library_calls_and_loops_are_generated() -> None:
    def program(x: Any) -> Any:
        return numpy.linalg.cholesky(x @ x.T + 4 * numpy.eye(3)).sum() + numpy.sort(x).sum()

    assert generator_seconds(program, (numpy.ones((3, 3)),)) > 0
