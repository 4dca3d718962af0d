"""Kernels as Python, for numba on the CPU and on CUDA, and the scalar functions that they call."""
