"""Loading runs nothing that a file names."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

import fxla
from fxla.weights.names import Allowed, UnknownNameError, name_of

THIS = sys.modules[__name__]


@dataclasses.dataclass(frozen=True)
class Settings:
    width: int

    def __post_init__(self):
        raise AssertionError("loading calls no __post_init__")


def act(x):
    return x


def forged(path, structure):
    safetensors.numpy.save_file({"x": np.ones(1)}, path, {"fxla.tree": json.dumps(structure)})


@pytest.mark.parametrize(
    "structure",
    [
        {"function": "os:system"},
        {"function": "fxla.weights.files:os.system"},
        {"function": "fxla.weights.atomic:os.unlink"},
        {"function": "builtins:eval"},
        {"function": "numpy:load"},
        {"function": "fxla.weights.names:importlib"},
        {"class": "subprocess:Popen"},
        {"object": "subprocess:Popen", "number": 0, "fields": {}},
        {"partial": {"function": "os:system"}, "args": ["true"], "keywords": []},
        {"namedtuple": "fxla.weights.names:Allowed", "fields": {}},
        {"defaultdict": [], "made_by": {"function": "os:abort"}},
    ],
    ids=lambda s: (
        next(iter(s.values())) if isinstance(next(iter(s.values())), str) else next(iter(s))
    ),
)
def test_what_a_file_may_not_name(tmp_path, structure):
    forged(tmp_path / "x", structure)
    with pytest.raises(TypeError, match="the file names the"):
        fxla.load(tmp_path / "x")


def test_no_module_is_imported(tmp_path):
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    forged(tmp_path / "x", {"object": "evil:Model", "number": 0, "fields": {}})
    code = "import sys, fxla; sys.path.insert(0, sys.argv[1]); fxla.load(sys.argv[2])"
    command = [sys.executable, "-c", code, str(tmp_path), str(tmp_path / "x")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "evil.Model, which no imported module has: import evil" in done.stderr


def test_functions_are_handed_over(tmp_path):
    fxla.save(tmp_path / "x", {"act": act})
    with pytest.raises(UnknownNameError, match=r"at 'act' .*test_names\.act.* allow=\[act\]"):
        fxla.load(tmp_path / "x")
    assert fxla.load(tmp_path / "x", allow=[act])["act"] is act
    assert fxla.load(tmp_path / "x", allow=[THIS])["act"] is act
    with pytest.raises(TypeError, match="expected classes, functions and modules"):
        fxla.load(tmp_path / "x", allow=["act"])


def test_a_class_of_a_script_is_handed_over(tmp_path):
    forged(tmp_path / "x", {"object": "__main__:Settings", "number": 0, "fields": {"width": 3}})
    got = fxla.load(tmp_path / "x", allow=[Settings])
    assert type(got) is Settings and got.width == 3


def test_a_class_that_has_changed_is_named(tmp_path):
    forged(tmp_path / "x", {"object": name_of(Settings), "number": 0, "fields": {"depth": 3}})
    with pytest.raises(ValueError, match=r"other fields than when it was saved.*depth.*width"):
        fxla.load(tmp_path / "x")


def test_fxla_s_own_modules_are_imported_for_a_name():
    assert Allowed(()).find("fxla.nn.initializers:he_normal", "function") is not None
    with pytest.raises(UnknownNameError, match="no imported module has"):
        Allowed(()).find("fxla.nothing:here", "function")
