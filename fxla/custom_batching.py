"""Batching rules of the user's; the names are those of ``jax.custom_batching``."""

from fxla.control.custom_vmap import custom_vmap, sequential_vmap

__all__ = ["custom_vmap", "sequential_vmap"]
