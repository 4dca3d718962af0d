"""A module as text: its attributes, an indented line for each child, as PyTorch prints it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from fxla.core.trace import typeof
from fxla.nn.layout import Composite, is_array

__all__ = ["tree_text"]

_WIDTH = 88


def tree_text(module: Composite) -> str:
    """A module as text.

    Example:
        >>> from fxla import nn
        >>> nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        Sequential(
          layers[0]: Linear(2, 3, weight=f64[2,3], bias=f64[3]),
          layers[1]: ReLU(),
        )
    """
    parts: list[tuple[str, str]] = [("", x) for x in getattr(module, "_shown", lambda: ())()]
    plain = not parts
    for name, value in vars(module).items():
        if not name.startswith("_"):
            parts += _parts(name, value, plain)
    name = type(module).__name__
    inline = [f"{k}={v}" if k else v for k, v in parts]
    has_children = any(isinstance(x, Composite) for x in _values(module))
    text = f"{name}({', '.join(inline)})"
    if not has_children and len(text) <= _WIDTH:
        return text
    lines = [f"{k}: {v}" if k else v for k, v in parts]
    body = "".join(["  " + line.replace("\n", "\n  ") + ",\n" for line in lines])
    return f"{name}(\n{body})"


def _values(module: Composite) -> list[Any]:
    found: list[Any] = []
    stack = list(vars(module).values())
    while stack:
        x = stack.pop()
        if type(x) in (list, tuple):
            stack += x
        elif type(x) in (dict, OrderedDict):
            stack += x.values()
        else:
            found.append(x)
    return found


def _parts(path: str, x: Any, plain: bool) -> list[tuple[str, str]]:
    """Names and texts of an attribute, a line for each item of a container of modules."""
    if isinstance(x, Composite):
        return [(path, repr(x))]
    if is_array(x):
        return [(path, str(typeof(x)))]
    kind = type(x)
    inside = x.values() if kind in (dict, OrderedDict) else x if kind in (list, tuple) else ()
    if any(isinstance(v, Composite) or is_array(v) for v in inside):
        items = x.items() if kind in (dict, OrderedDict) else enumerate(x)
        return [part for k, v in items for part in _parts(f"{path}[{k!r}]", v, True)]
    if not plain:
        return []
    return [(path, getattr(x, "__name__", None) or repr(x))]
