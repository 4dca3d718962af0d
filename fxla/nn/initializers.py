"""Initial values of parameters: functions ``(key, shape, dtype) -> array``.

Names and draws are those of ``jax.nn.initializers``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import fxla.numpy as fnp
from fxla import random
from fxla.core.deferred import public_names as _public_names
from fxla.core.dtypes import canonical_dtype, default_float, float32, is_complex, real_dtype
from fxla.core.trace import where_am_i
from fxla.errors import ShapeError

__all__ = [
    "Initializer",
    "constant",
    "delta_orthogonal",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

Initializer = Callable[..., Any]
"""``(key, shape, dtype=None) -> array``."""

Axes = int | Sequence[int]
Mode = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
Distribution = Literal["normal", "truncated_normal", "uniform"]


def _dtype(given: Any, default: Any) -> Any:
    chosen = default if given is None else given
    return default_float() if chosen is None else canonical_dtype(chosen)


def zeros(key: Any, shape: Sequence[int], dtype: Any = None) -> Any:
    """Zeros; the key is not used.

    Example:
        >>> from fxla import nn
        >>> nn.initializers.zeros(None, (2,))
        Array([0., 0.])
    """
    del key
    return fnp.zeros(tuple(shape), _dtype(dtype, None))


def ones(key: Any, shape: Sequence[int], dtype: Any = None) -> Any:
    """Ones; the key is not used.

    Example:
        >>> from fxla import nn
        >>> nn.initializers.ones(None, (2,))
        Array([1., 1.])
    """
    del key
    return fnp.ones(tuple(shape), _dtype(dtype, None))


def constant(value: Any, dtype: Any = None) -> Initializer:
    """An initializer that gives a constant.

    Example:
        >>> from fxla import nn
        >>> nn.initializers.constant(3.0)(None, (2,))
        Array([3., 3.])
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = dtype) -> Any:
        del key
        return fnp.full(tuple(shape), value, _dtype(dtype, None))

    return init


def uniform(scale: Any = 1e-2, dtype: Any = None) -> Initializer:
    """An initializer that draws uniform numbers from 0 to `scale`.

    Example:
        >>> from fxla import nn, random
        >>> w = nn.initializers.uniform(5.0)(random.key(0), (100,))
        >>> bool((w >= 0).all() and (w < 5).all())
        True
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = dtype) -> Any:
        made = _dtype(dtype, None)
        return random.uniform(key, tuple(shape), made) * fnp.asarray(scale, made)

    return init


def normal(stddev: Any = 1e-2, dtype: Any = None) -> Initializer:
    """An initializer that draws normal numbers.

    Example:
        >>> from fxla import nn, random
        >>> nn.initializers.normal(5.0)(random.key(0), (2, 3), "float32").dtype
        dtype('float32')
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = dtype) -> Any:
        made = _dtype(dtype, None)
        return random.normal(key, tuple(shape), made) * fnp.asarray(stddev, made)

    return init


