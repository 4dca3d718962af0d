"""einops, which finds arrays of JAX by their type."""

import einops
import jax
import jax.numpy as jnp
import numpy as np


def case_rearranging():
    x = jnp.arange(24.0).reshape(2, 3, 4)
    wanted = np.arange(24.0).reshape(2, 3, 4).transpose(0, 2, 1).reshape(2, 12)
    for f in (lambda x: einops.rearrange(x, "a b c -> a (c b)"),):
        assert (f(x) == wanted).all() and (jax.jit(f)(x) == wanted).all()
    assert (einops.reduce(x, "a b c -> b", "sum") == x.sum((0, 2))).all()
    assert einops.repeat(x, "a b c -> a b c d", d=2).shape == (2, 3, 4, 2)
    assert jax.grad(lambda x: einops.reduce(x, "a b c ->", "sum"))(x).shape == (2, 3, 4)
