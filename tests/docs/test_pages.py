from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, links

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUNNABLE = [p for p in PAGES if any(b.info in ("python", "pycon") for b in blocks(p))]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", RUNNABLE, ids=name)
def test_code_runs(page: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "tests" / "docs" / "pages.py"), str(page)],
        capture_output=True,
        text=True,
        cwd=tmp_path,  # what a page writes stays there
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_excerpts_are_the_code_itself(page: Path) -> None:
    for block in blocks(page):
        language, _, path = block.info.partition(" ")
        if language == "python" and path:
            assert block.text.strip("\n") in (ROOT / path).read_text(), (
                f"{name(page)}:{block.line} is not in {path}"
            )


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        assert (page.parent / target).exists(), f"{name(page)} links to {target}"


def test_the_index_leads_to_every_page() -> None:
    found = {(ROOT / "docs" / target).resolve() for target in links(ROOT / "docs" / "index.md")}
    missing = {p for p in (ROOT / "docs").rglob("*.md") if p.name != "index.md"} - found
    assert not missing, f"docs/index.md does not link to {sorted(map(name, missing))}"


def test_the_floors_name_every_module() -> None:
    table = (ROOT / "docs" / "internals.md").read_text().partition("Two ideas keep it")[0]
    modules = {p.stem for p in (ROOT / "fxla").iterdir() if p.suffix in ("", ".py")}
    missing = {
        module
        for module in modules - {"__init__", "__pycache__"}
        if f"`{module}`" not in table and f"`fxla.{module}`" not in table
    }
    assert not missing, f"docs/internals.md does not place {sorted(missing)}"


def test_a_wrong_output_fails(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\n```\n\n```pycon\n>>> x + 1\n3\n```\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "docs" / "pages.py"), str(page)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Expected:\n    3\nGot:\n    2" in done.stdout
