"""LLVM instructions as text, one SSA value at a time.

No middle-end pass runs on native kernels, so two things that they would have been needed for happen
while the text is printed:

* **Common subexpressions.** Instructions are pure text, so an instruction whose text was printed
  before, in a scope that encloses this one, is the same value.
* **Loop-invariant code.** A `Scope` is a region of the function in which a set of values can be
  used: the entry, the body of a loop, an arm of a branch. A value's *level* is the innermost scope
  it depends on. An instruction whose operands are all older than the innermost loop is printed
  where the youngest operand lives, before that loop.

A `Value` has a `width`: 0 for a scalar, else the number of lanes. Mixed operands are splat, so the
same Python function prints scalar and vector code.
"""

from __future__ import annotations

import functools
import operator
import struct
from collections.abc import Callable
from dataclasses import field
from typing import Any

import numpy as np

from fxla.core.records import dataclass

__all__ = ["BITS", "LLVM", "Block", "Instructions", "Scope", "Value", "llvm_type"]

LLVM = {
    "f16": "half", "f32": "float", "f64": "double", "i1": "i1", "i8": "i8", "i16": "i16",
    "i32": "i32", "i64": "i64", "ptr": "ptr",
}  # fmt: skip
"""LLVM's spelling of each scalar type."""

BITS = {"f16": 16, "f32": 32, "f64": 64, "i1": 1, "i8": 8, "i16": 16, "i32": 32, "i64": 64}
"""Width of each scalar type in bits."""


