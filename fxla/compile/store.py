"""Programs on disk, so that a second process compiles nothing and builds nothing.

A program is found by what it computes (`fxla.core.identity`), the processor, the versions, and the
state of fxla's own source. A file holds its image, with the object files of its kernels and its
driver in the place of addresses. Programs that call back into the user's Python have no identity
and are built in every process, and those with kernels that numba compiled are too.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import platform
from dataclasses import replace
from pathlib import Path

import llvmlite
import numpy as np

import fxla.core
from fxla.compile.backend.compiled import CompiledKernel, target
from fxla.compile.backend.disk import cache_path, read_entry, warn_once, write_entry
from fxla.compile.backend.llvm import host_isa, target_triple
from fxla.compile.backend.native import Printed, load_modules, place_of
from fxla.compile.backend.pool import pool_entries
from fxla.compile.backend.shipped import OBJECTS
from fxla.compile.image import Image
from fxla.core.check import checks_enabled
from fxla.core.identity import identity
from fxla.core.jaxpr import Jaxpr
from fxla.core.records import dataclass

__all__ = ["load_image", "program_key", "save_image"]

_FORMAT = "fxla-program-2"
"""Part of every key; changes when the meaning of a file does."""

SOURCES = ("core", "loops", "ops", "compile", "control", "kernels")
"""The packages that decide what code a jaxpr becomes."""


def program_key(jaxpr: Jaxpr) -> str | None:
    """What the code of a program is kept under; None if it cannot be.

    Args:
        jaxpr: with calls inlined.
    """
    if checks_enabled():  # checks run while a program is built
        return None
    text = identity(jaxpr)
    if text is None:
        return None
    return hashlib.sha256(f"{_environment()}\0{target()}\0{text}".encode()).hexdigest()


@functools.cache
def _environment() -> str:
    """What decides the code of a program beside its jaxpr."""
    isa = host_isa()
    versions = (_FORMAT, llvmlite.__version__, np.__version__, platform.python_version())
    return "\0".join((*versions, target_triple(), isa.cpu, isa.features, _state_of_source()))


def _state_of_source() -> str:
    """Name, size and time of every source file that decides the code of programs."""
    package = Path(str(fxla.core.__file__)).parent.parent
    found: list[str] = []
    rooms = list(SOURCES)
    for room in rooms:
        with os.scandir(package / room) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    status = entry.stat()
                    found.append(f"{room}/{entry.name} {status.st_size} {status.st_mtime_ns}")
                elif entry.is_dir() and entry.name not in ("__pycache__", OBJECTS.name):
                    rooms.append(f"{room}/{entry.name}")
    return "\n".join(sorted(found))


_Text = tuple[tuple[str, ...], str, str]
"""What a kernel declares, its definition and its symbol."""


@dataclass(frozen=True)
class _Stored:
    """The content of a file.

    Attributes:
        image: without kernels and driver.
        modules: object files, each with what it needs to be loaded.
        kernels: for each kernel its module and its name in it.
        driver: module and name of the driver.
        hasty: for each kernel that was compiled in haste its text.
    """

    image: Image
    modules: tuple[bytes, ...]
    kernels: tuple[tuple[int, str], ...]
    driver: tuple[int, str]
    hasty: tuple[_Text | None, ...]


def save_image(key: str, image: Image) -> None:
    """Keep a program, if it can be kept."""
    path = cache_path("programs", key, ".program")
    if path is None or not all(k.packed for k in image.kernels):
        return
    places = [place_of(address) for address in (*[k.address for k in image.kernels], image.driver)]
    known = [p for p in places if p is not None]
    if len(known) < len(places):
        return
    modules = {p.module: None for p in known}
    numbers = {module: n for n, module in enumerate(modules)}
    *kernels, driver = [(numbers[p.module], p.symbol) for p in known]
    plain = replace(image, kernels=(), driver=0)
    hasty = tuple([None if k.hasty is None else _parts(k.hasty) for k in image.kernels])
    stored = _Stored(plain, tuple(modules), tuple(kernels), driver, hasty)
    try:
        content = pickle.dumps(stored, pickle.HIGHEST_PROTOCOL)
    except Exception:  # a param that is plain enough to have an identity, but not to be written
        return
    write_entry(path, content)


def _parts(printed: Printed) -> _Text:
    return printed.declared, printed.text, printed.symbol


def load_image(key: str) -> Image | None:
    """A program that is kept; None if there is none."""
    path = cache_path("programs", key, ".program")
    content = None if path is None else read_entry(path)
    if content is None:
        return None
    try:
        stored = pickle.loads(content)
        assert isinstance(stored, _Stored)
        modules = load_modules([*stored.modules, *(pool_entries() if stored.image.shared else ())])
        kernels = [
            CompiledKernel(
                modules[at][name], True, None, "", None if text is None else Printed(*text)
            )
            for (at, name), text in zip(stored.kernels, stored.hasty, strict=True)
        ]
        driver = modules[stored.driver[0]][stored.driver[1]]
        return replace(stored.image, kernels=tuple(kernels), driver=driver)
    except Exception as error:  # whatever a foreign file makes of it
        warn_once(f"the cached program {path} cannot be used, it is compiled again: {error!r}")
        return None
