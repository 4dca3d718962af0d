"""NumPy."""

from fxla.numpy.creation import arange, array
