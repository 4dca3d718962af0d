from __future__ import annotations

import numpy
import pytest

from bench.peers import leaves, mapped, start
from bench.workloads.dispatch import AddOne, Tree
from bench.workloads.networks import MlpStep


def test_leaves_come_in_the_order_of_sorted_names() -> None:
    assert leaves({"b": [3, (4,)], "a": 1}) == [1, 3, 4]
    assert mapped(lambda x: -x, {"b": [3, (4,)], "a": 1}) == {"b": [-3, (-4,)], "a": -1}


@pytest.mark.parametrize("name", ["fxla", "numpy", "numba"])
def test_a_peer_runs_a_program(name: str) -> None:
    peer, seconds = start(name)
    assert seconds >= 0
    assert peer.version()
    workload = AddOne(3)
    program = peer.program(workload)
    assert program is not None
    arguments = workload.arguments()
    placed = peer.place(arguments)
    (result,) = peer.arrays(peer.waiting(workload, lambda: program(*placed))())
    numpy.testing.assert_array_equal(result, arguments[0] + 1)


def test_a_program_that_is_not_written_is_absent() -> None:
    assert start("numba")[0].program(Tree(2)) is None
    assert start("numpy")[0].program(MlpStep()) is None


def test_only_fxla_says_what_generating_takes() -> None:
    fxla, numpy_ = start("fxla")[0], start("numpy")[0]
    workload = AddOne(3)
    program = fxla.program(workload)
    assert program is not None
    assert (fxla.generate(program, workload.arguments()) or 0) > 0
    assert numpy_.generate(program, workload.arguments()) is None
