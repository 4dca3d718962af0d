"""What functions assign to modules reaches the caller's modules, under every transformation."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax, nn

X = np.arange(6.0).reshape(3, 2)


class Counter(nn.Module):
    """Multiplies by a parameter, and adds up what it sees."""

    def __init__(self, weight=2.0):
        self.weight = fnp.asarray(weight)
        self.total = nn.Buffer(0.0)
        self.calls = nn.Buffer(np.zeros((), np.int32))

    def __call__(self, x):
        self.total = self.total + x.sum()
        self.calls = self.calls + 1
        return self.weight * x


def state(counter):
    return float(counter.total), int(counter.calls)


def loss(counter, x):
    return counter(x).sum()


def test_eager_calls_update():
    counter = Counter()
    counter(X), counter(X)
    assert state(counter) == (30.0, 2)


@pytest.mark.parametrize(
    "transformed",
    [
        lambda c: fxla.jit(loss)(c, X),
        lambda c: fxla.grad(loss)(c, X),
        lambda c: fxla.value_and_grad(loss)(c, X),
        lambda c: fxla.value_and_grad(loss, argnums=1)(c, X),
        lambda c: fxla.value_and_grad(lambda x, c: loss(c, x))(X, c),
        lambda c: fxla.value_and_grad(lambda x, *, c: loss(c, x))(X, c=c),
        lambda c: fxla.value_and_grad(lambda both: loss(both["c"], X))({"c": c}),
        lambda c: fxla.vjp(loss, c, X)[1](1.0),
        lambda c: fxla.linearize(loss, c, X),
        lambda c: fxla.jvp(loss, (c, X), (nn.parameters(c), X)),
        lambda c: fxla.jacrev(loss)(c, X),
        lambda c: fxla.jacfwd(loss)(c, X),
        lambda c: fxla.hessian(loss)(c, X),
        lambda c: fxla.vmap(lambda c, x: loss(c, X) + x, (None, 0))(c, X),
        lambda c: fxla.checkpoint(loss)(c, X),
        lambda c: lax.cond(True, loss, lambda c, x: 0.0, c, X),
        lambda c: fxla.jit(fxla.grad(loss))(c, X),
        lambda c: fxla.grad(fxla.jit(loss))(c, X),
        lambda c: fxla.jit(fxla.grad(fxla.jit(loss)))(c, X),
        lambda c: fxla.jit(fxla.grad(fxla.checkpoint(loss)))(c, X),
        lambda c: fxla.grad(lambda c: lax.cond(X.sum() > 0, loss, lambda c, x: 0.0, c, X))(c),
        lambda c: fxla.jit(lambda c, p: lax.cond(p, loss, lambda c, x: 0.0, c, X))(c, True),
        lambda c: fxla.jit(loss).lower(c, X).compile()(c, X),
        lambda c: fxla.jit(lambda n, c: loss(c, X) * n, static_argnums=0)(2, c),
    ],
)
def test_one_call_updates_once(transformed):
    counter = Counter()
    transformed(counter)
    assert state(counter) == (15.0, 1)
    assert not isinstance(counter.total, fxla.core.trace.Tracer)
    assert float(counter.weight) == 2.0


def test_compiled_calls_keep_updating():
    counter, step = Counter(), fxla.jit(fxla.value_and_grad(loss))
    for k in range(1, 6):
        value, gradient = step(counter, X)
        assert float(value) == 30.0 and float(gradient.weight) == 15.0
        assert state(counter) == (15.0 * k, k)


def test_gradient_has_none_for_buffers():
    gradient = fxla.grad(loss)(Counter(), X)
    assert type(gradient) is Counter
    assert float(gradient.weight) == 15.0
    assert gradient.total is None and gradient.calls is None
    assert fxla.tree.structure(gradient) == fxla.tree.structure(nn.parameters(Counter()))


def test_jvp_takes_tangents_of_parameters():
    counter = Counter()
    value, tangent = fxla.jvp(loss, (counter, X), (nn.parameters(counter), 0 * X))
    assert float(value) == 30.0 and float(tangent) == 30.0
    with pytest.raises(TypeError, match="differ in structure"):
        fxla.jvp(loss, (counter, X), (counter, X))


def test_the_branch_that_is_not_taken_updates_nothing():
    counter = Counter()
    f = fxla.jit(lambda c, p: lax.cond(p, loss, lambda c, x: 0.0, c, X))
    assert float(f(counter, False)) == 0.0
    assert state(counter) == (0.0, 0)
    f(counter, True)
    assert state(counter) == (15.0, 1)


def test_both_branches_update_their_own():
    def other(c, x):
        c.calls = c.calls + 10
        return 0.0

    counter = Counter()
    lax.cond(False, loss, other, counter, X)
    assert state(counter) == (0.0, 10)


def test_scan_carries_a_module():
    def step(c, x):
        return c, c(x).sum()

    counter = Counter()
    carried, ys = lax.scan(step, counter, X)
    assert state(carried) == (15.0, 3)
    assert ys.tolist() == [2.0, 10.0, 18.0]


def test_scan_over_stacked_modules_updates_each():
    stacked = fxla.vmap(lambda w: Counter(w))(fnp.array([1.0, 2.0, 3.0]))
    h, _ = lax.scan(lambda h, layer: (layer(h), None), np.ones(2), stacked)
    assert h.tolist() == [6.0, 6.0]
    assert stacked.total.tolist() == [2.0, 2.0, 4.0]
    assert stacked.calls.tolist() == [1, 1, 1]


def test_while_loop_carries_a_module():
    counter = Counter()

    def body(both):
        i, c = both
        c(X)
        return i + 1, c

    _, carried = lax.while_loop(lambda both: both[0] < 4, body, (0, counter))
    assert state(carried) == (60.0, 4)


def test_vmap_over_an_ensemble_updates_each_member():
    ensemble = fxla.vmap(Counter)(fnp.array([1.0, 2.0]))
    out = fxla.vmap(lambda c, x: c(x))(ensemble, X[:2])
    assert np.array_equal(out, X[:2] * [[1.0], [2.0]])
    assert ensemble.total.tolist() == [1.0, 5.0]
    assert ensemble.calls.tolist() == [1, 1]


def test_a_batched_update_of_one_module_names_the_path():
    with pytest.raises(ValueError, match=r"vmap of .*Counter\.total .*differs.*Map the module"):
        fxla.vmap(lambda c, x: c(x), (None, 0))(Counter(), X)


@pytest.mark.parametrize("transform", [fxla.jit, fxla.grad, fxla.vmap, fxla.checkpoint])
def test_an_update_of_a_captured_module_is_refused(transform):
    counter = Counter()
    with pytest.raises(TypeError, match=r"model \(Counter\)\.total was assigned .* Pass the model"):
        transform(lambda x: counter(x).sum())(X)
    assert state(counter) == (0.0, 0)


def test_an_update_of_a_module_of_an_outer_trace_is_refused():
    def outer(c, x):
        return fxla.grad(lambda x: c(x).sum())(x)

    with pytest.raises(TypeError, match="was assigned"):
        fxla.jit(outer)(Counter(), X)


def test_a_changed_setting_is_refused():
    class Odd(nn.Module):
        def __init__(self):
            self.inner = Counter()
            self.inner.times = 0

        def __call__(self, x):
            self.inner.times += 1
            return x

    with pytest.raises(TypeError, match=r"jit of .*: Odd\.inner\.times was changed"):
        fxla.jit(lambda m, x: m(x))(Odd(), X)


def test_a_new_array_is_refused():
    class Odd(nn.Module):
        def __call__(self, x):
            self.last = x
            return x

    with pytest.raises(TypeError, match=r"Odd\.last was changed .*nn\.Buffer"):
        fxla.jit(lambda m, x: m(x))(Odd(), X)


def test_a_failing_call_updates_nothing():
    def fails(c, x):
        c(x)
        raise RuntimeError("no")

    counter = Counter()
    for transform in (fxla.jit, fxla.grad, fxla.checkpoint):
        with pytest.raises(RuntimeError):
            transform(fails)(counter, X)
    assert state(counter) == (0.0, 0)


def test_trees_without_modules_are_as_they_were():
    params = {"w": np.ones(2), "b": None}
    assert nn.parameters(params) is params
    gradient = fxla.grad(lambda p, x: (p["w"] * x).sum())(params, X)
    assert gradient["b"] is None and gradient["w"].tolist() == [6.0, 9.0]


@pytest.mark.parametrize("wrap", [fxla.custom_vjp, fxla.custom_jvp])
def test_a_function_with_its_own_derivative_may_not_update(wrap):
    f = wrap(loss)
    if wrap is fxla.custom_vjp:
        f.defvjp(lambda c, x: (loss(c, x), None), lambda _, ct: (None, ct * X))
    else:
        f.defjvp(lambda primals, tangents: (0.0, 0.0))
    with pytest.raises(TypeError, match=r"custom_(jvp|vjp) of loss: Counter\.total was assigned"):
        fxla.jit(f)(Counter(), X)


def test_compiled_updates_of_nested_arguments():
    both = {"a": Counter(), "b": [Counter(3.0), 1.0]}

    def step(both, *, other, n):
        both["a"](X)
        both["b"][0](2 * X)
        other(X[:1])
        return n

    compiled = fxla.jit(step)
    other = Counter()
    for k in range(1, 6):
        assert float(compiled(both, other=other, n=7.0)) == 7.0
        assert state(both["a"]) == (15.0 * k, k)
        assert state(both["b"][0]) == (30.0 * k, k)
        assert state(other) == (1.0 * k, k)


def test_compiled_updates_follow_the_object_and_the_types():
    step = fxla.jit(loss)
    one, other = Counter(), Counter()
    for k in range(1, 5):
        step(one, X)
        step(other, X[:1])
        assert (state(one), state(other)) == ((15.0 * k, k), (1.0 * k, k))
    with fxla.disable_jit():
        step(one, X)
    assert state(one) == (75.0, 5)
