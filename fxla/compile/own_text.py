"""LLVM text of fxla's own that no program decides: found by its source, printed only to compile it.

The modules that print such a text are slow to import and to run beside the object file that comes
of it, which is there in all but the first process. So who needs the code imports neither.
"""

from __future__ import annotations

from collections.abc import Mapping

from fxla.compile.llvm import host_isa
from fxla.compile.native import shared_module
from fxla.core.deferred import deferred
from fxla.core.records import dataclass
from fxla.loops.native_sources import source_key

__all__ = ["OwnText"]


@dataclass(frozen=True, slots=True)
class OwnText:
    """A module of LLVM text.

    Attributes:
        home: the module of `fxla.compile` that prints it, by its function of that name.
        names: of the functions that it defines for others.
        sources: the modules that decide what is printed, as for `state_of_sources`.

    Example:
        >>> pool = OwnText("pool_text", ("parallel_for",), ("compile/pool_text",))
        >>> "@parallel_for" in pool.printed(True), len(pool.key(True)) < 100
        (True, True)
    """

    home: str
    names: tuple[str, ...]
    sources: tuple[str, ...]

    def printed(self, *options: int) -> str:
        """The text."""
        found: str = getattr(deferred(f"fxla.compile.{self.home}"), self.home)(*options)
        return found

    def key(self, *options: int) -> str:
        """What stands for the text; the text itself where there is no source."""
        what = " ".join([self.home, *map(str, options)])
        return source_key(self.sources, what, lambda: self.printed(*options))

    def addresses(self, *options: int, symbols: Mapping[str, int]) -> dict[str, int]:
        """Where its functions are, compiled if nobody has done so.

        Args:
            *options: of the function that prints it.
            symbols: the addresses of what it calls.

        Raises:
            fxla.errors.InternalError: llvmlite does not serve this machine.
        """
        key = self.key(*options)
        return shared_module(
            key, self.names, lambda: self.printed(*options), host_isa(), symbols, effort=0
        )
