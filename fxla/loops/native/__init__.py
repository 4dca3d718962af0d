"""Kernels as LLVM IR, and the modules that all kernels share: tiles and Fourier passes."""
