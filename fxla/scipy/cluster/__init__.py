"""Clusters: the module ``fxla.scipy.cluster``."""

from fxla.scipy.cluster import vq

__all__ = ["vq"]
