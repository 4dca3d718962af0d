"""Files that are written whole or not at all.

The new file is written beside the old one, flushed to the disk, and renamed onto it. A process or a
machine that dies on the way leaves the old file as it was, and at most a file named
``.name.*.writing`` beside it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from fxla.core.trace import where_am_i

__all__ = ["replacing"]


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write to, whose file takes the place of `path` when the block ends well.

    Where the block raises, the new file is deleted and `path` is as before. A symbolic link stays
    one, and what it points to is replaced; the permissions of an old file go over to the new one.

    Args:
        path: the file to replace or to make. Its folder must exist.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replacing(folder + "/a.txt") as new:
        ...         _ = new.write_text("whole")
        ...     Path(folder, "a.txt").read_text(), len(os.listdir(folder))
        ('whole', 1)
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(
            f"{os.fspath(path)!r} is a directory; name a file in it{where_am_i()}"
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"{os.fspath(path)!r}: there is no folder {os.fspath(target.parent)!r}{where_am_i()}"
        )
    new = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.writing")
    try:
        yield new
        with contextlib.suppress(FileNotFoundError):
            new.chmod(stat.S_IMODE(target.stat().st_mode))
        _to_disk(new)
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _to_disk(target.parent)  # the name is part of the folder


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
