"""Programs that are wrong, one for each kind of mistake. Each is a function that raises.

They are written as a user writes them, because the messages are about the user's own lines.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import fxla
import fxla.numpy as fnp
from fxla import lax, nn, optim, train
from fxla.scipy import stats

__all__ = ["CASES", "Case"]

Case = tuple[Callable[[], Any], type[Exception]]
CASES: dict[str, Case] = {}

A, B = np.zeros((2, 3), np.float32), np.zeros((4, 5), np.float32)
X = np.array([1.0, 2.0, 3.0])
SCALAR = np.float64(2.0)


def raises(error: type[Exception]) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Add the function below as a case."""

    def add(f: Callable[[], Any]) -> Callable[[], Any]:
        CASES[f.__name__] = (f, error)
        return f

    return add


@raises(ValueError)
def inner_dimensions_differ() -> Any:
    def loss(w: Any) -> Any:
        return fnp.sum(fnp.matmul(w, B))

    return fxla.grad(loss)(A)


@raises(ValueError)
def shapes_do_not_broadcast() -> Any:
    def model(x: Any) -> Any:
        return x + np.ones(4)

    return fxla.jit(model)(X)


@raises(ValueError)
def shapes_do_not_concatenate() -> Any:
    def model(x: Any) -> Any:
        return fnp.concatenate([x, A])

    return fxla.jit(model)(A[:, :2])


@raises(ValueError)
def reshape_to_another_size() -> Any:
    def model(x: Any) -> Any:
        return fnp.reshape(x, (2, 2))

    return fxla.jit(model)(X)


@raises(TypeError)
def bits_of_a_float() -> Any:
    def model(x: Any) -> Any:
        return x & 1

    return fxla.jit(model)(X)


@raises(np.exceptions.AxisError)
def axis_out_of_bounds() -> Any:
    def model(x: Any) -> Any:
        return fnp.sum(x, axis=2)

    return fxla.jit(model)(A)


@raises(np.exceptions.AxisError)
def mapped_axis_out_of_bounds() -> Any:
    def model(x: Any) -> Any:
        return x

    return fxla.vmap(model, in_axes=2)(A)


@raises(IndexError)
def too_many_indices() -> Any:
    def model(x: Any) -> Any:
        return x[0, 0]

    return fxla.jit(model)(X)


@raises(IndexError)
def index_out_of_bounds() -> Any:
    def model(x: Any) -> Any:
        return x[7]

    return fxla.jit(model)(X)


@raises(IndexError)
def mask_of_unknown_size() -> Any:
    def model(x: Any) -> Any:
        return np.fft.fft(x[x > 0])

    return fxla.jit(model)(X)


@raises(TypeError)
def gradient_of_an_array() -> Any:
    def loss(x: Any) -> Any:
        return x * 2

    return fxla.grad(loss)(X)


@raises(TypeError)
def gradient_by_an_integer() -> Any:
    def loss(n: Any) -> Any:
        return n * 2.0

    return fxla.grad(loss)(2)


@raises(TypeError)
def gradient_of_a_comparison() -> Any:
    def loss(x: Any) -> Any:
        return x > 0

    return fxla.grad(loss)(SCALAR)


@raises(TypeError)
def tangent_of_another_dtype() -> Any:
    def model(x: Any) -> Any:
        return x * x

    return fxla.jvp(model, (X,), (X.astype(np.float32),))


@raises(RuntimeError)
def leaked_tracer() -> Any:
    kept = []

    def model(x: Any) -> Any:
        kept.append(x)
        return x * 2

    fxla.jit(model)(X)
    return kept[0] + 1


@raises(ValueError)
def mapped_sizes_differ() -> Any:
    def model(x: Any, y: Any) -> Any:
        return x + y

    return fxla.vmap(model)(X, np.ones(4))


@raises(TypeError)
def carry_changes_its_dtype() -> Any:
    def step(carry: Any, x: Any) -> Any:
        return carry + x, x

    return lax.scan(step, np.int64(0), X)


@raises((TypeError, ValueError))  # type: ignore[arg-type]
def carry_changes_its_shape() -> Any:
    def step(carry: Any, x: Any) -> Any:
        return carry * np.ones(2), x

    return lax.scan(step, SCALAR, X)


@raises(TypeError)
def branches_differ() -> Any:
    def model(x: Any) -> Any:
        return lax.cond(x[0] > 0, lambda v: v, lambda v: (v, v), x)

    return fxla.jit(model)(X)


@raises(TypeError)
def unhashable_static() -> Any:
    def model(x: Any, sizes: Any) -> Any:
        return x * len(sizes)

    return fxla.jit(model, static_argnums=1)(X, [1, 2])


@raises(TypeError)
def bool_of_a_tracer() -> Any:
    def relu(x: Any) -> Any:
        if x > 0:
            return x
        return 0.0

    return fxla.jit(relu)(SCALAR)


