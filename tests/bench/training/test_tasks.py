"""The three tasks: the same numbers for every package."""

from __future__ import annotations

import numpy as np
import pytest

from bench.training import with_fxla, with_jax, with_torch
from bench.training.tasks import TASKS, batches


@pytest.mark.parametrize("name", TASKS)
def test_an_epoch_takes_each_example_once_in_the_order_of_its_seed(name):
    inputs, labels = TASKS[name].data()
    first, again, other = ([x for x, _ in batches(TASKS[name], s)] for s in (0, 0, 1))
    assert sum(map(len, first)) == len(inputs) and all(len(x) == TASKS[name].batch for x in first)
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(again))
    assert not np.array_equal(np.concatenate(first), np.concatenate(other))
    assert len(inputs) == len(labels)


@pytest.mark.parametrize("name", TASKS)
def test_fxla_takes_the_initial_values_and_learns(name):
    train = with_fxla.stepper(name, TASKS[name])
    x, y = next(batches(TASKS[name], 0))
    losses = [train(x, y)() for _ in range(4)]
    assert losses[0] > 2.0 and losses[-1] < losses[0]


@pytest.mark.parametrize("name", TASKS)
def test_pytorch_s_losses_are_fxla_s(name):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    ours, theirs = (m.stepper(name, TASKS[name]) for m in (with_fxla, with_torch))
    for (x, y), _ in zip(batches(TASKS[name], 0), range(3), strict=False):
        assert ours(x, y)() == pytest.approx(theirs(x, y)(), rel=1e-3)


@pytest.mark.parametrize("name", TASKS)
def test_jax_s_losses_are_fxla_s(name):
    pytest.importorskip("jaxlib", reason="JAX is not installed")
    pytest.importorskip("optax", reason="optax is not installed")
    ours, theirs = (m.stepper(name, TASKS[name]) for m in (with_fxla, with_jax))
    for (x, y), _ in zip(batches(TASKS[name], 0), range(3), strict=False):
        assert ours(x, y)() == pytest.approx(theirs(x, y)(), rel=1e-3)
