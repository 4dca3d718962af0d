"""Compiled by jit, the public functions equal NumPy as well."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from tests.numpy import (
    test_conditional,
    test_creation,
    test_derived,
    test_matrices,
    test_special,
    test_taking,
)
from tests.numpy.cases import assert_results, split_case

MODULES = [test_conditional, test_creation, test_derived, test_matrices, test_special, test_taking]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__.rpartition(".")[2])
def test_compiled_equals_numpy(module):
    for case in module.CASES:
        with np.errstate(all="ignore"):
            wants, call, traced = split_case(case)
        got = fxla.jit(call)(*traced)
        results = list(got) if isinstance(got, (tuple, list)) else [got]
        assert_results(results, wants, tolerance=64.0)
