"""Functions written as numba's are, loops and all, as primitives of every transformation."""
