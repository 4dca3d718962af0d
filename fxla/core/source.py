"""Where in the user's own code something happened.

Taking a note must be cheap, since every traced equation takes one: only the code object and the
instruction are kept, and file, line and function name are looked up when a person asks.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from types import CodeType

__all__ = ["Source", "user_source"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_internal: dict[CodeType, bool] = {}


def _is_internal(code: CodeType) -> bool:
    known = _internal.get(code)
    if known is None:
        name = code.co_filename
        known = name.startswith((_PACKAGE, "<frozen", "<__array_function__")) or any(
            part in name for part in ("/site-packages/numpy/", "/site-packages/optree/")
        )
        known = known or name.endswith(("/contextlib.py", "/functools.py"))
        _internal[code] = known
    return known


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A place in user code: a code object and an instruction offset in it."""

    code: CodeType
    instruction: int

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
    frame = sys._getframe(1)
    while frame is not None:
        if not _is_internal(frame.f_code):
            return Source(frame.f_code, frame.f_lasti)
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None
