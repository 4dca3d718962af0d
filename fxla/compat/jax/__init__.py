"""Modules named ``jax``, backed by fxla, for libraries that are written for JAX.

    import fxla.compat.jax

    fxla.compat.jax.install()
    import optax  # unmodified, on fxla's arrays and transformations

Nothing of JAX is needed or imported. What fxla has under JAX's name is that; what it has not raises
an error that says so, where it is used.
"""

from fxla.compat.jax.finder import install, installed, uninstall

__all__ = ["install", "installed", "uninstall"]
