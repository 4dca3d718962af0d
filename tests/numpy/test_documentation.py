"""Every public function has a docstring with an example, and the example runs."""

from __future__ import annotations

import doctest
import inspect

import numpy as np
import pytest

import fxla.numpy as fnp

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
OURS = {
    f"{prefix}{name}": getattr(module, name)
    for prefix, module in (("", fnp), ("linalg.", fnp.linalg), ("fft.", fnp.fft))
    for name in module.__all__
    if inspect.isfunction(getattr(module, name))
    and getattr(getattr(module, name), "__module__", "").startswith("fxla")
}


@pytest.mark.parametrize("name", OURS)
def test_the_example_runs(name):
    text = OURS[name].__doc__
    assert text, f"{name} has no docstring"
    assert ">>> " in text, f"{name} has no example"
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    out: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(example, out=out.append)
    assert not out, "".join(out)


def test_names_are_numpys_and_unique():
    assert len(set(fnp.__all__)) == len(fnp.__all__)
    ours_alone = {name for name in fnp.__all__ if not hasattr(np, name)}
    assert ours_alone <= {"bfloat16"}
