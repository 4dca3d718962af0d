"""What is an algorithm of its own: products by BLAS, factorisations, sorts, Fourier transforms."""
