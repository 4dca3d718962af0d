"""Passes of Fourier transforms by NumPy's own loops, for lengths that are not smooth.

    void pocketfft(ptr pool, ptr parallel_for, ptr args)

`args` points at 8-byte slots (`POCKETFFT_SLOTS`). Chunks of lines depend on the sizes alone, and
each is one call of a loop of NumPy's transforms, by address: the C function behind the ufunc that
`numpy.fft` calls, which needs neither the interpreter nor its lock. Where the ufuncs are not laid
out as expected, the primitive's own value serves. It also serves long lines, for each of which
NumPy's loop would ask the system for memory.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import struct
import sys
from typing import Any

import numpy as np

from fxla.compile.backend.native import compile_text
from fxla.compile.program import Fourier
from fxla.core.dtypes import DType

__all__ = [
    "POCKETFFT_SLOTS",
    "float_bits",
    "line_address",
    "line_grain",
    "line_routine",
    "pocketfft_address",
    "pocketfft_text",
    "scale_bits",
    "served_by_numpy",
]

POCKETFFT_SLOTS = {
    name: k
    for k, name in enumerate(
        (
            "function", "data", "source", "target", "scale", "taken", "given",
            "step_in", "step_out", "inner", "outer_in", "outer_out",
            "inner_in", "inner_out", "lines", "grain",
        )
    )
}  # fmt: skip
"""Name and number of each argument slot; steps are in bytes.

Line k starts at ``k // inner`` steps of `outer` and ``k % inner`` of `inner`.
"""

MAX_BYTES = 1 << 15
"""Bytes of the real parts of a line, at most."""
CHUNK = 1 << 14
"""Elements of the lines of a chunk, at least: some 20 microseconds."""


def served_by_numpy(i: Fourier) -> bool:
    """Whether NumPy's loops can be called by address, and should be."""
    return i.length * i.precision.itemsize <= MAX_BYTES and bool(_loops())


def line_routine(i: Fourier) -> str:
    """The name of the loop that transforms the lines of a pass, for `line_address`."""
    name = {"FFT": "fft", "IFFT": "ifft", "IRFFT": "irfft"}.get(i.kind)
    if name is None:
        name = "rfft_n_odd" if i.length % 2 else "rfft_n_even"
    return f"pocketfft:{name}:{'d' if i.precision.itemsize == 8 else 'f'}"


def scale_bits(i: Fourier) -> int:
    """The factor of a pass as the bits of its 8-byte slot."""
    return float_bits(1 / i.length if i.kind in ("IFFT", "IRFFT") else 1.0, i.precision)


def float_bits(x: float, precision: DType) -> int:
    """A number of a precision as the bits of an 8-byte slot."""
    if precision.itemsize == 8:
        return int(struct.unpack("<q", struct.pack("<d", x))[0])
    return int(struct.unpack("<q", struct.pack("<fi", x, 0))[0])


def line_grain(i: Fourier) -> int:
    """How many lines are one chunk."""
    return max(1, CHUNK // i.length)


# --- NumPy's loops ---


def line_address(name: str) -> int:
    """The address of a loop, or of its data: ``pocketfft:fft:d``, ``pocketfft:fft:d:data``."""
    _, ufunc, letter, *data = name.split(":")
    return _loops()[ufunc, letter][len(data)]


class _Ufunc(ctypes.Structure):
    """The beginning of NumPy's ``PyUFuncObject`` behind the header of every object."""

    _fields_ = (
        ("nin", ctypes.c_int),
        ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int),
        ("reserved", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("types", ctypes.c_void_p),
    )


_UFUNCS = ("fft", "ifft", "irfft", "rfft_n_even", "rfft_n_odd")
_LOOP = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)


@functools.cache
def _loops() -> dict[tuple[str, str], tuple[int, int]]:
    """Addresses of a loop and of its data, by ufunc and letter; empty if they cannot be used."""
    if sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return {}
    try:
        ufuncs = importlib.import_module("numpy.fft._pocketfft_umath")  # not part of its interface
    except ImportError:
        return {}
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for name in _UFUNCS:
        loops = _loops_of(getattr(ufuncs, name, None), name)
        if loops is None:
            return {}
        found |= {(name, letter): places for letter, places in loops.items()}
    return found if _transforms(found) else {}


