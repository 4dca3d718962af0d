"""Names, order, kinds and defaults of arguments are NumPy's; ours have a few more at the end."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import fxla.numpy as fnp

EXTRAS = {"size", "fill_value", "length", "total_repeat_length", "inplace", "descending", "dtype"}
EXCEPTIONS = {
    "arange": "takes start= too, and dtype by position, as NumPy's does but does not say",
    "clip": "dtype= is the one keyword of its **kwargs that matters",
    "einsum": "names the keywords that NumPy's **kwargs stand for",
    "einsum_path": "einsum_call= is between NumPy's own functions",
    "load": "passes all keywords on",
}


def is_function(x: Any) -> bool:
    return callable(x) and not isinstance(x, type)


def cases() -> list[Any]:
    found = []
    for ours, theirs in ((fnp, np), (fnp.linalg, np.linalg), (fnp.fft, np.fft)):
        for name in ours.__all__:
            function, numpys = getattr(ours, name), getattr(theirs, name, None)
            if not is_function(numpys) or function is numpys or name in EXCEPTIONS:
                continue
            try:
                inspect.signature(numpys)
            except ValueError:
                continue  # NumPy does not say
            found.append(pytest.param(function, numpys, id=f"{theirs.__name__}.{name}"))
    return found


CASES = cases()


def test_most_functions_are_compared():
    assert len(CASES) > 350


@pytest.mark.parametrize(("function", "numpys"), CASES)
def test_signature(function: Any, numpys: Any) -> None:
    ours = inspect.signature(function).parameters
    theirs = inspect.signature(numpys).parameters
    kept = [p for k, p in ours.items() if k not in EXTRAS or k in theirs]
    assert [p.name for p in kept] == list(theirs)
    for p, q in zip(kept, theirs.values(), strict=True):
        assert (p.kind, p.default) == (q.kind, q.default), p.name
    for k in ours.keys() & EXTRAS - theirs.keys():
        assert ours[k].kind is inspect.Parameter.KEYWORD_ONLY
