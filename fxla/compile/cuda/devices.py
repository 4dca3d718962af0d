"""Where arrays live: the devices there are, and moving arrays between them."""

from __future__ import annotations

import importlib.util
from typing import Any

from fxla.compile.cuda.kernels import to_device, to_host
from fxla.compile.cuda.memory import cupy_module, simulated
from fxla.core.array import as_array
from fxla.core.pytree import tree_flatten, tree_map
from fxla.core.records import dataclass
from fxla.core.trace import Tracer, is_on_device

__all__ = ["Device", "block_until_ready", "device_get", "device_put", "devices"]


@dataclass(frozen=True, slots=True)
class Device:
    """A place for arrays.

    Attributes:
        platform: ``cpu`` or ``cuda``.
        id: the number of a CUDA device; 0 for the CPU.

    Example:
        >>> import fxla
        >>> str(fxla.Device("cuda", 1))
        'cuda:1'
    """

    platform: str
    id: int = 0

    def __str__(self) -> str:
        return f"{self.platform}:{self.id}"


def devices(platform: str | None = None) -> list[Device]:
    """The devices there are.

    Args:
        platform: ``"cpu"`` or ``"cuda"``; all if None. CUDA devices are found if CuPy is installed
            (``pip install "fxla[cuda]"``); numba's simulator counts as one.

    Raises:
        ValueError: if there is no such platform.

    Example:
        >>> import fxla
        >>> fxla.devices("cpu")
        [Device(platform='cpu', id=0)]
    """
    cpu = [Device("cpu")]
    if platform == "cpu":
        return cpu
    cuda = [Device("cuda", k) for k in range(_cuda_devices())]
    if platform in ("cuda", "gpu"):
        return cuda
    if platform is not None:
        raise ValueError(f"fxla.devices: platform {platform!r} is neither 'cpu' nor 'cuda'")
    return cpu + cuda


def device_put(x: Any, device: str | Device | None = None) -> Any:
    """Copy the arrays of a pytree to a device, unless they are there.

    Args:
        x: a pytree of arrays and numbers.
        device: ``"cpu"``, ``"cuda"`` (the current CUDA device), ``"cuda:1"``, or a `Device`. None
            makes arrays of numbers and leaves arrays where they are.

    Returns:
        The same tree. On CUDA its leaves are CuPy arrays, and functions under `fxla.jit` run where
        their arguments are.

    Raises:
        MissingExtraError: if CuPy is needed and not installed.
        ValueError: if there is no such device.

    Example:
        >>> import fxla
        >>> fxla.device_put({"w": 1.5}, "cpu")
        {'w': Array(1.5)}
    """
    if device is None:
        return tree_map(lambda leaf: leaf if is_on_device(leaf) else as_array(leaf), x)
    platform, number = _parse(device)
    if platform == "cpu":
        return tree_map(_to_cpu, x)
    if simulated():
        return tree_map(_to_current, x)
    cupy = cupy_module()
    with cupy.cuda.Device(*(() if number is None else (number,))):
        return tree_map(_to_current, x)


def device_get(x: Any) -> Any:
    """Copy the arrays of a pytree to the host's memory, unless they are there.

    Args:
        x: a pytree of arrays of any device.

    Example:
        >>> import fxla
        >>> fxla.device_get([fxla.device_put(2.0)])
        [Array(2.)]
    """
    return tree_map(_to_cpu, x)


def block_until_ready(x: Any) -> Any:
    """Wait until the arrays of a pytree are computed, as before reading a clock.

    On the CPU a result is ready when a call returns; on CUDA calls return earlier.

    Args:
        x: a pytree of arrays.

    Returns:
        `x` itself.

    Example:
        >>> import fxla
        >>> fxla.block_until_ready({"w": 1.5})
        {'w': 1.5}
    """
    for leaf in tree_flatten(x)[0]:
        if is_on_device(leaf) and not simulated():
            leaf.device.synchronize()
    return x


def _to_cpu(leaf: Any) -> Any:
    return as_array(to_host(leaf) if is_on_device(leaf) else leaf)


def _to_current(leaf: Any) -> Any:
    return leaf if isinstance(leaf, Tracer) else to_device(leaf)


def _parse(device: str | Device) -> tuple[str, int | None]:
    """The platform, and the number if one is given."""
    platform, _, number = str(device).partition(":")
    platform = "cuda" if platform == "gpu" else platform
    if platform not in ("cpu", "cuda") or not (number.isdecimal() or not number):
        raise ValueError(
            f"fxla.device_put: there is no device {str(device)!r}. Write 'cpu', 'cuda' or 'cuda:1'."
        )
    if platform == "cuda" and not simulated():
        cupy_module()
        found = _cuda_devices()
        if int(number or 0) >= found:
            raise ValueError(
                f"fxla.device_put: there is no device {str(device)!r}. CUDA's driver shows {found} "
                "of them; `fxla.devices()` lists all there are."
            )
    return platform, int(number) if number else None


def _cuda_devices() -> int:
    if simulated():
        return 1
    if importlib.util.find_spec("cupy") is None:
        return 0
    runtime = cupy_module().cuda.runtime
    try:
        return int(runtime.getDeviceCount())
    except runtime.CUDARuntimeError:  # no driver, or no device
        return 0
