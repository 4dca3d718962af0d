"""Names, order, kinds and defaults of arguments are NumPy's; ours have a few more at the end."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import numpy as np
import pytest

from fxla.numpy import (
    contraction,
    correlations,
    cumulative,
    fft,
    histograms,
    joining,
    linalg,
    nan_reductions,
    padding,
    polynomials,
    quantiles,
    reductions,
    sets,
    sorting,
)

MODULES = [
    contraction, correlations, cumulative, histograms, joining, nan_reductions, padding,
    polynomials, quantiles, reductions, sets, sorting,
    sys.modules["fxla.numpy.shape"],  # the name is taken by the function
]  # fmt: skip
EXTRAS = {"size", "fill_value", "length", "total_repeat_length"}
UFUNCS = {"matmul", "matvec", "vecdot", "vecmat"}
"""They take the keywords that all of NumPy's ufuncs take; the two that matter are written out."""

CASES = [(m, np, n) for m in MODULES for n in m.__all__ if n not in UFUNCS]
CASES += [(linalg, np.linalg, n) for n in linalg.__all__ if n != "LinAlgError"]
CASES += [(fft, np.fft, n) for n in fft.__all__]


@pytest.mark.parametrize(
    ("module", "numpy", "name"), CASES, ids=lambda x: getattr(x, "__name__", x)
)
def test_signature(module: Any, numpy: Any, name: str) -> None:
    ours = inspect.signature(getattr(module, name)).parameters
    theirs = inspect.signature(getattr(numpy, name)).parameters
    kept = [p for k, p in ours.items() if k not in EXTRAS]
    assert [p.name for p in kept] == list(theirs)
    for p, q in zip(kept, theirs.values(), strict=True):
        assert (p.kind, p.default) == (q.kind, q.default), p.name
    for k in ours.keys() & EXTRAS:
        assert ours[k].kind is inspect.Parameter.KEYWORD_ONLY
