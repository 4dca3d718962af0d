"""Functions written as numba's are, loops and all, as primitives that every transformation knows."""
