"""Unmodified libraries that are written for JAX, on fxla."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LIBRARIES = {"jax": "numpy", "checkify": "numpy", "optax": "optax", "chex": "chex",
             "jaxopt": "jaxopt", "equinox": "equinox", "einops": "einops"}  # fmt: skip
"""Each file ``cases_....py``, and the package that it needs."""


@pytest.mark.parametrize("library", LIBRARIES)
def test_library(library: str, tmp_path: Path) -> None:
    """One process for all cases of a library: most of the time goes by importing it."""
    if importlib.util.find_spec(LIBRARIES[library]) is None:
        pytest.skip(f"{library} is not installed: pip install --no-deps {library}")
    out = tmp_path / "told.json"
    command = [sys.executable, HERE / "run.py", HERE / f"cases_{library}.py", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert out.exists(), done.stderr
    told = json.loads(out.read_text())
    assert told
    failed = {case: text for case, text in told.items() if text}
    assert not failed, "\n\n".join(f"{case}\n{text}" for case, text in failed.items())
