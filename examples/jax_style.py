"""A function as people write it in JAX: pure, differentiated and compiled by calling two names.

python examples/jax_style.py
"""

from __future__ import annotations

from typing import Any

import fxla
import fxla.numpy as np

TERMS = 20


def f(x: Any) -> Any:
    """``sum over k of sin(k x) / k``, a partial sum of a sawtooth's series."""
    k = np.arange(1, TERMS + 1)
    return np.sum(np.sin(k * x) / k)


slope = fxla.jit(fxla.grad(f))
bend = fxla.jit(fxla.grad(fxla.grad(f)))
slopes = fxla.jit(fxla.vmap(fxla.grad(f)))


def main() -> dict[str, Any]:
    """Slopes at one point and at many, and the jaxpr of the first."""
    points = np.linspace(0.1, 3.0, 5)
    print(f"f'(1) = {float(slope(1.0)):.6f}, f''(1) = {float(bend(1.0)):.6f}")
    print("f' at", points.round(2).tolist(), "is", slopes(points).round(4).tolist())
    print(fxla.make_jaxpr(fxla.grad(f))(1.0))
    return {"slope": slope(1.0), "bend": bend(1.0), "points": points, "slopes": slopes(points)}


if __name__ == "__main__":
    main()
