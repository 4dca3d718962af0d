"""Programs on CUDA: PTX of their kernels, all instructions in the simulator, and on a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax, random
from fxla.compile.cuda.memory import SimulatedArray, device_memory, simulated
from fxla.compile.cuda.program import CudaExecutable, compile_jaxpr_for_cuda
from fxla.compile.program import Gemm, HostCall, walk_instructions
from fxla.core.trace import is_on_device
from fxla.tree import leaves
from tests.compile.cuda.programs import PROGRAMS, CudaProgram

CHECKS: dict[str, Callable[[], None]] = {}


def check(f: Callable[[], None]) -> Callable[[], None]:
    """Decorator: something to check on a device, simulated or not."""
    CHECKS[f.__name__] = f
    return f


def put(x):
    return fxla.device_put(x, "cuda")


def assert_same(actual, expected):
    got, want = leaves(actual), leaves(expected)
    assert len(got) == len(want)
    for a, e in zip(got, want, strict=True):
        assert is_on_device(a), f"the result is a {type(a).__name__}"
        a, e = np.asarray(fxla.device_get(a)), np.asarray(e)
        assert (a.dtype, a.shape) == (e.dtype, e.shape)
        if e.dtype.kind not in "fc":
            np.testing.assert_array_equal(a, e)
            continue
        tolerance = 64 * np.finfo(e.dtype).eps
        near_zero = tolerance * (1 + np.abs(e).max(initial=0))
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=near_zero)


def run_program(p: CudaProgram) -> None:
    assert_same(fxla.jit(p.f)(*put(list(p.args))), p.meaning(*p.args))


def executable(p: CudaProgram) -> CudaExecutable:
    return compile_jaxpr_for_cuda(fxla.make_jaxpr(p.f)(*p.args).jaxpr)


# ------------------------------------------------------------------ without a device


@pytest.mark.cudasim
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_kernel_compiles_to_ptx(name):
    for kernel in executable(PROGRAMS[name]).kernels:
        for cc, target in (((8, 0), "sm_80"), ((9, 0), "sm_90")):
            text = kernel.ptx(cc)
            assert f".target {target}" in text
            assert ".extern" not in text


@pytest.mark.parametrize("name", ["matmul", "conv", "gradients_of_products", "mlp_gradient"])
def test_products_are_generated_loops(name):
    instructions = list(walk_instructions(executable(PROGRAMS[name]).program.body))
    assert not any(isinstance(i, (Gemm, HostCall)) for i in instructions)


def test_a_sort_is_left_to_the_host():
    program = executable(PROGRAMS["sort_and_cumsum"]).program
    calls = [i.name for i in walk_instructions(program.body) if isinstance(i, HostCall)]
    assert calls == ["sort", "sort"]


@pytest.mark.cudasim
def test_everything_runs_in_the_simulator():
    code = "from tests.compile.cuda.test_program import simulate; simulate()"
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    assert result.stdout == f"{len(PROGRAMS)} programs, {len(CHECKS)} checks\n", result.stdout


def simulate() -> None:
    """Run in a process where numba.cuda is the simulator; prints what fails."""
    assert simulated()
    for name, p in PROGRAMS.items():
        _report(name, lambda p=p: run_program(p))
    for name, run in CHECKS.items():
        _report(name, run)
    print(f"{len(PROGRAMS)} programs, {len(CHECKS)} checks")


def _report(name: str, run: Callable[[], None]) -> None:
    try:
        run()
    except Exception:
        print(f"{name}:\n{traceback.format_exc(limit=-4)}")


# ------------------------------------------------------------------ on a device, simulated or not


@check
def a_program_is_compiled_once_for_each_place():
    calls = []
    f = fxla.jit(lambda x: calls.append(1) or x * 2)
    x = np.arange(3.0)
    for _ in range(2):
        assert isinstance(f(x), fxla.Array)
        assert_same(f(put(x)), x * 2)
    assert len(calls) == 2


@check
def arguments_of_the_host_follow_those_of_the_device():
    x = np.arange(12.0).reshape(3, 4)
    f = fxla.jit(lambda x, y, s: x @ y + s)
    assert_same(f(put(x), x.T, 2.0), x @ x.T + 2)
    assert_same(f(x, put(x.T), np.float32(2)), x @ x.T + 2)
    assert_same(fxla.jit(lambda x, y: x + y)(put(x), np.asfortranarray(x)), x + x)


@check
def a_closed_over_array_decides_too():
    x = np.arange(3.0)
    on_device = put(x)
    assert_same(fxla.jit(lambda y: lax.add(y, on_device))(x), x + x)


@check
def a_result_is_no_argument():
    x = put(np.arange(3.0))
    (y,) = fxla.jit(lambda x: [x])(x)
    memory = device_memory()
    assert memory.address(y) != memory.address(x)


@check
def jitted_functions_nest():
    inner = fxla.jit(lambda x: fnp.sin(x) * 2)
    x = np.linspace(0, 1, 12)
    f = fxla.jit(lambda x: lax.scan(lambda c, v: (c + inner(v), inner(c)), 0.0, x)[1])
    assert_same(f(put(x)), f(x))
    assert_same(fxla.vmap(inner)(put(x)), inner(x))
    assert_same(fxla.jit(fxla.hessian(lambda x: inner(x).sum()))(put(x)), np.diag(-2 * np.sin(x)))


@check
def one_operation_at_a_time():
    x = np.arange(6.0).reshape(2, 3)
    assert_same(lax.add(put(x), put(x)), x + x)
    assert_same(lax.add(put(x), x), x + x)
    assert_same(lax.mul(put(x), 3.0), x * 3)
    assert_same(lax.cumsum(put(x), 1), np.cumsum(x, 1))
    carry, ys = lax.scan(lambda c, v: (c + v, c), put(x[0]), put(x))
    assert_same([carry, ys], [x[0] + x.sum(0), np.stack([x[0], 2 * x[0]])])
    negative_zero = fxla.device_get(lax.mul(put(np.float64(1)), -0.0))
    assert np.signbit(negative_zero)
    assert not np.signbit(fxla.device_get(lax.mul(put(np.float64(1)), 0.0)))


@check
def derivatives_without_jit():
    x = np.linspace(-1, 1, 5)

    def loss(x):
        return fnp.sum(fnp.tanh(x @ x * x))

    assert_same(fxla.grad(loss)(put(x)), fxla.grad(loss)(x))
    value, slope = fxla.jvp(fnp.sin, (put(x),), (put(x),))
    assert_same([value, slope], [np.sin(x), np.cos(x) * x])
    assert_same(fxla.jacfwd(lambda x: x[:2] * x[1])(put(x)), fxla.jacfwd(lambda x: x[:2] * x[1])(x))


@check
def random_bits_are_the_cpus():
    key = random.key(3)
    on_device = put(random.key_data(key))
    f = fxla.jit(lambda data: random.bits(random.wrap_key_data(data), (9,)))
    assert_same(f(on_device), f(random.key_data(key)))


@check
def an_error_of_the_host_arrives():
    f = fxla.jit(lambda a: fnp.linalg.cholesky(a) + 1)
    good = np.eye(3) * 4
    expected = f(good)
    try:
        f(-good)
    except Exception as error:
        kind = type(error)
    else:
        kind = None
    if kind is not None:
        with pytest.raises(kind):
            f(put(-good))
    assert_same(f(put(good)), expected)


@check
def arrays_move_there_and_back():
    tree = {"a": np.arange(3, dtype="f4"), "b": [2.5, np.True_]}
    there = put(tree)
    assert all(is_on_device(x) for x in leaves(there))
    assert put(there)["a"] is there["a"]
    back = fxla.device_get(there)
    assert all(isinstance(x, fxla.Array) for x in leaves(back))
    np.testing.assert_array_equal(back["a"], tree["a"])
    assert back["a"].dtype == np.float32 and back["b"][0] == 2.5 and back["b"][1]
    assert fxla.device_put(there, "cpu")["a"].tolist() == [0, 1, 2]
    assert fxla.device_put(there)["a"] is there["a"]
    assert [d.platform for d in fxla.devices()][:2] == ["cpu", "cuda"]
    assert fxla.devices("cuda")[0] == fxla.Device("cuda", 0)
    assert is_on_device(fxla.device_put(1.0, fxla.devices("cuda")[0]))


@check
def threads_do_not_meet():
    from concurrent.futures import ThreadPoolExecutor

    f = fxla.jit(lambda x: lax.scan(lambda c, v: (fnp.sort(c + v), c), x[0] * 0, x)[0])
    xs = [np.random.default_rng(k).standard_normal((6, 4)) for k in range(4)]
    for x in xs[:1]:
        f(put(x))
    if simulated():  # the simulator itself runs one kernel at a time
        return
    with ThreadPoolExecutor(4) as pool:
        for x, y in zip(xs, pool.map(lambda x: f(put(x)), xs), strict=True):
            assert_same(y, f(x))


@pytest.mark.gpu
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_its_meaning(name):
    run_program(PROGRAMS[name])


@pytest.mark.gpu
@pytest.mark.parametrize("name", CHECKS)
def test_on_a_device(name):
    CHECKS[name]()


@pytest.mark.gpu
def test_an_array_in_another_order_is_copied():
    x = np.arange(12.0).reshape(3, 4)
    f = fxla.jit(lambda x: x * 2 + 1)
    assert_same(f(put(x).T), x.T * 2 + 1)
    assert_same(f(put(x)[:, ::2]), x[:, ::2] * 2 + 1)


@pytest.mark.gpu
def test_large_arrays_use_the_grid():
    x = np.random.default_rng(0).standard_normal((1000, 777)).astype(np.float32)
    f = fxla.jit(lambda x: (fnp.tanh(x) + x.T[:777].sum(), fnp.exp(x).sum(1), x.sum(0), x @ x.T))
    assert_same(f(put(x))[1:3], [np.exp(x).sum(1), x.sum(0)])


def test_an_array_of_the_simulator_is_no_numpy_array():
    x = SimulatedArray(np.arange(3.0))
    with pytest.raises(TypeError, match=r"fxla\.device_get"):
        fnp.sin(x)
    assert len(x) == 3 and x.ndim == 1 and x.size == 3
    assert repr(x) == "SimulatedArray(array([0., 1., 2.]))"
