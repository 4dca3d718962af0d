"""The standard's special cases, read from its text, and which of them a namespace gets wrong.

The array API standard states what each elementwise function returns at zeros, infinities and NaN in
sentences of one form: "If ``x1_i`` is ``+0`` and ``x2_i`` is ``-infinity``, the result is ...".
The package `array-api <https://pypi.org/project/array-api/>`_ carries that text as docstrings. Each
sentence is one case here: it is checked on every pair of a list of numbers that its condition holds
for, in single and double precision. Sentences of other forms (signs of products) are not read.

``python -m tests.conformance.special_cases fxla`` (or ``jax``, ``numpy``) prints what fails.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

REALS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    -1.5,
    2.5,
    3.0,
    -3.0,
    7.25,
    math.inf,
    -math.inf,
    math.nan,
]
PARTS = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, math.inf, -math.inf, math.nan]

_NUMBER = r"[+-]?(?:\d*π(?:/\d)?|infinity|NaN|\d+)"
_OPERAND = r"x_i|x1_i|x2_i|a|b|abs\(x1_i\)|real\(x_i\)|imag\(x_i\)"

Test = Callable[[float], bool]


@dataclass(frozen=True)
class Case:
    """A sentence: the function, what it says, where it applies, and what it wants there."""

    function: str
    sentence: str
    is_complex: bool
    applies: Callable[[dict[str, float]], bool]
    wants: Callable[[Any, dict[str, float]], bool]


def number(text: str) -> float:
    """The value of ``-infinity``, ``+0``, ``3π/4``, ..."""
    sign = -1.0 if text.startswith("-") else 1.0
    body = text.lstrip("+-")
    if body == "NaN":
        return math.nan
    if body == "infinity":
        return sign * math.inf
    if "π" in body:
        times, _, over = body.partition("π")
        return sign * int(times or 1) * math.pi / int(over.lstrip("/") or 1)
    return sign * float(body)


def same(x: float, y: float) -> bool:
    """Equal, zeros with their signs, NaN to itself."""
    if math.isnan(y):
        return math.isnan(x)
    return x == y and math.copysign(1, x) == math.copysign(1, y)


def _condition(text: str) -> Test | None:
    """What is said about one operand."""
    text = re.sub(r" \(i\.e\., (?:greater|less) than ``0``\)", "", text.strip())
    if text.startswith("not ") and "equal to" not in text:
        inner = _condition(text.removeprefix("not "))
        return inner and (lambda x: not inner(x))
    if match := re.fullmatch(rf"(?:either )?``({_NUMBER})`` or ``({_NUMBER})``", text):
        one, two = map(number, match.groups())
        return lambda x: same(x, one) or same(x, two)
    if match := re.fullmatch(rf"``({_NUMBER})``", text):
        value = number(match[1])
        unsigned = match[1] == "0"
        return lambda x: x == 0 if unsigned else same(x, value)
    if match := re.fullmatch(rf"(greater than|less than|not equal to) ``({_NUMBER})``", text):
        value = number(match[2])
        return {
            "greater than": lambda x: x > value,
            "less than": lambda x: x < value,
            "not equal to": lambda x: x != value,
        }[match[1]]
    if match := re.fullmatch(r"(?:either )?(a .*finite number) or ``(.*)``", text):
        first, second = _condition(match[1]), _condition(f"``{match[2]}``")
        return first and second and (lambda x: first(x) or second(x))
    return {
        "a finite number": math.isfinite,
        "a nonzero finite number": lambda x: math.isfinite(x) and x != 0,
        "a nonzero number": lambda x: x != 0,
        "a positive finite number": lambda x: math.isfinite(x) and x > 0,
        "a negative finite number": lambda x: math.isfinite(x) and x < 0,
        "an odd integer value": lambda x: math.isfinite(x) and x % 2 == 1,
        "not an odd integer value": lambda x: not (math.isfinite(x) and x % 2 == 1),
        "not an integer value": lambda x: not (math.isfinite(x) and x == int(x)),
        "any value (including ``NaN``)": lambda x: True,
        "any value, including ``NaN``": lambda x: True,
        "any value": lambda x: True,
    }.get(text)


def _operand(name: str) -> Callable[[dict[str, float]], float]:
    if name == "abs(x1_i)":
        return lambda given: abs(given["x1_i"])
    return lambda given: given[name]


def _close(x: float, y: float) -> bool:
    return math.isclose(x, y, rel_tol=1e-5)


def _result(text: str) -> Callable[[Any, dict[str, float]], bool] | None:
    """What is said about the result."""
    text = re.sub(r"(\d?)πj/(\d)``", r"\1π/\2 j``", text)
    unsure_real = "sign of the real component is unspecified" in text or "signs of real" in text
    unsure_real |= "sign of real component is unspecified" in text
    unsure_imag = (
        "sign of the imaginary component is unspecified" in text or "signs of real" in text
    )
    unsure_imag |= "sign of imaginary component is unspecified" in text
    text = re.sub(r" \((?:sign|\*\*note).*\)$", "", text.rstrip("."))
    near = text.startswith("an implementation-dependent approximation to ")
    text = text.removeprefix("an implementation-dependent approximation to ")
    if match := re.fullmatch(rf"``({_NUMBER})``", text):
        value, unsigned = number(match[1]), match[1] == "0"
        if near or "π" in match[1]:
            return lambda out, given: _close(out, value)
        if unsigned:
            return lambda out, given: out == 0
        return lambda out, given: same(out, value)
    if match := re.fullmatch(r"``(True|False)``", text):
        return lambda out, given: bool(out) == (match[1] == "True")
    if match := re.fullmatch(r"(?:equal to )?``(x_i|x1_i|x2_i)``", text):
        return lambda out, given: same(out, given[match[1]])
    if match := re.fullmatch(rf"``±?({_NUMBER}) ([+±-]) ({_NUMBER}) ?j``", text):
        real, imag = number(match[1]), number(match[3]) * (-1 if match[2] == "-" else 1)

        def wants(out: Any, given: dict[str, float]) -> bool:
            parts = ((out.real, real, unsure_real), (out.imag, imag, unsure_imag))
            return all(_part(x, y, unsure) for x, y, unsure in parts)

        return wants
    return None


def _part(x: float, y: float, unsure: bool) -> bool:
    if unsure:
        x, y = abs(x), abs(y)
    return same(x, y) or (math.isfinite(y) and y != 0 and _close(x, y))


def _case(function: str, sentence: str, is_complex: bool) -> Case | None:
    match = re.fullmatch(r"If (.*?), the result is (.*)", sentence)
    if match is None:
        return None
    said, result = match.groups()
    wants = _result(result)
    clauses: list[tuple[Callable[[dict[str, float]], float], Test]] = []
    either = re.fullmatch(r"either ``(x1_i)`` or ``(x2_i)`` is (.*)", said)
    if either is not None:
        test = _condition(either[3])
        if test is None or wants is None:
            return None
        return Case(function, sentence, is_complex,
                    lambda g: test(g["x1_i"]) or test(g["x2_i"]), wants)  # fmt: skip
    for clause in re.split(rf"(?:,? and |, )(?=``(?:{_OPERAND})`` is )", said):
        part = re.fullmatch(rf"``({_OPERAND})`` is (.*)", clause)
        test = _condition(part[2]) if part else None
        if part is None or test is None:
            return None
        clauses.append((_operand(part[1]), test))
    if wants is None:
        return None
    return Case(function, sentence, is_complex,
                lambda g: all(test(operand(g)) for operand, test in clauses), wants)  # fmt: skip


def sentences(text: str) -> Iterator[tuple[str, str]]:
    """The functions' names and their sentences, from the module of the standard's text."""
    classes = re.split(r"^class (\w+)[^\n]*\n", text, flags=re.MULTILINE)  # needs no Python 3.12
    for name, body in zip(classes[1::2], classes[2::2], strict=True):
        document = re.match(r'\s*r?"""(.*?)"""', body, re.DOTALL)
        if document is None or name == "Array":
            continue
        for item in re.split(r"\n\s*- ", document[1])[1:]:
            line = re.sub(r"\s+", " ", re.split(r"\n\s*\n", item)[0])
            if line.startswith("If ") and "the result is" in line:
                yield (
                    name,
                    re.split(r"\. |\.$", line.replace("i.e.,", "i_e_"))[0].replace("i_e_", "i.e.,"),
                )


def standard() -> str | None:
    """The text of the standard of 2024, if the package is installed."""
    found = importlib.util.find_spec("array_api")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / "_2024_12.py"
    return path.read_text() if path.exists() else None


def cases(text: str) -> tuple[list[Case], list[str]]:
    """The cases that are understood, and the sentences that are not."""
    known, unknown = [], []
    for function, sentence in dict.fromkeys(sentences(text)):
        is_complex = "``a`` is" in sentence or "``b`` is" in sentence
        case = _case(function, sentence, is_complex)
        if case is None:
            unknown.append(f"{function}: {sentence}")
        else:
            known.append(case)
    return known, unknown


def inputs(case: Case, binary: bool) -> list[tuple[dict[str, float], tuple[complex, ...]]]:
    """The operands' values, by the names of the sentence, for which its condition holds."""
    if case.is_complex:
        pairs = itertools.product(PARTS, PARTS)
        given = [({"a": x, "b": y}, (complex(x, y),)) for x, y in pairs]
    elif binary:
        pairs = itertools.product(REALS, REALS)
        given = [({"x1_i": x, "x2_i": y}, (x, y)) for x, y in pairs]
    else:
        given = [({"x_i": x}, (x,)) for x in REALS]
    return [(names, values) for names, values in given if case.applies(names)]


