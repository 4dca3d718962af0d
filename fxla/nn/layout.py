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
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import is_inexact
from fxla.core.pytree import is_named_tuple, node_functions, tree_flatten
from fxla.core.stateful import Stateful
from fxla.core.trace import Tracer, is_on_device
from fxla.nn.places import Steps
from fxla.nn.structure import BUFFER, PARAMETER, ModuleLayout, Static

__all__ = [
    "Composite",
    "is_array",
    "parsed_path",
    "tie_arrays",
    "walk_modules",
]

_SHARED = "_shared"
"""Attribute of a module that has been assigned more than once; no part of the structure."""
_NO_KINDS: Mapping[str, str] = {}


def is_array(x: Any) -> bool:
    """Whether a value is an array of numbers, traced ones and types of arrays included."""
    if isinstance(x, np.ndarray):
        return x.dtype.kind not in "OSUmM"
    if isinstance(x, Tracer):
        return True
    return not isinstance(x, type) and (getattr(x, "aval", None) is not None or is_on_device(x))


class Composite(Stateful):
    """The part of a module that says which attributes are what.

    Attributes:
        _owner: the trace that this object was made in, or None.
        _kinds: kinds of slots by path in this module, if it was built from a layout.
        _last: the structure that it had when it was taken apart last.
        _held: which object's attribute it was assigned to first.
        _declared: kinds of attributes by annotation.
    """

    __slots__ = ("__dict__", "__weakref__", "_held", "_kinds", "_last", "_owner")
    _declared: Mapping[str, str] = {}
    _held: tuple[int, str]
    _last: ModuleLayout
    _kinds: Mapping[str, str]
    _owner: Any

    def take_apart(self) -> tuple[Sequence[Any], ModuleLayout]:
        """The arrays, and the structure."""
        last = getattr(self, "_last", None)
        if last is not None:
            children = last.collect(self)
            if children is not None:
                return children, last
        walk = _Walk()
        key = walk.module(self, "", ())
        found = _layouts.get(key)
        if found is None:
            found = _layouts[key] = ModuleLayout(key, walk)
        object.__setattr__(self, "_last", found)
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
