"""What a module is made of: its arrays in order, and everything else as a comparable structure.

A module is one node of a pytree, whatever modules it contains. A *slot* is a place of an array;
its path is written as the user would, ``layers[0].weight``. A module that occurs twice, and an
array that was the value of two attributes when the module was made, occur once among the
children: what is tied stays tied under every transformation.

    take_apart : module -> ([array], layout)        layout.build : [array] -> module
"""

from __future__ import annotations

import ast
import re
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import is_inexact
from fxla.core.pytree import is_named_tuple, node_functions, tree_flatten
from fxla.core.stateful import Layout, Stateful
from fxla.core.trace import Tracer, eval_trace, is_on_device, state

__all__ = [
    "BUFFER",
    "PARAMETER",
    "Composite",
    "ModuleLayout",
    "is_array",
    "parsed_path",
    "put",
    "say_kind",
    "slots_of",
    "tie_arrays",
    "walk_modules",
]

PARAMETER, BUFFER = "parameter", "buffer"
_SHARED = "_shared"
"""Attribute of a module that has been assigned more than once; no part of the structure."""
_NO_KINDS: Mapping[str, str] = {}
Steps = tuple[tuple[bool, Any], ...]
"""How a slot is reached: (whether by an attribute, its name or index), one after the other."""


def is_array(x: Any) -> bool:
    """Whether a value is an array of numbers, traced ones and types of arrays included."""
    if isinstance(x, np.ndarray):
        return x.dtype.kind not in "OSUmM"
    if isinstance(x, Tracer):
        return True
    return not isinstance(x, type) and (getattr(x, "aval", None) is not None or is_on_device(x))


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


class Composite(Stateful):
    """The part of a module that says which attributes are what.

    Attributes:
        _owner: the trace that this object was made in, or None.
        _kinds: kinds of slots by path in this module, if it was built from a layout.
        _held: which object's attribute it was assigned to first.
        _declared: kinds of attributes by annotation.
    """

    __slots__ = ("__dict__", "__weakref__", "_held", "_kinds", "_owner")
    _declared: Mapping[str, str] = {}
    _held: tuple[int, str]
    _kinds: Mapping[str, str]
    _owner: Any

    def take_apart(self) -> tuple[Sequence[Any], ModuleLayout]:
        """The arrays, and the structure."""
        walk = _Walk()
        key = walk.module(self, "", ())
        found = _layouts.get(key)
        if found is None:
            found = _layouts[key] = ModuleLayout(key, walk)
        return walk.children, found

    def is_plain(self) -> bool:
        """Whether nothing in the module occurs twice."""
        return not self.take_apart()[1].shared

    def mark(self) -> tuple[str, Any]:
        """The slot that says of what kind each array is."""
        return "_kinds", self._kinds


_layouts: weakref.WeakValueDictionary[Any, ModuleLayout] = weakref.WeakValueDictionary()


class _Walk:
    """Collects the slots of a module, depth first in the order of assignment."""

    def __init__(self) -> None:
        self.children: list[Any] = []
        self.kinds: list[str] = []
        self.paths: list[str] = []
        self.steps: list[Steps] = []
        self.aliases: list[tuple[str, int]] = []
        self.seen: dict[int, int] = {}
        self.ties: dict[str, str] = {}
        self.shared = False

    def module(self, module: Composite, prefix: str, steps: Steps) -> Any:
        number = self.seen.get(id(module))
        if number is not None:
            self.shared = True
            return ("again", number)
        self.seen[id(module)] = len(self.seen)
        attributes = vars(module)
        ties = attributes.get("_ties")
        if ties:
            self.ties.update({prefix + alias: prefix + source for alias, source in ties})
        entries = [
            (name, self.value(value, name, module, prefix, (*steps, (True, name))))
            for name, value in attributes.items()
            if name != _SHARED
        ]
        return ("module", type(module), tuple(entries))

    def value(self, x: Any, path: str, module: Composite, prefix: str, steps: Steps) -> Any:
        kind = type(x)
        if isinstance(x, np.ndarray | Tracer):
            if is_array(x) and module._declared.get(path) != "static":
                return self.slot(x, path, module, prefix, steps)
            return Static(x)
        if isinstance(x, Composite):
            return self.module(x, f"{prefix}{path}.", steps)
        if path in getattr(module, "_kinds", _NO_KINDS):
            return self.slot(x, path, module, prefix, steps)
        if kind is list or kind is tuple or is_named_tuple(kind):
            items = [
                self.value(v, f"{path}[{k}]", module, prefix, (*steps, (False, k)))
                for k, v in enumerate(x)
            ]
            return (kind, tuple(items))
        if kind is dict or kind is OrderedDict:
            pairs = [
                (k, self.value(v, f"{path}[{k!r}]", module, prefix, (*steps, (False, k))))
                for k, v in x.items()
            ]
            return (kind, tuple(pairs))
        if kind.__module__ != "builtins" and not isinstance(x, type):
            subtree = node_functions(kind) is not None and bool(tree_flatten(x)[0])
            if subtree or is_array(x):
                return self.slot(x, path, module, prefix, steps)
        return Static(x)

    def slot(self, x: Any, path: str, module: Composite, prefix: str, steps: Steps) -> Any:
        full = prefix + path
        if self.ties:
            source = self.ties.get(full)
            if source in self.paths and self.children[self.paths.index(source)] is x:
                number = self.paths.index(source)
                self.aliases.append((full, number))
                return ("tied", number)
        found = _kind(x, path, module)
        self.children.append(x)
        self.kinds.append(found)
        self.paths.append(full)
        self.steps.append(steps)
        return found