def truncated_normal(
    stddev: Any = 1e-2, dtype: Any = None, lower: Any = -2.0, upper: Any = 2.0
) -> Initializer:
    """An initializer that draws normal numbers between bounds.

    Args:
        stddev: standard deviation before truncation.
        dtype: default dtype of the result.
        lower: lower bound, in units of `stddev`.
        upper: upper bound, likewise.

    Example:
        >>> from fxla import nn, random
        >>> w = nn.initializers.truncated_normal(5.0)(random.key(0), (100,))
        >>> bool((abs(w) <= 10).all())
        True
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = dtype) -> Any:
        made = _dtype(dtype, None)
        drawn = random.truncated_normal(key, lower, upper, tuple(shape), made)
        return drawn * fnp.asarray(stddev, made)

    return init


def _axes(axes: Axes, ndim: int) -> list[int]:
    return [a % ndim for a in ([axes] if isinstance(axes, int) else axes)]


def _fans(
    shape: tuple[int, ...], in_axis: Axes, out_axis: Axes, batch_axis: Axes
) -> tuple[float, float]:
    """How many inputs an output has, and outputs an input: sizes times the receptive field."""
    if len(shape) < 2 and isinstance(in_axis, int) and isinstance(out_axis, int):
        raise ShapeError(
            "nn.initializers.variance_scaling: a shape of at least two axes is needed, got "
            f"{shape}{where_am_i()}"
        )
    n = len(shape)

    def size(axes: Axes) -> int:
        return math.prod([shape[a] for a in _axes(axes, n)])

    field = math.prod(shape) / max(1, size(in_axis) * size(out_axis) * size(batch_axis))
    return size(in_axis) * field, size(out_axis) * field


def variance_scaling(
    scale: Any,
    mode: Mode,
    distribution: Distribution,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: Any = None,
) -> Initializer:
    """An initializer with the variance ``scale / n``, n a number of connections.

    Args:
        scale: a positive number.
        mode: n is the number of inputs of an output ("fan_in"), of outputs of an input
            ("fan_out"), or the mean ("fan_avg") or geometric mean ("fan_geo_avg") of both.
        distribution: "normal", "truncated_normal" (at two standard deviations) or "uniform".
        in_axis: axes of inputs.
        out_axis: axes of outputs.
        batch_axis: axes of independent parameters.
        dtype: default dtype of the result.

    Raises:
        ValueError: for another mode or distribution.

    Example:
        >>> from fxla import nn, random
        >>> init = nn.initializers.variance_scaling(1.0, "fan_in", "normal")
        >>> w = init(random.key(0), (400, 100))
        >>> bool(abs(w.std() - 0.05) < 0.001)
        True
    """
    if mode not in ("fan_in", "fan_out", "fan_avg", "fan_geo_avg"):
        raise ValueError(f"nn.initializers.variance_scaling: unknown mode {mode!r}{where_am_i()}")
    if distribution not in ("normal", "truncated_normal", "uniform"):
        raise ValueError(
            f"nn.initializers.variance_scaling: unknown distribution {distribution!r}{where_am_i()}"
        )

    def init(key: Any, shape: Sequence[int], dtype: Any = dtype) -> Any:
        made, shape = _dtype(dtype, None), tuple(shape)
        fan_in, fan_out = _fans(shape, in_axis, out_axis, batch_axis)
        n = {
            "fan_in": fan_in,
            "fan_out": fan_out,
            "fan_avg": (fan_in + fan_out) / 2,
            "fan_geo_avg": math.sqrt(fan_in * fan_out),
        }[mode]
        return _scaled(key, shape, made, fnp.asarray(scale / max(n, 1e-300)), distribution)

    return init


_TRUNCATED_STDDEV = 0.87962566103423978
"""Of a standard normal number between -2 and 2."""


def _scaled(
    key: Any, shape: tuple[int, ...], dtype: Any, variance: Any, distribution: Distribution
) -> Any:
    """Draws of mean 0 and a variance."""
    part = real_dtype(dtype)
    if distribution == "normal":
        return random.normal(key, shape, dtype) * fnp.sqrt(variance).astype(part)
    if is_complex(dtype):
        raise ValueError(
            f"nn.initializers.variance_scaling: {distribution!r} is not defined for {dtype}; use "
            f"'normal'{where_am_i()}"
        )
    if distribution == "uniform":
        wide = fnp.sqrt(3 * variance).astype(part)
        return random.uniform(key, shape, dtype, -1.0, 1.0) * wide
    stddev = (fnp.sqrt(variance) / _TRUNCATED_STDDEV).astype(part)
    return random.truncated_normal(key, -2.0, 2.0, shape, dtype) * stddev


def _named(scale: float, mode: Mode, distribution: Distribution, name: str, source: str) -> Any:
    def make(
        in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
    ) -> Initializer:
        return variance_scaling(scale, mode, distribution, in_axis, out_axis, batch_axis, dtype)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = (
        f'``variance_scaling({scale}, "{mode}", "{distribution}")``.\n\n{source}\n\n'
        "Args:\n    in_axis: axes of inputs.\n    out_axis: axes of outputs.\n"
        "    batch_axis: axes of independent parameters.\n    dtype: default dtype.\n\n"
        "Example:\n    >>> from fxla import nn, random\n"
        f"    >>> nn.initializers.{name}()(random.key(0), (2, 3)).shape\n    (2, 3)\n"
    )
    return make


_GLOROT = (
    'Glorot, Bengio: "Understanding the difficulty of training deep feedforward networks" (2010).'
)
_HE = 'He et al.: "Delving deep into rectifiers" (arXiv:1502.01852).'
_LECUN = 'LeCun et al.: "Efficient BackProp" (1998).'

glorot_uniform = _named(1.0, "fan_avg", "uniform", "glorot_uniform", _GLOROT)
glorot_normal = _named(1.0, "fan_avg", "truncated_normal", "glorot_normal", _GLOROT)
lecun_uniform = _named(1.0, "fan_in", "uniform", "lecun_uniform", _LECUN)
lecun_normal = _named(1.0, "fan_in", "truncated_normal", "lecun_normal", _LECUN)
he_uniform = _named(2.0, "fan_in", "uniform", "he_uniform", _HE)
he_normal = _named(2.0, "fan_in", "truncated_normal", "he_normal", _HE)
xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal


def orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """An initializer of uniformly distributed orthogonal matrices.

    Saxe, McClelland, Ganguli: "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks" (arXiv:1312.6120).

    Args:
        scale: factor.
        column_axis: the axis of columns; all others together are the rows. The shorter side is
            orthonormal.
        dtype: default dtype of the result.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import nn, random
        >>> w = nn.initializers.orthogonal()(random.key(0), (4, 3))
        >>> bool(fnp.allclose(w.T @ w, fnp.eye(3)))
        True
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = dtype) -> Any:
        made, shape = _dtype(dtype, None), tuple(shape)
        if len(shape) < 2:
            raise ShapeError(
                "nn.initializers.orthogonal: a shape of at least two axes is needed, got "
                f"{shape}{where_am_i()}"
            )
        axis = column_axis % len(shape)
        columns = shape[axis]
        rows = math.prod(shape) // columns
        work = made if made.itemsize >= 4 else float32  # LAPACK knows no shorter floats
        drawn = random.normal(key, (max(rows, columns), min(rows, columns)), work)
        q, r = fnp.linalg.qr(drawn)
        q = q * fnp.sign(fnp.diagonal(r))  # else not uniform: the sign of a QR is arbitrary
        if rows < columns:
            q = q.T
        rest = shape[:axis] + shape[axis + 1 :]
        scaled = fnp.asarray(scale, work) * fnp.moveaxis(q.reshape((*rest, columns)), -1, axis)
        return scaled.astype(made)

    return init


def delta_orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """An initializer of convolution kernels: an orthogonal matrix in the centre, 0 elsewhere.

    Xiao et al.: "Dynamical isometry and a mean field theory of CNNs" (arXiv:1806.05393).

    Args:
        scale: factor.
        column_axis: as for `orthogonal`.
        dtype: default dtype of the result.

    Example:
        >>> from fxla import nn, random
        >>> w = nn.initializers.delta_orthogonal()(random.key(0), (3, 2, 2))
        >>> [bool(tap.any()) for tap in w]
        [False, True, False]
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = dtype) -> Any:
        made, shape = _dtype(dtype, None), tuple(shape)
        if len(shape) not in (3, 4, 5) or shape[-1] < shape[-2]:
            raise ShapeError(
                "nn.initializers.delta_orthogonal: takes 3 to 5 axes, of which the last is not "
                f"shorter than the one before, got {shape}{where_am_i()}"
            )
        matrix = orthogonal(scale, column_axis, made)(key, shape[-2:])
        centre = tuple((k - 1) // 2 for k in shape[:-2])
        return fnp.zeros(shape, made).at[centre].set(matrix)

    return init


def __dir__() -> list[str]:
    return _public_names(globals())
