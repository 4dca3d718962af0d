"""The standard's names and signatures, read from its text, and what a namespace lacks of them.

``python -m tests.conformance.signatures fxla`` (or ``jax``, ``numpy``) prints what is missing. The
text is that of `special_cases.standard`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from dataclasses import dataclass
from typing import Any

from tests.conformance.special_cases import standard


@dataclass(frozen=True)
class Function:
    """A function of the standard: how many operands it has, and its keywords."""

    name: str
    operands: int
    keywords: tuple[str, ...]


def functions(text: str) -> list[Function]:
    """The functions of the main namespace, ``linalg`` and ``fft``."""
    classes = re.split(r"^class (\w+)[^\n]*\n", text, flags=re.MULTILINE)
    found = {}
    for name, body in zip(classes[1::2], classes[2::2], strict=True):
        match = re.search(r"def __call__\((self.*?)\) ->", body, re.DOTALL)
        if match is None or "abstractmethod" not in body:
            continue
        tree = ast.parse(f"def f({match[1].strip()}): ...").body[0]
        assert isinstance(tree, ast.FunctionDef)
        given = tree.args
        keywords = tuple(a.arg for a in (*given.args, *given.kwonlyargs))
        operands = len(given.posonlyargs) - bool(given.posonlyargs)
        found[name] = Function(name, operands, tuple(k for k in keywords if k != "self"))
    return list(found.values())


def missing(xp: Any, function: Function) -> str | None:
    """What the namespace, or its ``linalg`` or ``fft``, lacks; None if nothing."""
    places = [xp, getattr(xp, "linalg", None), getattr(xp, "fft", None)]
    known = [getattr(p, function.name, None) for p in places]
    ours = next((f for f in known if callable(f)), None)  # `fft` is a namespace and a function
    if ours is None:
        return f"{function.name} is not there"
    try:
        parameters = inspect.signature(ours).parameters.values()
    except ValueError:
        return None  # a function in C that does not say
    kinds = [p.kind for p in parameters]
    names = {p.name for p in parameters}
    lacking = [k for k in function.keywords if k not in names]
    if lacking and inspect.Parameter.VAR_KEYWORD not in kinds:
        return f"{function.name} does not take {', '.join(lacking)}"
    positional = [k for k in kinds if k in (k.POSITIONAL_ONLY, k.POSITIONAL_OR_KEYWORD)]
    if len(positional) < function.operands and inspect.Parameter.VAR_POSITIONAL not in kinds:
        return f"{function.name} takes {len(positional)} operands, not {function.operands}"
    return None


def main() -> None:
    text = standard()
    if text is None:
        sys.exit("pip install array-api")
    name = sys.argv[1]
    xp = importlib.import_module({"numpy": "numpy", "fxla": "fxla.numpy"}.get(name, "jax.numpy"))
    all_of_them = functions(text)
    lacking = [found for f in all_of_them if (found := missing(xp, f)) is not None]
    print(*lacking, f"{name}: {len(lacking)} of {len(all_of_them)} functions differ", sep="\n")


if __name__ == "__main__":
    main()