@raises(TypeError)
def int_of_a_tracer() -> Any:
    def total(n: Any) -> Any:
        return sum(i for i in range(n))

    return fxla.jit(total)(3)


@raises(TypeError)
def asarray_of_a_tracer() -> Any:
    def model(x: Any) -> Any:
        return np.unwrap.__wrapped__(x)

    return fxla.grad(model)(X)


@raises(ValueError)
def stored_in_a_numpy_array() -> Any:
    held = np.zeros(2)

    def model(x: Any) -> Any:
        held[0] = x
        return held.sum()

    return fxla.grad(model)(SCALAR)


@raises(ValueError)
def assignment_to_an_argument() -> Any:
    def model(x: Any) -> Any:
        x[0] = 5.0
        return x

    return fxla.jit(model)(X)


@raises(ValueError)
def traced_array_from_outside_changed() -> Any:
    def model(x: Any) -> Any:
        total = x * 2.0

        def add(y: Any) -> Any:
            nonlocal total
            total += y
            return total.sum()

        return fxla.grad(add)(x)

    return fxla.jit(model)(X)


@raises(TypeError)
def result_of_another_dtype_written() -> Any:
    def model(x: Any) -> Any:
        count = np.zeros(3, int)
        count += x
        return count

    return fxla.jit(model)(X)


@raises(ValueError)
def captured_array_changed_in_place() -> Any:
    total = np.zeros(3)

    def model(x: Any) -> Any:
        nonlocal total
        total += x
        return total

    return fxla.jit(model)(X)


@raises(NameError)
def unbound_axis_name() -> Any:
    def model(x: Any) -> Any:
        return x / lax.psum(x, "batch")

    return fxla.vmap(model)(X)


@raises(TypeError)
def while_loop_in_reverse() -> Any:
    def model(x: Any) -> Any:
        return lax.while_loop(lambda v: v < 10, lambda v: v * 2, x)

    return fxla.grad(model)(SCALAR)


@raises(TypeError)
def not_an_array() -> Any:
    def model(params: Any) -> Any:
        return params["w"]

    return fxla.grad(model)({"w": 1.0, "name": "layer"})


@raises(ValueError)
def argnums_out_of_range() -> Any:
    def loss(x: Any) -> Any:
        return x

    return fxla.grad(loss, argnums=1)(SCALAR)


@raises(TypeError)
def forward_mode_of_custom_vjp() -> Any:
    @fxla.custom_vjp
    def f(x: Any) -> Any:
        return x

    f.defvjp(lambda x: (x, None), lambda res, ct: (ct,))
    return fxla.jvp(f, (SCALAR,), (SCALAR,))


@raises(TypeError)
def captured_branches_of_other_shapes() -> Any:
    def model(x: Any) -> Any:
        if x > 0:
            y = fnp.ones(3)
        else:
            y = fnp.ones(2)
        return y

    return fxla.jit(model, control_flow="capture")(SCALAR)


@raises(UnboundLocalError)
def captured_variable_of_one_branch() -> Any:
    def model(x: Any) -> Any:
        if x > 0:
            y = x
        return y

    return fxla.jit(model, control_flow="capture")(SCALAR)


@raises(TypeError)
def captured_list_that_grows() -> Any:
    def halvings(x: Any) -> Any:
        seen = []
        while x > 1:
            seen.append(x)
            x = x / 2
        return seen

    return fxla.jit(halvings, control_flow="capture")(SCALAR)


@raises(TypeError)
def captured_raise() -> Any:
    def checked(x: Any) -> Any:
        if x < 0:
            raise ValueError("negative")
        return x

    return fxla.jit(checked, control_flow="capture")(SCALAR)


@raises(TypeError)
def captured_recursion() -> Any:
    def factorial(n: Any) -> Any:
        return 1 if n < 2 else n * factorial(n - 1)

    return fxla.jit(factorial, control_flow="capture")(5)


@raises(TypeError)
def while_on_a_tracer() -> Any:
    def root(x: Any) -> Any:
        y = x
        while abs(y * y - x) > 1e-9:
            y = (y + x / y) / 2
        return y

    return fxla.jit(root)(SCALAR)


@raises(TypeError)
def range_of_a_tracer() -> Any:
    def total(n: Any) -> Any:
        found = 0
        for i in range(n):
            found = found + i
        return found

    return fxla.jit(total)(5)


@raises(TypeError)
def gradient_of_a_captured_while() -> Any:
    def root(x: Any) -> Any:
        y = x
        while abs(y * y - x) > 1e-9:
            y = (y + x / y) / 2
        return y

    return fxla.jit(fxla.grad(fxla.capture(root)))(SCALAR)


@raises(ValueError)
def shapes_do_not_stack() -> Any:
    def model(x: Any) -> Any:
        return fnp.stack([x, x[:1]])

    return fxla.jit(model)(A)


