"""First-order primitives, a file for each family. Rules call only other primitives.

Sums of segments have the names here that they have in JAX: ``ops.segment_sum`` is `fxla.lax`'s.
"""

from typing import TYPE_CHECKING, Any

from fxla.core.deferred import deferred_name as _deferred_name
from fxla.core.deferred import public_names as _public_names

if TYPE_CHECKING:
    from fxla.lax.segments import segment_max, segment_min, segment_prod, segment_sum

__all__ = ["segment_max", "segment_min", "segment_prod", "segment_sum"]


def __getattr__(name: str) -> Any:
    places = {known: f"fxla.lax.segments:{known}" for known in __all__}
    found = globals()[name] = _deferred_name(__name__, places, name)
    return found


def __dir__() -> list[str]:
    return _public_names(globals())
