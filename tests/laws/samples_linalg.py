"""Samples of contractions, factorisations, eigenvalues and Fourier transforms.

Contractions and transforms are compared with sums of exact products, in ulps of the largest result.
Factorisations are unique up to signs (or phases), so what they factor is compared: the product of
the factors with the operand, and products of factors with the identity. The matrices are small and
well conditioned: 64 ulps of the largest element are allowed for these, 256 for eigenvectors of
general matrices, which pass through a Hessenberg form.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from fxla.core.dtypes import is_complex
from fxla.core.trace import typeof
from fxla.ops.arithmetic import abs_
from fxla.ops.dot import DotDims
from fxla.ops.linalg import qr_p
from fxla.ops.spectral import eigh_p, svd_p
from fxla.ops.transcendental import square
from tests.laws.sample import BFLOAT16, Sample, draw_bool, draw_float, draw_int

__all__ = ["SAMPLES"]

Shape = tuple[int, ...]
FACTOR_ULPS, EIGENVECTOR_ULPS = 64, 256


def _name(label: str, shape: Shape, dtype: Any) -> str:
    return f"{label}-{np.dtype(dtype).name}-{'x'.join(map(str, shape))}".replace(" ", "")


def _smooth(dtype: Any) -> bool:
    return np.dtype(dtype).name in ("float64", "complex128")


# --- contractions -----------------------------------------------------------------------------


def _dot(lhs: Shape, rhs: Shape, dims: DotDims, dtype: Any = "f8", preferred: Any = None) -> Sample:
    kind = np.dtype(dtype).kind
    if kind == "b":
        draws = [draw_bool(s) for s in (lhs, rhs)]
    elif kind in "iu":
        draws = [draw_int(s, dtype, -4, 4) for s in (lhs, rhs)]
    else:
        draws = [draw_float(s, dtype) for s in (lhs, rhs)]
    kept_l = [d for d in range(len(lhs)) if d not in (*dims.lhs_contract, *dims.lhs_batch)]
    kept_r = [d for d in range(len(rhs)) if d not in (*dims.rhs_contract, *dims.rhs_batch)]
    sizes = [lhs[d] for d in dims.lhs_contract]
    shape = (
        *[lhs[d] for d in dims.lhs_batch],
        *[lhs[d] for d in kept_l],
        *[rhs[d] for d in kept_r],
    )
    result = np.dtype(preferred or dtype)

    def oracle(x: Any, y: Any) -> Any:
        exact = x.astype(object if kind in "iu" else complex if kind == "c" else float)
        other = y.astype(exact.dtype)
        out = np.zeros(shape, exact.dtype)
        nb, nl = len(dims.lhs_batch), len(kept_l)
        for i in np.ndindex(shape):
            for k in itertools.product(*map(range, sizes)):
                a, b = [0] * len(lhs), [0] * len(rhs)
                for j, (p, q) in enumerate(zip(dims.lhs_batch, dims.rhs_batch, strict=True)):
                    a[p] = b[q] = i[j]
                for j, (p, q) in enumerate(zip(dims.lhs_contract, dims.rhs_contract, strict=True)):
                    a[p] = b[q] = k[j]
                for j, d in enumerate(kept_l):
                    a[d] = i[nb + j]
                for j, d in enumerate(kept_r):
                    b[d] = i[nb + nl + j]
                out[i] += exact[tuple(a)] * other[tuple(b)]
        if kind == "b":
            return out != 0
        if kind in "iu":
            bits = 8 * result.itemsize
            wrapped = np.array([int(v) % (1 << bits) for v in out.ravel()], f"u{result.itemsize}")
            return wrapped.view(result).reshape(shape)
        return out.astype(result)

    smooth = _smooth(dtype)
    n = math.prod(sizes)
    return Sample(
        _name(f"{dims}to{result.name}", (*lhs, 0, *rhs), dtype),
        lambda rng: tuple(d(rng) for d in draws),
        {"dims": dims, "preferred_element_type": np.dtype(preferred) if preferred else None},
        oracle,
        differentiable=(0, 1) if smooth else (),
        linear=((0,), (1,)) if smooth else (),
        ulps=2 * n if kind not in "biu" else 0,
        kernel_ulps=4 * n if kind not in "biu" else 0,
        whole=True,
        holomorphic=True,
    )


_MATMUL = DotDims((1,), (0,))

# --- matrices ---------------------------------------------------------------------------------


def _matrix(shape: Shape, dtype: Any, kind: str = "general") -> Callable[[Any], Any]:
    """A well-conditioned matrix: with a heavy diagonal, or symmetric and positive definite."""

    def draw(rng: np.random.Generator) -> Any:
        m, n = shape[-2:]
        a = draw_float(shape, "c16" if np.dtype(dtype).kind == "c" else "f8", -0.5, 0.5)(rng)
        spread = np.zeros((m, n))
        np.fill_diagonal(spread, np.arange(1, min(m, n) + 1) * 1.5)
        a = a + spread
        if kind == "positive":
            a = a @ a.conj().swapaxes(-1, -2) + np.eye(m)
        if kind == "hermitian":
            a = (a + a.conj().swapaxes(-1, -2)) / 2
        if kind == "rotating":
            a = a + 3 * (np.triu(np.ones((m, n)), 1) - np.tril(np.ones((m, n)), -1))
        return a.astype(dtype)

    return draw


def _adjoint(x: Any) -> Any:
    return x.conj().swapaxes(-1, -2)


def _eye(n: int, dtype: Any, lead: Shape = ()) -> Any:
    return np.broadcast_to(np.eye(n, dtype=dtype), (*lead, n, n))


def _factor(
    label: str,
    shape: Shape,
    dtype: Any,
    params: dict[str, Any],
    canonical: Callable[..., tuple[Any, ...]],
    oracle: Callable[..., Any],
    *,
    kind: str = "general",
    ulps: float = FACTOR_ULPS,
    smooth: bool = True,
) -> Sample:
    draw = _matrix(shape, dtype, kind)
    # LAPACK chooses the phases of complex vectors, and not continuously
    free_phase = np.dtype(dtype).kind == "c" and label != "positive" and label != "general"
    return Sample(
        _name(label, shape, dtype),
        lambda rng: (draw(rng),),
        params,
        oracle,
        differentiable=(0,) if smooth and _smooth(dtype) and not free_phase else (),
        ulps=ulps,
        kernel_ulps=ulps,
        whole=True,
        canonical=canonical,
        defined=smooth,
    )  # fmt: skip


def _lower(a: Any) -> Any:
    """The Hermitian matrix of a lower triangle."""
    return np.tril(a) + _adjoint(np.tril(a, -1))


def _cholesky(shape: Shape, dtype: Any = "f8") -> Sample:
    return _factor(
        "positive", shape, dtype, {},
        lambda f: (f @ _adjoint(f), np.triu(f, 1), np.diagonal(f, axis1=-2, axis2=-1).real > 0),
        lambda a: (_lower(a), np.zeros_like(a), np.ones(shape[:-1], bool)),
        kind="positive",
    )  # fmt: skip


def _lu(shape: Shape, dtype: Any = "f8") -> Sample:
    m, n = shape[-2:]
    k = min(m, n)

    def canonical(lu: Any, pivots: Any, perm: Any) -> tuple[Any, ...]:
        lower = np.tril(lu, -1)[..., :k] + np.eye(m, k, dtype=lu.dtype)
        product = lower @ np.triu(lu)[..., :k, :]
        inverse = np.argsort(perm, -1)
        swapped = np.broadcast_to(np.arange(m), perm.shape).copy()
        for b in np.ndindex(perm.shape[:-1]):
            for i, p in enumerate(pivots[b]):
                swapped[b][[i, p]] = swapped[b][[p, i]]
        bounded = np.abs(lower) <= 1 + 1e-6
        return np.take_along_axis(product, inverse[..., None], -2), swapped == perm, bounded

    return _factor(
        "general", shape, dtype, {}, canonical,
        lambda a: (a, np.ones(shape[:-1], bool), np.ones((*shape[:-1], k), bool)),
    )  # fmt: skip


def _qr(shape: Shape, full: bool, dtype: Any = "f8") -> Sample:
    m, n = shape[-2:]
    k = m if full else min(m, n)
    return _factor(
        f"full{full}", shape, dtype, {"full_matrices": full},
        lambda q, r: (q @ r, _adjoint(q) @ q, np.tril(r, -1)),
        lambda a: (a, _eye(k, a.dtype, shape[:-2]), np.zeros((*shape[:-2], k, n), a.dtype)),
        smooth=not (full and m > n),
    )  # fmt: skip


def _eigh(shape: Shape, lower: bool, dtype: Any = "f8") -> Sample:
    n = shape[-1]

    def whole(a: Any) -> Any:
        return _lower(a) if lower else _lower(_adjoint(a))

    return _factor(
        f"lower{lower}", shape, dtype, {"lower_half": lower, "compute_v": True},
        lambda w, v: ((v * w[..., None, :]) @ _adjoint(v), _adjoint(v) @ v, np.diff(w) >= 0),
        lambda a: (whole(a), _eye(n, a.dtype, shape[:-2]), np.ones((*shape[:-2], n - 1), bool)),
        kind="hermitian",
    )  # fmt: skip


def _eigvalsh(shape: Shape, lower: bool, dtype: Any = "f8") -> Sample:
    """The values are those of the Hermitian matrix by the solver for general ones."""

    def values(a: Any) -> Any:
        whole = _lower(a) if lower else _lower(_adjoint(a))
        return (np.sort(np.linalg.eigvals(whole).real, axis=-1),)

    return _factor(
        f"values_lower{lower}", shape, dtype, {"lower_half": lower, "compute_v": False},
        lambda w: (w,), values, kind="hermitian",
    )  # fmt: skip


def _svd(shape: Shape, full: bool, vectors: bool, dtype: Any = "f8") -> Sample:
    m, n = shape[-2:]
    r = min(m, n)
    params = {"full_matrices": full, "compute_uv": vectors}
    if not vectors:
        return _factor(
            "values", shape, dtype, params,
            lambda s: (s,),
            lambda a: np.sqrt(np.linalg.eigvalsh(a @ _adjoint(a) if m <= n else _adjoint(a) @ a))[
                ..., ::-1
            ],
        )  # fmt: skip
    return _factor(
        f"full{full}", shape, dtype, params,
        lambda u, s, vh: (
            (u[..., :r] * s[..., None, :]) @ vh[..., :r, :], _adjoint(u) @ u, vh @ _adjoint(vh),
            np.diff(s) <= 0,
        ),
        lambda a: (
            a,
            _eye(m if full else r, a.dtype, shape[:-2]),
            _eye(n if full else r, a.dtype, shape[:-2]),
            np.ones((*shape[:-2], r - 1), bool),
        ),
        smooth=not full or m == n,
    )  # fmt: skip


def _eig(shape: Shape, vectors: bool, dtype: Any = "f8", kind: str = "general") -> Sample:
    n = shape[-1]
    wide = np.dtype("c8" if dtype in ("f4", "c8") else "c16")
    draw = _matrix(shape, dtype, kind)

    def canonical(*outs: Any) -> tuple[Any, ...]:
        w = outs[0]
        sums = np.stack([np.sum(w**k, -1) for k in range(1, n + 1)], -1)
        if not vectors:
            return (sums.astype(wide),)
        v = outs[1]
        product = (v * w[..., None, :]) @ np.linalg.inv(v)
        norms = np.linalg.norm(v, axis=-2)
        return sums.astype(wide), product.astype(wide), norms.astype(wide)

    def oracle(a: Any) -> Any:
        powers = [
            np.trace(np.linalg.matrix_power(a, k), axis1=-2, axis2=-1) for k in range(1, n + 1)
        ]
        sums = np.stack(powers, -1).astype(wide)
        if not vectors:
            return (sums,)
        return sums, a.astype(wide), np.ones(shape[:-1], wide)

    return Sample(
        _name(f"{kind}-vectors{vectors}", shape, dtype),
        lambda rng: (draw(rng),),
        {"compute_v": vectors},
        oracle,
        differentiable=(0,) if _smooth(dtype) else (),
        ulps=EIGENVECTOR_ULPS,
        kernel_ulps=EIGENVECTOR_ULPS,
        whole=True,
        canonical=canonical,
    )  # fmt: skip


# --- systems ----------------------------------------------------------------------------------


def _exact_solve(a: Any, b: Any) -> Any:
    """By mpmath at 40 digits."""
    out = np.empty(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + b.shape[-2:], b.dtype)
    with mpmath.workdps(40):
        for i in np.ndindex(out.shape[:-2]):
            inverse = mpmath.matrix(a[i].astype(complex).tolist()) ** -1
            found = inverse * mpmath.matrix(b[i].astype(complex).tolist())
            value = np.array(found.tolist(), complex).reshape(b.shape[-2:])
            out[i] = value if b.dtype.kind == "c" else value.real
    return out


def _solve(shape: Shape, k: int, dtype: Any = "f8") -> Sample:
    draw_a, draw_b = _matrix(shape, dtype), draw_float((*shape[:-1], k), dtype)
    smooth = _smooth(dtype)
    return Sample(
        _name(f"by{k}", shape, dtype),
        lambda rng: (draw_a(rng), draw_b(rng)),
        {},
        _exact_solve,
        differentiable=(0, 1) if smooth else (),
        linear=((1,),) if smooth else (),
        ulps=FACTOR_ULPS,
        kernel_ulps=FACTOR_ULPS,
        whole=True,
    )


def _triangular(
    shape: Shape, k: int, left: bool, lower: bool, transposed: bool, conjugated: bool, unit: bool,
    dtype: Any = "f8",
) -> Sample:  # fmt: skip
    n = shape[-1]
    draw_a = _matrix(shape, dtype)
    draw_b = draw_float((*shape[:-2], n, k) if left else (*shape[:-2], k, n), dtype)

    def oracle(a: Any, b: Any) -> Any:
        t = np.tril(a) if lower else np.triu(a)
        if unit:
            t = t - t * np.eye(n) + np.eye(n)
        t = t.conj() if conjugated else t
        t = t.swapaxes(-1, -2) if transposed else t
        if left:
            return _exact_solve(t, b)
        return _exact_solve(t.swapaxes(-1, -2), b.swapaxes(-1, -2)).swapaxes(-1, -2)

    smooth = _smooth(dtype)
    flags = "".join("01"[f] for f in (left, lower, transposed, conjugated, unit))
    return Sample(
        _name(f"{flags}-by{k}", shape, dtype),
        lambda rng: (draw_a(rng), draw_b(rng)),
        {
            "left_side": left, "lower": lower, "transpose_a": transposed,
            "conjugate_a": conjugated, "unit_diagonal": unit,
        },
        oracle,
        differentiable=(0, 1) if smooth else (),
        linear=((1,),) if smooth else (),
        ulps=FACTOR_ULPS,
        kernel_ulps=FACTOR_ULPS,
        whole=True,
    )  # fmt: skip


# --- Fourier transforms -----------------------------------------------------------------------


def _dft(x: Any, axis: int, sign: int) -> Any:
    n = x.shape[axis]
    turn = np.array(
        [[complex(mpmath.expjpi(mpmath.mpf(2 * sign * ((j * k) % n)) / n)) for k in range(n)]
         for j in range(n)]
    ).reshape(n, n)  # fmt: skip
    return np.moveaxis(np.tensordot(turn, x, (1, axis)), 0, axis)


def _fft(kind: str, shape: Shape, lengths: Shape, dtype: Any) -> Sample:
    axes = list(range(len(shape) - len(lengths), len(shape)))
    draw = draw_float(shape, dtype)

    def oracle(x: Any) -> Any:
        x = x.astype(complex)
        result = "c8" if np.dtype(dtype).name in ("float32", "complex64") else "c16"
        if kind in ("FFT", "RFFT"):
            for axis in axes:
                x = _dft(x, axis, -1)
            return (x[..., : lengths[-1] // 2 + 1] if kind == "RFFT" else x).astype(result)
        for axis in axes[:-1]:
            x = _dft(x, axis, 1) / x.shape[axis]
        n = lengths[-1]
        if kind == "IRFFT":
            # the spectrum of a real signal: what is not given is the conjugate of what is
            whole = np.zeros((*shape[:-1], n), complex)
            for k in range(n):
                j = min(k, n - k)
                whole[..., k] = x[..., j] if k == j else x[..., j].conj()
                if k == 0 or 2 * k == n:
                    whole[..., k] = whole[..., k].real
            return (_dft(whole, -1, 1) / n).real.astype("f4" if result == "c8" else "f8")
        return (_dft(x, -1, 1) / n).astype(result)

    smooth = _smooth(dtype)
    return Sample(
        _name(f"{kind}{lengths}", shape, dtype),
        lambda rng: (draw(rng),),
        {"kind": kind, "lengths": lengths},
        oracle,
        differentiable=(0,) if smooth else (),
        linear=((0,),) if smooth else (),
        ulps=8,
        kernel_ulps=8,
        whole=True,
    )


def _without_phases(primitive: Any, shape: Shape, params: dict[str, Any], kind: str) -> Sample:
    """What no phase changes: the real results, and the absolute values of vectors."""
    draw = _matrix(shape, "c16", kind)

    def call(a: Any) -> list[Any]:
        outs = primitive.bind(a, **params)
        return [square(abs_(x)) if is_complex(typeof(x).dtype) else x for x in outs]

    return Sample(
        _name("phaseless", shape, "c16"),
        lambda rng: (draw(rng),),
        params,
        differentiable=(0,),
        ulps=FACTOR_ULPS,
        kernel_ulps=FACTOR_ULPS,
        whole=True,
        call=call,
    )


SAMPLES: dict[str, list[Sample]] = {
    "dot_general": [
        _dot((2, 3), (3, 4), _MATMUL),
        _dot((3,), (3,), DotDims((0,), (0,))),
        _dot((2,), (3,), DotDims((), ())),
        _dot((), (3,), DotDims((), ())),
        _dot((3, 2), (4, 3), DotDims((0,), (1,))),
        _dot((2, 3, 4), (2, 4, 2), DotDims((2,), (1,), (0,), (0,))),
        _dot((3, 2, 4), (4, 2, 2), DotDims((2,), (0,), (1,), (2,))),
        _dot((2, 3, 2), (3, 2, 2), DotDims((1, 2), (0, 1))),
        _dot((0, 3), (3, 2), _MATMUL),
        _dot((2, 0), (0, 3), _MATMUL),
        _dot((5, 17), (17, 9), _MATMUL, "f4"),
        _dot((2, 3), (3, 2), _MATMUL, "f2"),
        _dot((2, 3), (3, 2), _MATMUL, BFLOAT16),
        _dot((2, 3), (3, 2), _MATMUL, BFLOAT16, "f4"),
        _dot((2, 3), (3, 2), _MATMUL, "i4"),
        _dot((2, 3), (3, 2), _MATMUL, "i1", "i4"),
        _dot((2, 3), (3, 2), _MATMUL, "?"),
        _dot((2, 3), (3, 2), _MATMUL, "c16"),
        _dot((2, 3), (3, 2), _MATMUL, "c8"),
    ],
    "cholesky": [
        _cholesky((3, 3)),
        _cholesky((2, 3, 3)),
        _cholesky((1, 1)),
        _cholesky((4, 4), "f4"),
        _cholesky((3, 3), "c16"),
    ],
    "lu": [
        _lu((3, 3)),
        _lu((2, 3, 3)),
        _lu((3, 5)),
        _lu((4, 2)),
        _lu((3, 3), "f4"),
        _lu((3, 3), "c16"),
    ],
    "qr": [
        _qr((3, 3), False),
        _qr((4, 2), False),
        _qr((2, 4), False),
        _qr((4, 2), True),
        _qr((2, 3, 2), False),
        _qr((3, 3), False, "f4"),
        _qr((3, 2), False, "c16"),
        _without_phases(qr_p, (3, 2), {"full_matrices": False}, "general"),
    ],
    "eigh": [
        _eigh((3, 3), True),
        _eigh((3, 3), False),
        _eigh((2, 3, 3), True),
        _eigh((3, 3), True, "f4"),
        _eigh((3, 3), True, "c16"),
        _eigvalsh((3, 3), True),
        _eigvalsh((2, 3, 3), False, "c16"),
        _without_phases(eigh_p, (3, 3), {"lower_half": True, "compute_v": True}, "hermitian"),
    ],
    "svd": [
        _svd((3, 3), False, True),
        _svd((4, 2), False, True),
        _svd((2, 4), False, True),
        _svd((4, 2), True, True),
        _svd((4, 2), False, False),
        _svd((2, 3, 3), False, True),
        _svd((3, 3), False, True, "f4"),
        _svd((3, 2), False, True, "c16"),
        _without_phases(svd_p, (3, 2), {"full_matrices": False, "compute_uv": True}, "general"),
    ],
    "eig": [
        _eig((3, 3), True),
        _eig((3, 3), True, kind="rotating"),
        _eig((3, 3), False),
        _eig((2, 2, 2), True),
        _eig((3, 3), True, "f4"),
        _eig((3, 3), True, "c16"),
    ],
    "linear_solve": [
        _solve((3, 3), 2),
        _solve((2, 3, 3), 1),
        _solve((1, 1), 1),
        _solve((4, 4), 1, "f4"),
        _solve((3, 3), 2, "c16"),
    ],
    "triangular_solve": [
        *[
            _triangular((3, 3), 2, left, lower, transposed, False, False)
            for left, lower, transposed in itertools.product((True, False), repeat=3)
        ],
        _triangular((3, 3), 1, True, True, False, False, True),
        _triangular((2, 3, 3), 2, True, False, True, False, True),
        _triangular((4, 4), 2, True, True, False, False, False, "f4"),
        *[
            _triangular((3, 3), 2, left, True, transposed, conjugated, False, "c16")
            for left, transposed, conjugated in itertools.product((True, False), repeat=3)
        ],
    ],
    "fft": [
        _fft("FFT", (4,), (4,), "c16"),
        _fft("FFT", (2, 5), (5,), "c16"),
        _fft("FFT", (2, 3, 4), (3, 4), "c16"),
        _fft("FFT", (7,), (7,), "c8"),
        _fft("IFFT", (2, 5), (5,), "c16"),
        _fft("IFFT", (3, 4), (3, 4), "c16"),
        _fft("RFFT", (6,), (6,), "f8"),
        _fft("RFFT", (2, 5), (5,), "f8"),
        _fft("RFFT", (3, 4), (3, 4), "f8"),
        _fft("RFFT", (8,), (8,), "f4"),
        _fft("IRFFT", (4,), (6,), "c16"),
        _fft("IRFFT", (2, 3), (5,), "c16"),
        _fft("IRFFT", (3, 3), (3, 4), "c16"),
        _fft("IRFFT", (5,), (8,), "c8"),
    ],
}
