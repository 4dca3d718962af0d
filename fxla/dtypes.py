"""Questions about dtypes, under the names of ``jax.dtypes``."""

from __future__ import annotations

from fxla.core.dtypes import canonical_dtype as canonicalize_dtype
from fxla.numpy.constants import bfloat16, issubdtype
from fxla.numpy.questions import finfo, iinfo, result_type

__all__ = ["bfloat16", "canonicalize_dtype", "finfo", "iinfo", "issubdtype", "result_type"]
