"""Weights: trees in files, and the weights of others.

`save` and `load` are `fxla.save` and `fxla.load`.
"""

from fxla.core.deferred import public_names as _public_names
from fxla.weights.files import DamagedFileError, TensorFile, open
from fxla.weights.loading import load
from fxla.weights.saving import save
from fxla.weights.torch_state import TorchReport, load_torch_state, to_torch_state

__all__ = [
    "DamagedFileError",
    "TensorFile",
    "TorchReport",
    "load",
    "load_torch_state",
    "open",
    "save",
    "to_torch_state",
]


def __dir__() -> list[str]:
    return _public_names(globals())
