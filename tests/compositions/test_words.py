"""Every word of length 3 over {jit, grad, vmap, jvp}, on every program.

A letter turns a function of an array into another: `grad` is the gradient of the sum of the
results, `jvp` the derivative along ones, `vmap` maps over a new leading axis. A word is applied
from right to left. Its oracle takes its first letter as mathematics, on values of the rest of the
word: differences for a derivative, a Python loop for vmap, nothing for jit. The rest is a shorter
word that has its own test, down to the program written in NumPy.
"""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from tests.compositions.programs import PROGRAMS, Program
from tests.laws.differences import difference
from tests.laws.sample import assert_close
from tests.temporaries import reused_temporaries

Function = Callable[[Any], Any]
Word = tuple[str, ...]
BATCH = 2
VALUE, DERIVATIVE = 1e-11, 1e-7


@pytest.fixture(autouse=True, scope="module")
def temporaries() -> Iterator[None]:
    with reused_temporaries():
        yield


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        yield


def _gradient(f: Function) -> Function:
    return fxla.grad(lambda x: fnp.sum(f(x)))


def _along_ones(f: Function) -> Function:
    return lambda x: fxla.jvp(f, (x,), (fnp.ones_like(x),))[1]


LETTERS: dict[str, Callable[[Function], Function]] = {
    "jit": fxla.jit,
    "grad": _gradient,
    "vmap": fxla.vmap,
    "jvp": _along_ones,
}
WORDS: list[Word] = [w for n in (0, 1, 2, 3) for w in itertools.product(LETTERS, repeat=n)]


@functools.cache
def transformed(name: str, word: Word) -> Function:
    """The program under a word, made once so that its compiled versions are used again."""
    if not word:
        return PROGRAMS[name].f
    return LETTERS[word[0]](transformed(name, word[1:]))


def point(program: Program, word: Word, seed: int = 0) -> Any:
    """An argument: the program's own, and near ones along a leading axis for each vmap."""
    shape = (BATCH,) * word.count("vmap") + program.x.shape
    near = np.random.default_rng(seed).uniform(-0.02, 0.02, shape)
    near[(0,) * word.count("vmap")] = 0.0
    return program.x + near


def has_meaning(program: Program, word: Word) -> bool:
    return not ("grad" in word and not program.reverse) and not (
        "jvp" in word and not program.forward
    )


def values(name: str, word: Word, x: Any) -> Any:
    """The program under a word at a point."""
    return np.asarray(transformed(name, word)(x))


def check(name: str, word: Word) -> None:
    program = PROGRAMS[name]
    x = point(program, word)
    actual = values(name, word, x)
    if not word:
        assert_close(actual, program.meaning(x), VALUE)
        return
    first, rest = word[0], word[1:]

    def inner(y: Any) -> tuple[Any, ...]:
        return (values(name, rest, y),)

    if first == "jit":
        assert_close(actual, inner(x)[0], VALUE)
    elif first == "vmap":
        assert_close(actual, np.stack([inner(row)[0] for row in x]), VALUE)
    elif first == "jvp":
        assert_close(actual, difference(inner, (x,), (0,), (np.ones_like(x),))[0], DERIVATIVE)
    else:
        assert actual.shape == x.shape
        for seed in (1, 2):
            t = np.random.default_rng(seed).uniform(-1.0, 1.0, x.shape)
            along = difference(lambda y: (np.sum(inner(y)[0]),), (x,), (0,), (t,))[0]
            assert_close(np.sum(actual * t), along, DERIVATIVE)


CASES = [
    (name, word)
    for name, program in PROGRAMS.items()
    for word in WORDS
    if has_meaning(program, word)
]


@pytest.mark.parametrize(
    ("name", "word"), CASES, ids=[f"{name}-{'.'.join(word) or 'value'}" for name, word in CASES]
)
def test_word(name: str, word: Word) -> None:
    check(name, word)


def test_there_are_enough_programs() -> None:
    assert len(PROGRAMS) >= 20
    full = [p for p in PROGRAMS.values() if all(has_meaning(p, w) for w in WORDS)]
    assert len(full) >= 20
