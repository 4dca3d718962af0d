"""From kernels to kernels: loops merged, tiled, unrolled, shared out, and what no target prints."""
