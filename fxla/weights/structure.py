"""What stands in a tree, as text: the inverse is `fxla.weights.restore`.

A tree becomes JSON and arrays. Numbers, strings and None are JSON's own, an array is the name of a
tensor, and everything else is an object with one key that says its kind::

    {"a": (w, None), "n": 3}  ->  {"dict": [["a", {"tuple": [{"array": "a/0"}, null]}], ["n", 3]]}

Objects that are met twice (tied weights, shared layers) are written once and named by number.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fxla.compile.cuda.devices import device_get
from fxla.control.api import ShapeDtypeStruct
from fxla.core.pytree import is_named_tuple, node_functions
from fxla.core.stateful import Stateful
from fxla.core.trace import Tracer, is_on_device, where_am_i
from fxla.weights.names import UnknownNameError, name_of
from fxla.weights.tensors import dtype_named, stored

__all__ = ["Written", "joined", "written"]


@dataclasses.dataclass(frozen=True)
class Written:
    """A tree taken apart.

    Attributes:
        text: what `json.dumps` takes.
        tensors: the arrays by name, as `fxla.weights.tensors.stored` gives them.
    """

    text: Any
    tensors: dict[str, np.ndarray[Any, Any]]


def joined(path: tuple[str, ...]) -> str:
    """The name of the tensor at a place in a tree.

    Example:
        >>> joined(("layers", "0", "weight")), joined(())
        ('layers/0/weight', 'value')
    """
    return "/".join(path) or "value"


def written(tree: Any) -> Written:
    """Take a tree apart.

    Args:
        tree: dicts, lists, tuples, named tuples, dataclasses, modules and registered classes, with
            arrays, numbers, strings, None, dtypes, and functions that a name finds.

    Raises:
        TypeError: if something in it cannot be saved; the message names its place.

    Example:
        >>> parts = written({"w": np.ones(2), "n": 3})
        >>> parts.text, list(parts.tensors)
        ({'dict': [['w', {'array': 'w'}], ['n', 3]]}, ['w'])
    """
    writer = _Writer()
    text = writer.write(tree, ())
    return Written(text, writer.tensors)


class _Writer:
    def __init__(self) -> None:
        self.tensors: dict[str, np.ndarray[Any, Any]] = {}
        self.arrays: dict[int, Any] = {}  # by identity: what is written of an array met before
        self.objects: dict[int, int] = {}  # by identity: the number of an object met before
        self.kept: list[Any] = []  # identities last as long as objects do

    def write(self, x: Any, path: tuple[str, ...]) -> Any:
        if x is None or isinstance(x, bool | str) or type(x) is int:
            return x
        if isinstance(x, float) and not isinstance(x, np.generic):
            return x if math.isfinite(x) else {"float": repr(x)}
        if isinstance(x, np.ndarray | np.generic | Tracer) or is_on_device(x):
            return self.array(x, path)
        for write in (self.container, self.constant, self.object):
            text = write(x, path)
            if text is not None:
                return text
        if hasattr(x, "__array__"):
            return self.array(np.asarray(x), path)
        return self.named(x, path)

    # ---------------------------------------------------------------------------------- arrays

    def array(self, x: Any, path: tuple[str, ...]) -> Any:
        if isinstance(x, Tracer):
            raise TypeError(
                f"fxla.save: {_place(path)} is a traced value without a concrete one: save outside "
                f"of jit, grad and vmap, what the function returns{where_am_i()}"
            )
        if id(x) in self.arrays:
            return self.arrays[id(x)]
        self.kept.append(x)
        value = np.asarray(device_get(x))
        try:
            parts = stored(value)
        except TypeError as error:
            raise TypeError(f"fxla.save: {_place(path)}: {error}{where_am_i()}") from None
        name = joined(path)
        while name in self.tensors or name == "__metadata__":
            name += "_"  # keys with slashes may give two places one name
        self.tensors[name] = parts.array
        text: dict[str, Any] = {"array": name}
        if parts.dtype is not None:
            text["dtype"] = parts.dtype
        if isinstance(x, np.generic):
            text["scalar"] = True
        self.arrays[id(x)] = text
        return text

    # ------------------------------------------------------------------------------ containers

    def container(self, x: Any, path: tuple[str, ...]) -> Any:
        kind = type(x)
        if kind in (list, tuple, set, frozenset):
            return {kind.__name__: self.items(x, path)}
        if kind in (dict, collections.OrderedDict):
            return {kind.__name__: self.pairs(x, path)}
        if kind is collections.defaultdict:
            made_by = None if x.default_factory is None else self.named(x.default_factory, path)
            return {"defaultdict": self.pairs(x, path), "made_by": made_by}
        if kind is collections.deque:
            return {"deque": self.items(x, path), "length": x.maxlen}
        if is_named_tuple(kind):
            fields = {name: self.write(getattr(x, name), (*path, name)) for name in x._fields}
            return {"namedtuple": self.class_of(x, path), "fields": fields}
        return None

    def items(self, x: Any, path: tuple[str, ...]) -> list[Any]:
        return [self.write(part, (*path, str(k))) for k, part in enumerate(x)]

    def pairs(self, x: Mapping[Any, Any], path: tuple[str, ...]) -> list[Any]:
        return [[self.write(k, path), self.write(x[k], (*path, str(k)))] for k in x]

    # ------------------------------------------------------------------------------- constants

    def constant(self, x: Any, path: tuple[str, ...]) -> Any:
        """What has no parts that are arrays."""
        if isinstance(x, enum.Enum):
            return {"enum": self.class_of(x, path), "member": x.name}
        if isinstance(x, complex):
            return {"complex": [self.write(x.real, path), self.write(x.imag, path)]}
        if isinstance(x, bytes):
            return {"bytes": x.hex()}
        if isinstance(x, np.dtype):
            return {"dtype": x.name}
        if isinstance(x, slice):
            return {"slice": [self.write(part, path) for part in (x.start, x.stop, x.step)]}
        if isinstance(x, range):
            return {"range": [x.start, x.stop, x.step]}
        if x is Ellipsis:
            return {"ellipsis": True}
        if isinstance(x, type) and issubclass(x, np.generic) and np.dtype(x).name != "object":
            return {"type": np.dtype(x).name} if _is_dtype(np.dtype(x).name) else None
        if type(x) is functools.partial:
            return {
                "partial": self.write(x.func, (*path, "func")),
                "args": self.items(x.args, path),
                "keywords": self.pairs(x.keywords, path),
            }
        return None

    # --------------------------------------------------------------------------------- objects

    def object(self, x: Any, path: tuple[str, ...]) -> Any:
        """An instance of a class whose parts have names: its class and its parts."""
        kind = type(x)
        if isinstance(x, type | ShapeDtypeStruct):
            return None
        node = node_functions(kind)
        if node is None and not dataclasses.is_dataclass(x):
            return None
        if id(x) in self.objects:
            return {"same": self.objects[id(x)]}
        number = self.objects[id(x)] = len(self.objects)
        self.kept.append(x)
        named = self.class_of(x, path)
        if _by_attributes(x):
            parts = {name: self.write(part, (*path, name)) for name, part in _attributes(x).items()}
            text = {"object": named, "number": number, "fields": parts}
            kinds = dict(getattr(x, "_kinds", {}))
            return {**text, "kinds": self.pairs(kinds, path)} if kinds else text
        children, data = node[0](x)[:2]  # type: ignore[index]
        return {
            "node": named,
            "number": number,
            "data": self.write(data, path),
            "children": self.items(children, path),
        }

    def class_of(self, x: Any, path: tuple[str, ...]) -> str:
        try:
            return name_of(type(x))
        except UnknownNameError as error:
            raise TypeError(
                f"fxla.save: the class of {_place(path)}: {error}{where_am_i()}"
            ) from None

    def named(self, x: Any, path: tuple[str, ...]) -> Any:
        """A function or a class, by name."""
        if not callable(x):
            raise TypeError(
                f"fxla.save: {_place(path)} is of type "
                f"{type(x).__module__}.{type(x).__qualname__}, which cannot be saved: make the "
                "class a dataclass, or register it with "
                f"fxla.tree.register_pytree_node{where_am_i()}"
            )
        try:
            name = name_of(x)
        except UnknownNameError as error:
            raise TypeError(f"fxla.save: {_place(path)}: {error}{where_am_i()}") from None
        return {"class" if isinstance(x, type) else "function": name}


def _place(path: tuple[str, ...]) -> str:
    return f"the value at {'/'.join(path)!r}" if path else "the value"


def _is_dtype(name: str) -> bool:
    try:
        dtype_named(name)
    except TypeError:
        return False
    return True


def _attributes(x: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(x) and not hasattr(x, "__dict__"):
        return {field.name: getattr(x, field.name) for field in dataclasses.fields(x)}
    return dict(vars(x))


def _by_attributes(x: Any) -> bool:
    """Whether an object is what its attributes are."""
    return dataclasses.is_dataclass(x) or isinstance(x, Stateful)
