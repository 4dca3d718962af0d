"""Calls of the whole array surface, as text: one list for NumPy, fxla and JAX.

A line is an expression of `np`, the package's namespace, and of arrays named in `made`. Lines that
read arrays of floats are timed in float64 and in float32.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any, ClassVar

import numpy

from bench.workloads.workload import Arguments, Function, Workload

__all__ = ["CALLS", "SURFACE", "UNTIMED", "WHY", "SurfaceCall", "made"]

SIZE = 1_000_000
"""Elements of most arrays; `X` and `Y` are square."""

# --- the calls --------------------------------------------------------------------------------

_OF_FLOATS = """
abs absolute fabs negative positive sign signbit ceil floor trunc rint fix sqrt cbrt square
reciprocal exp exp2 expm1 sin cos tan sinh cosh tanh arctan arcsinh degrees radians deg2rad rad2deg
isfinite isinf isnan isneginf isposinf spacing modf frexp conjugate conj logical_not real imag
isreal iscomplex nan_to_num sinc i0 unwrap real_if_close angle atan asinh
"""
_OF_FRACTIONS = "log log10 log1p log2 arcsin arccos arctanh acos asin atanh"
_OF_TWO = """
add subtract multiply divide true_divide arctan2 atan2 copysign hypot maximum minimum fmax fmin
logaddexp logaddexp2 nextafter heaviside floor_divide mod fmod remainder divmod equal not_equal less
less_equal greater greater_equal logical_and logical_or logical_xor isclose
"""
_OF_INTEGERS = """
bitwise_and bitwise_or bitwise_xor add subtract multiply floor_divide mod gcd lcm maximum less
"""
_OF_ONE_INTEGER = "bitwise_count bitwise_invert bitwise_not invert abs negative sign square"
_SHIFTS = "left_shift right_shift bitwise_left_shift bitwise_right_shift"
_REDUCTIONS = """
sum prod max min amax amin mean var std ptp all any argmax argmin count_nonzero median cumsum
cumprod cumulative_sum sort argsort diff flip average
"""
_WITH_NAN = """
nansum nanprod nanmax nanmin nanmean nanvar nanstd nanargmax nanargmin nanmedian nancumsum
nancumprod
"""
_COMPLEX = "abs angle conj real imag exp log sqrt sin tanh sum prod cumsum mean sort_complex sort"

_LINES = """
np.arccosh(u + 1)
np.acosh(u + 1)
np.power(u, v)
np.pow(u, v)
np.float_power(u, v)
np.ldexp(x, i)
np.power(x, 3)
np.clip(x, -0.5, 0.5)
np.round(x, 2)
np.around(x, 2)
np.allclose(x, x)
np.array_equal(x, x)
np.array_equiv(x, x)
np.where(b, x, y)
np.select([x > 0.5, x < -0.5], [x, y], 0.0)
np.piecewise(x, [x < 0, x >= 0], [-1.0, 1.0])
np.choose(c, [x, y, u])
x[b]
np.where(b)[0]
np.nonzero(b)
np.flatnonzero(x > 1)
np.argwhere(x > 1)
np.extract(b, x)
np.compress(b, x)
np.sum(x[x > 0])
x[j]
np.take(x, j)
X[rows]
X[:, rows]
np.take(X, rows, axis=1)
np.take_along_axis(X, order, axis=1)
np.take_along_axis(X, order, axis=0)
X[1:-1, 1:-1]
x[::-1]
x[::2]
np.where(x > 0, x, 0)
added_at(np, x, j, y)
added_at(np, X, rows, Y)
set_at(np, x, j, y)
set_at(np, x, b, 0.0)
put_along(np, X, order, Y)
counted(np, i, None)
counted(np, i, x)
np.histogram(x, 100)
np.histogram(u, 100, range=(0, 1))
np.histogram(x, grid)
np.histogram_bin_edges(x, 100)
np.histogram2d(x, y, 50)
np.histogramdd(P, 10)
np.digitize(x, grid)
np.searchsorted(sorted_, x)
np.searchsorted(grid, x)
np.searchsorted(sorted_, sorted_)
np.interp(x, grid, grid)
np.interp(x, sorted_, y)
np.interp(sorted_, grid, grid)
np.sort(i)
np.argsort(i)
np.sort(small)
np.sort(b)
np.sort(x, kind="stable")
np.argsort(x, kind="stable")
np.partition(x, 500_000)
np.partition(x, 10)
np.partition(X, 500, axis=1)
np.argpartition(x, 10)
np.argpartition(x, 500_000)
np.lexsort((i, c))
np.sort(Z)
np.median(i)
np.quantile(x, 0.9)
np.quantile(x, [0.1, 0.5, 0.9])
np.quantile(X, 0.9, axis=0)
np.quantile(X, 0.9, axis=1)
np.percentile(x, 25)
np.percentile(x, 25, method="lower")
np.nanquantile(n, 0.9)
np.nanpercentile(n, 25)
np.nanquantile(N, 0.9, axis=1)
np.unique(i)
np.unique(x)
np.unique(i, return_counts=True)
np.unique(i, return_inverse=True)
np.unique_all(i)
np.unique_counts(i)
np.unique_inverse(i)
np.unique_values(i)
np.isin(i, few)
np.intersect1d(i, j)
np.union1d(i, j)
np.setdiff1d(j, i)
np.setxor1d(i, j)
np.cumsum(i)
np.cumprod(u + 0.5)
np.cumulative_prod(u + 0.5)
np.sum(i)
np.max(i)
np.argmax(i)
np.sum(b)
np.any(b)
np.all(b)
np.sum(X, axis=(0, 1))
np.average(x, weights=u)
np.ediff1d(x)
np.gradient(x)
np.gradient(X, axis=0)
np.trapezoid(x)
np.diff(X, 2, axis=0)
np.convolve(x, window)
np.correlate(x, window)
np.cov(P.T)
np.corrcoef(P.T)
np.polyval(few_floats, x)
np.polyfit(x, y, 2)
np.vander(v1000, 1000)
np.dot(x, y)
np.vdot(x, y)
np.inner(x, y)
np.matmul(X, Y)
X @ v1000
np.outer(v1000, v1000)
np.tensordot(T, T, 2)
np.einsum("ij,ij->i", X, Y)
np.einsum("ij,jk->ik", X, Y)
np.einsum("ij->j", X)
np.kron(v1000, v1000)
np.cross(P, P[::-1])
np.vecdot(X, Y)
np.matvec(X, v1000)
np.vecmat(v1000, X)
np.trace(X)
np.diagonal(X)
np.diag(X)
np.diag(v1000)
np.diagflat(v1000)
np.tril(X)
np.triu(X)
np.tri(1000)
np.roll(x, 1000)
np.roll(X, 10, axis=1)
np.flipud(X)
np.fliplr(X)
np.rot90(X)
np.copy(X.T)
np.transpose(T, (2, 0, 1))
np.swapaxes(T, 0, 2)
np.moveaxis(T, 0, 2)
np.rollaxis(T, 2)
np.permute_dims(X, (1, 0))
np.matrix_transpose(X)
np.ravel(X.T)
np.reshape(X.T, (-1,))
np.resize(x, (1500, 1000))
np.tile(X, (2, 1))
np.tile(X, (1, 2))
np.repeat(x, 2)
np.repeat(X, 2, axis=0)
np.repeat(X, 2, axis=1)
repeated(np, v1000, repeats)
np.pad(X, 1)
np.pad(X, 10, mode="reflect")
np.pad(X, 10, mode="edge")
np.pad(x, 100, mode="wrap")
np.concatenate([x, y])
np.concat([X, Y], axis=1)
np.stack([x, y])
np.stack([x, y], axis=-1)
np.vstack([X, Y])
np.hstack([X, Y])
np.dstack([X, Y])
np.column_stack([x, y])
np.block([[X, Y], [Y, X]])
np.append(x, y)
np.insert(x, 500, 1.0)
np.delete(x, 500)
np.split(x, 4)
np.array_split(x, 3)
np.hsplit(X, 2)
np.vsplit(X, 2)
np.dsplit(T, 2)
np.unstack(T)
np.broadcast_to(v1000, (1000, 1000)) + 0
np.meshgrid(v1000, v1000)
np.expand_dims(x, 0)
np.squeeze(x[None])
np.atleast_1d(x)
np.atleast_2d(x)
np.atleast_3d(x)
np.astype(x, np.int32)
np.astype(i, np.float32)
np.asarray(x)
np.copy(x)
np.full_like(x, 2.0)
np.ones_like(x)
np.zeros_like(x)
np.empty_like(x)
np.full((1000, 1000), 3.0)
np.ones((1000, 1000))
np.zeros((1000, 1000))
np.arange(1_000_000)
np.linspace(0.0, 1.0, 1_000_000)
np.logspace(0.0, 1.0, 1_000_000)
np.geomspace(1.0, 10.0, 1_000_000)
np.eye(1000)
np.identity(1000)
np.fromfunction(lambda p, q: p + q, (1000, 1000))
np.indices((1000, 1000))
np.tril_indices(1000)
np.triu_indices(1000)
np.hanning(1_000_000)
np.hamming(1_000_000)
np.blackman(1_000_000)
np.bartlett(1_000_000)
np.kaiser(1_000_000, 14.0)
np.packbits(b)
np.unpackbits(bytes_)
np.ravel_multi_index((i, i), (1000, 1000))
np.unravel_index(j, (1000, 1000))
np.apply_along_axis(lambda r: r - r.mean(), 1, X)
np.apply_over_axes(np.sum, T, (0, 1))
np.polymul(v1000, v1000)
np.polyadd(x, y)
np.polysub(x, y)
np.polyder(x)
np.polyint(x)
np.polydiv(v1000, few_floats)
np.poly(few_floats)
np.roots(few_floats)
np.linalg.cholesky(S)
np.linalg.cond(S)
np.linalg.det(S)
np.linalg.eig(M)
np.linalg.eigh(S)
np.linalg.eigvals(M)
np.linalg.eigvalsh(S)
np.linalg.inv(S)
np.linalg.lstsq(M, M[:, 0])[0]
np.linalg.matrix_norm(X)
np.linalg.matrix_power(M, 5)
np.linalg.matrix_rank(S)
np.linalg.multi_dot([X, Y, v1000])
np.linalg.norm(x)
np.linalg.norm(X, axis=0)
np.linalg.norm(X, 1)
np.linalg.norm(X, axis=1)
np.linalg.pinv(M)
np.linalg.qr(M)
np.linalg.slogdet(M)
np.linalg.solve(S, v300)
np.linalg.solve(S, M)
np.linalg.svd(M)
np.linalg.svdvals(M)
np.linalg.tensorinv(M2, ind=1)
np.linalg.tensorsolve(S, v300)
np.linalg.vector_norm(x)
np.linalg.outer(v1000, v1000)
np.linalg.inv(many)
np.linalg.solve(many, many[..., 0:1])
np.linalg.det(many)
np.linalg.cholesky(many @ many.mT + 8 * np.eye(8))
np.fft.fft(x)
np.fft.ifft(x)
np.fft.rfft(x)
np.fft.irfft(z)
np.fft.hfft(z)
np.fft.ihfft(x)
np.fft.fft2(X)
np.fft.ifft2(X)
np.fft.rfft2(X)
np.fft.irfft2(X + 0j)
np.fft.fftn(T)
np.fft.ifftn(T)
np.fft.rfftn(T)
np.fft.irfftn(T + 0j)
np.fft.fft(X, axis=1)
np.fft.fft(X, axis=0)
np.fft.fft(x[:65536])
np.fft.fftshift(X)
np.fft.ifftshift(X)
np.fft.fftfreq(1_000_000)
np.fft.rfftfreq(1_000_000)
""".strip().splitlines()


def added_at(np: Any, x: Any, j: Any, y: Any) -> Any:
    """``np.add.at`` of a copy: JAX's arrays cannot be written."""
    if hasattr(x, "at"):
        return x.at[j].add(y)
    out = np.array(x)
    np.add.at(out, j, y)
    return out