def _kind(x: Any, path: str, module: Composite) -> str:
    """Whether a slot is a parameter or a buffer: as was said, as it was, or by its dtype."""
    attributes = vars(module)
    overrides = attributes.get("_overrides")
    if overrides:
        for overridden, kind in overrides:
            if overridden == path:
                return str(kind)
    name = path.partition("[")[0]
    if name in attributes.get("_buffers", ()):
        return BUFFER
    said = module._declared.get(name) or getattr(module, "_kinds", _NO_KINDS).get(path)
    if said is not None:
        return said
    dtype = getattr(x, "dtype", None)
    return PARAMETER if dtype is None or is_inexact(dtype) else BUFFER


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
        "_hash",
        "aliases",
        "differentiable",
        "key",
        "kinds",
        "paths",
        "shared",
        "steps",
    )

    def __init__(self, key: Any, walk: _Walk) -> None:
        self.key = key
        self.kinds = tuple(walk.kinds)
        self.paths = tuple(walk.paths)
        self.steps = tuple(walk.steps)
        self.aliases = tuple(walk.aliases)
        self.shared = walk.shared or bool(walk.aliases)
        self.differentiable = tuple([k == PARAMETER for k in walk.kinds])
        self._hash = hash(key)
        self._build = _module_builder(key, [0])

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
        return self._build(children, [])

    def assign(self, node: Any, values: Mapping[int, Any]) -> None:
        """Replace arrays in a module, by number of the slot; those tied to them too."""
        for k, value in values.items():
            put(node, self.steps[k], value)
        for path, k in self.aliases:
            if k in values:
                put(node, _steps_of(self.key, path), values[k])

    def difference(self, other: Layout) -> str:
        """The first attribute that differs, from the module's class."""
        assert isinstance(other, ModuleLayout)
        return f"{self.key[1].__name__}.{_first_difference(self.key, other.key)}"


def _restored(module: Composite) -> ModuleLayout:
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


def _steps_of(key: Any, path: str) -> Steps:
    """The steps to the slot of that path in a structure."""
    for found, steps in slots_of(key):
        if found == path:
            return steps
    raise KeyError(path)


def slots_of(key: Any, prefix: str = "", steps: Steps = ()) -> Sequence[tuple[str, Steps]]:
    """All slots of a structure with their steps, tied ones included."""
    found: list[tuple[str, Steps]] = []

    def visit(node: Any, path: str, steps: Steps) -> None:
        if isinstance(node, str) or (isinstance(node, tuple) and node[0] == "tied"):
            found.append((path, steps))
        elif isinstance(node, tuple) and node[0] == "module":
            for name, value in node[2]:
                visit(value, f"{path}.{name}" if path else name, (*steps, (True, name)))
        elif isinstance(node, tuple) and node[0] != "again":
            keyed = node[0] in (dict, OrderedDict)
            for k, value in node[1] if keyed else enumerate(node[1]):
                visit(value, f"{path}[{k!r}]", (*steps, (False, k)))

    visit(key, prefix, steps)
    return found


def put(node: Any, steps: Steps, value: Any) -> Any:
    """Assign at the end of some steps; the node, which is a new one if it is a tuple."""
    if not steps:
        return value
    (by_name, key), rest = steps[0], steps[1:]
    if by_name:
        if rest:
            value = put(vars(node)[key], rest, value)
        if vars(node).get(key) is not value:
            node.assigned(key, value)
        return node
    inner = put(node[key], rest, value)
    if not isinstance(node, tuple):
        node[key] = inner
        return node
    items = [inner if k == key else x for k, x in enumerate(node)]
    kind: Any = type(node)
    return kind._make(items) if is_named_tuple(kind) else tuple(items)


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


def tie_arrays(module: Composite) -> None:
    """Note the arrays that are parameters at two places of a module that has just been made."""
    walk = _Walk()
    walk.module(module, "", ())
    if len({id(x) for x in walk.children}) == len(walk.children):
        return
    first: dict[int, str] = {}
    ties = []
    for path, kind, x in zip(walk.paths, walk.kinds, walk.children, strict=True):
        if kind == PARAMETER and isinstance(x, np.ndarray | Tracer):
            source = first.setdefault(id(x), path)
            if source != path:
                ties.append((path, source))
    if ties:
        vars(module)["_ties"] = (*vars(module).get("_ties", ()), *ties)


def say_kind(module: Any, steps: Steps, kind: str) -> None:
    """Override the kind of the slot at the end of some steps."""
    last = max(k for k, (by_name, _) in enumerate(steps) if by_name)
    for by_name, key in steps[:last]:
        module = vars(module)[key] if by_name else module[key]
    path = steps[last][1] + "".join([f"[{key!r}]" for _, key in steps[last + 1 :]])
    others = [pair for pair in vars(module).get("_overrides", ()) if pair[0] != path]
    vars(module)["_overrides"] = tuple(sorted([*others, (path, kind)]))


_STEP = re.compile(r"""\.?([^.\[\]]+)|\[('[^']*'|"[^"]*"|[^\]]*)\]""")


def parsed_path(path: str) -> Steps:
    """The steps of a path such as ``layers[0].weight``."""
    return tuple(
        [(True, m[1]) if m[1] else (False, ast.literal_eval(m[2])) for m in _STEP.finditer(path)]
    )


def walk_modules(x: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Modules in a value with their paths, outer ones first; a shared one comes repeatedly."""
    if isinstance(x, Composite):
        yield path, x
        for name, value in vars(x).items():
            yield from walk_modules(value, f"{path}.{name}" if path else name)
    elif isinstance(x, list | tuple):
        for k, item in enumerate(x):
            yield from walk_modules(item, f"{path}[{k}]")
    elif isinstance(x, dict):
        for k, item in x.items():
            yield from walk_modules(item, f"{path}[{k!r}]")
