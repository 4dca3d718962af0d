from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "training.ipynb"


@pytest.fixture(scope="module")
def executed() -> Any:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=300, kernel_name="python3")
    client.execute(cwd=str(NOTEBOOK.parent), env={**os.environ, "PYTHONPATH": str(ROOT)})
    return {cell.id: cell.get("outputs", []) for cell in notebook.cells}


def text(outputs: Any, name: str = "stdout") -> str:
    return "".join(o.text for o in outputs if o.output_type == "stream" and o.name == name)


def test_is_kept_without_outputs() -> None:
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        assert not cell.get("outputs"), f"clear the outputs of {cell.id}"
        assert cell.get("execution_count") is None


def test_shows_a_bar_a_table_and_plots(executed: Any) -> None:
    assert "epoch 3/3: 100%" in text(executed["keras-fit"])
    assert "val_accuracy=" in text(executed["keras-fit"])
    [table] = executed["keras-history"]
    assert table.data["text/html"].count("<tr>") == 4
    outputs = [o for one in executed.values() for o in one]
    assert sum("image/png" in o.get("data", {}) for o in outputs) == 3
    assert not text(outputs, "stderr")


def test_both_read_digits(executed: Any) -> None:
    [share] = re.findall(r"accuracy ([\d.]+)%", text(executed["pytorch-loop"]))
    assert float(share) > 97
    assert "Net(" in executed["pytorch-model"][0].data["text/plain"]
    [*_, last] = re.findall(r"val_accuracy=([\d.]+)", text(executed["keras-fit"]))
    assert float(last) > 0.94