def set_at(np: Any, x: Any, j: Any, y: Any) -> Any:
    """A copy with elements set at places, or where a mask is true."""
    if hasattr(x, "at"):
        return x.at[j].set(y)
    out = np.array(x)
    out[j] = y
    return out


def put_along(np: Any, x: Any, order: Any, y: Any) -> Any:
    """``np.put_along_axis`` of a copy; JAX's returns its result."""
    if np is not numpy:
        return np.put_along_axis(x, order, y, axis=1, inplace=False)
    out = np.array(x)
    np.put_along_axis(out, order, y, axis=1)
    return out


def counted(np: Any, i: Any, weights: Any) -> Any:
    """``np.bincount`` of numbers below 1000; NumPy finds the size of the result itself."""
    if np is not numpy:
        return np.bincount(i, weights, length=1000)
    return np.bincount(i, weights, minlength=1000)


def repeated(np: Any, x: Any, repeats: Any) -> Any:
    """``np.repeat`` with a number for each element."""
    if np is not numpy:
        return np.repeat(x, repeats, total_repeat_length=2 * len(x))
    return np.repeat(x, repeats)


_WRITTEN = {f.__name__: f for f in (added_at, set_at, put_along, counted, repeated)}

# --- the arrays -------------------------------------------------------------------------------

