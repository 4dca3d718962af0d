"""Three abbreviations with which LLVM text about structures in memory is easier to read."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

__all__ = ["expanded"]

_NAME = re.compile(r"\$\{(\w+)\}")
_LOAD = re.compile(r"(%\w+) = field (\w+) (%\w+), (\S+)")
_STORE = re.compile(r"\bset (\w+) (\S+), (%\w+), (\S+)")


def expanded(text: str, numbers: Mapping[str, int]) -> str:
    """The text with its abbreviations written out.

    ``${name}`` is a number, ``%x = field T %p, o`` loads a T at o bytes after %p, and
    ``set T v, %p, o`` stores one.

    Example:
        >>> print(expanded("%x = field i64 %p, ${size}", {"size": 8}))
        %f0 = getelementptr i8, ptr %p, i64 8
          %x = load i64, ptr %f0, align 8
    """
    number = itertools.count()

    def load(m: re.Match[str]) -> str:
        at = f"%f{next(number)}"
        return (
            f"{at} = getelementptr i8, ptr {m[3]}, i64 {m[4]}\n  {m[1]} = load {m[2]}, ptr {at}"
            f", align {1 if m[2] == 'i8' else 4 if m[2] == 'i32' else 8}"
        )

    def store(m: re.Match[str]) -> str:
        at = f"%f{next(number)}"
        return f"{at} = getelementptr i8, ptr {m[3]}, i64 {m[4]}\n  store {m[1]} {m[2]}, ptr {at}"

    text = _NAME.sub(lambda m: str(numbers[m[1]]), text)
    return _STORE.sub(store, _LOAD.sub(load, text))
