"""The build of a wheel compiles fxla's own code; see `fxla.precompiled`."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledRuntime(BuildHookInterface[Any]):
    """Writes the object files into the package, also for an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the files of the wheel are collected."""
        paths = [self.root, *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "FXLA_CACHE": "0"}
        words = [sys.executable, "-m", "fxla.precompiled"]
        subprocess.run(words, cwd=self.root, env=variables, check=True)
