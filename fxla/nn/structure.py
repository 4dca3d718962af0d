"""The structure of a module: what it has besides its arrays, and how it is built from them.

A structure is made from a *key*, nested tuples:

    ("module", class, ((name, node), ...))     a module with these attributes
    "parameter", "buffer"                      a slot, the place of an array
    ("tied", k), ("again", k)                  the array of slot k, the k-th module, once more
    (list, (node, ...)), (dict, ((key, node), ...))    a container
    Static(value)                              anything else, which is compared
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from operator import is_
from typing import Any

import numpy as np

from fxla.core.array import Array
from fxla.core.pytree import is_named_tuple
from fxla.core.stateful import Layout
from fxla.core.trace import Tracer, eval_trace, state
from fxla.nn.places import put, steps_to

__all__ = ["BUFFER", "PARAMETER", "ModuleLayout", "Static"]

PARAMETER, BUFFER = "parameter", "buffer"


class Static:
    """A value that is part of a structure: equal to one of the same type that is equal."""

    __slots__ = ("hash", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        try:
            self.hash = hash(value)
        except TypeError:
            self.hash = id(value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Static):
            return NotImplemented
        mine, theirs = self.value, other.value
        if mine is theirs:
            return True
        if type(mine) is not type(theirs) or self.hash != other.hash:
            return False
        return repr(mine) == repr(theirs) if type(mine) is float else bool(mine == theirs)

    def __hash__(self) -> int:
        return self.hash

    def __repr__(self) -> str:
        return repr(self.value)


_Build = Callable[[Sequence[Any], list[Any]], Any]


class ModuleLayout(Layout):
    """The structure of a module.

    Attributes:
        key: what decides equality.
        kinds: of each slot, ``"parameter"`` or ``"buffer"``.
        aliases: paths of tied arrays, and the number of the slot that each is tied to.
        shared: whether a module occurs twice, or an array is tied.
    """

    __slots__ = (
        "__weakref__",
        "_build",
        "_collect",
        "_hash",
        "aliases",
        "differentiable",
        "key",
        "kinds",
        "paths",
        "shared",
        "steps",
    )

    def __init__(self, key: Any, walk: Any) -> None:
        self.key = key
        self.kinds = tuple(walk.kinds)
        self.paths = tuple(walk.paths)
        self.steps = tuple(walk.steps)
        self.aliases = tuple(walk.aliases)
        self.shared = walk.shared or bool(walk.aliases)
        self.differentiable = tuple([k == PARAMETER for k in walk.kinds])
        self._hash = hash(key)
        self._build = _module_builder(key, [0])
        self._collect = _module_collector(key)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, ModuleLayout) and self.key == other.key)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return "..."

    def __reduce__(self) -> Any:
        return _restored, (self.build([None] * len(self.paths)),)

    def build(self, children: Sequence[Any]) -> Any:
        """A module of this structure; it belongs to the current trace."""
        module = self._build(children, [])
        object.__setattr__(module, "_last", self)
        return module

    def collect(self, module: Any) -> list[Any] | None:
        """The children of a module of this structure; None if it may have another one.

        What a call of a transformation costs is mostly this, so it compares by identity and knows
        arrays only; `Composite.take_apart` looks again at what it does not recognise.
        """
        found: list[Any] = []
        made: list[Any] = []
        if not self._collect(module, found, made) or len(set(map(id, made))) != len(made):
            return None
        return found

    def assign(self, node: Any, values: Mapping[int, Any]) -> None:
        """Replace arrays in a module, by number of the slot; those tied to them too."""
        for k, value in values.items():
            put(node, self.steps[k], value)
        for path, k in self.aliases:
            if k in values:
                put(node, steps_to(self.key, path), values[k])

    def difference(self, other: Layout) -> str:
        """The first attribute that differs, from the module's class."""
        assert isinstance(other, ModuleLayout)
        return f"{self.key[1].__name__}.{_first_difference(self.key, other.key)}"


_SHARED = "_shared"
"""Attribute of a module that has been assigned more than once; no part of the structure."""
_Collect = Callable[[Any, list[Any], list[Any]], bool]


def _restored(module: Any) -> Any:
    return module.take_apart()[1]


def _first_difference(one: Any, other: Any) -> str:
    if one[:2] != other[:2]:
        return ""
    theirs = dict(other[2])
    for name, node in one[2]:
        if name not in theirs:
            return str(name)
        if theirs[name] != node:
            both = isinstance(node, tuple) and isinstance(theirs[name], tuple)
            if both and node[0] == theirs[name][0] == "module":
                return f"{name}.{_first_difference(node, theirs[name])}".rstrip(".")
            return str(name)
    return ", ".join([str(name) for name in theirs if name not in dict(one[2])])


# ----------------------------------------------------------------------------------- building


