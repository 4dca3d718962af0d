"""The namespace that an array answers with: NumPy's arrays, traced where a trace is current."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.core.trace import Tracer


def seen(transformation, body):
    """What a body returns of a traced argument."""
    found = []

    def f(x):
        found.append(body(x, x.__array_namespace__()))
        return x * 1.0

    transformation(f)(np.arange(3.0))
    return found[0]


TRANSFORMATIONS = {
    "jit": fxla.jit,
    "vmap": fxla.vmap,
    "grad": lambda f: fxla.grad(lambda x: f(x).sum()),
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_what_it_makes_is_traced(name):
    def body(x, xp):
        made = [xp.asarray(0.5), xp.zeros(3), xp.linspace(0, 1, 4), xp.fft.fftfreq(4), xp.sqrt(2.0)]
        return [type(a) for a in made], xp.asarray([1, 2]).shape

    kinds, shape = seen(TRANSFORMATIONS[name], body)
    assert all(issubclass(kind, Tracer) for kind in kinds) and shape == (2,)


def test_known_values_stay_known():
    def body(x, xp):
        return int(xp.asarray(3)), bool(xp.ones(()) > 0), xp.arange(3).tolist()

    assert seen(fxla.jit, body) == (3, True, [0, 1, 2])


def test_dtypes_and_questions_are_as_they_were():
    def body(x, xp):
        info = xp.__array_namespace_info__().default_dtypes()["real floating"]
        return xp.float32, xp.pi, xp.isdtype(x.dtype, "real floating"), info, xp.finfo(x.dtype).bits

    assert seen(fxla.jit, body) == (np.float32, np.pi, True, np.float64, 64)


def test_special_functions_where_scipy_looks_for_them():
    scipy_special = pytest.importorskip("scipy.special")
    f = fxla.jit(lambda x: x.__array_namespace__().special.gammaln(x + 1))
    np.testing.assert_allclose(f(np.arange(3.0)), scipy_special.gammaln(np.arange(3.0) + 1), 1e-12)


def test_of_an_array():
    x = fnp.ones(2)
    assert x.__array_namespace__() is fnp
    assert x.__array_namespace__(api_version="2024.12") is fnp
    assert fnp.__array_api_version__ == np.__array_api_version__


def test_unknown_names_and_versions():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        seen(fxla.jit, lambda x, xp: xp.nothing)
    with pytest.raises(ValueError, match=r"'1999.12' is not known.*2024.12"):
        fnp.ones(2).__array_namespace__(api_version="1999.12")
    with pytest.raises(ValueError, match="is not known"):
        fxla.jit(lambda x: x.__array_namespace__(api_version="1") and x)(np.ones(2))
