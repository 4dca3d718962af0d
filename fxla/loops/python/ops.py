"""How each scalar op and cast is written in Python, for numba on CPU and CUDA and for plain Python.

The text of an expression carries its precedence, so that only needed parentheses are printed.
A result that some target computes in a wider type is cast back: numba adds two int32 as int64, and
plain Python's ``complex`` is double.
"""

from __future__ import annotations

import numpy as np

from fxla.core.records import dataclass
from fxla.errors import InternalError
from fxla.loops.ir import INDEX, Cast, Const, DType, Expr, Extent, Load, Op
from fxla.loops.passes.expand import HALVES

__all__ = [
    "ATOM",
    "CONDITIONAL",
    "Text",
    "dtype_name",
    "spell_cast",
    "spell_const",
    "spell_load",
    "spell_op",
    "spell_stored",
    "storage_dtype",
]

CONDITIONAL, NOT, COMPARE, BIT_OR, BIT_XOR, BIT_AND, SHIFT, SUM, PRODUCT, UNARY, ATOM = range(11)
"""Precedences of Python's operators, loosest first."""


@dataclass(frozen=True, slots=True)
class Text:
    """Python source of an expression, and how tightly its outermost operator binds."""

    source: str
    precedence: int = ATOM

    def within(self, precedence: int) -> str:
        """The source, in parentheses if it binds more loosely than `precedence`."""
        return self.source if self.precedence >= precedence else f"({self.source})"

    def __str__(self) -> str:
        return self.source


_INFIX = {
    "add": ("+", SUM), "sub": ("-", SUM), "mul": ("*", PRODUCT), "div": ("/", PRODUCT),
    "and": ("&", BIT_AND), "or": ("|", BIT_OR), "xor": ("^", BIT_XOR),
    "eq": ("==", COMPARE), "ne": ("!=", COMPARE), "lt": ("<", COMPARE), "le": ("<=", COMPARE),
    "gt": (">", COMPARE), "ge": (">=", COMPARE),
}  # fmt: skip

_MATH = {
    name: name
    for name in (
        "copysign isnan isinf isfinite sqrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin "
        "acos atan atan2 sinh cosh tanh asinh acosh atanh hypot pow erf erfc"
    ).split()
}
"""Ops on real floats that are functions of ``math``."""

_FLOAT_CALLS = {
    "maximum": "maximum", "minimum": "minimum", "floordiv": "float_floordiv", "mod": "float_mod",
    "sign": "float_sign", "fmod": "fmod", "signbit": "signbit", "floor": "floor", "ceil": "ceil",
    "trunc": "trunc", "rint": "rint", "logistic": "logistic", "lgamma": "lgamma",
}  # fmt: skip

_COMPLEX_CALLS = {
    "div": "complex_divide", "pow": "complex_power", "sqrt": "complex_sqrt", "exp": "complex_exp",
    "log": "complex_log", "sin": "complex_sin", "cos": "complex_cos", "tanh": "complex_tanh",
}  # fmt: skip

_IN_DOUBLE = frozenset(["cbrt", "erfinv", "digamma"])
"""Ops whose function takes float64 only."""

_BOOL_INFIX = {"add": "or", "mul": "and", "maximum": "or", "minimum": "and"}

_PREDICATES_OF_MATH = frozenset(["isnan", "isinf", "isfinite"])


def value_dtype(dtype: DType) -> DType:
    """The dtype a value has in generated code: half floats are their 16 bits."""
    return np.dtype(np.uint16) if dtype in HALVES else dtype


def storage_dtype(dtype: DType) -> DType:
    """The dtype of a buffer in generated code: booleans are bytes, half floats their 16 bits."""
    return np.dtype(np.uint8) if dtype.kind == "b" else value_dtype(dtype)


def spell_load(e: Load, position: Text) -> Text:
    """An element of a flat buffer."""
    text = f"{e.buffer.name}[{position}]"
    return Text(f"{text} != 0", COMPARE) if e.dtype.kind == "b" else Text(text)


def spell_stored(dtype: DType, value: Text) -> Text:
    """A value as a buffer holds it."""
    return convert(np.dtype(np.uint8), str(value)) if dtype.kind == "b" else value


def dtype_name(dtype: DType) -> str:
    """The dtype as generated code names it, e.g. ``np.float32``."""
    return f"np.{value_dtype(dtype).name}"


def convert(dtype: DType, source: str) -> Text:
    """A conversion call."""
    return Text(f"{dtype_name(dtype)}({source})")


