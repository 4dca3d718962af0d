"""Runs a file's functions ``case_...`` with ``jax`` backed by fxla, and says how it went.

A process of its own: what is imported while `install` is in force stays as it is.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import traceback
import warnings
from pathlib import Path
from types import ModuleType


def loaded(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("cases", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(path: str, out: str) -> None:
    import fxla.compat.jax

    warnings.simplefilter("ignore")  # of libraries, about JAX
    fxla.compat.jax.install()
    module = loaded(path)
    told = {}
    for name, case in vars(module).items():
        if not name.startswith("case_"):
            continue
        try:
            case()
            told[name] = ""
        except Exception:
            told[name] = traceback.format_exc()
    Path(out).write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