def failures(xp: Any, case: Case) -> str | None:
    """The first thing that the namespace gets wrong of a case; None if there is none."""
    binary = "x1_i" in case.sentence or "x2_i" in case.sentence
    chosen = inputs(case, binary)
    for dtype in (np.complex64, np.complex128) if case.is_complex else (np.float32, np.float64):
        columns = [np.array([v[k] for _, v in chosen], dtype) for k in range(1 + binary)]
        with np.errstate(all="ignore"):
            found = np.asarray(getattr(xp, case.function)(*[xp.asarray(c) for c in columns]))
        for (names, values), out in zip(chosen, found, strict=True):
            if not case.wants(out, names):
                return (
                    f"{case.function}({', '.join(map(str, values))}) = {out} in {np.dtype(dtype)}"
                )
    return None


def namespace(name: str) -> Any:
    """The namespace of a library, with every function compiled where it compiles."""
    if name == "fxla":
        from tests.conformance import jitted

        return jitted
    if name == "numpy":
        return np
    import jax

    jax.config.update("jax_enable_x64", True)

    class Jitted:
        asarray = staticmethod(jax.numpy.asarray)

        def __getattr__(self, function: str) -> Any:
            return jax.jit(getattr(jax.numpy, function))

    return Jitted()


def main() -> None:
    text = standard()
    if text is None:
        sys.exit("pip install array-api")
    known, unknown = cases(text)
    xp = namespace(sys.argv[1])
    wrong = [(case, found) for case in known if (found := failures(xp, case)) is not None]
    for case, found in wrong:
        print(f"{case.function}: {case.sentence}\n    {found}")
    print(
        f"{sys.argv[1]}: {len(wrong)} of {len(known)} cases fail; {len(unknown)} sentences not read"
    )
    if "--unread" in sys.argv:
        print(*unknown, sep="\n")


if __name__ == "__main__":
    main()
