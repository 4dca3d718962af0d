"""JAX's public names beside fxla's: how many are there, and why the others are not.

`tools/jax_names.txt` lists the public names of the JAX release that it names. fxla has the same
modules under its own name.
"""

from __future__ import annotations

import importlib
import operator
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["NAMES", "REASONS", "listed", "missing", "reason", "section"]

NAMES = Path(__file__).resolve().parent / "jax_names.txt"

_DEVICES = "of several devices or processes; fxla runs on one"
_NO_CONFIG = "a switch of JAX's configuration; fxla has no global switches"
_LOW_FLOATS = "a type of 8 bits and less, which no kernel of fxla's computes with"
_SCALED = "a product of types of 8 bits, which fxla has not"
_DUMPS = "a profile of XLA's run-time system; `perf` and the like show fxla's kernels by name"

REASONS: dict[str, str] = {
    r"jax\.export\..*": "ships StableHLO, a format of XLA; fxla's programs are kept by its cache",
    r"jax\.core\..*": "internals of JAX's tracer",
    r"jax\.profiler\..*": _DUMPS,
    r"jax\.debug\.(inspect|visualize).*": _DEVICES,
    r"jax\.debug\.(\w*Effect|log)": "internals of JAX's tracer",
    r"jax\.ops\..*": "in fxla.lax; fxla.ops is internal",
    r"jax\.numpy\.(float8|float4|float6|int[124]|uint[124]).*": _LOW_FLOATS,
    r"jax\.numpy\.(ComplexWarning|complex_|float_)": "gone from NumPy 2",
    r"jax\.nn\.(get_scaled_dot_general_config|scaled_.*)": _SCALED,
    r"jax\.lax\.(scaled_dot|ragged_dot_general|RaggedDotDimensionNumbers)": _SCALED,
    r"jax\.lax\.(DotAlgorithm\w*|AccuracyMode|Tolerance|RandomAlgorithm)": "an option of XLA's",
    r"jax\.lax\.rng_.*": "a generator of XLA's; fxla.random has the same bits as JAX's default",
    r"jax\.lax\.(\w*token|after_all|dce_sink|stage|composite)": "a marker for XLA's compiler",
    r"jax\.lax\.(ragged_all_to_all|pbroadcast|pcast|precv|psend|with_\w+)": _DEVICES,
    r"jax\.lax\.(platform_dependent|shape_as_value|broadcast_like|mulhi|dtype)": "not yet",
    r"jax\.lax\.\w*(DimensionNumbers|Like)": "an alias for type checkers",
    r"jax\.lax\.linalg\.\w*(Implementation|Algorithm)": "a choice among LAPACK's routines",
    r"jax\.lax\.linalg\.\w+": "not yet; fxla.scipy.linalg has schur, hessenberg and polar",
    r"jax\.stages\..*": "an argument's description, which fxla shows as text",
    r"jax\.tree\w*\.(default_registry|flatten_one_level\w*|is_tree_node)": "internals of trees",
    r"jax\.tree\w*\.(tree_)?(reduce_associative|static)": "not yet",
    r"jax\.random\.key_dtype": "keys are arrays of fxla's own",
    r"jax\.(NamedSharding|P|Shard|\w*mesh\w*|pmap|shard_map|smap|reshard|memory)": _DEVICES,
    r"jax\.(host_|process_|local_device|device_count|make_array|copy_to_host).*": _DEVICES,
    r"jax\.(auto_pcast|remove_).*": _DEVICES,
    r"jax\.(Ref|ds|\w+_ref|freeze)": "mutable references; fxla traces writes into NumPy's arrays",
    r"jax\.(ad|fwd_and_bwd|float0|jax2tf_.*|no_execution|no_tracing|ensure_.*)": "internals of JAX",
    r"jax\.(live_arrays|clear_caches|print_environment_info|named_\w+|effects_barrier)": "not yet",
    r"jax\.\w+": _NO_CONFIG,
}
"""Why names are absent: the first pattern that fits a name."""


def listed() -> Iterator[tuple[str, str]]:
    """Modules and names of JAX's, in order; not its primitives, which are internal in fxla."""
    for line in NAMES.read_text().splitlines():
        if line and not line.startswith("#"):
            module, _, name = line.partition("\t")
            if not name.endswith("_p"):
                yield module, name


def missing() -> dict[str, tuple[int, list[str]]]:
    """For each module of JAX's how many names it has, and those that fxla has not."""
    found: dict[str, tuple[int, list[str]]] = {}
    for module, name in listed():
        count, absent = found.get(module, (0, []))
        if not _has(module, name):
            absent = [*absent, name]
        found[module] = (count + 1, absent)
    return found


def _has(module: str, name: str) -> bool:
    """Whether fxla's module of the same name has a name; a distribution is an object there."""
    path = module.split(".")[1:]
    for k in range(len(path), -1, -1):
        try:
            found = importlib.import_module(".".join(["fxla", *path[:k]]))
        except ImportError:
            continue
        try:
            operator.attrgetter(".".join([*path[k:], name]))(found)
        except AttributeError:
            return False
        return True
    return False


def reason(module: str, name: str) -> str | None:
    """Why fxla has not a name of JAX's."""
    whole = f"{module}.{name}"
    return next((why for p, why in REASONS.items() if re.fullmatch(p, whole)), None)


def section() -> list[str]:
    """The lines of the page on JAX's names."""
    text = [
        "## Beside JAX",
        "",
        "The public names of JAX 0.10.2, module by module, without `jax.experimental`,",
        "`jax.extend` and JAX's primitives; below, those that fxla has not, with the reason.",
        "",
        "| module | names | in fxla | |",
        "|---|---:|---:|---:|",
    ]
    found = missing()
    total = here = 0
    for module, (count, absent) in found.items():
        total, here = total + count, here + count - len(absent)
        text.append(_row(module, count, count - len(absent)))
    text += [_row("all", total, here), ""]
    by_reason: dict[str, list[str]] = {}
    for module, (_, absent) in found.items():
        for name in absent:
            why = reason(module, name) or "no reason is stated"
            by_reason.setdefault(why, []).append(f"{module}.{name}".removeprefix("jax."))
    for why, names in by_reason.items():
        text.append(f"- {why}: {', '.join(names)}")
    return [*text, ""]


def _row(module: str, count: int, here: int) -> str:
    return f"| {module} | {count} | {here} | {100 * here / count:.0f} % |"
