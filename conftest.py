"""What every test runs under: hypothesis profiles, a kernel cache of its own, visible skips."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# The same examples in every run of CI; new ones each time a person runs the tests.
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests marked `long`")
    parser.addoption(
        "--accept", action="store_true", help="rewrite the accepted text of expected-output tests"
    )


def pytest_configure(config: pytest.Config) -> None:
    # Set before fxla is imported, and inherited by xdist's workers and by subprocesses: the tests
    # read nothing that an earlier version compiled and leave nothing in the user's cache.
    if "FXLA_CACHE_DIR" not in os.environ:
        cache = tempfile.TemporaryDirectory(prefix="fxla-tests-")
        os.environ["FXLA_CACHE_DIR"] = cache.name
        config.add_cleanup(cache.cleanup)
    # Every transformation's result goes through the jaxpr type checker.
    os.environ.setdefault("FXLA_CHECK", "1")


def has_gpu() -> bool:
    return importlib.util.find_spec("cupy") is not None and Path("/dev/nvidia0").exists()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    skips = {
        "gpu": (not has_gpu(), "no CUDA device, or cupy is not installed"),
        "peers": (
            not os.environ.get("FXLA_PEERS_PYTHON"),
            "FXLA_PEERS_PYTHON names no interpreter",
        ),
        "long": (not config.getoption("--long"), "--long was not given"),
    }
    for item in items:
        for marker, (skip, reason) in skips.items():
            if skip and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Derived rules are made at once where most operations are met only once, in these tests."""
    from fxla.core.patience import Patience  # not before FXLA_CACHE_DIR is set

    if {"compositions", "control", "lax", "nn", "numpy"}.intersection(request.path.parts):
        monkeypatch.setattr(Patience, "scale", 0)


@pytest.fixture
def accepted(request: pytest.FixtureRequest) -> Iterator[Accepted]:
    """Compares text with the file of the test's name beside the test; see `Accepted`."""
    yield Accepted(request.path.parent / "accepted", request.config.getoption("--accept"))


class Accepted:
    """Text that a person has read and accepted, one file for each case."""

    def __init__(self, folder: Path, rewrite: bool) -> None:
        self.folder = folder
        self.rewrite = rewrite

    def check(self, name: str, text: str) -> None:
        path = self.folder / f"{name}.txt"
        text = text.rstrip() + "\n"
        if self.rewrite:
            self.folder.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path} does not exist: look at the text, then run with --accept"
        assert text == path.read_text(), f"differs from {path}: if it is right, run with --accept"
