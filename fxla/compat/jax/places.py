"""Where arrays are, said honestly: one process, one device, nothing is sharded."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator
from typing import Any

import numpy as np

from fxla.compile.cuda.devices import Device, device_put, devices

__all__ = ["device_names", "sharding_names"]


class PartitionSpec(tuple[Any, ...]):
    """Which axes of a mesh an array's axes are divided among."""

    def __new__(cls, *partitions: Any) -> PartitionSpec:
        """The names of the mesh's axes, one for each axis of an array."""
        return super().__new__(cls, partitions)


class AxisType(enum.Enum):
    """Who decides on sharding along an axis of a mesh."""

    Auto = enum.auto()
    Explicit = enum.auto()
    Manual = enum.auto()


class Mesh:
    """Devices in an array with named axes; all of them are the same one here."""

    def __init__(self, devices: Any = (), axis_names: Any = (), **_: Any) -> None:
        self.devices = np.asarray(devices)
        self.axis_names = tuple(axis_names) if not isinstance(axis_names, str) else (axis_names,)
        self.empty = not self.axis_names
        self.are_all_axes_explicit = False
        self.shape = dict(zip(self.axis_names, self.devices.shape, strict=False))

    def __enter__(self) -> Mesh:
        return self

    def __exit__(self, *_: Any) -> None:
        pass


class Sharding:
    """How an array is divided among devices: not at all."""

    mesh = Mesh()
    memory_kind = None
    spec = PartitionSpec()
    is_fully_replicated = True
    is_fully_addressable = True

    @property
    def device_set(self) -> set[Device]:
        """The devices that have a part of it."""
        return set(devices()[:1])


class SingleDeviceSharding(Sharding):
    """All of an array on one device."""

    def __init__(self, device: Any = None, **_: Any) -> None:
        self.device = device


class NamedSharding(Sharding):
    """An array divided among a mesh, whose devices are all the same one here."""

    def __init__(self, mesh: Any, spec: Any, **_: Any) -> None:
        self.mesh, self.spec = mesh, spec


class PmapSharding(Sharding):
    """An array divided by `pmap`, which there is none of here."""


def with_sharding_constraint(x: Any, shardings: Any) -> Any:
    """`x`: there is one device."""
    return x


def _device_put(x: Any, device: Any = None, **_: Any) -> Any:
    return x if isinstance(device, Sharding) else device_put(x, device)


@contextlib.contextmanager
def _nothing(*_: Any, **__: Any) -> Iterator[None]:
    yield


def device_names() -> dict[str, Any]:
    """Names of ``jax`` about devices."""
    return {
        "Device": Device,
        "NamedSharding": NamedSharding,
        "P": PartitionSpec,
        "default_backend": lambda: "cpu",
        "default_device": _nothing,
        "device_count": lambda backend=None: 1,
        "device_put": _device_put,
        "devices": devices,
        "local_device_count": lambda backend=None: 1,
        "local_devices": devices,
        "process_count": lambda backend=None: 1,
        "process_index": lambda backend=None: 0,
        "set_mesh": _nothing,
    }


def sharding_names() -> dict[str, Any]:
    """The names of ``jax.sharding``."""
    return {
        "AbstractMesh": Mesh,
        "AxisType": AxisType,
        "Mesh": Mesh,
        "NamedSharding": NamedSharding,
        "PartitionSpec": PartitionSpec,
        "PmapSharding": PmapSharding,
        "Sharding": Sharding,
        "SingleDeviceSharding": SingleDeviceSharding,
        "get_abstract_mesh": Mesh,
    }
