"""Data: datasets, batches, and what installs offline.

A dataset is a chain of stages over arrays, a sequence or any iterable; a loop over it is an epoch,
whose order is a pure function of a seed and of the epoch's number, and whose position can be
taken and restored.
"""

from fxla.core.deferred import public_names as _public_names
from fxla.data.builtin import breast_cancer, diabetes, digits, iris, mnist5000, wine
from fxla.data.collate import as_arrays, stack
from fxla.data.dataset import Dataset
from fxla.data.files import csv, idx, image_folder, npz
from fxla.data.loader import DataLoader, as_dataset

__all__ = [
    "DataLoader",
    "Dataset",
    "as_arrays",
    "as_dataset",
    "breast_cancer",
    "csv",
    "diabetes",
    "digits",
    "idx",
    "image_folder",
    "iris",
    "mnist5000",
    "npz",
    "stack",
    "wine",
]


def __dir__() -> list[str]:
    return _public_names(globals())
