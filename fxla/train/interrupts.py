"""Ctrl-C between two steps, not in the middle of one."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["Interrupts"]


class Interrupts:
    """Holds a first Ctrl-C back while a step is under way, whose results must be taken over.

    A step takes the memory of what it starts from: between its call and the assignment of its
    results there is no whole state. A second Ctrl-C is not held back.
    """

    def __init__(self) -> None:
        self.holding = False
        self.asked = False
        self.before: Any = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self.before = signal.getsignal(signal.SIGINT)
            if callable(self.before):
                signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        if callable(self.before):
            signal.signal(signal.SIGINT, self.before)
        self.before = None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.holding and not self.asked:
            self.asked = True
            return
        self.before(number, frame)

    def hold(self) -> None:
        """A step begins."""
        self.holding = True

    def release(self) -> None:
        """A step is done and taken over.

        Raises:
            KeyboardInterrupt: if it was asked for meanwhile.
        """
        self.holding = False
        if self.asked:
            self.asked = False
            raise KeyboardInterrupt

    def forget(self) -> None:
        """A step has ended by an error."""
        self.holding = self.asked = False