def spell_const(e: Const, typed: bool = False) -> Text:
    """A constant. Doubles and int64 are plain numbers unless `typed`."""
    dtype = value_dtype(e.dtype)
    if e.dtype in HALVES:
        return convert(dtype, str(np.asarray(e.value).astype(e.dtype).view(np.uint16)[()]))
    value = np.asarray(e.value).astype(dtype).item()
    if dtype.kind == "b":
        return Text(str(value))
    if dtype.kind == "c":
        parts = f"complex({_float_text(value.real)}, {_float_text(value.imag)})"
        return Text(parts) if dtype.itemsize == 16 else convert(dtype, parts)
    text = _float_text(value) if dtype.kind == "f" else str(value)
    if dtype.kind == "f" and dtype.itemsize == 4 and np.isfinite(value):
        text = str(np.float32(value))
    if typed or dtype.name not in ("float64", "int64") or value == -(2**63):
        return convert(dtype, text)
    return Text(text, UNARY if text.startswith("-") else ATOM)


def _float_text(value: float) -> str:
    if value != value:
        return "math.nan"
    if value in (float("inf"), float("-inf")):
        return "math.inf" if value > 0 else "-math.inf"
    return repr(value)


def spell_cast(e: Cast, arg: Text) -> Text:
    """A conversion, with NumPy's ``astype`` for its meaning."""
    to, source = e.dtype, e.arg.dtype
    if source in HALVES:
        name = "float16" if source == np.dtype(np.float16) else "bfloat16"
        return Text(f"{name}_to_float32({arg})")
    if to in HALVES:
        return Text(f"float64_to_float16({arg})" if to.name == "float16" else
                    f"float32_to_bfloat16({arg})")  # fmt: skip
    if to.kind == "b":
        return Text(f"{arg.within(COMPARE + 1)} != 0", COMPARE)
    if source.kind == "c" and to.kind != "c":
        arg = Text(f"{arg.within(ATOM)}.real")
        source = np.dtype(np.float32 if source.itemsize == 8 else np.float64)
        if source == to:
            return arg
    if source.kind == "f" and to.kind in "iu":
        # hardware converts to int32 and int64; narrower results are the low bits of these
        if to.itemsize < 4:
            arg = convert(np.dtype(np.int32), str(arg))
        elif to == np.dtype(np.uint32):
            arg = convert(INDEX, str(arg))
    return convert(to, str(arg))


def spell_op(e: Op, args: tuple[Text, ...]) -> Text:
    """A scalar op."""
    dtype = e.args[0].dtype
    kind = dtype.kind
    if e.name == "bitcast":
        return _bitcast(e, args[0])
    if e.name in ("real", "imag"):
        return Text(f"{args[0].within(ATOM)}.{e.name}")
    if e.name == "complex":
        made = f"complex({args[0]}, {args[1]})"
        return convert(e.dtype, made) if e.dtype.itemsize == 8 else Text(made)
    if kind == "b":
        return _on_booleans(e.name, args)
    if kind == "c":
        return _on_complex(e, args)
    if kind == "f":
        return _on_floats(e, args)
    return _on_integers(e, args)


def _infix(symbol: str, precedence: int, x: Text, y: Text) -> Text:
    left = precedence + 1 if precedence == COMPARE else precedence
    return Text(f"{x.within(left)} {symbol} {y.within(precedence + 1)}", precedence)


def _on_booleans(name: str, args: tuple[Text, ...]) -> Text:
    if name == "not":
        return Text(f"not {args[0].within(NOT)}", NOT)
    symbol, precedence = _INFIX[_BOOL_INFIX.get(name, name)]
    return _infix(symbol, precedence, *args)


def _on_complex(e: Op, args: tuple[Text, ...]) -> Text:
    if e.name in _COMPLEX_CALLS:
        return convert(e.dtype, f"{_COMPLEX_CALLS[e.name]}({_listed(args)})")
    if e.name == "conj":
        return Text(f"{args[0].within(ATOM)}.conjugate()")
    if e.name == "neg":
        return Text(f"-{args[0].within(UNARY)}", UNARY)
    symbol, precedence = _INFIX[e.name]
    return _infix(symbol, precedence, *args)


def _on_floats(e: Op, args: tuple[Text, ...]) -> Text:
    name, single = e.name, e.args[0].dtype.itemsize == 4
    if name in _INFIX:
        return _infix(*_INFIX[name], *args)
    if name == "neg":
        return Text(f"-{args[0].within(UNARY)}", UNARY)
    if name == "abs":
        return Text(f"abs({args[0]})")
    if name == "fma":
        product = _infix("*", PRODUCT, args[0], args[1])
        return _infix("+", SUM, product, args[2])
    if name == "rsqrt":
        one = spell_const(Const(e.dtype, 1.0))
        return _infix("/", PRODUCT, one, Text(f"math.sqrt({args[0]})"))
    if name in _MATH:
        return Text(f"math.{_MATH[name]}({_listed(args)})")
    if name == "nextafter":
        return Text(f"nextafter{32 if single else 64}({_listed(args)})")
    if name in _IN_DOUBLE:
        if not single:
            return Text(f"{name}({args[0]})")
        return convert(e.dtype, f"{name}(np.float64({args[0]}))")
    call = f"{_FLOAT_CALLS[name]}({_listed(args)})"
    return Text(call) if name in _KEEPING or not single else convert(e.dtype, call)


