"""Text to native code: LLVM and numba, caches in the process and on disk, the pool of threads."""
