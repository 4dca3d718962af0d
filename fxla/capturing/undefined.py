"""A variable that has no value on the path that was taken."""

from __future__ import annotations

from typing import Any, NoReturn

from fxla.core.trace import where_am_i
from fxla.errors import UndefinedVariableError

__all__ = ["Undefined"]


class Undefined:
    """Stands in a variable without a value, and raises when it is used for anything.

    Attributes:
        name: of the variable.
        why: the end of a sentence that begins with the variable, or the empty string.
    """

    __slots__ = ("name", "why")
    __hash__ = object.__hash__

    def __init__(self, name: str, why: str = "") -> None:
        self.name = name
        self.why = why

    def fail(self) -> NoReturn:
        """Raise the error of a variable that is read before it has a value."""
        why = self.why or "is read before it has a value"
        raise UndefinedVariableError(
            f"variable {self.name!r} {why}{where_am_i()}. Give it a value of the same shape and "
            "dtype before."
        )

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        self.fail()

    def __repr__(self) -> str:
        return f"<undefined {self.name}>"


def _fails(self: Undefined, *operands: Any, **named: Any) -> NoReturn:
    self.fail()


_BINARY = "add sub mul truediv floordiv mod divmod pow matmul and or xor lshift rshift".split()
_OTHERS = (
    "neg pos abs invert round eq ne lt le gt ge bool int float complex index len iter contains "
    "getitem setitem call array array_ufunc array_function enter exit"
).split()
for _name in (*_BINARY, *["r" + n for n in _BINARY], *["i" + n for n in _BINARY], *_OTHERS):
    setattr(Undefined, f"__{_name}__", _fails)