_ON_UNSIGNED = frozenset(["shr_logical", "popcount", "clz"])
"""Integer ops whose function takes and gives unsigned numbers."""

_KEEPING = frozenset("maximum minimum fmod floor ceil trunc rint signbit".split())
"""Functions of the prelude whose result has the operands' dtype (or is a predicate)."""


def _on_integers(e: Op, args: tuple[Text, ...]) -> Text:
    name, dtype = e.name, e.args[0].dtype
    width, unsigned = dtype.itemsize * 8, dtype.kind == "u"
    if name in ("eq", "ne", "lt", "le", "gt", "ge"):
        return _infix(*_INFIX[name], *args)
    if name in ("floordiv", "mod") and dtype == INDEX and _is_size(e.args[1]):
        return _infix("//" if name == "floordiv" else "%", PRODUCT, *args)
    if _shifts_by_constant(e):  # numba takes long to inline the function that asks for the range
        text = _infix("<<" if name == "shl" else ">>", SHIFT, *args)
    else:
        text = _integer_text(name, args, width, unsigned, dtype)
    keeps = name in ("maximum", "minimum") or (dtype == INDEX and name not in _ON_UNSIGNED)
    return text if keeps else convert(dtype, str(text))


def _shifts_by_constant(e: Op) -> bool:
    """Whether an op is Python's ``<<`` or ``>>`` by a count that is known to be in range."""
    if e.name not in ("shl", "shr", "shr_logical") or not isinstance(e.args[1], Const):
        return False
    dtype = e.args[0].dtype
    known = 0 <= int(e.args[1].value) < dtype.itemsize * 8
    return known and (e.name != "shr_logical" or dtype.kind == "u")


def _integer_text(
    name: str, args: tuple[Text, ...], width: int, unsigned: bool, dtype: DType
) -> Text:
    if name in _INFIX:
        return _infix(*_INFIX[name], *args)
    if name == "neg":
        zero = spell_const(Const(dtype, 0))
        return _infix("-", SUM, zero, args[0]) if unsigned else \
            Text(f"-{args[0].within(UNARY)}", UNARY)  # fmt: skip
    if name == "not":
        return Text(f"~{args[0].within(UNARY)}", UNARY)
    if name == "abs":
        return args[0] if unsigned else Text(f"abs({args[0]})")
    if name == "sign":
        return Text(f"int_sign({args[0]})")
    if name in ("maximum", "minimum"):
        return Text(f"{name}({_listed(args)})")
    if name in ("truncdiv", "floordiv"):
        which = "uint_floordiv" if unsigned else f"int_{name}"
        return Text(f"{which}({_listed(args)})")
    if name in ("mod", "fmod"):
        which = "uint_mod" if unsigned else f"int_{name}"
        return Text(f"{which}({_listed(args)})")
    if name == "pow":
        if unsigned:
            return Text(f"uint_power({', '.join(f'np.uint64({a})' for a in args)})")
        return Text(f"int_power({', '.join(f'np.int64({a})' for a in args)})")
    return _bit_text(name, args, width, unsigned)


def _bit_text(name: str, args: tuple[Text, ...], width: int, unsigned: bool) -> Text:
    if name == "shl":
        return Text(f"shift_left({_listed(args)}, {width})")
    if name == "shr":
        which = "unsigned_shift_right" if unsigned else "shift_right"
        return Text(f"{which}({_listed(args)}, {width})")
    bits = [str(a) if unsigned else f"np.uint{width}({a})" for a in args]
    if name == "shr_logical":
        return Text(f"unsigned_shift_right({', '.join(bits)}, {width})")
    if name == "popcount":  # NumPy counts the bits of the absolute value
        size = str(args[0]) if unsigned else f"abs({args[0]})"
        return Text(f"popcount(np.uint64(np.uint{width}({size})))")
    if name == "clz":
        zeros = f"leading_zeros(np.uint64({bits[0]}))"
        return Text(f"{zeros} - np.uint64({64 - width})" if width < 64 else zeros, SUM)
    raise InternalError(f"no Python for the integer op {name!r}")


def _bitcast(e: Op, arg: Text) -> Text:
    source, to = e.args[0].dtype, e.dtype
    if source.kind == "f" and source not in HALVES:
        arg = Text(f"float{source.itemsize * 8}_bits({arg})")
        return arg if to.kind == "u" else convert(to, str(arg))
    if to.kind == "f" and to not in HALVES:
        width = to.itemsize * 8
        return Text(
            f"float{width}_from_bits({arg if source.kind == 'u' else f'np.uint{width}({arg})'})"
        )
    return arg if value_dtype(source) == value_dtype(to) else convert(to, str(arg))


def _is_size(e: Expr) -> bool:
    """Whether an index expression is known to be positive."""
    if isinstance(e, Extent):
        return True
    return isinstance(e, Const) and int(e.value) > 0


def _listed(args: tuple[Text, ...]) -> str:
    return ", ".join(a.source for a in args)
