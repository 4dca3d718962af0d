"""JAX's own manners: dtypes, immutability, keys, paths."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import scipy.ndimage
import scipy.special
from jax import lax


def case_precision_is_single():
    for x in (jnp.ones(3), jnp.asarray(np.ones(3)), jnp.array([1.5]), jnp.linspace(0, 1, 3),
              jax.random.normal(jax.random.PRNGKey(0), (3,)), jax.nn.softmax(jnp.arange(3.0)),
              jax.grad(jnp.sin)(1.0), jax.jit(lambda x: x * 2)(np.ones(2)),
              jnp.arange(3) / 2, jnp.mean(jnp.arange(3))):  # fmt: skip
        assert x.dtype == jnp.float32, x.dtype
    for x in (jnp.arange(3), jnp.array([1, 2]), jnp.sum(jnp.arange(3)), jnp.argmax(jnp.ones(3))):
        assert x.dtype == jnp.int32, x.dtype
    assert (jnp.ones(2) + 1j).dtype == jnp.complex64
    assert jax.dtypes.canonicalize_dtype(float) == np.float32


def case_double_precision_is_asked_for():
    with jax.enable_x64():
        assert jnp.ones(3).dtype == np.float64
        assert jax.config.jax_enable_x64
    assert jnp.ones(3).dtype == np.float32
    jax.config.update("jax_enable_x64", True)
    try:
        assert jnp.ones(3).dtype == np.float64
        assert jnp.arange(3).dtype == np.int64
        there = []
        thread = threading.Thread(target=lambda: there.append(jnp.ones(3).dtype))
        thread.start()
        thread.join()
        assert there == [np.float64]
    finally:
        jax.config.update("jax_enable_x64", False)
    assert not jax.config.jax_enable_x64


def case_sums_in_place_bind_new_arrays():
    x = jnp.ones(3)
    y = x
    y += 1
    assert x.tolist() == [1, 1, 1] and y.tolist() == [2, 2, 2]

    @jax.jit
    def f(x):
        y = x
        y *= jnp.ones((2, 3))
        return x, y

    x, y = f(x)
    assert x.shape == (3,) and y.shape == (2, 3)


def case_operators_stay_those_of_jax_when_they_are_called_often():
    from fxla.compile.calls.eager import quicken

    quicken()  # as it happens by itself after some hundred calls
    for _ in range(3):
        assert (jnp.arange(3) / 2).dtype == jnp.float32
        assert (jnp.asarray(3) - 1).tolist() == 2
        assert (2 - jnp.asarray(3)).tolist() == -1
        assert (jnp.ones(3) @ jnp.ones(3)).tolist() == 3


def case_masks_of_none():
    x = jnp.arange(6.0).reshape(2, 3)
    for f in (lambda x: x.sum(axis=0, where=None), lambda x: jnp.sum(x, axis=0, where=None)):
        assert f(x).tolist() == [3, 5, 7]
        assert jax.jit(f)(x).tolist() == [3, 5, 7]


def case_arrays_are_arrays():
    assert isinstance(jnp.ones(2), jax.Array) and isinstance(jnp.ones(2), jnp.ndarray)
    assert not isinstance(np.ones(2), jax.Array) and not isinstance(1.0, jax.Array)
    seen = []
    jax.jit(lambda x: seen.append((isinstance(x, jax.Array), isinstance(x, jax.core.Tracer))))(1.0)
    assert seen == [(True, True)]
    assert jnp.ones(2).at[0].set(5.0).tolist() == [5, 1]
    assert jax.typeof(jnp.ones(2)).shape == (2,)


def case_several_results_are_lists():
    x = jnp.ones(3)
    several = (jnp.meshgrid(x, x), jnp.broadcast_arrays(x, 1.0), jnp.gradient(jnp.ones((3, 3))),
               jnp.atleast_1d(x, 1.0), jnp.atleast_2d(x, 1.0), jnp.atleast_3d(x, 1.0))  # fmt: skip
    for found in several:
        assert type(found) is list and len(found) == 2
    assert jnp.gradient(x).shape == jnp.atleast_1d(x).shape == (3,)
    assert jnp.meshgrid(x, x)[0].dtype == jnp.float32


def case_control_flow_keeps_dtypes():
    def body(c):
        i, x = c
        return i + 1, x * 0.5 + np.float64(1.0)

    _, x = lax.while_loop(lambda c: c[0] < 3, body, (0, jnp.zeros(2)))
    assert x.dtype == jnp.float32 and x.tolist() == [1.75, 1.75]
    total, steps = lax.scan(lambda c, x: (c + x, c * np.float64(2)), jnp.float32(0), jnp.arange(4))
    assert total == 6 and steps.dtype == jnp.float32
    assert lax.fori_loop(0, 4, lambda i, c: c + i, jnp.float32(0)).dtype == jnp.float32
    picked = lax.cond(True, lambda x: x, lambda x: x * np.float64(2), jnp.ones(2))
    assert picked.dtype == jnp.float32
    assert lax.cond(False, lambda _: 1, lambda _: 2, operand=None) == 2


def case_keys():
    old = jax.random.PRNGKey(7)
    assert old.shape == (2,) and old.dtype == np.uint32
    assert (jax.random.key(old) == old).all()
    a, b = jax.random.split(old)
    assert (a != b).any()
    assert jax.random.uniform(a, (4,)).dtype == jnp.float32
    # The same bits as JAX's: jax.random.bits(jax.random.PRNGKey(0), (2,))
    assert jax.random.bits(jax.random.PRNGKey(0), (2,)).dtype == np.uint32


def case_paths():
    tree = {"a": [1, 2], "b": (3,)}
    pairs, _ = jax.tree_util.tree_flatten_with_path(tree)
    key, place = pairs[1][0]
    assert isinstance(key, jax.tree_util.DictKey) and key.key == "a"
    assert isinstance(place, jax.tree_util.SequenceKey) and place.idx == 1
    assert jax.tree_util.keystr(pairs[1][0]) == "['a'][1]"
    named = jax.tree_util.tree_map_with_path(lambda p, x: jax.tree_util.keystr(p), tree)
    assert named == {"a": ["['a'][0]", "['a'][1]"], "b": ("['b'][0]",)}
    assert jax.tree.reduce(lambda a, b: a + b, tree, 0) == 6


def case_derivatives():
    @jax.custom_vjp
    def f(x):
        return jnp.sin(x)

    f.defvjp(lambda x: (f(x), x), lambda x, g: (3 * g,))
    assert jax.grad(f)(0.0) == 3
    assert jax.hessian(lambda x: (x**3).sum())(jnp.ones(2)).tolist() == [[6, 0], [0, 6]]
    assert jax.vmap(jax.grad(lambda x, y: x * y), in_axes=(0, None))(jnp.ones(3), 2.0).tolist() == [
        2, 2, 2
    ]  # fmt: skip
    _, pull = jax.vjp(jnp.sin, 0.0)
    assert pull(jnp.float32(2.0))[0] == 2
    assert jax.jvp(jnp.sin, (0.0,), (1.0,))[1] == 1
    assert jax.jacfwd(lambda x: x**2)(jnp.ones(2)).tolist() == [[2, 0], [0, 2]]

    @jax.jit(static_argnums=1)
    def g(x, n):
        return x * n

    assert g(2.0, 3) == 6 and g.lower(2.0, 3) is not None


def case_collectives():
    x = jnp.arange(9.0).reshape(3, 3)
    swapped = jax.vmap(lambda r: lax.pswapaxes(r, "i", 0), axis_name="i")(x)
    assert (swapped == x.T).all()
    total = jax.vmap(lambda r: lax.psum(r, "i"), axis_name="i")(x)
    assert (total == x.sum(0)).all()


def case_callbacks():
    shape = jax.ShapeDtypeStruct((3,), np.float64)

    @jax.jit
    def f(x):
        return jax.pure_callback(lambda x: np.asarray(x) ** 2, shape, x) + 1

    out = f(jnp.arange(3.0))
    assert out.tolist() == [1, 2, 5] and out.dtype == jnp.float32
    seen = []
    jax.jit(lambda x: jax.experimental.io_callback(lambda v: seen.append(float(v)), None, x))(2.0)
    assert seen == [2.0]
    value = jax.experimental.io_callback(lambda v: v + 1, jax.ShapeDtypeStruct((), float), 2.0)
    assert value == 3


def case_scipy():
    import jax.scipy.stats.norm as norm
    from jax.scipy.special import logsumexp

    x = jnp.array([0.5, 1.0])
    np.testing.assert_allclose(logsumexp(x), scipy.special.logsumexp(x), rtol=1e-6)
    np.testing.assert_allclose(norm.logpdf(0.0), -0.9189385, rtol=1e-6)
    assert jax.scipy.linalg.cho_factor(jnp.eye(2))[0].dtype == jnp.float32


def case_the_order_of_an_interpolation_is_the_third_argument():
    image, at = np.random.default_rng(0).random((5, 6)), np.random.default_rng(1).random((2, 9)) * 6
    for order in (0, 1):
        got = jax.scipy.ndimage.map_coordinates(image, list(at), order, "nearest")
        want = scipy.ndimage.map_coordinates(image, at, order=order, mode="nearest")
        np.testing.assert_allclose(got, want, rtol=1e-5)


def case_what_is_missing_says_so():
    for make, said in (
        (lambda: jax.made_up, "does not have it"),
        (lambda: jax.extend.core.Primitive("mine").bind(1.0), "no implementation"),
        (lambda: jax.config.update("jax_made_up", 1), "knows no setting"),
    ):
        try:
            make()
        except (NotImplementedError, AttributeError) as error:
            assert said in str(error), error
        else:
            raise AssertionError(said)
