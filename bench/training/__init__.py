"""Training: one epoch of three models by fxla, by JAX with optax, and by PyTorch.

The model, its initial values, the data, their order and the optimiser are the same; each package is
used as its users do: a compiled step in fxla and JAX, ``backward`` and ``step`` in PyTorch.
"""

from bench.training.tasks import TASKS, Task

__all__ = ["TASKS", "Task"]
