"""Code written against plain ``import numpy`` traces unchanged."""

from __future__ import annotations

import types

import numpy as np
import pytest

from fxla.core.aval import Aval
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.transforms.autodiff import grad
from fxla.transforms.vmap import vmap

A = np.array([[1.5, -2.0, 0.5], [3.25, -0.5, 2.5]])

PROGRAMS = {
    "ufunc": lambda x: np.sin(x) + np.exp(-x),
    "ndarray first": lambda x: A * x + np.float64(2) * x - A[0],
    "reduction": lambda x: np.sum(np.maximum(x, 0.0), axis=1),
    "method of ufunc": lambda x: np.add.reduce(x) + np.multiply.reduce(x, axis=0),
    "reduce over all": lambda x: np.maximum.reduce(x, axis=None),
    "accumulate": lambda x: np.add.accumulate(x, axis=1),
    "reduceat": lambda x: np.multiply.reduceat(x, [0, 2], axis=1),
    "fold": lambda x: np.logaddexp.reduce(x, axis=1),
    "outer": lambda x: np.subtract.outer(x[0], x[1]),
    "concatenate": lambda x: np.concatenate([x, A], axis=1),
    "stack of scalars": lambda x: np.stack([x[0, 0], x[1, 1]]),
    "where": lambda x: np.where(x > 0, x, 0.0),
    "einsum": lambda x: np.einsum("ij,kj->ik", x, A),
    "matmul": lambda x: A.T @ x,
    "clip": lambda x: np.clip(x, -1.0, 1.0),
    "mean and std": lambda x: (x - np.mean(x)) / np.std(x),
    "shape questions": lambda x: x * np.ndim(x) + np.shape(x)[0] + np.size(x, 1),
    "zeros_like": lambda x: np.zeros_like(x) + x,
    "split": lambda x: np.split(x, 3, axis=1)[1],
    "divmod": lambda x: np.divmod(x, 2.0)[1],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_numpy_code_traces(name):
    f = PROGRAMS[name]
    closed = trace_to_jaxpr(lambda x: [f(x)], [Aval(A.shape, A.dtype)])
    (got,) = eval_jaxpr(closed.jaxpr, *closed.consts, A)
    want = f(A)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    np.testing.assert_allclose(got, want, rtol=1e-14)


def test_derivatives_and_batches_of_numpy_code():
    np.testing.assert_allclose(grad(lambda x: np.sum(np.sin(x)))(A), np.cos(A))
    np.testing.assert_allclose(vmap(lambda x: np.dot(x, A[0]))(A), A @ A[0])


def traced(f):
    trace_to_jaxpr(lambda x: [f(x)], [Aval(A.shape, A.dtype)])


def test_what_is_not_supported_names_the_line_and_the_nearest():
    with pytest.raises(TypeError, match=r"np.busday_count .*f64\[2,3\], at test_protocols.py:\d+"):
        traced(lambda x: np.busday_count(x, x))
    with pytest.raises(ValueError, match=r"np.add\(out=...\): .*`x = np.array\(x\)`"):
        traced(lambda x: np.add(x, 1, out=np.zeros((2, 3))))
    with pytest.raises(TypeError, match=r"fxla.numpy|a.at"):
        traced(lambda x: np.asarray(x))


def test_array_namespace():
    found = []
    traced(lambda x: found.append(x.__array_namespace__()) or x)
    (namespace,) = found
    assert namespace.__name__ == "fxla.numpy" and isinstance(namespace.linalg, types.ModuleType)