@raises(TypeError)
def gradient_of_a_value() -> Any:
    return fxla.grad(fnp.sum(X))


@raises(TypeError)
def branch_is_a_value() -> Any:
    return lax.cond(True, 1.0, 2.0)  # type: ignore[arg-type]


@raises(TypeError)
def bound_is_a_float() -> Any:
    return lax.fori_loop(0, 2.5, lambda i, total: total + i, 0.0)


@raises(TypeError)
def branch_number_is_a_float() -> Any:
    return lax.switch(1.0, [fnp.sin, fnp.cos], X)


@raises(ValueError)
def static_argument_that_there_is_not() -> Any:
    return fxla.jit(lambda x: x, static_argnums=1)(X)


@raises(ValueError)
def scanned_lengths_differ() -> Any:
    return lax.scan(lambda total, x: (total + x[0], None), 0.0, (X, fnp.ones(4)))


@raises(ValueError)
def scan_without_a_length() -> Any:
    return lax.scan(lambda total, _: (total, None), 0.0, None)


@raises(ValueError)
def scan_over_a_scalar() -> Any:
    return lax.scan(lambda total, x: (total + x, None), 0.0, 2.0)


@raises(TypeError)
def primals_without_a_tuple() -> Any:
    return fxla.jvp(fnp.sin, X, X)


@raises(ValueError)
def negative_power_of_integers() -> Any:
    return fxla.jit(lambda x: x**-1)(np.arange(3))


@raises(ValueError)
def system_of_another_size() -> Any:
    def model(a: Any) -> Any:
        return fnp.linalg.solve(a, X)

    return fxla.jit(model)(np.eye(4))


@raises(ValueError)
def negative_size() -> Any:
    def model(x: Any) -> Any:
        return x + fnp.zeros(-3)

    return fxla.jit(model)(X)


@raises(TypeError)
def sine_of_pythons_own() -> Any:
    def wave(x: Any) -> Any:
        return math.sin(x)

    return fxla.jit(wave)(SCALAR)


@raises(TypeError)
def argnums_of_text() -> Any:
    return fxla.grad(lambda x: x, argnums="x")(SCALAR)  # type: ignore[arg-type]


@raises(TypeError)
def predicate_of_text() -> Any:
    return lax.cond("yes", lambda x: x, lambda x: -x, SCALAR)  # type: ignore[arg-type]


@raises(TypeError)
def seed_of_text() -> Any:
    return fxla.random.key("seed")


@raises(TypeError)
def seed_of_models_that_is_an_array() -> Any:
    return nn.seed(A > 0)  # type: ignore[arg-type]


@raises(TypeError)
def seed_of_models_that_is_traced() -> Any:
    return fxla.jit(nn.seed)(3)


@raises(ValueError)
def mode_that_there_is_not() -> Any:
    return fnp.ones(3).at[0].set(1.0, mode="wrap")


@raises(ValueError)
def eager_slice_too_large() -> Any:
    return lax.dynamic_slice(fnp.ones(3), (0,), (5,))


@raises(TypeError)
def parameter_of_no_distribution() -> Any:
    return stats.norm.pdf(X, mean=1.0)


@raises(ValueError)
def parameters_of_other_shapes() -> Any:
    return stats.norm.pdf(X, np.ones(4))


@raises(TypeError)
def layer_of_text() -> Any:
    return nn.Dense("relu")  # type: ignore[arg-type]


@raises(ValueError)
def padding_that_there_is_not() -> Any:
    return nn.Conv(3, 8, 3, padding="symmetric")


@raises(TypeError)
def model_that_is_a_function() -> Any:
    return train.Trainer(fnp.sin, "mse")


@raises(ValueError)
def loss_that_there_is_not() -> Any:
    return train.Trainer(nn.Linear(3, 1), "quadratic")


@raises(TypeError)
def targets_in_the_place_of_epochs() -> Any:
    return train.Trainer(nn.Linear(3, 1), "mse", progress=False).fit(np.ones((4, 3)), np.ones(4))  # type: ignore[arg-type]


@raises(TypeError)
def data_without_targets() -> Any:
    trainer = train.Trainer(nn.Linear(3, 1), "mse", progress=False)
    return trainer.fit(A[None], batch_size=1)


@raises(TypeError)
def chain_of_a_number() -> Any:
    return optim.chain(optim.clip(1.0), 0.1)  # type: ignore[arg-type]


@raises(ValueError)
def state_of_other_parameters() -> Any:
    optimizer = optim.adam(1e-3)
    return optimizer.update({"w": X}, optimizer.init({"v": X}))


@raises(ValueError)
def update_of_another_shape() -> Any:
    return optim.apply_updates({"w": X}, {"w": A})


@raises(TypeError)
def tree_before_its_path() -> Any:
    return fxla.save({"w": X}, "model.safetensors")  # type: ignore[arg-type]
