"""LLVM text of fxla's own that no program decides: found by its source, printed only to compile it.

The modules that print such a text are slow to import and to run beside the object file that comes
of it, which is there in all but the first process. So who needs the code imports neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fxla.compile.backend.llvm import host_isa, link_objects
from fxla.compile.backend.native import module_entry, unpacked
from fxla.core.deferred import deferred
from fxla.loops.native.sources import source_key

__all__ = ["OwnText", "loaded"]


class OwnText:
    """A module of LLVM text.

    Attributes:
        home: the module of `fxla.compile` that prints it, by its function of the same name.
        names: of the functions that it defines for others.
        sources: the modules that decide what is printed, as for `state_of_sources`.
        symbols: gives the addresses of what it calls.

    Example:
        >>> pool = OwnText("backend.pool_text", ("parallel_for",), ("compile/backend/pool_text",))
        >>> "@parallel_for" in pool.printed(True), len(pool.key(True)) < 100
        (True, True)
    """

    def __init__(
        self,
        home: str,
        names: tuple[str, ...],
        sources: tuple[str, ...],
        symbols: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self.home = home
        self.names = names
        self.sources = sources
        self.symbols = symbols

    def printed(self, *options: int) -> str:
        """The text."""
        function = getattr(deferred(f"fxla.compile.{self.home}"), self.home.rpartition(".")[2])
        found: str = function(*options)
        return found

    def key(self, *options: int) -> str:
        """What stands for the text; the text itself where there is no source."""
        what = " ".join([self.home, *map(str, options)])
        return source_key(self.sources, what, lambda: self.printed(*options))

    def entry(self, *options: int) -> bytes:
        """Its object file with the names in it, compiled if nobody has done so."""
        text = self.printed
        return module_entry(
            self.key(*options), self.names, lambda: text(*options), host_isa(), effort=0
        )


_loaded: dict[tuple[str, tuple[int, ...]], dict[str, int]] = {}


def loaded(
    own: OwnText,
    *options: int,
    symbols: Mapping[str, int] | None = None,
    beside: Mapping[OwnText, tuple[int, ...]] | None = None,
) -> dict[str, int]:
    """Where the functions of a module are.

    Args:
        own: the module.
        *options: of the function that prints it.
        symbols: what else it calls; then it is loaded for this caller.
        beside: modules and their options that are needed soon, too: to link several at once takes
            hardly longer than one.

    Raises:
        fxla.errors.InternalError: llvmlite does not serve this machine.
    """
    if symbols is None and (own.home, options) in _loaded:
        return _loaded[own.home, options]
    wanted = {own: options}
    wanted |= {o: given for o, given in (beside or {}).items() if (o.home, given) not in _loaded}
    called = dict(symbols or {})
    entries = []
    for one, given in wanted.items():
        called |= one.symbols()
        entries.append(unpacked(one.entry(*given)))
    found = link_objects(
        [code for _, code in entries], [name for names, _ in entries for name in names], called
    )
    for one, given in wanted.items():
        if one is not own or symbols is None:
            _loaded[one.home, given] = {name: found[name] for name in one.names}
    return {name: found[name] for name in own.names}
