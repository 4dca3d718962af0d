from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import weakref
from typing import Any

import numpy as np
import pytest

import fxla
from fxla.core import uncollected as module
from fxla.core.uncollected import uncollected

HAVE_GC = 1 << 14


def test_objects_are_made_and_freed_as_those_of_the_base() -> None:
    @uncollected
    class Plain(np.ndarray[Any, Any]):
        __slots__ = ()

    before = sys.getrefcount(Plain)
    many = [np.arange(5.0).view(Plain) for _ in range(1000)]
    assert not any(map(gc.is_tracked, many))
    assert sys.getrefcount(Plain) == before + 1000
    parts = [x[k:] for k, x in enumerate(many[:5])]
    died = weakref.ref(many[9])
    del many
    assert died() is None
    assert [x.tolist() for x in parts][3:] == [[3.0, 4.0], [4.0]]
    del parts
    assert sys.getrefcount(Plain) == before


def test_subclasses_with_attributes_are_followed() -> None:
    class Named(fxla.Array):
        name: Any

    x = np.zeros(3).view(Named)
    x.name = [x]
    died = weakref.ref(x)
    del x
    gc.collect()
    assert died() is None


def test_arrays_are_pickled_and_copied() -> None:
    x = fxla.numpy.arange(3.0)
    y = pickle.loads(pickle.dumps(x))
    assert type(y) is fxla.Array and y.tolist() == [0.0, 1.0, 2.0]
    assert type(x.copy()) is type(x + 1) is fxla.Array


def test_a_class_with_attributes_is_left_alone() -> None:
    @uncollected
    class Named(np.ndarray[Any, Any]):
        pass

    assert Named.__flags__ & HAVE_GC
    assert gc.is_tracked(np.zeros(3).view(Named))


@pytest.mark.parametrize("offset", ["_FLAGS", "_FREE"])
def test_another_layout_changes_nothing(offset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if offset == "_FREE":
        slots = {(24 if at == module._FREE else at): n for at, n in module._SLOTS.items()}
        monkeypatch.setattr(module, "_SLOTS", slots)
    else:
        monkeypatch.setattr(module, offset, 24)

    @uncollected
    class Plain(np.ndarray[Any, Any]):
        __slots__ = ()

    assert Plain.__flags__ & HAVE_GC


def test_no_reference_is_lost_in_compiled_calls() -> None:
    code = """
import sys, fxla, fxla.numpy as np
f = fxla.jit(lambda t: {k: x + 1 for k, x in t.items()})
given = {"b": np.arange(3.0), "a": np.arange(2.0)}
for _ in range(5): f(given)
before = sys.getrefcount(fxla.Array)
kept = [f(given) for _ in range(100)]
assert sys.getrefcount(fxla.Array) == before + 200, (before, sys.getrefcount(fxla.Array))
assert all(type(x) is fxla.Array for t in kept for x in t.values())
assert list(kept[0]) == ["b", "a"]
del kept
assert sys.getrefcount(fxla.Array) == before
"""
    subprocess.run([sys.executable, "-c", code], check=True)
