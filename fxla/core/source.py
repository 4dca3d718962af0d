"""Where in the user's own code something happened.

Taking a note must be cheap, since every traced equation takes one: only the code object and the
instruction are kept, and file, line and function name are looked up when a person asks.
"""

from __future__ import annotations

import dis
import functools
import os
import sys
from types import CodeType, FrameType

__all__ = ["Source", "at_user_line", "is_library", "is_storing", "source_of_error", "user_source"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STANDARD = tuple({os.path.dirname(m.__file__ or "") + os.sep for m in (os, dis)})
"""Where Python's own modules are; `sysconfig` would say so, but takes a millisecond to load."""
_internal: dict[str, bool] = {}
"""By file, since hashing a code object hashes its constants too."""


def _is_internal(name: str) -> bool:
    known = name.startswith((_PACKAGE, "<frozen", "<__array_function__")) or any(
        part in name for part in ("/site-packages/numpy/", "/site-packages/optree/")
    )
    known = known or name.endswith(("/contextlib.py", "/functools.py", "/string.py"))
    _internal[name] = known
    return known


@functools.lru_cache(maxsize=4096)
def is_library(file: str) -> bool:
    """Whether a file's code is taken as it is: installed packages, Python's and fxla's own."""
    installed = "site-packages" in file or "dist-packages" in file
    return installed or file.startswith((_PACKAGE, *_STANDARD, "<frozen", "<__array_function__"))


class Source:
    """A place in user code.

    Attributes:
        code: the code object.
        instruction: an offset in it.
    """

    __slots__ = ("code", "instruction")

    def __init__(self, code: CodeType, instruction: int) -> None:
        self.code = code
        self.instruction = instruction

    @property
    def file(self) -> str:
        """Base name of the file."""
        return os.path.basename(self.code.co_filename)

    @property
    def line(self) -> int:
        """Line number, 1-based."""
        for start, end, line in self.code.co_lines():
            if start <= self.instruction < end and line is not None:
                return line
        return self.code.co_firstlineno

    @property
    def function(self) -> str:
        """Name of the function the line is in."""
        return self.code.co_qualname

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def user_source() -> Source | None:
    """The innermost frame that is not fxla's, NumPy's or optree's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        known = _internal.get(code.co_filename)
        if known is None:
            known = _is_internal(code.co_filename)
        if not known:
            return Source(code, frame.f_lasti)
        frame = frame.f_back
    return None


def at_user_line() -> str:
    """``, at model.py:12`` for a message, or nothing where no code of the user's is running."""
    source = user_source()
    return "" if source is None else f", at {source}"


def source_of_error(error: BaseException) -> Source | None:
    """The innermost line of the user's that led to an error of fxla's; None for other errors.

    It is looked for in what was called where the error was caught, then in what called that.
    """
    found: Source | None = None
    innermost = ""
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        innermost = code.co_filename
        if not _is_internal(innermost):
            found = Source(code, step.tb_lasti)
        step = step.tb_next
    return (found or user_source()) if innermost.startswith(_PACKAGE) else None


_STORE_SUBSCR = dis.opmap["STORE_SUBSCR"]


def is_storing(frame: FrameType) -> bool:
    """Whether a frame is in ``a[i] = x`` or ``a.fill(x)``, for which NumPy asks x for a number."""
    code, last = frame.f_code, frame.f_lasti
    return code.co_code[last] == _STORE_SUBSCR or last in _calls_of_fill(code)


@functools.lru_cache(maxsize=1024)
def _calls_of_fill(code: CodeType) -> frozenset[int]:
    """Offsets of the instructions that call ``something.fill(...)``.

    An expression's instructions carry its place in the source: a call begins where the method it
    calls does.
    """
    if "fill" not in code.co_names:
        return frozenset()
    found = list(dis.get_instructions(code))
    begins = {
        (i.positions.lineno, i.positions.col_offset)
        for i in found
        if i.argval == "fill" and i.positions is not None
    }
    return frozenset(
        i.offset
        for i in found
        if "CALL" in i.opname
        and i.positions is not None
        and (i.positions.lineno, i.positions.col_offset) in begins
    )