_LOGIC: dict[str, Callable[[int, int], int]] = {
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
}
_ORDER: dict[str, Callable[[int, int], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "slt": operator.lt, "sle": operator.le,
    "sgt": operator.gt, "sge": operator.ge, "ult": operator.lt, "ule": operator.le,
    "ugt": operator.gt, "uge": operator.ge,
}  # fmt: skip


def _read(value: float, kind: str, signed: bool) -> int:
    """An integer as a register of a type reads it."""
    count = 1 << BITS[kind]
    wrapped = int(value) % count
    return wrapped - count if signed and wrapped >= count // 2 else wrapped


@functools.cache
def llvm_type(name: str, width: int = 0) -> str:
    """LLVM's spelling of a type.

    Example:
        >>> llvm_type("f32"), llvm_type("f32", 16)
        ('float', '<16 x float>')
    """
    return f"<{width} x {LLVM[name]}>" if width else LLVM[name]


def _mangled(name: str, width: int) -> str:
    return f"v{width}{name}" if width else ("p0" if name == "ptr" else name)


def _literal(name: str, value: Any) -> str:
    if name == "f16":
        return f"0xH{np.float16(value).view(np.uint16):04X}"
    if name in ("f32", "f64"):
        with np.errstate(over="ignore"):
            wide = float(np.float32(value)) if name == "f32" else float(value)
        return f"0x{struct.unpack('<Q', struct.pack('<d', wide))[0]:016X}"
    if name == "i1":
        return "true" if value else "false"
    bits = BITS[name]
    value = int(value) & ((1 << bits) - 1)
    return str(value - (1 << bits) if value >> (bits - 1) else value)


class Value:
    """An SSA value, or a constant.

    Attributes:
        name: how the value stands in the text.
        type: scalar type: f16, f32, f64, i1, i8, i16, i32, i64, ptr.
        width: number of lanes, 0 for a scalar.
        level: index of the innermost scope it depends on.
        known: the Python number, if it is a constant.
    """

    __slots__ = ("_text", "builder", "known", "level", "name", "type", "width")

    def __init__(
        self,
        builder: Instructions,
        name: str,
        kind: str,
        width: int = 0,
        level: int = 0,
        known: int | float | None = None,
    ) -> None:
        self.builder = builder
        self.name = name
        self.type = kind
        self.width = width
        self.level = level
        self.known = known
        self._text = ""

    @property
    def is_float(self) -> bool:
        """Whether the elements are floating point."""
        return self.type[0] == "f"

    @property
    def text(self) -> str:
        """The value with its type, as an operand."""
        if not self._text:
            self._text = f"{llvm_type(self.type, self.width)} {self.name}"
        return self._text

    def __add__(self, other: Value | float) -> Value:
        return self.builder.arith("add", self, other)

    def __sub__(self, other: Value | float) -> Value:
        return self.builder.arith("sub", self, other)

    def __mul__(self, other: Value | float) -> Value:
        return self.builder.arith("mul", self, other)

    def __truediv__(self, other: Value | float) -> Value:
        return self.builder.arith("div", self, other)

    def __radd__(self, other: float) -> Value:
        return self.builder.constant(other, self.type, self.width) + self

    def __rsub__(self, other: float) -> Value:
        return self.builder.constant(other, self.type, self.width) - self

    def __rmul__(self, other: float) -> Value:
        return self.builder.constant(other, self.type, self.width) * self

    def __rtruediv__(self, other: float) -> Value:
        return self.builder.constant(other, self.type, self.width) / self

    def __neg__(self) -> Value:
        if self.is_float:
            return self.builder.emit(f"fneg {self.text}", self.type, self.width, self)
        return 0 - self

    def __and__(self, other: Value | int) -> Value:
        return self.builder.bitwise("and", self, other)

    def __or__(self, other: Value | int) -> Value:
        return self.builder.bitwise("or", self, other)

    def __xor__(self, other: Value | int) -> Value:
        return self.builder.bitwise("xor", self, other)

    def __invert__(self) -> Value:
        return self ^ -1

    def __lshift__(self, other: Value | int) -> Value:
        return self.builder.bitwise("shl", self, other)

    def __rshift__(self, other: Value | int) -> Value:
        """Arithmetic shift; see `Builder.bitwise` for the logical one (``lshr``)."""
        return self.builder.bitwise("ashr", self, other)

    def cmp(self, predicate: str, other: Value | float) -> Value:
        """Compare by an LLVM predicate (olt, uno, slt, ult, eq, ...)."""
        return self.builder.compare(predicate, self, other)


@dataclass(slots=True)
class Block:
    """A basic block: its lines can still grow after its terminator is known."""

    label: str
    lines: list[str] = field(default_factory=list)
    terminator: str = "unreachable"


@dataclass(slots=True)
class Scope:
    """A region of the function; see the module's docstring.

    Attributes:
        block: where its next instruction goes.
        loop: whether it is the body of a loop.
        conditional: whether it may not run although the enclosing scope does.
        stored: names of the buffers that are written in it, for loops.
        known: instructions printed in it, by text.
    """

    block: Block
    loop: bool = False
    conditional: bool = False
    stored: frozenset[str] = frozenset()
    known: dict[str, Value] = field(default_factory=dict)


class Instructions:
    """Prints instructions into the blocks of one function."""

    def __init__(
        self, ldexp: bool = False, fma_rounds_once: bool = False, half: bool = True
    ) -> None:
        self.ldexp = ldexp
        self.fma_rounds_once = fma_rounds_once
        self.half = half
        self.declared: dict[str, None] = {}
        self.defined: set[str] = set()
        self.outlined: frozenset[str] = frozenset()
        self._count = 0
        self._allocas: list[str] = []
        self.entry = Block("entry")
        self.blocks = [self.entry]
        self.scopes = [Scope(self.entry)]
        self.loop_level = 0
        self._integers: dict[tuple[int, str, int], Value] = {}

    # ------------------------------------------------------------------ values

    def constant(self, value: Any, kind: str, width: int = 0) -> Value:
        """A constant, splat if `width` is not 0."""
        if type(value) is int and kind[0] != "f":
            key = (value, kind, width)
            found = self._integers.get(key)
            if found is None:
                found = self._integers[key] = self._constant(value, kind, width)
            return found
        return self._constant(value, kind, width)

    def _constant(self, value: Any, kind: str, width: int) -> Value:
        text = _literal(kind, value)
        known = float(value) if kind[0] == "f" else int(value)
        name = f"splat ({LLVM[kind]} {text})" if width else text
        return Value(self, name, kind, width, 0, known)

    def fresh(self) -> str:
        """A new name of a value."""
        self._count += 1
        return f"%t{self._count}"

    def emit(self, text: str, kind: str, width: int, *operands: Value) -> Value:
        """Print a pure instruction, once, where its operands allow; see the module's docstring."""
        level = 0
        for v in operands:
            if v.level > level:
                level = v.level
        scopes = self.scopes
        for scope in scopes[level:] if level else scopes:
            found = scope.known.get(text)
            if found is not None:
                return found
        if level >= self.loop_level:
            level = len(scopes) - 1
        return self.emit_at(level, text, kind, width)

    def load(
        self, text: str, kind: str, width: int, buffer: str, safe: bool, *operands: Value
    ) -> Value:
        """Print a load, once, before the loops that do not write the buffer.

        `text` must differ between loads with a store between them. Unlike arithmetic, a load does
        not move out of code that may not run, unless it is `safe`: its address is always valid
        and nothing writes there.
        """
        level = max(v.level for v in operands)
        for at in range(level, len(self.scopes)):
            found = self.scopes[at].known.get(text)
            if found is not None:
                return found
        at = len(self.scopes) - 1
        while at > level and (safe or not self.scopes[at].conditional):
            if buffer in self.scopes[at].stored:
                break
            at -= 1
        return self.emit_at(at, text, kind, width)

    def emit_at(self, level: int, text: str, kind: str, width: int) -> Value:
        """Print an instruction into the scope of a given level and remember it there."""
        scope = self.scopes[level]
        value = Value(self, self.fresh(), kind, width, level)
        scope.block.lines.append(f"{value.name} = {text}")
        scope.known[text] = value
        return value

    def emit_here(self, text: str, kind: str, width: int = 0) -> Value:
        """Print an instruction here, whatever was printed before: it has a state or an effect."""
        value = Value(self, self.fresh(), kind, width, len(self.scopes) - 1)
        self.scopes[-1].block.lines.append(f"{value.name} = {text}")
        return value

    def effect(self, text: str) -> None:
        """Print an instruction without a result, here."""
        self.scopes[-1].block.lines.append(text)

    def splat(self, v: Value, width: int) -> Value:
        """The scalar `v` in every lane."""
        if v.width == width:
            return v
        assert v.width == 0, (v.width, width)
        if v.known is not None:
            return self.constant(v.known, v.type, width)
        t = llvm_type(v.type, width)
        one = self.emit(f"insertelement {t} poison, {v.text}, i64 0", v.type, width, v)
        text = f"shufflevector {t} {one.name}, {t} poison, <{width} x i32> zeroinitializer"
        return self.emit(text, v.type, width, one)

    def lanes(self, kind: str, width: int) -> Value:
        """The vector 0, 1, 2, ..."""
        items = ", ".join(f"{LLVM[kind]} {_literal(kind, k)}" for k in range(width))
        return Value(self, f"<{items}>", kind, width)

    def mask(self, lanes: list[bool]) -> Value:
        """A constant mask."""
        items = ", ".join(f"i1 {str(x).lower()}" for x in lanes)
        return Value(self, f"<{items}>", "i1", len(lanes))

    def same(self, *values: Value | float) -> list[Value]:
        """Operands brought to one width; numbers take the type of the values."""
        given = [v for v in values if isinstance(v, Value)]
        like = given[0]
        width = max([v.width for v in given])
        return [
            self.splat(v, width) if isinstance(v, Value) else self.constant(v, like.type, width)
            for v in values
        ]

    def pair(self, a: Value | float, b: Value | float) -> tuple[Value, Value]:
        """Two operands brought to one width, see `same`."""
        if isinstance(a, Value) and isinstance(b, Value) and a.width == b.width:
            return a, b
        x, y = self.same(a, b)
        return x, y

    # ------------------------------------------------------------ instructions

    def arith(self, name: str, a: Value | float, b: Value | float) -> Value:
        """add, sub, mul (wrapping for integers); div of floats."""
        a, b = self.pair(a, b)
        if a.is_float:
            text = f"f{name} contract {a.text}, {b.name}"
            return self.emit(text, a.type, a.width, a, b)
        x, y = a.known, b.known
        if x is not None and y is not None:
            folded = {"add": x + y, "sub": x - y, "mul": x * y}[name]
            return self.constant(folded, a.type, a.width)
        if (y == 0 and name in ("add", "sub")) or (y == 1 and name == "mul"):
            return a
        if (x == 0 and name == "add") or (x == 1 and name == "mul"):
            return b
        if name == "mul" and (x == 0 or y == 0):
            return a if x == 0 else b
        return self.emit(f"{name} {a.text}, {b.name}", a.type, a.width, a, b)

    def bitwise(self, opcode: str, a: Value | int, b: Value | int) -> Value:
        """and, or, xor, shl, lshr, ashr, sdiv, udiv, srem, urem of integers."""
        a, b = self.pair(a, b)
        if opcode in _LOGIC and a.known is not None and b.known is not None:
            folded = _LOGIC[opcode](int(a.known), int(b.known))
            return self.constant(folded, a.type, a.width)
        if a.type == "i1" and opcode in ("and", "or"):
            for known, other in ((a, b), (b, a)):
                if known.known is not None:
                    neutral = bool(known.known) == (opcode == "and")
                    return other if neutral else known
        return self.emit(f"{opcode} {a.text}, {b.name}", a.type, a.width, a, b)

    def compare(self, predicate: str, a: Value | float, b: Value | float) -> Value:
        """A boolean (i1) from an LLVM predicate."""
        a, b = self.pair(a, b)
        opcode = "fcmp" if a.is_float else "icmp"
        if opcode == "icmp" and a.known is not None and b.known is not None:
            order = _ORDER.get(predicate)
            if order is not None and a.type != "i1":
                signed = predicate[0] != "u"
                holds = order(_read(a.known, a.type, signed), _read(b.known, b.type, signed))
                return self.constant(int(holds), "i1", a.width)
        return self.emit(f"{opcode} {predicate} {a.text}, {b.name}", "i1", a.width, a, b)

    def select(self, condition: Value, a: Value | float, b: Value | float) -> Value:
        """`a` where the condition holds, else `b`."""
        a, b = self.pair(a, b)
        if condition.known is not None:
            return a if condition.known else b
        if condition.width:
            a, b = self.splat(a, condition.width), self.splat(b, condition.width)
        if a.name == b.name:
            return a
        text = f"select {condition.text}, {a.text}, {b.text}"
        return self.emit(text, a.type, a.width, condition, a, b)

    def convert(self, opcode: str, v: Value, kind: str) -> Value:
        """A conversion instruction: bitcast, fptosi, sitofp, zext, trunc, ..."""
        text = f"{opcode} {v.text} to {llvm_type(kind, v.width)}"
        return self.emit(text, kind, v.width, v)

    def bits(self, v: Value) -> Value:
        """The bits of a float as a signed integer of its width, or back again."""
        to = {"f16": "i16", "f32": "i32", "f64": "i64", "i16": "f16", "i32": "f32", "i64": "f64"}
        return self.convert("bitcast", v, to[v.type])

    def intrinsic(
        self, name: str, *values: Value | float, flags: str = "", extra: str = ""
    ) -> Value:
        """A pure intrinsic whose operands and result have one type."""
        args = self.same(*values)
        like = args[0]
        t = llvm_type(like.type, like.width)
        symbol = f"@llvm.{name}.{_mangled(like.type, like.width)}"
        types = ", ".join([t] * len(args) + ([extra.split()[0]] if extra else []))
        self.declared[f"declare {t} {symbol}({types})"] = None
        operands = ", ".join([a.text for a in args] + ([extra] if extra else []))
        return self.emit(f"call {flags}{t} {symbol}({operands})", like.type, like.width, *args)

    def fma(self, a: Value | float, b: Value | float, c: Value | float) -> Value:
        """``a * b + c``, rounded once where that is as fast as twice."""
        return self.intrinsic("fmuladd", a, b, c)

    def abs(self, a: Value) -> Value:
        """The magnitude of a float."""
        return self.intrinsic("fabs", a)

    def any(self, mask: Value) -> Value:
        """Whether any lane holds."""
        if not mask.width:
            return mask
        symbol = f"@llvm.vector.reduce.or.v{mask.width}i1"
        self.declared[f"declare i1 {symbol}(<{mask.width} x i1>)"] = None
        return self.emit(f"call i1 {symbol}({mask.text})", "i1", 0, mask)

    def part(self, v: Value, start: int, count: int) -> Value:
        """Lanes `start` to ``start + count``, as a vector."""
        items = ", ".join(f"i32 {k}" for k in range(start, start + count))
        t = llvm_type(v.type, v.width)
        text = f"shufflevector {v.text}, {t} poison, <{count} x i32> <{items}>"
        return self.emit(text, v.type, count, v)

    def reverse(self, v: Value) -> Value:
        """The lanes in opposite order."""
        items = ", ".join(f"i32 {k}" for k in reversed(range(v.width)))
        t = llvm_type(v.type, v.width)
        text = f"shufflevector {v.text}, {t} poison, <{v.width} x i32> <{items}>"
        return self.emit(text, v.type, v.width, v)

    def lane(self, v: Value, k: int) -> Value:
        """One lane, as a scalar."""
        return self.emit(f"extractelement {v.text}, i64 {k}", v.type, 0, v)

    def gep(self, pointer: Value, kind: str, offset: Value) -> Value:
        """The address `offset` elements of `type` after `pointer`."""
        if offset.known == 0:
            return pointer
        text = f"getelementptr {LLVM[kind]}, {pointer.text}, {offset.text}"
        return self.emit(text, "ptr", offset.width, pointer, offset)

    def alloca(self, kind: str, count: int, align: int = 64) -> Value:
        """Stack memory of the function, from its entry on."""
        name = self.fresh()
        self._allocas.append(f"{name} = alloca [{count} x {LLVM[kind]}], align {align}")
        return Value(self, name, "ptr")
