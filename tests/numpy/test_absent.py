"""NumPy's public names are all present, or absent with a reason."""

from __future__ import annotations

import types

import numpy as np
import pytest

import fxla.numpy as fnp
from fxla.numpy.absent import ABSENT

MODULES = {"char", "core", "ctypeslib", "emath", "lib", "ma", "polynomial", "random", "rec",
           "strings", "testing", "dtypes", "f2py", "matlib", "typing", "version",
           "__version__"}  # fmt: skip


def test_every_name_is_present_or_has_a_reason():
    names = [n for n in np.__all__ if not isinstance(getattr(np, n), types.ModuleType)]
    missing = {n for n in names if not hasattr(fnp, n)} - MODULES
    assert missing == ABSENT.keys() & set(names)


def test_no_absent_name_is_present():
    assert not [name for name in ABSENT if name in fnp.__all__]
    with pytest.raises(AttributeError, match=r"arrays of two axes here: write `np.asarray`"):
        fnp.matrix  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fnp.nothing  # noqa: B018
