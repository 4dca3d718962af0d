"""Object files that come with the package: its own code, and what single functions become.

When the package is built, `fxla.precompiled` compiles that code for each level of processors
and writes a file for each, `OBJECTS`: after `_MAGIC` and the number of entries a record for each,
its key, the checksum of its content, where that starts and how long it is; then the contents. The
key is the hash of the LLVM text, so code of another state of the source is never taken. Without
these files, as in a fresh checkout, fxla compiles the same text when it first needs it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from fxla.compile.backend.disk import warn_once
from fxla.compile.backend.levels import Level, level_of
from fxla.loops.native.isa import Isa

__all__ = ["OBJECTS", "shipped_object", "shipped_objects", "write_shipped"]

OBJECTS = Path(__file__).parent.parent / "objects"
"""The directory of the files."""

_MAGIC = b"fxla-shipped-1\0\0"
_COUNT = struct.Struct("<Q")
_RECORD = struct.Struct("<32s32sQQ")
_START = len(_MAGIC) + _COUNT.size


class _Entries(Mapping[bytes, tuple[bytes, bytes]]):
    """A file, of which a process reads the records, and then the contents that it asks for.

    It stays open as long as the process lives: what is written later is another file.
    """

    def __init__(self, path: Path) -> None:
        """Read the records.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not such a file.
        """
        self._file = os.open(path, os.O_RDONLY)
        start = os.pread(self._file, _START, 0)
        if len(start) < _START or not start.startswith(_MAGIC):
            raise ValueError("it is of another format")
        size = _COUNT.unpack_from(start, len(_MAGIC))[0] * _RECORD.size
        self._records = os.pread(self._file, size, _START)
        if len(self._records) < size:
            raise ValueError("it ends too early")

    def __getitem__(self, key: bytes) -> tuple[bytes, bytes]:
        at = self._records.find(key)
        while at > 0 and at % _RECORD.size:  # bytes of another column
            at = self._records.find(key, at + 1)
        if at < 0:
            raise KeyError(key)
        _, checksum, start, size = _RECORD.unpack_from(self._records, at)
        return checksum, os.pread(self._file, size, start)

    def __iter__(self) -> Iterator[bytes]:
        return (record[0] for record in _RECORD.iter_unpack(self._records))

    def __len__(self) -> int:
        return len(self._records) // _RECORD.size


@functools.cache
def shipped_objects(path: Path) -> Mapping[bytes, tuple[bytes, bytes]]:
    """Checksum and content of every entry of a file, by key; nothing if there is no such file."""
    try:
        return _Entries(path)
    except OSError:
        return {}
    except ValueError as error:
        warn_once(f"the object files of this installation in {path} are not used: {error}")
        return {}


def shipped_object(key: str, isa: Isa) -> bytes | None:
    """The entry for a text, if this installation has it for this processor.

    Args:
        key: the text, or what stands for it.
        isa: what this machine offers, or a part of it.
    """
    level = level_of(isa)
    if level is None:
        return None
    path = OBJECTS / level.name
    found = shipped_objects(path).get(hashlib.sha256(key.encode()).digest())
    if found is None:
        return None
    checksum, content = found
    if hashlib.sha256(content).digest() != checksum:
        warn_once(f"the object files of this installation in {path} are damaged")
        return None
    return content


def write_shipped(level: Level, entries: Mapping[str, bytes], directory: Path = OBJECTS) -> Path:
    """Write the file of a level.

    Args:
        level: what the code was compiled for.
        entries: contents by the text they were compiled from, or what stands for it.
        directory: where the file is written.

    Raises:
        OSError: it could not be written.
    """
    start = _START + len(entries) * _RECORD.size
    records = []
    for key, content in entries.items():
        digests = [hashlib.sha256(x).digest() for x in (key.encode(), content)]
        records.append(_RECORD.pack(*digests, start, len(content)))
        start += len(content)
    head = [_MAGIC, _COUNT.pack(len(entries))]
    path = directory / level.name
    directory.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(b"".join([*head, *records, *entries.values()]))
    part.replace(path)  # a process that is reading the old one goes on
    shipped_objects.cache_clear()
    return path
