"""The samples of every primitive, gathered from the families."""

from __future__ import annotations

import importlib
import pkgutil

import fxla
from fxla.core.primitive import Primitive, registered
from tests.laws.sample import Sample

__all__ = ["BROKEN", "SAMPLES", "cases"]


def import_everything() -> dict[str, Exception]:
    """Import every module of fxla, so that every primitive is registered.

    Returns:
        The modules that could not be imported, and why; a test asks that there are none, so that
        one broken module does not hide what the laws say of the others.
    """
    broken: dict[str, Exception] = {}
    for module in pkgutil.walk_packages(fxla.__path__, "fxla.", lambda name: None):
        try:
            importlib.import_module(module.name)
        except Exception as error:
            broken[module.name] = error
    return broken


BROKEN = import_everything()


def _gather() -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    package = importlib.import_module("tests.laws")
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        if module.startswith("samples_"):
            family = importlib.import_module(f"tests.laws.{module}")
            for name, samples in family.SAMPLES.items():
                found.setdefault(name, []).extend(samples)
    return found


SAMPLES: dict[str, list[Sample]] = _gather()


def cases(**wanted: bool) -> list[tuple[str, Primitive, Sample]]:
    """(test name, primitive, sample) of every sample whose named attributes are (un)set."""
    return [
        (f"{name}-{sample.label}", registered[name], sample)
        for name, samples in SAMPLES.items()
        for sample in samples
        if all(bool(getattr(sample, key)) == value for key, value in wanted.items())
    ]
