"""Discrete cosine transforms beside SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft as sf

from fxla.scipy import fft
from tests.lax.checks import agree, gradients_agree

X = np.random.default_rng(2).standard_normal((4, 7))


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
def test_cosine_transforms(kind, norm):
    for name in ("dct", "idct"):
        f, oracle = getattr(fft, name), getattr(sf, name)
        for n, axis in ((None, -1), (None, 0), (5, 1), (10, 1)):
            args = (kind, n, axis, norm)
            agree(lambda x, f=f, a=args: f(x, *a), lambda x, f=oracle, a=args: f(x, *a), X,
                  rtol=1e-12)  # fmt: skip
        gradients_agree(lambda x, f=f: f(x, kind, norm=norm), X[0])
    agree(lambda x: fft.dctn(x, kind, norm=norm), lambda x: sf.dctn(x, kind, norm=norm), X)
    agree(lambda x: fft.idctn(x, kind, (3, 6), norm=norm),
          lambda x: sf.idctn(x, kind, (3, 6), norm=norm), X)  # fmt: skip


def test_complex_input_and_errors():
    z = X + 1j * X[::-1]
    np.testing.assert_allclose(fft.dct(z), sf.dct(z))
    with pytest.raises(ValueError, match="type"):
        fft.dct(X, 5)
