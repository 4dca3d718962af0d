"""Tables of layers."""

from __future__ import annotations

import numpy as np

import fxla
from fxla import lax, nn
from fxla.nn.table import rows_of


class Block(nn.Module):
    """A module in a module, called twice."""

    def __init__(self):
        self.inner = nn.Linear(4, 4)
        self.norm = nn.BatchNorm(4)
        self.scale = fxla.numpy.ones(4)

    def __call__(self, x):
        return self.norm(self.inner(self.inner(x))) * self.scale


def test_rows():
    model = nn.Sequential(nn.Conv(1, 8, 3), nn.relu, nn.Flatten(), nn.Linear(288, 4), Block())
    rows = rows_of(model, (2, 8, 8, 1))
    assert [(r.path, r.kind, r.depth, r.output, r.parameters, r.flops) for r in rows] == [
        ("", "Sequential", 0, "f64[2,4]", 0, 10368 + 4608 + 128),
        ("layers[0]", "Conv", 1, "f64[2,6,6,8]", 80, 2 * 2 * 36 * 8 * 9),
        ("layers[2]", "Flatten", 1, "f64[2,288]", 0, 0),
        ("layers[3]", "Linear", 1, "f64[2,4]", 288 * 4 + 4, 2 * 2 * 4 * 288),
        ("layers[4]", "Block", 1, "f64[2,4]", 4, 2 * 2 * 2 * 4 * 4),
        ("layers[4].inner", "Linear", 2, "f64[2,4]", 20, 2 * 2 * 4 * 4),
        ("layers[4].inner", "Linear", 2, "f64[2,4]", 0, 2 * 2 * 4 * 4),
        ("layers[4].norm", "BatchNorm", 2, "f64[2,4]", 8, 0),
    ]
    assert sum(r.parameters for r in rows) == nn.parameter_count(model)


def test_a_loop_counts_its_steps():
    cell = nn.Linear(4, 4)
    looped = nn.Lambda(lambda x: lax.scan(lambda h, _: (cell(h), None), x, None, 10)[0])
    assert rows_of(looped, (3, 4))[0].flops == 10 * 2 * 3 * 4 * 4
    jitted = nn.Lambda(fxla.jit(lambda x: x @ np.ones((4, 5))))
    assert rows_of(jitted, (3, 4))[0].flops == 2 * 3 * 5 * 4


def test_the_table_leaves_the_model_as_it_is():
    model = Block()
    before = [np.array(x) for x in fxla.tree.leaves(model)]
    text = nn.tabulate(model, np.ones((2, 4)))
    assert all(np.array_equal(a, b) for a, b in zip(before, fxla.tree.leaves(model)))
    assert text.splitlines()[1].startswith("Block") and "inner" in text
    assert "inner" not in nn.tabulate(model, (2, 4), depth=0)


def test_sizes_left_out_are_made(capsys):
    model = nn.Sequential(nn.Dense(3))
    nn.summary(model, (2, 4))
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Parameters: 15; no buffers; 120 B. FLOPs of a call: 48"
    )
    assert model(np.ones((1, 4))).shape == (1, 3)
