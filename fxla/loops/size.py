"""Sizes that remember: how they were computed, and what was decided by them.

A program that is built for one size holds for others, too, if its builder would have decided alike.
So it is built once with a `Size` in place of every number that varies. Arithmetic on it gives
another one, with the expression it came from; a comparison gives a plain boolean, and is written
down as a *guard*; and so is whatever asks for the number itself, which then is a guard that no
other number passes. What was built can be evaluated at all sizes that pass the guards.

    built = build(Size n)     guards: n > 8, 128*n < 100000, ...     result: [n, 4*n, (n + 41)//42]

This is symbolic execution along one path, as of concolic testing (Godefroid, Klarlund, Sen: DART,
2005) and of the guards of tracing compilers.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

__all__ = ["Guards", "Size", "equal_key", "evaluator", "least", "whole"]


class Guards:
    """What was decided while something was built.

    Attributes:
        texts: Python expressions in ``s``, the sequence of sizes, each true when it was noted.
        pinned: whether one of them says what a size is, so that hardly any others pass.
    """

    def __init__(self) -> None:
        self.texts: dict[str, None] = {}
        self.pinned = False

    def size(self, k: int, value: int) -> Size:
        """The k-th of the sizes."""
        return Size(self, value, 1, (f"s[{k}]",))

    def note(self, text: str) -> None:
        """Decide by the truth of an expression."""
        self.texts[text] = None

    def pin(self, size: Size) -> None:
        """Decide by the number itself."""
        self.pinned = True
        self.note(f"{size} == {size.value!r}")

    def function(self) -> Callable[[Sequence[int]], bool]:
        """Whether other sizes pass."""
        return evaluator(" and ".join(self.texts) or "True")


def evaluator(text: str) -> Callable[[Sequence[int]], Any]:
    """The function of the sizes ``s`` that an expression is.

    Example:
        >>> guards = Guards()
        >>> n = guards.size(0, 100)
        >>> result = str(-(-n // 42) * 2) if n > 8 else "1"
        >>> guards.function()([5]), evaluator(result)([300])
        (False, 16)
    """
    names = {"floor": math.floor, "inf": math.inf, "min": min, "__builtins__": {}}
    found: Callable[[Sequence[int]], Any] = eval(f"lambda s: {text}", names)
    return found


def whole(n: Any) -> int:
    """``int(n)``, or `n` itself if it is a `Size`, which stands for an integer."""
    return cast("int", n) if type(n) is Size else int(n)


def least(*xs: int) -> int:
    """``min(*xs)``, which of a `Size` is an expression, and decides nothing."""
    sizes = [x for x in cast("tuple[Any, ...]", xs) if type(x) is Size]
    if not sizes:
        return min(xs)
    value = min(number(x) for x in xs)
    found = Size(sizes[0].guards, value, 1, (f"min({', '.join(map(_text, xs))})",))
    return cast("int", found)


def equal_key(table: Iterable[tuple[Any, str]], key: tuple[Any, str]) -> tuple[Any, str]:
    """One of the keys of a table, each a number and a name, that is equal; else the key itself.

    What a dictionary finds by itself, but for sizes, which it takes for different from others.
    """
    value, name = key
    if type(value) is not Size and not any(type(v) is Size for v, _ in table):
        return key
    return next((known for known in table if known[1] == name and known[0] == value), key)


class Size:
    """A number that follows from sizes: a coefficient times expressions, or one expression.

    It is equal to itself and to what its value is equal to, which is a guard; its hash is that of
    its expression, so a dictionary takes equal sizes of different expressions for different.
    """

    __slots__ = ("coefficient", "factors", "guards", "value")
    __array_ufunc__ = None

    def __init__(self, guards: Guards, value: Any, coefficient: int, factors: tuple[str, ...]):
        self.guards = guards
        self.value = value
        self.coefficient = coefficient
        self.factors = factors

    def __str__(self) -> str:
        if self.coefficient == 1 and len(self.factors) == 1:
            return self.factors[0]
        return f"({'*'.join([str(self.coefficient), *self.factors])})"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return str(self)

    def __hash__(self) -> int:
        return hash((self.coefficient, self.factors))

    # ------------------------------------------------------------------ arithmetic

    def _made(self, value: Any, text: str) -> Any:
        return Size(self.guards, value, 1, (text,))

    def _times(self, value: int, coefficient: int, factors: tuple[str, ...]) -> Any:
        if not factors or not coefficient:
            return coefficient
        return Size(self.guards, value, coefficient, tuple(sorted(factors)))

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, bool) or not isinstance(other, int | float | Size):
            return NotImplemented
        value = self.value * number(other)
        if type(value) is float:
            return self._made(value, f"({self}*{other!r})")
        if type(other) is Size:
            factors = self.factors + other.factors
            return self._times(value, self.coefficient * other.coefficient, factors)
        return self._times(value, self.coefficient * int(other), self.factors)

    def __rmul__(self, other: Any) -> Any:
        if type(other) is float:
            return self._made(other * self.value, f"({other!r}*{self})")
        return self * other

    def __neg__(self) -> Any:
        return -1 * self if type(self.value) is int else self._made(-self.value, f"(-{self})")

    def __floordiv__(self, other: Any) -> Any:
        exact = self._divided(other)
        return _binary(operator.floordiv, "//", self, other) if exact is None else exact

    def __mod__(self, other: Any) -> Any:
        return 0 if self._divided(other) is not None else _binary(operator.mod, "%", self, other)

    def _divided(self, other: Any) -> Any:
        """The quotient, if it is exact whatever the sizes are."""
        if type(self.value) is not int or not number(other):
            return None
        below, factors = (other, ()) if type(other) is int else _parts(other)
        if not below or self.coefficient % below:
            return None
        left = list(self.factors)
        for factor in factors:
            if factor not in left:
                return None
            left.remove(factor)
        if factors:
            bool(other != 0)
        return self._times(self.value // number(other), self.coefficient // below, tuple(left))

    def __add__(self, other: Any) -> Any:
        if type(other) is int and other == 0 and type(self.value) is int:
            return self
        return _binary(operator.add, "+", self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if type(other) is int and other == 0 and type(self.value) is int:
            return self
        return _binary(operator.sub, "-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _binary(operator.sub, "-", other, self)

    def __rfloordiv__(self, other: Any) -> Any:
        return _binary(operator.floordiv, "//", other, self)

    def __rmod__(self, other: Any) -> Any:
        return _binary(operator.mod, "%", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _binary(operator.truediv, "/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _binary(operator.truediv, "/", other, self)

    def __rlshift__(self, other: Any) -> Any:
        return _binary(operator.lshift, "<<", other, self)

    def bit_length(self) -> Any:
        """As of an integer."""
        return self._made(self.value.bit_length(), f"({self}).bit_length()")

    def __floor__(self) -> Any:
        if type(self.value) is int:
            return self
        return self._made(math.floor(self.value), f"floor({self})")

    # ------------------------------------------------------------------ decisions

    def __eq__(self, other: object) -> Any:
        if type(other) is Size:
            if other.guards is not self.guards:
                return False
            if (self.coefficient, self.factors) == (other.coefficient, other.factors):
                return True
        elif not isinstance(other, int | float):
            return False
        return _decided(operator.eq, "==", self, other)

    def __ne__(self, other: object) -> bool:
        return not bool(self == other)

    def __lt__(self, other: Any) -> Any:
        return _decided(operator.lt, "<", self, other)

    def __le__(self, other: Any) -> Any:
        return _decided(operator.le, "<=", self, other)

    def __gt__(self, other: Any) -> Any:
        return _decided(operator.gt, ">", self, other)

    def __ge__(self, other: Any) -> Any:
        return _decided(operator.ge, ">=", self, other)

    def __bool__(self) -> bool:
        return bool(self != 0)

    def __index__(self) -> int:
        self.guards.pin(self)
        return int(self.value)

    __int__ = __index__

    def __float__(self) -> float:
        self.guards.pin(self)
        return float(self.value)


def number(x: Any) -> Any:
    """The value of a size, and any other number itself."""
    return x.value if type(x) is Size else x


def _parts(x: Any) -> tuple[int, tuple[str, ...]]:
    if type(x) is Size and type(x.value) is int:
        return x.coefficient, x.factors
    return 0, ()


def _guards(a: Any, b: Any) -> Guards:
    found: Guards = a.guards if type(a) is Size else b.guards
    return found


def _text(x: Any) -> str:
    return str(x) if type(x) is Size else repr(x)


def _binary(f: Callable[[Any, Any], Any], sign: str, a: Any, b: Any) -> Any:
    for x in (a, b):
        if type(x) is not Size and type(x) not in (int, float):
            return NotImplemented
    value = f(number(a), number(b))
    return Size(_guards(a, b), value, 1, (f"({_text(a)} {sign} {_text(b)})",))


def _decided(f: Callable[[Any, Any], bool], sign: str, a: Any, b: Any) -> Any:
    if type(b) is not Size and not isinstance(b, int | float):
        return NotImplemented
    found = f(number(a), number(b))
    text = f"{_text(a)} {sign} {_text(b)}"
    _guards(a, b).note(text if found else f"not {text}")
    return found
