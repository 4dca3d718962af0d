"""Every public name exists, is listed once, and says what it does."""

from __future__ import annotations

import inspect

import pytest

from fxla import lax, nn

MODULES = [lax, lax.linalg, nn, nn.initializers]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_names_are_documented(module):
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isfunction(thing):
            assert thing.__doc__, name
            if thing.__module__.startswith(("fxla.lax", "fxla.nn")):
                assert ">>> " in thing.__doc__, f"{module.__name__}.{name} has no example"