_FLOATS: dict[str, Callable[[Any], Any]] = {
    "x": lambda rng: rng.normal(size=SIZE),
    "y": lambda rng: rng.normal(size=SIZE),
    "u": lambda rng: rng.uniform(0.05, 0.95, SIZE),
    "v": lambda rng: rng.uniform(0.05, 0.95, SIZE),
    "n": lambda rng: numpy.where(rng.uniform(size=SIZE) < 0.1, numpy.nan, rng.normal(size=SIZE)),
    "sorted_": lambda rng: numpy.sort(rng.normal(size=SIZE)),
    "grid": lambda rng: numpy.linspace(-4.0, 4.0, 101),
    "window": lambda rng: rng.normal(size=64),
    "few_floats": lambda rng: rng.uniform(0.5, 1.5, size=6),
    "v300": lambda rng: rng.normal(size=300),
    "v1000": lambda rng: rng.normal(size=1000),
    "X": lambda rng: rng.normal(size=(1000, 1000)),
    "Y": lambda rng: rng.normal(size=(1000, 1000)),
    "N": lambda rng: made("n").reshape(1000, 1000),
    "P": lambda rng: rng.normal(size=(SIZE // 3, 3)),
    "T": lambda rng: rng.normal(size=(100, 100, 100)),
    "M": lambda rng: rng.normal(size=(300, 300)),
    "M2": lambda rng: rng.normal(size=(300, 15, 20)),
    "S": lambda rng: made("M") @ made("M").T + 300 * numpy.eye(300),
    "many": lambda rng: rng.normal(size=(10_000, 8, 8)) + 8 * numpy.eye(8),
}
_OTHERS: dict[str, Callable[[Any], Any]] = {
    "z": lambda rng: rng.normal(size=SIZE) + 1j * rng.normal(size=SIZE),
    "Z": lambda rng: made("z").reshape(1000, 1000),
    "i": lambda rng: rng.integers(1, 1000, SIZE),
    "k": lambda rng: rng.integers(1, 1000, SIZE),
    "c": lambda rng: rng.integers(0, 3, SIZE),
    "j": lambda rng: rng.permutation(SIZE),
    "few": lambda rng: rng.integers(0, 1000, 50),
    "b": lambda rng: rng.uniform(size=SIZE) < 0.5,
    "small": lambda rng: rng.integers(0, 256, SIZE).astype(numpy.uint8),
    "bytes_": lambda rng: rng.integers(0, 256, SIZE // 8).astype(numpy.uint8),
    "rows": lambda rng: rng.permutation(1000),
    "repeats": lambda rng: numpy.tile(numpy.array([1, 3]), 500),
    "order": lambda rng: numpy.argsort(rng.normal(size=(1000, 1000)), axis=1),
}


def made(name: str, dtype: str = "float64") -> Any:
    """The array of a name: the same in every process; floats of `dtype`. No call writes into it."""
    return _made(name, dtype)


@functools.lru_cache(maxsize=8)
def _made(name: str, dtype: str) -> Any:
    rng = numpy.random.default_rng(sum(map(ord, name)))
    if name in _FLOATS:
        return _FLOATS[name](rng).astype(dtype)
    return _OTHERS[name](rng)


def _operands(text: str) -> list[str]:
    """The arrays that an expression reads, by name."""
    words = re.findall(r"(?<![\w.])[A-Za-z_]\w*", text)
    return [w for w in dict.fromkeys(words) if w in _FLOATS or w in _OTHERS]


@dataclass(frozen=True)
class SurfaceCall(Workload):
    """One line of the list.

    Attributes:
        text: the expression.
        floats: the dtype of its arrays of floats.
    """

    family: ClassVar[str] = "surface"
    dtype: ClassVar[str] = "float64"
    comparable: ClassVar[bool] = False
    text: str
    floats: str = "float64"

    @property
    def name(self) -> str:
        return f"{self.text}, float32" if self.floats == "float32" else self.text

    def arguments(self) -> Arguments:
        return tuple([made(name, self.floats) for name in _operands(self.text)])

    def function(self, np: Any) -> Function:
        """The expression as a function of its arrays, by `np`'s functions."""
        code: CodeType = compile(f"lambda {', '.join(_operands(self.text))}: {self.text}",
                                 self.text, "eval")  # fmt: skip
        built: Function = eval(code, {"np": np, **_WRITTEN})
        return built

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        f = self.function(np)
        jitted: Any = xla.jit(f)
        if xla.__name__ == "jax":
            try:  # sizes that depend on values are for JAX's eager functions only
                jitted.lower(*map(np.asarray, self.arguments()))
            except Exception:
                return f
        compiled: Function = jitted
        return compiled

    def numpy(self) -> Function:
        f = self.function(numpy)
        given = self.arguments()
        found = _arrays(f(*given))
        if any(numpy.may_share_memory(a, x) for a in found for x in given):
            # in the order of elements, as results of compiled functions are
            return lambda *xs: [numpy.array(a, order="C") for a in _arrays(f(*xs))]
        return f


def _arrays(tree: Any) -> list[Any]:
    """The arrays of a result."""
    return [a for part in tree for a in _arrays(part)] if isinstance(tree, tuple | list) else [tree]


def _lines() -> Iterator[str]:
    """Every expression of the list."""
    for name in _OF_FLOATS.split():
        yield f"np.{name}(x)"
    for name in _OF_FRACTIONS.split():
        yield f"np.{name}(u)"
    for name in _OF_TWO.split():
        yield f"np.{name}(x, y)"
    for name in _OF_ONE_INTEGER.split():
        yield f"np.{name}(i)"
    for name in _OF_INTEGERS.split():
        yield f"np.{name}(i, k)"
    for name in _SHIFTS.split():
        yield f"np.{name}(i, c)"
    for name in _COMPLEX.split():
        yield f"np.{name}(z)"
    for name in _REDUCTIONS.split():
        yield f"np.{name}(x)"
        for axis in (0, 1):
            yield f"np.{name}(X, axis={axis})"
    for name in _WITH_NAN.split():
        yield f"np.{name}(n)"
        for axis in (0, 1):
            yield f"np.{name}(N, axis={axis})"
    yield from _LINES


def _calls() -> Iterator[SurfaceCall]:
    for text in _lines():
        yield SurfaceCall(text)
        if any(name in _FLOATS for name in _operands(text)):
            yield SurfaceCall(text, "float32")


UNTIMED: dict[str, str] = {
    "common_type einsum_path finfo iinfo iscomplexobj isfortran isrealobj isscalar ndim "
    "result_type shape size": "answers with Python objects",
    "from_dlpack frombuffer fromfile fromiter fromregex fromstring genfromtxt load "
    "loadtxt": "reads files or buffers",
    "frompyfunc ix_ trim_zeros mask_indices diag_indices diag_indices_from tril_indices_from "
    "triu_indices_from empty": "takes no large traced array",
    "array asanyarray asarray_chkfinite ascontiguousarray asfortranarray require "
    "broadcast_arrays": "as asarray",
    "fill_diagonal put put_along_axis": "writes into its argument; timed as `set_at`, `put_along`",
    "linalg.cross linalg.diagonal linalg.matmul linalg.matrix_transpose linalg.tensordot "
    "linalg.trace linalg.vecdot": "as the function of the main namespace",
}
"""Functions that are not in the list, and why."""

WHY: dict[str, str] = {
    "np.any(b)": "NumPy stops at the first element that decides",
    "np.all(b)": "NumPy stops at the first element that decides",
    "np.empty_like": "elements are zeros, as in JAX; NumPy's are not set",
    "np.eye(": "NumPy's zeros are pages that nobody has touched yet",
    "np.identity(": "NumPy's zeros are pages that nobody has touched yet",
    "np.nanmax(n)": "also asks whether all are NaN, and warns of nothing",
    "np.nanmin(n)": "also asks whether all are NaN, and warns of nothing",
    "np.packbits": "bits are read eight apart; NumPy multiplies eight bytes at once",
    "np.log10": "NumPy's logarithm comes from SVML",
    "np.linalg.eigvalsh": "BLAS is held to one thread inside a program",
    "np.linalg.cond": "BLAS is held to one thread inside a program",
    "np.linalg.lstsq": "BLAS is held to one thread inside a program",
    "np.vecmat": "4 MB of matrix, at the speed of the third cache",
    "np.matvec": "4 MB of matrix, at the speed of the third cache",
    "np.diagonal": "microseconds: the overhead of a call",
    "np.diag(X)": "microseconds: the overhead of a call",
}
"""Why a call is slower than NumPy's: by a part of its text, the first that fits."""

CALLS: tuple[SurfaceCall, ...] = tuple(_calls())
SURFACE: dict[str, SurfaceCall] = {f"surface: {call.name}": call for call in CALLS}
"""By the names that a worker is asked for."""
