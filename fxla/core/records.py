"""Data classes that are made in a third of the time.

`dataclasses.dataclass` compiles the text of every method of a class by itself, six texts for a
frozen one, and importing fxla was for a good part that. Here one text holds what differs from class
to class, as Python does from 3.13 on, and the methods that are alike are functions shared by all. A
class means the same: `dataclasses.fields`, `replace` and `is_dataclass` know it, ``match`` does.
"""

from __future__ import annotations

import dataclasses
import functools
import reprlib
from abc import update_abstractmethods
from dataclasses import MISSING, Field, FrozenInstanceError
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]


@reprlib.recursive_repr()
def _repr(self: Any) -> str:
    shown = [f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse(self: Any, name: str, *value: Any) -> None:
    """``__setattr__`` and ``__delattr__`` of a frozen class; a subclass may have attributes."""
    if "__dataclass_fields__" in vars(type(self)) or name in self.__dataclass_fields__:
        raise FrozenInstanceError(f"cannot {'assign to' if value else 'delete'} field {name!r}")
    (object.__setattr__ if value else object.__delattr__)(self, name, *value)


def _state(self: Any) -> list[Any]:
    return [getattr(self, f.name) for f in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for f, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, f.name, value)


_SHARED = {"_set": object.__setattr__, "_missing": MISSING}


def _setting(fields: list[Field[Any]], frozen: bool, names: dict[str, Any]) -> str:
    """``__init__`` as text; what it reads besides its parameters goes to `names`."""
    given: dict[bool, list[str]] = {False: ["self"], True: ["*"]}
    body: list[str] = []
    for f in fields:
        default, value = "", f.name
        if f.default is not MISSING:
            names[f"_of_{f.name}"] = f.default
            default = f"=_of_{f.name}"
        elif f.default_factory is not MISSING:
            names[f"_of_{f.name}"] = f.default_factory
            default, value = "=_missing", f"_of_{f.name}()"
            if f.init:
                value += f" if {f.name} is _missing else {f.name}"
        if f.init:
            given[bool(f.kw_only)].append(f.name + default)
        if f.init or f.default_factory is not MISSING:
            body.append(
                f"_set(self, {f.name!r}, {value})" if frozen else f"self.{f.name} = {value}"
            )
    named = given[True] if len(given[True]) > 1 else []
    return f"def __init__({', '.join(given[False] + named)}):\n  {'; '.join(body) or 'pass'}\n"


def _methods(cls: type, eq: bool, hashed: bool, frozen: bool) -> dict[str, Any]:
    """The methods of a class whose fields are known; all that is compiled is one text."""
    fields = list(dataclasses.fields(cls))
    names: dict[str, Any] = dict(_SHARED)
    text = _setting(fields, frozen, names)
    if hasattr(cls, "__post_init__"):
        text += "  self.__post_init__()\n"
    ours, theirs = [
        f"({''.join(f'{x}.{f.name}, ' for f in fields if f.compare)})" for x in ("self", "other")
    ]
    if eq:
        text += (
            "def __eq__(self, other):\n"
            f"  if other.__class__ is self.__class__:\n    return {ours} == {theirs}\n"
            "  return NotImplemented\n"
        )
    if hashed:
        text += f"def __hash__(self):\n  return hash({ours})\n"
    exec(text, names)
    given = ["__init__"] + ["__eq__"] * eq + ["__hash__"] * hashed
    made = {name: names[name] for name in given}
    for name, function in made.items():
        function.__qualname__ = f"{cls.__qualname__}.{name}"
        function.__module__ = cls.__module__
    return made


def _record(cls: type, *, eq: bool, frozen: bool, unsafe_hash: bool, **options: Any) -> type:
    """The class with its fields and methods; what it has written itself stays."""
    written = dict(vars(cls))
    if "__eq__" in written and written.get("__hash__") is None:
        written.pop("__hash__", None)  # Python's mark, not the author's
    if cls.__doc__ is None:
        cls.__doc__ = cls.__name__  # dataclasses would inspect a signature, a millisecond's work
    found: Any = dataclasses.dataclass(init=False, repr=False, eq=False, **options)(cls)
    methods = {"__repr__": _repr, **_methods(found, eq, unsafe_hash or (eq and frozen), frozen)}
    if eq and not frozen:
        methods.setdefault("__hash__", None)
    if frozen:
        methods |= {"__setattr__": _refuse, "__delattr__": _refuse}
        if options.get("slots"):
            methods |= {"__getstate__": _state, "__setstate__": _set_state}
    for name, method in methods.items():
        if name not in written:
            setattr(found, name, method)
    return update_abstractmethods(found)


if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        cls: type | None = None, *, eq=True, frozen=False, unsafe_hash=False, **options
    ) -> Any:
        """As `dataclasses.dataclass`, for records that only records are derived from.

        Args:
            cls: the class.
            eq: whether it is compared by its fields.
            frozen: whether they cannot be assigned.
            unsafe_hash: whether it has a hash though they can.
            **options: ``slots``, ``weakref_slot``, ``kw_only`` and ``match_args``.

        Example:
            >>> @dataclass(frozen=True, slots=True)
            ... class Point:
            ...     '''A place.'''
            ...
            ...     x: float
            ...     y: float = 0.0
            >>> Point(1.0), dataclasses.replace(Point(1.0), y=2.0)
            (Point(x=1.0, y=0.0), Point(x=1.0, y=2.0))
            >>> Point(1.0) == Point(1.0, 0.0)
            True
        """
        make = functools.partial(_record, eq=eq, frozen=frozen, unsafe_hash=unsafe_hash, **options)
        return make if cls is None else make(cls)
