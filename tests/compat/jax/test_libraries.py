"""Unmodified libraries that are written for JAX, on fxla."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LIBRARIES = {"jax": "numpy", "optax": "optax", "chex": "chex", "jaxopt": "jaxopt",
             "equinox": "equinox", "einops": "einops"}  # fmt: skip
"""Each file ``cases_....py``, and the package that it needs."""

CASES = [
    (library, node.name)
    for library in LIBRARIES
    for node in ast.parse((HERE / f"cases_{library}.py").read_text()).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("case_")
]


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What happened to the cases of the libraries that were asked about."""
    return {}


@pytest.mark.parametrize(("library", "case"), CASES)
def test_case(library: str, case: str, outcomes: dict[str, dict[str, str]], tmp_path: Path) -> None:
    if importlib.util.find_spec(LIBRARIES[library]) is None:
        pytest.skip(f"{library} is not installed: pip install --no-deps {library}")
    if library not in outcomes:
        out = tmp_path / "told.json"
        command = [sys.executable, HERE / "run.py", HERE / f"cases_{library}.py", out]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert out.exists(), done.stderr
        outcomes[library] = json.loads(out.read_text())
    assert not outcomes[library][case], outcomes[library][case]
