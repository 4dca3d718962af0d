from __future__ import annotations

import subprocess
import sys

import pytest

from bench.imports import import_page, import_seconds


def test_imports_are_compared_with_numpy_and_scipy() -> None:
    page = import_page({"fxla": sys.executable}, 1)
    assert "| numpy, scipy.linalg | " in page
    assert "| fxla | " in page
    assert "| jax |" not in page


def test_an_import_that_fails_is_not_timed() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        import_seconds(sys.executable, "no_such_module")
