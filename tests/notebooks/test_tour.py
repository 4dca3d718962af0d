from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
TOUR = ROOT / "notebooks" / "tour.ipynb"


@pytest.fixture(scope="module")
def executed() -> Any:
    notebook = nbformat.read(TOUR, as_version=4)
    # The notebook runs in a kernel of this environment, in a process of its own.
    client = NotebookClient(notebook, timeout=300, kernel_name="python3")
    client.execute(cwd=str(TOUR.parent), env={**os.environ, "PYTHONPATH": str(ROOT)})
    return notebook


def test_is_kept_without_outputs() -> None:
    for cell in nbformat.read(TOUR, as_version=4).cells:
        assert not cell.get("outputs"), f"clear the outputs of {cell.id}"
        assert cell.get("execution_count") is None


def test_draws_every_plot(executed: Any) -> None:
    outputs = [o for cell in executed.cells for o in cell.get("outputs", [])]
    assert sum("image/png" in o.get("data", {}) for o in outputs) == 6
    assert not [o for o in outputs if o.output_type == "stream" and o.name == "stderr"]


def test_prints_the_program_and_the_kernel(executed: Any) -> None:
    printed = "".join(
        o.text
        for cell in executed.cells
        for o in cell.get("outputs", [])
        if o.output_type == "stream"
    )
    assert "{ lambda ; a:f64[]" in printed
    assert "(200, 5)" in printed
    assert "def " in printed
