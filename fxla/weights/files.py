"""Files of tensors, read without copies.

A file in the safetensors format is eight bytes that say how long its header is, the header in JSON,
and the tensors. It is mapped into memory copy-on-write: an array is read from the disk when it is
used, writing into one changes the program's memory and never the file, and a file that is replaced
(as `fxla.save` does) stays as it was for those who have opened it.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fxla.core.array import Array, as_array
from fxla.core.trace import where_am_i
from fxla.errors import MissingExtraError
from fxla.weights.tensors import described, dtype_of_code

__all__ = ["CHECKSUMS", "STRUCTURE", "DamagedFileError", "TensorFile", "open", "safetensors"]

STRUCTURE = "fxla.tree"
"""The key of a file's metadata under which the tree's structure stands."""

CHECKSUMS = "fxla.crc32"
"""The key of a file's metadata under which the tensors' checksums stand."""

INDEX = "model.safetensors.index.json"
_OWN_KEYS = (STRUCTURE, CHECKSUMS)


class DamagedFileError(ValueError):
    """A file is truncated, or not what it should be."""


def safetensors(call: str) -> Any:
    """The package of that name.

    Args:
        call: the function that needs it, for the message.

    Raises:
        MissingExtraError: if it is not installed.

    Example:
        >>> safetensors("fxla.save").__name__
        'safetensors'
    """
    try:
        return importlib.import_module("safetensors")
    except ImportError:
        raise MissingExtraError(
            f"{call} needs safetensors, which is not installed{where_am_i()}: "
            'pip install "fxla[train]"'
        ) from None


@dataclass(frozen=True, slots=True)
class _Entry:
    """A tensor in a file.

    Attributes:
        code: the format's name of its dtype.
        shape: of the tensor.
        start: of its bytes, from the start of the file.
        size: in bytes.
    """

    code: str
    shape: tuple[int, ...]
    start: int
    size: int


class TensorFile(Mapping[str, Array]):
    """The tensors of a file by name; an array is mapped when it is asked for.

    Args:
        path: a file in the safetensors format.

    Attributes:
        path: as given.
        metadata: the strings that stand in the file beside its tensors.

    Raises:
        DamagedFileError: if the file is truncated or is not in the format.

    Example:
        >>> import os, tempfile, fxla
        >>> from fxla.weights import TensorFile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = os.path.join(directory, "w.safetensors")
        ...     fxla.save(path, {"w": np.arange(3.0)})
        ...     {name: array.sum() for name, array in TensorFile(path).items()}
        {'w': Array(3.)}
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        header, start = _header(self.path)
        everything: dict[str, str] = header.pop("__metadata__", {})
        self.metadata = {k: v for k, v in everything.items() if k not in _OWN_KEYS}
        self._own = {k: v for k, v in everything.items() if k in _OWN_KEYS}
        self._entries = {
            name: _Entry(
                entry["dtype"],
                tuple(entry["shape"]),
                start + entry["data_offsets"][0],
                entry["data_offsets"][1] - entry["data_offsets"][0],
            )
            for name, entry in header.items()
        }
        self._map: mmap.mmap | None = None

    def __getitem__(self, name: str) -> Array:
        entry = self._entries[name]
        dtype = dtype_of_code(entry.code)
        if dtype is None:
            raise TypeError(
                f"{self.path!r}: {name!r} has the dtype {entry.code}, which NumPy "
                f"lacks{where_am_i()}"
            )
        flat = np.frombuffer(self._bytes(entry), dtype)
        array: Array = as_array(flat.reshape(entry.shape))
        return array if array.flags.aligned else array.copy()

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"TensorFile({self.path!r}, {len(self)} tensors)"

    @property
    def structure(self) -> Any:
        """What `fxla.save` wrote about the tree; None in files of others."""
        text = self._own.get(STRUCTURE)
        return None if text is None else json.loads(text)

    def described(self, name: str) -> str:
        """The shape and dtype of a tensor, which is not read."""
        entry = self._entries[name]
        dtype = dtype_of_code(entry.code)
        if dtype is None:
            return f"{entry.code}[{','.join(map(str, entry.shape))}]"
        return described(entry.shape, dtype)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, which is not read."""
        return self._entries[name].shape

    def verify(self, name: str) -> None:
        """Compare a tensor with the checksum that was saved with it, if there is one.

        Raises:
            DamagedFileError: if they differ.
        """
        sums = json.loads(self._own.get(CHECKSUMS, "{}"))
        if name in sums and zlib.crc32(self._bytes(self._entries[name])) != sums[name]:
            raise DamagedFileError(
                f"{self.path!r} is damaged: the bytes of {name!r} ({self.described(name)}) are not "
                f"those that were saved{where_am_i()}"
            )

    def _bytes(self, entry: _Entry) -> memoryview | bytes:
        if entry.size == 0:
            return b""
        if self._map is None:
            with Path(self.path).open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        return memoryview(self._map)[entry.start : entry.start + entry.size]


class _Shards(TensorFile):
    """The tensors of the files that an index names."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        try:
            index = json.loads(Path(path).read_text(encoding="utf-8"))
            places = {str(name): str(file) for name, file in index["weight_map"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedFileError(
                f"{self.path!r} is no index of safetensors: {error}{where_am_i()}"
            ) from None
        self.metadata = {k: str(v) for k, v in index.get("metadata", {}).items()}
        self._own = {}
        folder = Path(path).parent
        for file in places.values():
            if Path(file).name != file:
                raise DamagedFileError(
                    f"{self.path!r} names {file!r}, which is in another folder{where_am_i()}"
                )
        absent = sorted({f for f in places.values() if not (folder / f).exists()})
        if absent:
            raise FileNotFoundError(
                f"{self.path!r} names files that are not there: {absent}{where_am_i()}"
            )
        files = {file: TensorFile(folder / file) for file in dict.fromkeys(places.values())}
        missing = sorted(name for name, file in places.items() if name not in files[file])
        if missing:
            raise DamagedFileError(
                f"{self.path!r} names tensors that its files lack: {missing}{where_am_i()}"
            )
        self._files = {name: files[file] for name, file in places.items()}
        self._entries = {name: file._entries[name] for name, file in self._files.items()}

    def __getitem__(self, name: str) -> Array:
        return self._files[name][name]

    def verify(self, name: str) -> None:
        self._files[name].verify(name)


def open(path: str | os.PathLike[str]) -> TensorFile:
    """The tensors of a file, or of several with an index, by name; each is read when it is used.

    Args:
        path: a ``.safetensors`` file of anybody, an index (``model.safetensors.index.json``), or a
            folder that holds one of them under Hugging Face's name.

    Returns:
        A mapping from names to arrays, with ``metadata``.

    Raises:
        FileNotFoundError: if there is no such file.
        DamagedFileError: if it is truncated or not in the format.

    Example:
        >>> import fxla, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fxla.save(folder + "/w.safetensors", {"w": np.ones(3), "b": np.zeros(1)})
        ...     file = open(folder + "/w.safetensors")
        ...     sorted(file), file.described("w"), file["w"]
        (['b', 'w'], 'f64[3]', Array([1., 1., 1.]))
    """
    place = Path(path)
    if place.is_dir():
        for name in (INDEX, "model.safetensors"):
            if (place / name).exists():
                place = place / name
                break
        else:
            raise FileNotFoundError(
                f"{os.fspath(path)!r} holds no model.safetensors, nor an index{where_am_i()}"
            )
    return _Shards(place) if place.name.endswith(".index.json") else TensorFile(place)


def _header(path: str) -> tuple[dict[str, Any], int]:
    """What a file says about its tensors, and where their bytes begin.

    The format's own library checks the header; the commonest damages have a plainer message.
    """
    library = safetensors("fxla.load")
    size = os.stat(path).st_size
    with Path(path).open("rb") as file:
        first = file.read(8)
        length = struct.unpack("<Q", first)[0] if len(first) == 8 else 0
        text = file.read(min(length, size))
    if len(first) < 8 or len(text) < length:
        raise DamagedFileError(
            (
                f"{path!r} is truncated: it ends within its header, after {size} bytes"
                if text[:1] in (b"", b"{")
                else f"{path!r} is not a safetensors file: its first bytes are "
                f"{(first + text)[:8]!r}"
            )
            + where_am_i()
        )
    try:
        header = json.loads(text)
        end = max(
            (x["data_offsets"][1] for k, x in header.items() if k != "__metadata__"), default=0
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise DamagedFileError(
            f"{path!r} is damaged: its header cannot be read{where_am_i()}"
        ) from None
    if isinstance(end, int) and 8 + length + end > size:
        raise DamagedFileError(
            f"{path!r} is truncated: its tensors take {end} bytes, {size - 8 - length} are "
            f"there{where_am_i()}"
        )
    try:
        library.safe_open(path, "numpy")
    except library.SafetensorError as error:
        raise DamagedFileError(f"{path!r} is damaged: {error}{where_am_i()}") from None
    return header, 8 + length
