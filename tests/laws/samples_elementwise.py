"""Samples of the elementwise primitives: a row of oracle and domains for each.

The oracle of a row is a function of Python numbers: exact integers, `mpmath` numbers of 40 digits
that are rounded once to the result's dtype. So arithmetic must agree exactly. NumPy's vectorised
math promises 4 ulps; compiled polynomials are within 6 of the exact value, so 8 of NumPy's.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from fxla.core.aval import Aval
from fxla.core.primitive import registered
from fxla.ops import arithmetic, logic, transcendental
from tests.laws.sample import BFLOAT16, Sample, draw_bool, draw_float, draw_int

__all__ = ["SAMPLES", "mp", "on_python_numbers"]

mp = mpmath.mp.clone()
mp.dps = 40
Domain = tuple[float, float]
WIDE: Domain = (-2.0, 2.0)
MATH_ULPS, KERNEL_MATH_ULPS = 4, 8


@dataclass(frozen=True)
class Row:
    """How one elementwise primitive is tested; `domains` are for its floating operands."""

    oracle: Callable[..., Any]
    domains: tuple[Domain, ...] = (WIDE,)
    integers: tuple[Domain, ...] | None = None
    ulps: float = 0
    kernel_ulps: float = 0
    linear: tuple[tuple[int, ...], ...] = ()
    flat: bool = False
    holomorphic: bool = True
    specials: bool = True


def _from_array(x: Any) -> Any:
    if isinstance(x, (np.bool_, np.integer)):
        return x.item()
    if isinstance(x, np.complexfloating):
        return mp.mpc(complex(x))
    return mp.mpf(float(x))


def _to_array(value: Any, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "b":
        return np.bool_(value)
    if dtype.kind in "iu":
        bits = 8 * dtype.itemsize
        return np.asarray(int(value) % (1 << bits), f"u{dtype.itemsize}").view(dtype)[()]
    if dtype.kind == "c":
        return dtype.type(complex(value))
    return np.asarray(float(value)).astype(dtype)[()]


def on_python_numbers(f: Callable[..., Any], dtype: np.dtype[Any]) -> Callable[..., Any]:
    """An oracle on arrays that applies `f` to one Python or mpmath number at a time."""

    def oracle(*xs: Any) -> Any:
        arrays = np.broadcast_arrays(*xs)
        out = np.empty(arrays[0].shape, dtype)
        for i in np.ndindex(out.shape):
            out[i] = _to_array(f(*[_from_array(a[i]) for a in arrays]), dtype)
        return out

    return oracle


def _trunc(x: Any) -> Any:
    return mp.floor(x) if x >= 0 else mp.ceil(x)


def _floor_div(x: Any, y: Any) -> Any:
    return x // y if isinstance(x, int) else mp.floor(x / y)


def _mod(x: Any, y: Any) -> Any:
    return x % y if isinstance(x, int) else x - mp.floor(x / y) * y


def _truncated_div(x: Any, y: Any) -> Any:
    return math.trunc(Fraction(x, y))


def _fmod(x: Any, y: Any) -> Any:
    return x - _truncated_div(x, y) * y if isinstance(x, int) else x - _trunc(x / y) * y


def _rint(x: Any) -> Any:
    return round(Fraction(*float(x).as_integer_ratio()))


def _sign(x: Any) -> Any:
    return (x > 0) - (x < 0)


def _cbrt(x: Any) -> Any:
    return _sign(x) * mp.cbrt(abs(x))


_NOT_ZERO_INT = ((-9.0, 9.0), (1.0, 5.0))
_BITS = ((-9.0, 9.0), (-9.0, 9.0))
_SHIFTS = ((-9.0, 9.0), (0.0, 6.0))
_TWO = (WIDE, WIDE)
_AWAY = ((-2.0, -0.3), (0.4, 2.0))


def _math(f: Callable[..., Any], *domains: Domain, **more: Any) -> Row:
    """A row of a function that NumPy and the kernels approximate."""
    return Row(f, domains or (WIDE,), ulps=MATH_ULPS, kernel_ulps=KERNEL_MATH_ULPS, **more)


ROWS: dict[str, Row] = {
    "add": Row(operator.add, _TWO, linear=((0,), (1,), (0, 1))),
    "sub": Row(operator.sub, _TWO, linear=((0,), (1,), (0, 1))),
    # NumPy's complex product and quotient round several times: 4 ulps of |result|.
    "mul": Row(operator.mul, _TWO, linear=((0,), (1,))),
    "div": Row(operator.truediv, ((-2.0, 2.0), (0.4, 2.0)), linear=((0,),)),
    "neg": Row(operator.neg, linear=((0,),)),
    "floor_divide": Row(_floor_div, ((5.2, 5.4), (1.9, 2.1)), _NOT_ZERO_INT, flat=True),
    "remainder": Row(_mod, ((-5.4, -5.2), (1.9, 2.1)), _NOT_ZERO_INT),
    "rem": Row(_fmod, ((-5.4, -5.2), (1.9, 2.1)), _NOT_ZERO_INT),
    "truncated_div": Row(_truncated_div, integers=_NOT_ZERO_INT),
    "pow": _math(operator.pow, (0.3, 2.5), WIDE, integers=((-3.0, 3.0), (0.0, 5.0))),
    "max": Row(max, ((-2.0, 0.3), (0.4, 2.0))),
    "min": Row(min, ((-2.0, 0.3), (0.4, 2.0))),
    "abs": Row(abs, ((0.3, 2.0),), ((-9.0, 9.0),), holomorphic=False),
    "sign": Row(_sign, ((0.3, 2.0),), ((-1.0, 1.0),), flat=True),
    "square": Row(lambda x: x * x),
    "copysign": Row(lambda x, y: -abs(x) if y < 0 else abs(x), _AWAY),
    "nextafter": Row(lambda x, y: x, ((0.5, 0.9), (1.5, 2.0))),
    "and": Row(operator.and_, integers=_BITS),
    "or": Row(operator.or_, integers=_BITS),
    "xor": Row(operator.xor, integers=_BITS),
    "not": Row(lambda x: not x if isinstance(x, bool) else ~x, integers=((-9.0, 9.0),)),
    "shift_left": Row(operator.lshift, integers=_SHIFTS),
    "shift_right_arithmetic": Row(operator.rshift, integers=_SHIFTS),
    "eq": Row(operator.eq, _TWO, ((-1.0, 1.0), (-1.0, 1.0))),
    "ne": Row(operator.ne, _TWO, ((-1.0, 1.0), (-1.0, 1.0))),
    "lt": Row(operator.lt, _TWO, ((-1.0, 1.0), (-1.0, 1.0))),
    "le": Row(operator.le, _TWO, ((-1.0, 1.0), (-1.0, 1.0))),
    "gt": Row(operator.gt, _TWO, ((-1.0, 1.0), (-1.0, 1.0))),
    "ge": Row(operator.ge, _TWO, ((-1.0, 1.0), (-1.0, 1.0))),
    "is_finite": Row(mp.isfinite),
    "is_nan": Row(mp.isnan),
    "is_inf": Row(mp.isinf),
    "signbit": Row(lambda x: x < 0),
    "floor": Row(mp.floor, ((-1.4, -1.1),), flat=True),
    "ceil": Row(mp.ceil, ((-1.4, -1.1),), flat=True),
    "trunc": Row(_trunc, ((-1.4, -1.1),), flat=True),
    "round_nearest_even": Row(_rint, ((-1.4, -1.1),), flat=True),
    "sqrt": Row(mp.sqrt, ((0.3, 3.0),), kernel_ulps=1),
    "rsqrt": Row(lambda x: 1 / mp.sqrt(x), ((0.3, 3.0),), ulps=1, kernel_ulps=2),
    "cbrt": _math(_cbrt, (-3.0, -0.3)),
    "exp": _math(mp.exp),
    "exp2": _math(lambda x: mp.power(2, x)),
    "expm1": _math(mp.expm1),
    "log": _math(mp.log, (0.3, 3.0)),
    "log2": _math(lambda x: mp.log(x, 2), (0.3, 3.0)),
    "log10": _math(mp.log10, (0.3, 3.0)),
    "log1p": _math(lambda x: mp.log(1 + x), (-0.6, 2.0)),
    "sin": _math(mp.sin),
    "cos": _math(mp.cos),
    "tan": _math(mp.tan, (-1.2, 1.2)),
    "asin": _math(mp.asin, (-0.8, 0.8)),
    "acos": _math(mp.acos, (-0.8, 0.8)),
    "atan": _math(mp.atan),
    "atan2": _math(mp.atan2, *_AWAY),
    "sinh": _math(mp.sinh),
    "cosh": _math(mp.cosh),
    "tanh": _math(mp.tanh, (-1.0, 1.0)),
    "asinh": _math(mp.asinh),
    "acosh": _math(mp.acosh, (1.4, 3.0)),
    "atanh": _math(mp.atanh, (-0.8, 0.8)),
    "hypot": _math(mp.hypot, *_AWAY),
    "logaddexp": _math(lambda x, y: mp.log(mp.exp(x) + mp.exp(y)), *_AWAY),
    "logistic": _math(lambda x: 1 / (1 + mp.exp(-x))),
    "erf": _math(mp.erf),
    "erfc": _math(mp.erfc),
    "erf_inv": _math(mp.erfinv, (-0.8, 0.8)),
    # away from the zeros of these two, where relative accuracy is not promised
    "lgamma": _math(mp.loggamma, (2.5, 6.0)),
    "digamma": _math(mp.digamma, (2.0, 6.0)),
    "real": Row(lambda z: z.real, linear=((0,),), holomorphic=False),
    "imag": Row(lambda z: z.imag, linear=((0,),), holomorphic=False),
    "conj": Row(mp.conj, linear=((0,),), holomorphic=False),
    "complex": Row(mp.mpc, _TWO, linear=((0,), (1,), (0, 1)), holomorphic=False),
}  # fmt: skip

_CALLS: dict[str, list[tuple[str, tuple[int, ...]]]] = {
    "f": [("float64", (2, 3)), ("float64", ()), ("float64", (0, 2)), ("float32", (17,)),
          ("float16", (3,)), ("bfloat16", (1, 3, 1))],
    "c": [("complex128", (2, 2)), ("complex64", (3,))],
    "i": [("int64", (2, 3)), ("int32", (5,)), ("int8", (1, 3))],
    "u": [("uint8", (4,)), ("uint32", (3,))],
    "b": [("bool", (6,))],
}  # fmt: skip
_SPECIAL = (0.0, -0.0, 1.0, -1.5, math.inf, -math.inf, math.nan, 3e38, 1e-40)


def _dtype(name: str) -> np.dtype[Any]:
    return BFLOAT16 if name == "bfloat16" else np.dtype(name)


def _kind(dtype: np.dtype[Any]) -> str:
    return "f" if dtype == BFLOAT16 else dtype.kind


def _drawer(row: Row, k: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "b":
        return draw_bool(shape)
    if dtype.kind in "iu":
        low, high = (row.integers or row.domains)[k]
        return draw_int(shape, dtype, int(low), int(high))
    low, high = row.domains[k]
    return draw_float(shape, dtype, low, high)


def _sample(
    primitive: Any, row: Row, dtype: np.dtype[Any], shapes: tuple[tuple[int, ...], ...]
) -> Sample:
    draws = [_drawer(row, k, shape, dtype) for k, shape in enumerate(shapes)]
    (out,) = primitive.abstract_eval(*[Aval(s, dtype) for s in shapes])
    double = dtype in (np.dtype("float64"), np.dtype("complex128"))
    smooth = double and out.dtype.kind in "fc"
    calculated = row.ulps or (dtype.kind == "c" and primitive.name not in _EXACT_COMPLEX)
    small = _kind(dtype) == "f" and dtype.itemsize == 2
    rounded_twice = small and primitive.name in ("remainder", "rem", "rsqrt", "sqrt")
    return Sample(
        f"{dtype.name}-{'-'.join('x'.join(map(str, s)) or 'scalar' for s in shapes)}",
        lambda rng: tuple(d(rng) for d in draws),
        oracle=_oracle(primitive.name, row, out.dtype),
        differentiable=tuple(range(len(shapes))) if smooth else (),
        linear=row.linear if smooth else (),
        ulps=max(row.ulps, 1 if rounded_twice else 0, MATH_ULPS if calculated else 0),
        kernel_ulps=max(row.kernel_ulps, 1 if small else 0, KERNEL_MATH_ULPS if calculated else 0),
        holomorphic=row.holomorphic and "c" in primitive.kinds and not row.flat,
    )


_EXACT_COMPLEX = ("add", "sub", "neg", "real", "imag", "conj", "eq", "ne")


def _oracle(name: str, row: Row, dtype: np.dtype[Any]) -> Callable[..., Any]:
    if name != "nextafter":
        return on_python_numbers(row.oracle, dtype)
    bits = np.dtype(f"u{dtype.itemsize}")
    return lambda x, y: (np.broadcast_arrays(x, y)[0].copy().view(bits) + bits.type(1)).view(dtype)


def _specials(primitive: Any, row: Row, dtype: np.dtype[Any]) -> Sample:
    with np.errstate(all="ignore"):
        columns = list(zip(*itertools.product(_SPECIAL, repeat=primitive.arity), strict=True))
        operands = tuple(np.array(c).astype(dtype) for c in columns)
    return Sample(f"special-{dtype.name}", lambda rng: operands, kernel_ulps=row.kernel_ulps)


def _samples(primitive: Any, row: Row) -> list[Sample]:
    made = []
    for kind in primitive.kinds:
        for name, shape in _CALLS[kind]:
            made.append(_sample(primitive, row, _dtype(name), (shape,) * primitive.arity))
    if primitive.arity == 2:
        kind = "f" if "f" in primitive.kinds else primitive.kinds[-1]
        dtype = _dtype(_CALLS[kind][0][0])
        made.append(_sample(primitive, row, dtype, ((), (3,))))
        made.append(_sample(primitive, row, dtype, ((2, 2), ())))
    if "f" in primitive.kinds and row.specials:
        made += [_specials(primitive, row, np.dtype(n)) for n in ("float64", "float32")]
    return made


def _bit_rows() -> dict[str, Row]:
    """Rows whose oracle needs the width of the dtype, written for the dtypes that are drawn."""
    return {
        "shift_right_logical": Row(lambda x, n: x >> n, integers=((0.0, 9.0), (0.0, 6.0))),
        "population_count": Row(lambda x: bin(x).count("1"), integers=((0.0, 100.0),)),
    }


SAMPLES: dict[str, list[Sample]] = {
    name: _samples(registered[name], row) for name, row in (ROWS | _bit_rows()).items()
}


def _of_bits(name: str, f: Callable[[int, int], int]) -> list[Sample]:
    """Samples of a function of a bit pattern (x modulo 2**width) and the width."""
    made = []
    for dtype_name, shape in _CALLS["i"] + _CALLS["u"]:
        dtype = _dtype(dtype_name)
        width = dtype.itemsize * 8

        def one(x: int, width: int = width) -> int:
            return f(x % (1 << width), width)

        draw = draw_int(shape, dtype, -9, 9)
        made.append(
            Sample(f"bits-{dtype_name}", lambda rng, d=draw: (d(rng),),
                   oracle=on_python_numbers(one, dtype))
        )  # fmt: skip
    return made


SAMPLES["clz"] = _of_bits("clz", lambda x, width: width - x.bit_length())
SAMPLES["population_count"] += _of_bits("population_count", lambda x, width: bin(x).count("1"))
SAMPLES["shift_right_logical"].append(
    Sample(
        "negative-int8",
        lambda rng: (np.array([-1, -128, 127], np.int8), np.array([1, 7, 3], np.int8)),
        oracle=lambda x, n: np.array([127, 1, 15], np.int8),
    )
)


def _integer_pow(y: int, dtype_name: str, shape: tuple[int, ...]) -> Sample:
    dtype = _dtype(dtype_name)
    draw = (
        draw_int(shape, dtype, -3, 3) if dtype.kind in "iu" else draw_float(shape, dtype, 0.4, 1.6)
    )
    double = dtype_name in ("float64", "complex128")
    return Sample(
        f"{dtype_name}-power{y}",
        lambda rng: (draw(rng),),
        {"y": y},
        oracle=on_python_numbers(lambda x: x**y, dtype),
        differentiable=(0,) if double else (),
        ulps=0 if dtype.kind in "iu" else MATH_ULPS,
        # repeated squaring rounds once for each product, NumPy's pow once
        kernel_ulps=0 if dtype.kind in "iu" else KERNEL_MATH_ULPS,
        holomorphic=True,
    )


SAMPLES["integer_pow"] = [_integer_pow(y, "float64", (2, 3)) for y in (-2, -1, 0, 1, 2, 3, 7)] + [
    _integer_pow(3, "float32", (5,)),
    _integer_pow(2, "bfloat16", (3,)),
    _integer_pow(3, "int32", (4,)),
    _integer_pow(0, "int64", ()),
    _integer_pow(2, "complex128", (2,)),
    _integer_pow(-1, "complex128", (2,)),
]


def _conversions() -> list[Sample]:
    pairs = [
        ("float64", "float32"), ("float32", "float64"), ("float64", "complex128"),
        ("complex128", "float64"), ("float64", "int64"), ("int32", "float32"), ("int64", "int8"),
        ("bool", "float64"), ("float32", "bool"), ("float32", "bfloat16"), ("bfloat16", "float32"),
        ("float32", "float16"), ("float16", "float64"), ("uint8", "int32"), ("complex64", "bool"),
        ("float64", "float64"),
    ]  # fmt: skip
    made = []
    for source, target in pairs:
        old, new = _dtype(source), _dtype(target)
        row = Row(lambda x: x, integers=((-9.0, 9.0),))
        smooth = {source, target} <= {"float64", "complex128"}
        draw = _drawer(row, 0, (2, 3), old)

        def to(x: Any, new: np.dtype[Any] = new) -> Any:
            value = x.real if hasattr(x, "real") and new.kind not in "cb" else x
            return _trunc(value) if new.kind in "iu" else value

        made.append(
            Sample(f"{source}-to-{target}", lambda rng, d=draw: (d(rng),), {"dtype": new},
                   on_python_numbers(to, new), (0,) if smooth else (),
                   ((0,),) if smooth else ())
        )  # fmt: skip
    return made


SAMPLES["convert_element_type"] = _conversions()
SAMPLES["bitcast_convert_type"] = [
    Sample(
        f"{source}-as-{target}",
        lambda rng, source=source: (draw_float((3,), source)(rng),),
        {"dtype": np.dtype(target)},
        lambda x, target=target: np.frombuffer(x.tobytes(), target),
    )
    for source, target in (("float64", "int64"), ("float32", "uint32"), ("float16", "int16"))
]


def _select(dtype: Any, which: tuple[int, ...], shape: tuple[int, ...], smooth: bool) -> Sample:
    draws = draw_bool(which), draw_float(shape, dtype), draw_float(shape, dtype)

    def oracle(c: Any, x: Any, y: Any) -> Any:
        out = y.copy()
        for i in np.ndindex(shape):
            if c[i if which else ()]:
                out[i] = x[i]
        return out

    return Sample(
        f"{np.dtype(dtype).name}-{which}-{shape}".replace(" ", ""),
        lambda rng: tuple(d(rng) for d in draws),
        oracle=oracle,
        differentiable=(1, 2) if smooth else (),
        linear=((1,), (2,), (1, 2)) if smooth else (),
        holomorphic=False,
    )


SAMPLES["select"] = [
    _select("float64", (2, 3), (2, 3), True),
    _select("float64", (), (3,), True),
    _select("float64", (), (), True),
    _select("complex128", (3,), (3,), True),
    _select("float32", (0,), (0,), False),
    _select(BFLOAT16, (5,), (5,), False),
]
assert (
    arithmetic and logic and transcendental
)  # their import registers the primitives these rows name
