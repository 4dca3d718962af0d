"""The one entry for checking the tree: people, pre-commit and `.ci/run` all call it.

python tools/check.py             # everything, the tests last
python tools/check.py lint types  # only those
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["CHECKS", "main"]

ROOT = Path(__file__).resolve().parent.parent

CHECKS: dict[str, list[str]] = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "floors": ["lint-imports", "--no-logo"],
    "tests": ["pytest", "-n", "auto"],
}
"""What each check runs, in the order from the quickest to the longest."""


def command(words: list[str]) -> list[str]:
    """The command in this interpreter's environment, so that no activation is needed."""
    beside = Path(sys.executable).parent / words[0]
    return [str(beside) if beside.exists() else words[0], *words[1:]]


def main(arguments: list[str] | None = None) -> int:
    """Run the named checks; the exit status says whether all of them passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("checks", nargs="*", choices=[*CHECKS, []], help="default: all")
    chosen = parser.parse_args(arguments).checks or list(CHECKS)
    failed = []
    for name in chosen:
        began = time.perf_counter()
        print(f"== {name}: {' '.join(CHECKS[name])}", flush=True)
        if subprocess.run(command(CHECKS[name]), cwd=ROOT, check=False).returncode:
            failed.append(name)
        if name != "tests":  # pytest's own summary stays the last line
            print(f"-- {name} took {time.perf_counter() - began:.1f} s", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
