"""A tree from what `fxla.weights.structure` wrote."""

from __future__ import annotations

import collections
import enum
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fxla.core.pytree import node_functions
from fxla.core.stateful import Stateful
from fxla.weights.names import Allowed, UnknownNameError
from fxla.weights.structure import joined
from fxla.weights.tensors import decoded, dtype_named

__all__ = ["restored"]

_ABSENT: Any = object()
"""Stands for what was not asked for."""

_ITEMS: dict[str, Callable[[Any], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}


def restored(
    text: Any,
    tensor: Callable[[str], np.ndarray[Any, Any]],
    allowed: Allowed,
    wanted: Callable[[str], bool] | None = None,
) -> Any:
    """Put a tree together.

    Args:
        text: as `fxla.weights.structure.written` gives it.
        tensor: gives the array of a name.
        allowed: which classes and functions the text may name.
        wanted: which places are asked for, by the names of their tensors; all if None. What was not
            asked for is left out of dicts, and is None elsewhere.

    Raises:
        UnknownNameError: if a class or function cannot be found, or may not be named.
        ValueError: if the text is damaged.

    Example:
        >>> text = {"dict": [["n", 3], ["w", {"array": "w"}]]}
        >>> restored(text, lambda name: np.ones(2), Allowed(()))
        {'n': 3, 'w': Array([1., 1.])}
    """
    tree = _Reader(tensor, allowed, wanted).read(text, ())
    return None if tree is _ABSENT else tree


class _Reader:
    def __init__(
        self,
        tensor: Callable[[str], np.ndarray[Any, Any]],
        allowed: Allowed,
        wanted: Callable[[str], bool] | None,
    ) -> None:
        self.tensor = tensor
        self.allowed = allowed
        self.wanted = wanted
        self.arrays: dict[str, Any] = {}
        self.objects: dict[int, Any] = {}
        self.within = 0  # objects whose configuration is needed whatever was asked for
        self.met = self.given = 0  # arrays, and those of them that were asked for

    def read(self, text: Any, path: tuple[str, ...]) -> Any:
        if not isinstance(text, dict):
            if isinstance(text, list):
                raise ValueError(f"the structure is damaged at {joined(path)!r}")
            return text if text is None or self.asked(joined(path)) else _ABSENT
        kind = next(iter(text), "nothing")
        read = getattr(self, f"read_{kind}", None)
        if kind in _ITEMS:
            return self.items(text[kind], path, _ITEMS[kind])
        if read is None:
            raise ValueError(f"the structure is damaged at {joined(path)!r}: {kind!r} is no kind")
        return read(text, path)

    def asked(self, name: str) -> bool:
        """Whether a number or a string is wanted."""
        return self.wanted is None or self.within > 0 or self.wanted(name)

    def whole(self, text: Any, path: tuple[str, ...]) -> Any:
        """A part that is needed whatever was asked for, such as a layer's activation."""
        before, self.wanted = self.wanted, None
        try:
            return self.read(text, path)
        finally:
            self.wanted = before

    def parts(self, texts: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        return {name: self.read(part, (*path, name)) for name, part in texts.items()}

    def configured(self, read: Callable[[], Any]) -> Any:
        """Parts of an object; absent if it has arrays and none of them was asked for."""
        met, given = self.met, self.given
        self.within += 1
        parts = read()
        self.within -= 1
        nothing = self.met > met and self.given == given
        return _ABSENT if nothing and not self.within else parts

    def named(self, name: str, kind: str, path: tuple[str, ...]) -> Any:
        try:
            return self.allowed.find(name, kind)
        except UnknownNameError as error:
            raise UnknownNameError(f"at {joined(path)!r} {error}") from None

    # ---------------------------------------------------------------------------------- leaves

    def read_array(self, text: Any, path: tuple[str, ...]) -> Any:
        name = text["array"]
        self.met += 1
        if self.wanted is not None and not self.wanted(name):
            return _ABSENT
        self.given += 1
        if name not in self.arrays:
            array = decoded(self.tensor(name), text.get("dtype"))
            self.arrays[name] = np.asarray(array)[()] if text.get("scalar") else array
        return self.arrays[name]

    def read_float(self, text: Any, path: tuple[str, ...]) -> Any:
        return float(text["float"]) if self.asked(joined(path)) else _ABSENT

    def read_complex(self, text: Any, path: tuple[str, ...]) -> Any:
        if not self.asked(joined(path)):
            return _ABSENT
        return complex(*(self.whole(part, path) for part in text["complex"]))

    def read_bytes(self, text: Any, path: tuple[str, ...]) -> Any:
        return bytes.fromhex(text["bytes"])

    def read_dtype(self, text: Any, path: tuple[str, ...]) -> Any:
        return dtype_named(text["dtype"])

    def read_type(self, text: Any, path: tuple[str, ...]) -> Any:
        return dtype_named(text["type"]).type

    def read_slice(self, text: Any, path: tuple[str, ...]) -> Any:
        return slice(*(self.whole(part, path) for part in text["slice"]))

    def read_range(self, text: Any, path: tuple[str, ...]) -> Any:
        return range(*text["range"])

    def read_ellipsis(self, text: Any, path: tuple[str, ...]) -> Any:
        return Ellipsis

    def read_function(self, text: Any, path: tuple[str, ...]) -> Any:
        return self.named(text["function"], "function", path)

    def read_class(self, text: Any, path: tuple[str, ...]) -> Any:
        return self.named(text["class"], "class", path)

    def read_enum(self, text: Any, path: tuple[str, ...]) -> Any:
        found = self.named(text["enum"], "class", path)
        if not issubclass(found, enum.Enum):
            raise ValueError(f"at {joined(path)!r}: {text['enum']} is no Enum")
        return found[text["member"]]

    # ------------------------------------------------------------------------------ containers

    def items(self, texts: Any, path: tuple[str, ...], made: Callable[[Any], Any]) -> Any:
        items = [self.read(part, (*path, str(k))) for k, part in enumerate(texts)]
        if items and all(item is _ABSENT for item in items):
            return _ABSENT
        return made(None if item is _ABSENT else item for item in items)

    def pairs(self, texts: Any, path: tuple[str, ...]) -> Any:
        found = []
        for key_text, part in texts:
            key = self.whole(key_text, path)
            found.append((key, self.read(part, (*path, str(key)))))
        present = [(key, value) for key, value in found if value is not _ABSENT]
        return _ABSENT if found and not present else present

    def read_dict(self, text: Any, path: tuple[str, ...]) -> Any:
        found = self.pairs(text["dict"], path)
        return _ABSENT if found is _ABSENT else dict(found)

    def read_OrderedDict(self, text: Any, path: tuple[str, ...]) -> Any:  # noqa: N802 - its class
        found = self.pairs(text["OrderedDict"], path)
        return _ABSENT if found is _ABSENT else collections.OrderedDict(found)

    def read_defaultdict(self, text: Any, path: tuple[str, ...]) -> Any:
        found = self.pairs(text["defaultdict"], path)
        if found is _ABSENT:
            return _ABSENT
        return collections.defaultdict(self.whole(text["made_by"], path), found)

    def read_deque(self, text: Any, path: tuple[str, ...]) -> Any:
        limit = text["length"]
        return self.items(text["deque"], path, lambda found: collections.deque(found, limit))

    def read_partial(self, text: Any, path: tuple[str, ...]) -> Any:
        function = self.whole(text["partial"], (*path, "func"))
        arguments = self.whole({"tuple": text["args"]}, path)
        return functools.partial(function, *arguments, **dict(self.pairs(text["keywords"], path)))

    # --------------------------------------------------------------------------------- objects

    def read_namedtuple(self, text: Any, path: tuple[str, ...]) -> Any:
        found = self.named(text["namedtuple"], "class", path)
        parts = self.parts(text["fields"], path)
        if set(parts) != set(found._fields):
            raise ValueError(_changed(text["namedtuple"], path, parts, found._fields))
        if parts and all(part is _ABSENT for part in parts.values()):
            return _ABSENT
        ordered = (parts[name] for name in found._fields)
        return tuple.__new__(found, (None if part is _ABSENT else part for part in ordered))

    def read_object(self, text: Any, path: tuple[str, ...]) -> Any:
        found = self.named(text["object"], "class", path)
        made = self.objects[text["number"]] = object.__new__(found)
        fields = getattr(found, "__dataclass_fields__", None)
        if isinstance(made, Stateful):  # its attributes are its own; the class may have more
            object.__setattr__(
                made, "_kinds", dict(self.whole({"dict": text.get("kinds", [])}, path))
            )
            object.__setattr__(made, "_owner", None)
        elif fields is not None and set(text["fields"]) != set(fields):
            raise ValueError(_changed(text["object"], path, text["fields"], fields))
        parts = self.configured(lambda: self.parts(text["fields"], path))
        if parts is _ABSENT:
            return _ABSENT
        for name, part in parts.items():
            object.__setattr__(made, name, None if part is _ABSENT else part)
        return made

    def read_node(self, text: Any, path: tuple[str, ...]) -> Any:
        found = self.named(text["node"], "class", path)
        functions = node_functions(found)
        if functions is None:
            raise ValueError(f"at {joined(path)!r}: {text['node']} is not a registered class")
        texts = {str(k): part for k, part in enumerate(text["children"])}
        children = self.configured(lambda: self.parts(texts, path))
        if children is _ABSENT:
            return _ABSENT
        data = self.whole(text["data"], path)
        present = [None if part is _ABSENT else part for part in children.values()]
        made = functions[1](data, present)
        self.objects[text["number"]] = made
        return made

    def read_same(self, text: Any, path: tuple[str, ...]) -> Any:
        if text["same"] not in self.objects:
            raise ValueError(f"the structure is damaged at {joined(path)!r}")
        return self.objects[text["same"]]


def _changed(name: str, path: tuple[str, ...], there: Any, here: Any) -> str:
    shown = name.replace(":", ".")
    return (
        f"at {joined(path)!r}: class {shown} has other fields than when it was saved; "
        f"in the file: {', '.join(sorted(there))}; in the class: {', '.join(sorted(here))}"
    )
