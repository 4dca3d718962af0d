"""Messages that name the user's line, whoever raised them.

A check deep in the package knows what is wrong with its operands, not whose line asked for it. That
is known where a primitive was applied or the user's function was called, so the line is added
there, once for all checks.
"""

from __future__ import annotations

import re

from fxla.core.source import source_of_error
from fxla.core.trace import traced_by

__all__ = ["locate"]

_FIRST_SENTENCE = re.compile(r"\.?$|\.\s+(?=[A-Z`])")


def locate(error: Exception) -> None:
    """Add the user's line, and the function being traced, to an error of the package without them.

    They end the first sentence of its message, before the remedy. What user code or another library
    raised is left as it is, and so is a message that names a line already.
    """
    message = error.args[0] if len(error.args) == 1 else None
    if not isinstance(message, str) or ", at " in message or str(error) != message:
        return
    source = source_of_error(error)
    if source is None:
        return
    end = _FIRST_SENTENCE.search(message)
    assert end is not None  # the end of the text, at the latest
    start, rest = message[: end.start()], message[end.start() :]
    error.args = (f"{start}, at {source}{traced_by()}{'' if rest == '.' else rest}",)
