"""Optimisers, schedules and losses beside optax's own, in an environment that has it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fxla
from fxla import optim
from tests.optim import trajectories

pytestmark = pytest.mark.peers

# Where optax keeps them: `optax.transforms.freeze`, `optax.schedules.warmup_constant_schedule`.
MODULES = {"transforms": optim, "schedules": optim, "contrib": optim}
LIBRARY = SimpleNamespace(**{name: getattr(optim, name) for name in optim.__all__}, **MODULES)

ROUNDED = {"adafactor", "adafactor_whole", "multi_steps", "decay_schedule", "injected"}
"""Where optax rounds something to float32: decays, schedules, the mean of accumulated gradients."""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("optax") / "out.npz"
    script = Path(trajectories.__file__)
    subprocess.run([os.environ["FXLA_PEERS_PYTHON"], script, out], check=True, timeout=600)
    return np.load(out)


def same(theirs: Any, name: str, ours: list[Any], rtol: float) -> None:
    for i, x in enumerate(ours):
        np.testing.assert_allclose(x, theirs[f"{name} {i}"], rtol=rtol, atol=rtol)


@pytest.mark.parametrize("name", trajectories.OPTIMIZERS)
def test_optimizers(theirs: Any, name: str) -> None:
    rtol = 1e-6 if name in ROUNDED else 1e-11
    same(theirs, f"optimizer {name}", trajectories.optimizer_run(LIBRARY, name, fxla.jit), rtol)


@pytest.mark.parametrize("name", trajectories.WITH_VALUE)
def test_line_searches(theirs: Any, name: str) -> None:
    same(theirs, f"value {name}", trajectories.minimised(LIBRARY, fxla, name), 1e-6)


@pytest.mark.parametrize("name", trajectories.SCHEDULES)
def test_schedules(theirs: Any, name: str) -> None:
    ours = [np.array([float(trajectories.SCHEDULES[name](optim)(c)) for c in range(25)])]
    same(theirs, f"schedule {name}", ours, 1e-6)  # some of optax's are float32


@pytest.mark.parametrize("name", trajectories.LOSSES)
def test_losses(theirs: Any, name: str) -> None:
    same(theirs, f"loss {name}", trajectories.loss_and_gradient(optim.losses, fxla, name), 1e-10)
