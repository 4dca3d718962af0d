"""Weights: trees in files, and the weights of others.

`save` and `load` are `fxla.save` and `fxla.load`.
"""

from fxla.weights.files import DamagedFileError, TensorFile, open
from fxla.weights.loading import load
from fxla.weights.saving import save

__all__ = ["DamagedFileError", "TensorFile", "load", "open", "save"]
