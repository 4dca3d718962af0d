"""Reads a page's code blocks, and runs them when called as a program.

    python tests/docs/pages.py docs/guide/arrays.md

A block's fence says what it is: ``python`` runs, ``pycon`` runs and its output is compared, and
``python fxla/ops/shape.py`` is an excerpt, which must stand in that file. Blocks of a page share
their names, from top to bottom; each page runs in a process of its own, so that what one registers
no other sees.
"""

from __future__ import annotations

import doctest
import re
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "Block", "blocks", "links", "run"]

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
FENCE = re.compile(r"^(?P<pad> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=pad)```$", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: the words after its fence, its text, and the line it starts on."""

    info: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    text = page.read_text()
    return [
        Block(m["info"].strip(), m["text"], text.count("\n", 0, m.start("text")) + 1)
        for m in FENCE.finditer(text)
    ]


def links(page: Path) -> list[str]:
    """Targets of a page's links that are files."""
    prose = FENCE.sub("", page.read_text())
    targets = [m["target"].partition("#")[0] for m in LINK.finditer(prose)]
    return [t for t in targets if t and "://" not in t]


class _WholeMessages:
    """`traceback` as `doctest` sees it: a message is one text, its notes included.

    Up to Python 3.11.2 doctest compares the last line of a message only, which is that of a note.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(traceback, name)

    @staticmethod
    def format_exception_only(*exception: Any) -> list[str]:
        return ["".join(traceback.format_exception_only(*exception))]


def run(page: Path) -> None:
    """Run a page's code; an exception or a difference in output ends the process."""
    setattr(doctest, "traceback", _WholeMessages())  # noqa: B010 - no attribute that types know
    names: dict[str, Any] = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    for block in blocks(page):
        if block.info == "python":
            # Padded so that a traceback, and fxla's own messages, name the page's line.
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, str(page), "exec"), names)
        elif block.info == "pycon":
            test = doctest.DocTestParser().get_doctest(
                block.text, names, page.name, str(page), block.line - 1
            )
            runner.run(test, clear_globs=False)
            names.update(test.globs)
    if runner.failures:
        sys.exit(f"{page}: {runner.failures} examples failed")


if __name__ == "__main__":
    run(Path(sys.argv[1]))