def _loops_of(ufunc: Any, name: str) -> dict[str, tuple[int, int]] | None:
    """The loops of one ufunc, after what can be seen of it from Python was found in it."""
    if not isinstance(ufunc, np.ufunc):
        return None
    seen = _Ufunc.from_address(id(ufunc) + object.__basicsize__)
    counts = (seen.nin, seen.nout, seen.nargs, seen.ntypes)
    if counts != (2, 1, 3, len(ufunc.types)) or seen.name != name.encode():
        return None
    out: dict[str, tuple[int, int]] = {}
    for k, signature in enumerate(ufunc.types):
        address = seen.functions[k]
        if address:
            out[signature[1]] = (address, (seen.data[k] or 0) if seen.data else 0)
    return out if {"f", "d"} <= set(out) else None


def _transforms(loops: dict[tuple[str, str], tuple[int, int]]) -> bool:
    """Whether one transform by address is right."""
    x, out = np.arange(4.0), np.zeros(3, complex)
    scale = np.ones(())
    places = (ctypes.c_void_p * 3)(x.ctypes.data, scale.ctypes.data, out.ctypes.data)
    sizes, steps = (ctypes.c_int64 * 3)(1, 4, 3), (ctypes.c_int64 * 5)(32, 0, 48, 8, 16)
    function, data = loops["rfft_n_even", "d"]
    _LOOP(function)(
        ctypes.addressof(places), ctypes.addressof(sizes), ctypes.addressof(steps), data
    )
    return out.tolist() == [6, -2 + 2j, -2]


# --- the native function ---


@functools.cache
def pocketfft_address() -> int:
    """The address of the function described in the module's docstring."""
    return compile_text(pocketfft_text(), ["pocketfft"], effort=0)["pocketfft"]


def _load(*names: str) -> str:
    """Lines that load argument slots."""
    lines = []
    for name in names:
        kind = "ptr" if name in ("function", "data", "source", "target") else "i64"
        lines.append(f"  %at_{name} = getelementptr i64, ptr %args, i64 {POCKETFFT_SLOTS[name]}")
        lines.append(f"  %{name} = load {kind}, ptr %at_{name}, align 8")
    return "\n".join(lines)


def _set(array: str, kind: str, *values: str) -> str:
    """Lines that fill an array."""
    lines = []
    for k, value in enumerate(values):
        lines.append(f"  %{array}_{k} = getelementptr i64, ptr %{array}, i64 {k}")
        lines.append(f"  store {kind} {value}, ptr %{array}_{k}, align 8")
    return "\n".join(lines)


def pocketfft_text() -> str:
    """The module of that function."""
    return f"""
define void @pocketfft(ptr %pool, ptr %parallel_for, ptr %args) {{
{_load("lines", "grain")}
  call void %parallel_for(ptr %pool, ptr @run_lines, ptr %args, i64 %lines, i64 %grain)
  ret void
}}
define internal void @run_lines(ptr %args, i64 %begin, i64 %end) {{
entry:
  %places = alloca [3 x ptr], align 8
  %sizes = alloca [3 x i64], align 8
  %steps = alloca [5 x i64], align 8
{_load(*[x for x in POCKETFFT_SLOTS if x not in ("lines", "grain", "scale")])}
  %at_scale = getelementptr i64, ptr %args, i64 {POCKETFFT_SLOTS["scale"]}
{_set("steps", "i64", "%inner_in", "0", "%inner_out", "%step_in", "%step_out")}
  br label %head
head:
  %line = phi i64 [%begin, %entry], [%following, %body]
  %more = icmp slt i64 %line, %end
  br i1 %more, label %body, label %over
body:
  %o = sdiv i64 %line, %inner
  %i = srem i64 %line, %inner
  %left = sub i64 %end, %line
  %row = sub i64 %inner, %i
  %short = icmp slt i64 %left, %row
  %count = select i1 %short, i64 %left, i64 %row
  %from_o = mul i64 %o, %outer_in
  %from_i = mul i64 %i, %inner_in
  %from_at = add i64 %from_o, %from_i
  %from = getelementptr i8, ptr %source, i64 %from_at
  %to_o = mul i64 %o, %outer_out
  %to_i = mul i64 %i, %inner_out
  %to_at = add i64 %to_o, %to_i
  %to = getelementptr i8, ptr %target, i64 %to_at
{_set("places", "ptr", "%from", "%at_scale", "%to")}
{_set("sizes", "i64", "%count", "%taken", "%given")}
  call void %function(ptr %places, ptr %sizes, ptr %steps, ptr %data)
  %following = add i64 %line, %count
  br label %head
over:
  ret void
}}
"""
