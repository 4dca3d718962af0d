"""Entries of the cache directory: written in one step, checked on read, never an error.

An entry is its content after a checksum. Whatever is wrong with the directory or an entry costs a
compilation and one `CacheWarning`.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from pathlib import Path

from fxla.errors import CacheWarning

__all__ = ["read_entry", "warn_once", "write_entry", "write_plain"]

_warned = False


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


def write_entry(path: Path, content: bytes) -> None:
    """Store an entry."""
    write_plain(path, hashlib.sha256(content).digest() + content)


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


def warn_once(message: str) -> None:
    """Warn about the cache, the first time in a process."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(CacheWarning(message), stacklevel=2)
