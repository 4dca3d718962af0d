"""The cache directory and its entries: written in one step, checked on read, never an error.

An entry is its content after a checksum. Whatever is wrong with the directory or an entry costs a
compilation and one `CacheWarning`. The directory is ``$FXLA_CACHE_DIR``, by default the platform's
cache directory; ``FXLA_CACHE=0`` switches it off. A process that wrote entries deletes the oldest
at its end, if there are more than `MAX_BYTES` of them.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from fxla.errors import CacheWarning

__all__ = [
    "MAX_BYTES",
    "cache_directory",
    "cache_path",
    "read_entry",
    "trim",
    "warn_once",
    "write_entry",
    "write_plain",
]

MAX_BYTES = 1 << 30

_warned = False
_written: set[Path] = set()


def cache_directory() -> Path | None:
    """Where the cache is; None if it is switched off or there is no place for it."""
    if os.environ.get("FXLA_CACHE", "1") == "0":
        return None
    chosen = os.environ.get("FXLA_CACHE_DIR")
    if chosen:
        return Path(chosen)
    try:
        if sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        elif sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except (OSError, RuntimeError) as error:  # no home directory
        warn_once(f"there is no cache directory: {error}")
        return None
    return base / "fxla"


def cache_path(kind: str, key: str, suffix: str) -> Path | None:
    """Where an entry is, if there is a cache.

    Args:
        kind: what entries of a directory have in common.
        key: a hash of all that decides the content.
        suffix: of the file's name.
    """
    directory = cache_directory()
    return None if directory is None else directory / kind / key[:2] / f"{key}{suffix}"


def read_entry(path: Path) -> bytes | None:
    """The content of an intact entry, or None."""
    try:
        stored = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        warn_once(f"the kernel cache could not be read: {error}")
        return None
    checksum, content = stored[:32], stored[32:]
    if not content or hashlib.sha256(content).digest() != checksum:
        warn_once(f"the cached kernel {path} is damaged; it is compiled again")
        return None
    return content


def write_entry(path: Path, content: bytes, others: Sequence[Path] = ()) -> None:
    """Store an entry, also under `others` (as links to one file, where there are links)."""
    stored = hashlib.sha256(content).digest() + content
    if write_plain(path, stored):
        _will_trim()
        for other in others:
            _link(path, other) or write_plain(other, stored)


def write_plain(path: Path, content: bytes) -> bool:
    """Write a file so that a reader sees all of it or none. Returns whether that worked."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError as error:
        warn_once(f"the kernel cache could not be written: {error}")
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        return False
    return True


def _will_trim() -> None:
    """Have the cache trimmed when the process ends."""
    directory = cache_directory()
    if directory is not None and directory not in _written:
        _written.add(directory)
        atexit.register(trim, directory, MAX_BYTES)


def trim(directory: Path, most: int) -> None:
    """Delete the oldest entries if there are more than `most` bytes, down to half of that."""
    entries: list[tuple[float, int, str]] = []
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            try:
                status = os.stat(path)
            except OSError:  # another process deleted it
                continue
            # a file of several names is counted once
            entries.append((status.st_mtime, status.st_size // status.st_nlink, path))
    total = sum(size for _, size, _ in entries)
    if total <= most:
        return
    for _, size, path in sorted(entries):
        if total <= most // 2:
            return
        with contextlib.suppress(OSError):
            os.unlink(path)
            total -= size


def _link(path: Path, other: Path) -> bool:
    """Make `other` a second name of a file. Returns whether that worked."""
    temporary = other.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        other.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, temporary)
        os.replace(temporary, other)
    except OSError:
        return False
    return True


def warn_once(message: str) -> None:
    """Warn about the cache, the first time in a process."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(CacheWarning(message), stacklevel=2)