def _builder(node: Any, counter: list[int]) -> _Build:
    if isinstance(node, str):
        k = counter[0]
        counter[0] += 1
        return lambda children, made: children[k]
    if isinstance(node, Static):
        value = node.value
        return lambda children, made: value
    head = node[0]
    if head == "tied":
        number = node[1]
        return lambda children, made: children[number]
    if head == "again":
        number = node[1]
        return lambda children, made: made[number]
    if head == "module":
        return _module_builder(node, counter)
    if head in (dict, OrderedDict):
        pairs = [(k, _builder(v, counter)) for k, v in node[1]]
        return lambda children, made: head([(k, b(children, made)) for k, b in pairs])
    items = [_builder(v, counter) for v in node[1]]
    if is_named_tuple(head):
        return lambda children, made: head._make([b(children, made) for b in items])
    return lambda children, made: head([b(children, made) for b in items])


def _module_builder(key: Any, counter: list[int]) -> _Build:
    cls, entries = key[1], key[2]
    new, set_slot = object.__new__, object.__setattr__
    template: dict[str, Any] = {}
    slots: list[tuple[str, int]] = []
    others: list[tuple[str, _Build]] = []
    kinds: dict[str, str] = {}
    for name, node in entries:
        template[name] = node.value if isinstance(node, Static) else None
        if isinstance(node, str):
            slots.append((name, counter[0]))
            counter[0] += 1
        elif not isinstance(node, Static):
            others.append((name, _builder(node, counter)))
        _note_kinds(node, name, kinds)

    def build(children: Sequence[Any], made: list[Any]) -> Any:
        module = new(cls)
        made.append(module)
        attributes = module.__dict__
        attributes.update(template)
        for name, k in slots:
            attributes[name] = children[k]
        for name, builder in others:
            attributes[name] = builder(children, made)
        trace = state.trace
        set_slot(module, "_kinds", kinds)
        set_slot(module, "_owner", None if trace is eval_trace else trace)
        return module

    return build


def _note_kinds(node: Any, path: str, kinds: dict[str, str]) -> None:
    """Note the kinds of the slots in a module's attribute, by their paths."""
    if isinstance(node, str):
        kinds[path] = node
    elif isinstance(node, tuple) and node[0] == "tied":
        kinds[path] = PARAMETER
    elif isinstance(node, tuple) and node[0] not in ("module", "again"):
        keyed = node[0] in (dict, OrderedDict)
        for k, value in node[1] if keyed else enumerate(node[1]):
            _note_kinds(value, f"{path}[{k!r}]", kinds)


# ---------------------------------------------------------------------------------- collecting


def _collector(node: Any, by_dtype: bool) -> _Collect:
    """A function that appends the slots of a value; False if it may not have this structure."""
    if isinstance(node, str):
        whole = node == BUFFER

        def slot(x: Any, found: list[Any], made: list[Any]) -> bool:
            found.append(x)
            if type(x) is not Array and not isinstance(x, _ARRAYS):
                return False
            return not by_dtype or (x.dtype.kind in "biu") is whole

        return slot
    if isinstance(node, Static):
        value = node.value
        return lambda x, found, made: x is value
    head = node[0]
    if head == "tied":
        number = node[1]
        return lambda x, found, made: x is found[number]
    if head == "again":
        number = node[1]
        return lambda x, found, made: x is made[number]
    if head == "module":
        return _module_collector(node)
    if head in (dict, OrderedDict):
        keys = [k for k, _ in node[1]]
        inner = [_collector(v, by_dtype) for _, v in node[1]]

        def entries(x: Any, found: list[Any], made: list[Any]) -> bool:
            if type(x) is not head or list(x) != keys:
                return False
            for f, v in zip(inner, x.values(), strict=True):  # noqa: SIM110 - and faster
                if not f(v, found, made):
                    return False
            return True

        return entries
    each = [_collector(v, by_dtype) for v in node[1]]

    def items(x: Any, found: list[Any], made: list[Any]) -> bool:
        if type(x) is not head or len(x) != len(each):
            return False
        for f, v in zip(each, x, strict=True):  # noqa: SIM110
            if not f(v, found, made):
                return False
        return True

    return items


def _module_collector(key: Any) -> _Collect:
    cls, entries = key[1], key[2]
    statics = {name: node.value for name, node in entries if isinstance(node, Static)}
    said = {*cls._declared, *statics.get("_buffers", ())}
    said |= {path for path, _ in statics.get("_overrides", ())}
    names, values = list(statics), list(statics.values())
    others = [
        (name, _collector(node, name not in said and "_overrides" not in statics))
        for name, node in entries
        if not isinstance(node, Static)
    ]
    size = len(entries)
    nones = [name for name, value in statics.items() if value is None]

    def collect(module: Any, found: list[Any], made: list[Any]) -> bool:
        if type(module) is not cls:
            return False
        made.append(module)
        attributes = module.__dict__
        if len(attributes) - (_SHARED in attributes) != size:
            return False
        get = attributes.get
        if not all(map(is_, map(get, names), values)):
            return False
        for name in nones:
            if name not in attributes:
                return False
        for name, f in others:  # noqa: SIM110
            if not f(get(name), found, made):
                return False
        return True

    return collect


_ARRAYS = (np.ndarray, Tracer)
