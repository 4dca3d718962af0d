"""Clusters: the module ``fxla.scipy.cluster``."""

from fxla.core.deferred import public_names as _public_names
from fxla.scipy.cluster import vq

__all__ = ["vq"]


def __dir__() -> list[str]:
    return _public_names(globals())
