"""Datasets in local files: MNIST's IDX, CSV, npz, folders of images."""

from __future__ import annotations

import gzip
import math
import os
from collections.abc import Sequence
from csv import reader
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from fxla.core.trace import where_am_i
from fxla.data.builtin import optional
from fxla.data.dataset import Dataset
from fxla.data.sources import Items

__all__ = ["ImageFolder", "csv", "idx", "image_folder", "npz"]

PathLike: TypeAlias = str | os.PathLike[str]

_IDX_DTYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")


def idx(path: PathLike, *more: PathLike) -> Dataset:
    """The rows of IDX files, the format of MNIST (http://yann.lecun.com/exdb/mnist).

    Args:
        path: a file, compressed if its name ends in ``.gz``.
        *more: further files, for tuples of corresponding rows: images, labels.

    Raises:
        ValueError: if a file is not IDX, or shorter than its header says.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "labels-idx1-ubyte"
        >>> _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
        >>> [int(label) for label in idx(file)]
        [7, 8, 9]
    """
    arrays = tuple(_read_idx(p) for p in (path, *more))
    return Dataset.from_arrays(arrays if more else arrays[0])


def _read_idx(path: PathLike) -> Any:
    raw = Path(path).read_bytes()
    if str(path).endswith(".gz"):
        raw = gzip.decompress(raw)
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in _IDX_DTYPES:
        raise ValueError(
            f"data.idx: {path} is not an IDX file: it begins with {raw[:4]!r}{where_am_i()}"
        )
    dtype, rank = np.dtype(_IDX_DTYPES[raw[2]]), raw[3]
    shape = tuple(int(n) for n in np.frombuffer(raw[4 : 4 + 4 * rank], ">u4"))
    expected = 4 + 4 * rank + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if len(shape) != rank or len(raw) != expected:
        raise ValueError(
            f"data.idx: {path} has {len(raw)} bytes, and its header says {expected} "
            f"({dtype.newbyteorder('=').name}{list(shape)}){where_am_i()}. It may have been cut "
            "short."
        )
    return (
        np.frombuffer(raw, dtype, offset=4 + 4 * rank)
        .reshape(shape)
        .astype(dtype.newbyteorder("="))
    )


def csv(
    path: PathLike,
    *,
    target: str | int | None = None,
    header: bool = True,
    delimiter: str = ",",
    dtype: Any = np.float64,
) -> Dataset:
    r"""The rows of a table of numbers in text.

    Args:
        path: the file; ``.gz`` is decompressed.
        target: the column, by its name or number, that is the second part of every element.
        header: whether the first row names the columns.
        delimiter: what stands between columns.
        dtype: of the numbers. An empty field is NaN.

    Raises:
        ValueError: if a field is not a number, or there is no such column.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "points.csv"
        >>> _ = file.write_text("x,y,label\n1,2,0\n3,4,1\n")
        >>> list(csv(file, target="label"))
        [(array([1., 2.]), np.float64(0.0)), (array([3., 4.]), np.float64(1.0))]
    """
    text = gzip.open(path, "rt") if str(path).endswith(".gz") else open(path, newline="")  # noqa: SIM115
    with text as lines:
        rows = [r for r in reader(lines, delimiter=delimiter) if r]
    names = [n.strip() for n in rows.pop(0)] if header else None
    table = np.asarray([_numbers(path, k, row) for k, row in enumerate(rows)]).astype(dtype)
    if target is None:
        return Dataset.from_arrays(table)
    if isinstance(target, str):
        if names is None or target not in names:
            raise ValueError(
                f"data.csv: {path} has no column {target!r}; it has {names}{where_am_i()}"
            )
        target = names.index(target)
    return Dataset.from_arrays((np.delete(table, target, axis=1), table[:, target]))


def _numbers(path: PathLike, row: int, fields: list[str]) -> list[float]:
    """The numbers of a row; NaN for an empty field."""
    numbers = []
    for column, field in enumerate(fields):
        try:
            numbers.append(float(field) if field.strip() else math.nan)
        except ValueError:
            raise ValueError(
                f"data.csv: {path}: row {row}, column {column}: {field!r} is not a "
                f"number{where_am_i()}"
            ) from None
    return numbers


def npz(path: PathLike, *names: str) -> Dataset:
    """The rows of arrays in an npz file, as ``numpy.savez`` writes it.

    Args:
        path: the file.
        *names: the arrays to take, for tuples; default: all of them, for dicts.

    Raises:
        KeyError: if an array is not there.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "points.npz"
        >>> np.savez(file, x=np.eye(2), y=np.arange(2))
        >>> npz(file, "x", "y")[1]
        (array([0., 1.]), np.int64(1))
    """
    with np.load(path, allow_pickle=False) as stored:
        missing = [n for n in names if n not in stored]
        if missing:
            raise KeyError(
                f"data.npz: {path} has no {missing}; it has {sorted(stored)}{where_am_i()}"
            )
        if names:
            return Dataset.from_arrays(tuple(stored[n] for n in names))
        return Dataset.from_arrays({n: stored[n] for n in stored})


class _ImageFiles(Sequence[Any]):
    """Images that are read when they are asked for, with the number of their folder."""

    def __init__(self, files: list[tuple[Path, int]], mode: str, size: tuple[int, int] | None):
        self.files = files
        self.mode = mode
        self.size = size
        self.pillow = optional("PIL.Image", "pillow", "data.image_folder")

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: Any) -> Any:
        path, label = self.files[index]
        try:
            with self.pillow.open(path) as image:
                converted = image.convert(self.mode)
                if self.size is not None:
                    converted = converted.resize(self.size[::-1], self.pillow.Resampling.BILINEAR)
                pixels = np.asarray(converted, np.float32) / np.float32(255)
        except OSError as error:
            error.add_note(f"fxla.data: while reading {path}")
            raise
        return pixels.reshape(*pixels.shape[:2], -1), np.int32(label)


class ImageFolder(Dataset):
    """Images by class; ``classes[label]`` is the name of a label's folder."""

    def __init__(self, images: _ImageFiles, classes: list[str]) -> None:
        super().__init__(Items(images))
        self.classes = classes


def image_folder(
    path: PathLike, *, mode: str = "RGB", size: tuple[int, int] | None = None
) -> ImageFolder:
    """Images in one folder for each class, read when they are needed.

    Args:
        path: a folder of folders of images; classes are numbered in the order of their names.
        mode: Pillow's mode: ``"RGB"``, or ``"L"`` for grey.
        size: height and width to resize to; default: as they are, which batches only if equal.

    Returns:
        Elements (f32[height, width, channels] in 0..1, i32 class); its ``classes`` are the names.

    Raises:
        FileNotFoundError: if there are no such folders.
        MissingExtraError: if Pillow is not installed.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> root = Path(tempfile.mkdtemp())
        >>> for name in ("cat", "dog"):
        ...     (root / name).mkdir()
        ...     Image.new("L", (4, 3), 255).save(root / name / "1.png")
        >>> pictures = image_folder(root, mode="L")
        >>> pictures[1][0].shape, pictures[1][1]
        ((3, 4, 1), np.int32(1))
    """
    folders = sorted(p for p in Path(path).iterdir() if p.is_dir())
    files = [
        (file, label)
        for label, folder in enumerate(folders)
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in _IMAGES
    ]
    if not files:
        raise FileNotFoundError(
            f"data.image_folder: {path} has no folders with images; expected "
            f"{path}/<class>/<image>{where_am_i()}"
        )
    return ImageFolder(_ImageFiles(files, mode, size), [f.name for f in folders])
