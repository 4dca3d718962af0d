"""CUDA devices: kernels by numba, programs that the host walks, memory and places of arrays."""
