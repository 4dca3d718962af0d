"""NumPy's functions, for arrays and for what transformations trace.

Eager code runs NumPy itself. Inside ``jit``, ``grad`` and ``vmap`` the same names record, batch or
differentiate.

Example:
    >>> import fxla.numpy as np
    >>> np.sqrt(np.array([1.0, 4.0]))
    Array([1., 2.])
"""

from __future__ import annotations

import sys
from typing import Any

from fxla.core.absent import no_attribute as _no_attribute
from fxla.core.deferred import public_names as _public_names
from fxla.numpy import (
    conditional,
    constants,
    contraction,
    correlations,
    creation,
    cumulative,
    derived,
    distinct,
    extremes,
    fft,
    filled,
    histograms,
    joining,
    lib,
    linalg,
    local_arrays,
    logic,
    mapping,
    matrices,
    moments,
    nan_reductions,
    operators,
    packing,
    padding,
    polynomials,
    positions,
    protocols,
    pyfunc,
    quantiles,
    questions,
    ranges,
    rearranging,
    reductions,
    repeating,
    rounding,
    searching,
    selected_functions,
    sets,
    sorting,
    sources,
    special,
    splitting,
    taking,
    ufuncs,
)
from fxla.numpy import shape as _shape_module
from fxla.numpy.absent import ABSENT as _ABSENT
from fxla.numpy.conditional import *  # noqa: F403
from fxla.numpy.constants import *  # noqa: F403
from fxla.numpy.contraction import *  # noqa: F403
from fxla.numpy.correlations import *  # noqa: F403
from fxla.numpy.creation import *  # noqa: F403
from fxla.numpy.cumulative import *  # noqa: F403
from fxla.numpy.derived import *  # noqa: F403
from fxla.numpy.distinct import *  # noqa: F403
from fxla.numpy.einstein import einsum, einsum_path
from fxla.numpy.extremes import *  # noqa: F403
from fxla.numpy.filled import *  # noqa: F403
from fxla.numpy.histograms import *  # noqa: F403
from fxla.numpy.joining import *  # noqa: F403
from fxla.numpy.logic import *  # noqa: F403
from fxla.numpy.mapping import *  # noqa: F403
from fxla.numpy.matrices import *  # noqa: F403
from fxla.numpy.moments import *  # noqa: F403
from fxla.numpy.nan_reductions import *  # noqa: F403
from fxla.numpy.packing import *  # noqa: F403
from fxla.numpy.padding import *  # noqa: F403
from fxla.numpy.polynomials import *  # noqa: F403
from fxla.numpy.positions import *  # noqa: F403
from fxla.numpy.pyfunc import *  # noqa: F403
from fxla.numpy.quantiles import *  # noqa: F403
from fxla.numpy.questions import *  # noqa: F403
from fxla.numpy.ranges import *  # noqa: F403
from fxla.numpy.rearranging import *  # noqa: F403
from fxla.numpy.reductions import *  # noqa: F403
from fxla.numpy.repeating import *  # noqa: F403
from fxla.numpy.rounding import *  # noqa: F403
from fxla.numpy.searching import *  # noqa: F403
from fxla.numpy.sets import *  # noqa: F403
from fxla.numpy.shape import *  # noqa: F403
from fxla.numpy.sorting import *  # noqa: F403
from fxla.numpy.sources import *  # noqa: F403
from fxla.numpy.special import *  # noqa: F403
from fxla.numpy.splitting import *  # noqa: F403
from fxla.numpy.taking import *  # noqa: F403
from fxla.numpy.ufuncs import *  # noqa: F403

__all__ = ["einsum", "einsum_path", "fft", "lib", "linalg"]
__all__ += conditional.__all__
__all__ += constants.__all__
__all__ += questions.__all__
__all__ += sources.__all__
__all__ += contraction.__all__
__all__ += creation.__all__
__all__ += filled.__all__
__all__ += correlations.__all__
__all__ += cumulative.__all__
__all__ += derived.__all__
__all__ += histograms.__all__
__all__ += joining.__all__
__all__ += repeating.__all__
__all__ += splitting.__all__
__all__ += logic.__all__
__all__ += mapping.__all__
__all__ += matrices.__all__
__all__ += nan_reductions.__all__
__all__ += packing.__all__
__all__ += padding.__all__
__all__ += polynomials.__all__
__all__ += pyfunc.__all__
__all__ += quantiles.__all__
__all__ += ranges.__all__
__all__ += reductions.__all__
__all__ += extremes.__all__
__all__ += moments.__all__
__all__ += rounding.__all__
__all__ += sets.__all__
__all__ += distinct.__all__
__all__ += _shape_module.__all__
__all__ += rearranging.__all__
__all__ += sorting.__all__
__all__ += searching.__all__
__all__ += special.__all__
__all__ += taking.__all__
__all__ += positions.__all__
__all__ += ufuncs.__all__

operators.install(globals())
local_arrays.install(globals())
protocols.install(globals(), sys.modules[__name__])
selected_functions.install()


def __getattr__(name: str) -> Any:
    reason = _ABSENT.get(name)
    if reason is None:
        raise _no_attribute(__name__, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}: {reason}")


def __dir__() -> list[str]:
    return _public_names(globals())
