"""Two abbreviations with which LLVM text about structures in memory is easier to read."""

from __future__ import annotations

import itertools
import re

__all__ = ["expanded"]


def expanded(text: str) -> str:
    """The text with its two abbreviations written out.

    ``%x = field T %p, o`` loads a T at o bytes after %p, and ``set T v, %p, o`` stores one.

    Example:
        >>> print(expanded("%x = field i64 %p, 8"))
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

    text = re.sub(r"(%\w+) = field (\w+) (%\w+), (\S+)", load, text)
    return re.sub(r"\bset (\w+) (\S+), (%\w+), (\S+)", store, text)
