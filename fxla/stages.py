"""The stages of a jitted function; the names are those of ``jax.stages``.

``fxla.jit(f).trace(x)`` gives a `Traced`, its ``lower()`` a `Lowered`, whose ``compile()`` gives a
`Compiled`, which can be called.
"""

from fxla.control.stages import Compiled, Lowered, Traced

__all__ = ["Compiled", "Lowered", "Traced"]
