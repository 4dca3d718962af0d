"""A file is written whole or not at all, whatever happens to the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import fxla
from fxla.weights.atomic import replacing

SAVES_FOREVER = """
import sys, itertools
import numpy as np, fxla
path = sys.argv[1]
for k in itertools.count(1):
    fxla.save(path, {"k": k, "x": np.full(300_000, float(k))})
    print(k, flush=True)
"""


def test_a_kill_while_saving_leaves_a_whole_file(tmp_path):
    path = tmp_path / "state.safetensors"
    rng = np.random.default_rng(0)
    cut_short = 0
    for kills in range(1, 40):
        command = [sys.executable, "-c", SAVES_FOREVER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.03))
            process.send_signal(signal.SIGKILL)
            process.wait()
        cut_short += any(name.endswith(".writing") for name in os.listdir(tmp_path))
        state = fxla.load(path)
        np.testing.assert_array_equal(state["x"], np.full(300_000, float(state["k"])))
        if kills >= 5 and cut_short:
            break
    assert cut_short, "no kill came in the middle of a write: the test shows nothing"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as new:
        new.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_links_and_permissions_stay(tmp_path):
    target = tmp_path / "target.txt"
    target.write_text("old")
    target.chmod(0o640)
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    with replacing(link) as new:
        new.write_text("new")
    assert link.is_symlink() and target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(IsADirectoryError):
        fxla.save(tmp_path, 1)
    with pytest.raises(OSError, match="there is no folder"):
        fxla.save(tmp_path / "no" / "such" / "folder", np.ones(3))
