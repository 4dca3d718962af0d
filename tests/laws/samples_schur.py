"""Samples of Schur and Hessenberg forms, of roots of matrices and of Sylvester equations."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.ops import schur  # noqa: F401 - registers them
from tests.laws.sample import Sample

__all__ = ["SAMPLES"]


def _product(t: Any, z: Any) -> tuple[Any, ...]:
    """What a form and its vectors multiply to: they are unique up to signs."""
    t, z = np.asarray(t), np.asarray(z)
    return (z @ t @ z.conj().swapaxes(-1, -2),)


def _matrices(rng: np.random.Generator, dtype: str = "float64") -> Any:
    return (rng.standard_normal((2, 3, 3)) + 3 * np.eye(3)).astype(dtype)


def _form(label: str, dtype: str = "float64", **params: Any) -> Sample:
    return Sample(
        label,
        lambda rng: (_matrices(rng, dtype),),
        params,
        oracle=lambda a: (a.astype(complex) if params.get("as_complex") else a,),
        canonical=_product,
        ulps=256,
        whole=True,
        defined=False,
    )


def _sylvester_oracle(a: Any, b: Any, c: Any) -> Any:
    """As one system with a Kronecker product."""
    out = []
    for x, y, z in zip(a, b, c, strict=True):
        m, n = z.shape
        big = np.kron(x, np.eye(n)) + np.kron(np.eye(m), y.T)
        out.append(np.linalg.solve(big, z.reshape(-1)).reshape(m, n))
    return np.stack(out)


def _root_oracle(a: Any) -> Any:
    w, v = np.linalg.eigh(a)
    return ((v * np.sqrt(w)[:, None, :]) @ v.swapaxes(-1, -2)).astype(complex)


def _positive(rng: np.random.Generator) -> Any:
    a = rng.standard_normal((2, 3, 3))
    return a @ a.swapaxes(-1, -2) + 3 * np.eye(3)


def _real_form(rng: np.random.Generator) -> tuple[Any, Any]:
    q = np.linalg.qr(rng.standard_normal((2, 3, 3)))[0]
    t = np.triu(rng.standard_normal((2, 3, 3)))
    return t, q


SAMPLES: dict[str, list[Sample]] = {
    "schur": [_form("real", as_complex=False), _form("complex", as_complex=True)],
    "hessenberg": [_form("stack")],
    "rsf2csf": [
        Sample(
            "stack",
            _real_form,
            oracle=lambda t, z: (_product(t, z)[0].astype(complex),),
            canonical=_product,
            ulps=256,
            whole=True,
            defined=False,
        )
    ],
    "sylvester": [
        Sample(
            "stack",
            lambda rng: (_matrices(rng), _positive(rng)[:, :2, :2], rng.standard_normal((2, 3, 2))),
            oracle=_sylvester_oracle,
            ulps=1024,
            whole=True,
            defined=False,
        )
    ],
    "matrix_root": [
        Sample(
            "stack",
            lambda rng: (_positive(rng),),
            oracle=_root_oracle,
            ulps=256,
            whole=True,
            defined=False,
        )
    ],
}
