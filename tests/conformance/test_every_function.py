"""The functions of the standard that `test_array_api.py` does not draw arguments for, compiled.

Each is called on arrays of several dtypes, empty, without axes, reversed and strided where it takes
them; NumPy is the oracle of values, dtypes, shapes and names of fields.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance import jitted, signatures, special_cases, test_array_api

REAL = ["f4", "f8"]
EXACT = ["?", "i1", "i8", "u4"]
NUMBERS = [*EXACT, *REAL, "c16"]
INEXACT = ["f4", "f8", "c8", "c16"]


def matrix(dtype, shape=(3, 4), layout="C"):
    """Small numbers, some of them equal."""
    rng = np.random.default_rng(3)
    if layout == "strided":
        return matrix(dtype, tuple(2 * n for n in shape))[
            tuple(slice(None, None, 2) for _ in shape)
        ]
    if layout == "reversed":
        return matrix(dtype, shape)[tuple(slice(None, None, -1) for _ in shape)]
    x = rng.integers(0, 4, shape)
    if np.dtype(dtype).kind == "c":
        return (x + 1j * rng.integers(0, 3, shape)).astype(dtype)
    return x.astype(dtype)


def square(dtype):
    """A positive definite Hermitian matrix."""
    x = matrix(dtype, (3, 3))
    return x @ x.conj().T + 3 * np.eye(3, dtype=dtype)


OF_ANY = {
    "broadcast_arrays": lambda m, x: m.broadcast_arrays(x, x[:1]),
    "broadcast_to": lambda m, x: m.broadcast_to(x, (2, *x.shape)),
    "empty_like": lambda m, x: m.empty_like(x) * 0,
    "expand_dims": lambda m, x: m.expand_dims(x, axis=-1),
    "fftshift": lambda m, x: m.fft.fftshift(x, axes=1),
    "from_dlpack": lambda m, x: m.from_dlpack(np.array(x)),
    "full_like": lambda m, x: m.full_like(x, 1),
    "ifftshift": lambda m, x: m.fft.ifftshift(x),
    "matrix_transpose": lambda m, x: m.matrix_transpose(x),
    "moveaxis": lambda m, x: m.moveaxis(x, 0, -1),
    "nonzero": lambda m, x: m.nonzero(x),
    "ones_like": lambda m, x: m.ones_like(x, dtype=m.float32),
    "permute_dims": lambda m, x: m.permute_dims(x, (1, 0)),
    "repeat": lambda m, x: m.repeat(x, np.arange(x.shape[0]), axis=0),
    "reshape": lambda m, x: m.reshape(x, (x.shape[1], -1) if x.size else (0,), copy=True),
    "squeeze": lambda m, x: m.squeeze(x[:, :1], axis=1),
    "triu": lambda m, x: m.triu(x, k=1),
    "unique_all": lambda m, x: m.unique_all(x),
    "unique_counts": lambda m, x: m.unique_counts(x),
    "unique_inverse": lambda m, x: m.unique_inverse(x),
    "unique_values": lambda m, x: m.sort(m.unique_values(x)),  # in any order
    "unstack": lambda m, x: m.unstack(x, axis=1),
    "diagonal": lambda m, x: m.linalg.diagonal(x, offset=1),
    "asarray": lambda m, x: m.asarray(x, copy=True),
    "zeros": lambda m, x: m.zeros(x.shape, dtype=x.dtype),
    "ones": lambda m, x: m.ones(x.shape, dtype=x.dtype),
    "empty": lambda m, x: m.empty(x.shape, dtype=x.dtype) * 0,
    "full": lambda m, x: m.full(x.shape, 2, dtype=x.dtype),
    "eye": lambda m, x: m.eye(*x.shape, k=-1, dtype=x.dtype),
    "meshgrid": lambda m, x: m.meshgrid(x[:, 0], x[:, 1], indexing="ij"),
}
OF_NUMBERS = {
    "cumulative_prod": lambda m, x: m.cumulative_prod(x, axis=1, include_initial=True),
    "matmul": lambda m, x: m.matmul(x, m.matrix_transpose(x)),
    "outer": lambda m, x: m.linalg.outer(x[:, 0], x[:, 1]),
    "tensordot": lambda m, x: m.tensordot(x, x, axes=((0,), (0,))),
    "trace": lambda m, x: m.linalg.trace(x, offset=1),
    "vecdot": lambda m, x: m.vecdot(x, x, axis=0),
    "pow": lambda m, x: m.pow(x, m.asarray(2, dtype=x.dtype)),
}
OF_SHAPED = {
    "searchsorted": lambda m, x: m.searchsorted(m.sort(x[0]), x, side="right"),
    "take_along_axis": lambda m, x: m.take_along_axis(x, m.argsort(x, axis=1), axis=1),
    "linspace": lambda m, x: m.linspace(0, 2, x.shape[0], dtype=m.float32, endpoint=False),
    "arange": lambda m, x: m.arange(1, 9, x.shape[0], dtype=m.int16),
}
OF_INTEGERS = {
    "bitwise_left_shift": lambda m, x: m.bitwise_left_shift(x, x),
    "bitwise_right_shift": lambda m, x: m.bitwise_right_shift(x, m.asarray(1, dtype=x.dtype)),
}
OF_INEXACT = {
    "cholesky": lambda m, x: m.linalg.cholesky(x, upper=True),
    "cross": lambda m, x: m.linalg.cross(x, x[::-1]),
    "det": lambda m, x: m.linalg.det(x),
    "eigh": lambda m, x: m.linalg.eigh(x).eigenvalues,
    "eigvalsh": lambda m, x: m.linalg.eigvalsh(x),
    "inv": lambda m, x: m.linalg.inv(x),
    "matrix_norm": lambda m, x: m.linalg.matrix_norm(x, ord="nuc", keepdims=True),
    "matrix_power": lambda m, x: m.linalg.matrix_power(x, -2),
    "matrix_rank": lambda m, x: m.linalg.matrix_rank(x),
    "pinv": lambda m, x: m.linalg.pinv(x[:2]),
    "qr": lambda m, x: abs(m.linalg.qr(x).R),
    "slogdet": lambda m, x: m.linalg.slogdet(x),
    "solve": lambda m, x: m.linalg.solve(x, x[0]),
    "svd": lambda m, x: m.linalg.svd(x, full_matrices=False).S,
    "svdvals": lambda m, x: m.linalg.svdvals(x),
    "vector_norm": lambda m, x: m.linalg.vector_norm(x, axis=0, ord=3),
    "fft": lambda m, x: m.fft.fft(x, n=5, axis=0),
    "fftn": lambda m, x: m.fft.fftn(x, norm="ortho"),
    "ifft": lambda m, x: m.fft.ifft(x),
    "ifftn": lambda m, x: m.fft.ifftn(x, s=(2, 3), axes=(0, 1)),
    "irfft": lambda m, x: m.fft.irfft(x),
    "irfftn": lambda m, x: m.fft.irfftn(x, axes=(0, 1)),
    "hfft": lambda m, x: m.fft.hfft(x),
}
OF_REAL = {
    "rfft": lambda m, x: m.fft.rfft(x, axis=0),
    "rfftn": lambda m, x: m.fft.rfftn(x),
    "ihfft": lambda m, x: m.fft.ihfft(x),
    "fftfreq": lambda m, x: m.fft.fftfreq(x.shape[0], d=0.5),
    "rfftfreq": lambda m, x: m.fft.rfftfreq(x.shape[0]),
}
QUESTIONS = "__array_namespace_info__ can_cast finfo iinfo isdtype result_type astype".split()


def compare(got, want, tolerance):
    if isinstance(want, (tuple, list)):
        assert len(got) == len(want)
        assert getattr(got, "_fields", None) == getattr(want, "_fields", None)
        for g, w in zip(got, want, strict=True):
            compare(g, w, tolerance)
        return
    g, w = np.asarray(got), np.asarray(want)
    assert (g.dtype, g.shape) == (w.dtype, w.shape)
    np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance * 10)


def check(f, x):
    tolerance = 2e-5 if np.dtype(x.dtype).char in "fF" else 1e-10
    with np.errstate(all="ignore"):
        compare(f(jitted, x), f(np, x), tolerance)


@pytest.mark.parametrize("name", OF_ANY)
def test_of_any_array(name):
    for k, dtype in enumerate(NUMBERS):
        check(OF_ANY[name], matrix(dtype, layout=("strided", "reversed", "C")[k % 3]))
    if name not in ("unstack", "squeeze", "meshgrid", "reshape"):
        check(OF_ANY[name], np.zeros((0, 3)))


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_of_numbers(name):
    for dtype in NUMBERS[1:]:
        check(OF_NUMBERS[name], matrix(dtype, layout="reversed"))
        check(
            OF_NUMBERS[name], matrix(dtype, (0, 3)) if name == "vecdot" else matrix(dtype, (3, 3))
        )


@pytest.mark.parametrize("name", OF_SHAPED)
def test_of_ordered_numbers(name):
    for dtype in [*EXACT[1:], *REAL]:
        check(OF_SHAPED[name], matrix(dtype, layout="strided"))


@pytest.mark.parametrize("name", OF_INTEGERS)
def test_of_integers(name):
    for dtype in EXACT[1:]:
        check(OF_INTEGERS[name], matrix(dtype, layout="reversed"))


@pytest.mark.parametrize("name", OF_INEXACT)
def test_of_floating_numbers(name):
    for dtype in INEXACT:
        check(OF_INEXACT[name], square(dtype))


@pytest.mark.parametrize("name", OF_REAL)
def test_of_real_numbers(name):
    for dtype in REAL:
        check(OF_REAL[name], matrix(dtype, layout="strided"))


@pytest.mark.skipif(special_cases.standard() is None, reason="pip install array-api")
def test_every_function_of_the_standard_is_called():
    of_arrays = test_array_api
    called = {*OF_ANY, *OF_NUMBERS, *OF_SHAPED, *OF_INTEGERS, *OF_INEXACT, *OF_REAL, *QUESTIONS}
    called |= {*of_arrays.UNARY, *of_arrays.BINARY, *of_arrays.REDUCTIONS, *of_arrays.REARRANGED}
    standard = {f.name for f in signatures.functions(special_cases.standard())}
    assert standard - called == set()
