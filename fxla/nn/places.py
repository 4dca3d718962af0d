"""Places in a module: how they are written, ``layers[0].weight``, and how they are reached."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from fxla.core.pytree import is_named_tuple

__all__ = ["Steps", "put", "say_kind", "slots_of", "steps_to"]

Steps = tuple[tuple[bool, Any], ...]
"""How a slot is reached: (whether by an attribute, its name or index), one after the other."""


def steps_to(key: Any, path: str) -> Steps:
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


def say_kind(module: Any, steps: Steps, kind: str) -> None:
    """Override the kind of the slot at the end of some steps."""
    last = max(k for k, (by_name, _) in enumerate(steps) if by_name)
    for by_name, key in steps[:last]:
        module = vars(module)[key] if by_name else module[key]
    path = steps[last][1] + "".join([f"[{key!r}]" for _, key in steps[last + 1 :]])
    others = [pair for pair in vars(module).get("_overrides", ()) if pair[0] != path]
    vars(module)["_overrides"] = tuple(sorted([*others, (path, kind)]))
