"""JAX's names that fxla does not have, each with the reason and what to write instead."""

from __future__ import annotations

import re

__all__ = ["ABSENT", "no_attribute", "reason"]

_DEVICES = "it is about several devices or processes, and fxla runs on one: leave it out"
_CONFIG = (
    "fxla has no global switches: float64 is the default dtype, `fxla.default_dtype` sets another "
    "in a scope, and `fxla.compat.jax.install()` runs code written for JAX with its switches"
)
_REFERENCES = "functions may write into NumPy's arrays: write `x[i] = v`"
_LOW_FLOATS = "no kernel of fxla's computes with types of 8 bits or less"
_SCALED = "it multiplies types of 8 bits, which fxla has not"
_EXPORT = "StableHLO is a format of XLA: fxla keeps programs in its cache on disk"
_PROFILE = "it profiles XLA: `perf` and the like show fxla's kernels by name"
_NAMES = "equations know the lines of the program that made them: leave it out"
_INTERNAL = "it is internal to JAX"
_TRACER = "it is internal to JAX's tracer"

ABSENT: dict[str, str] = {
    r"jax\.export(\..*)?": _EXPORT,
    r"jax\.core\..*": _TRACER,
    r"jax\.profiler(\..*)?": _PROFILE,
    r"jax\.(sharding|distributed)(\..*)?": _DEVICES,
    r"jax\.experimental": "code written for JAX finds it after `fxla.compat.jax.install()`",
    r"jax\.debug\.(inspect|visualize).*": _DEVICES,
    r"jax\.debug\.(\w*Effect|log)": _TRACER,
    r"jax\.numpy\.(float8|float4|float6|int[124]|uint[124]).*": _LOW_FLOATS,
    r"jax\.numpy\.(ComplexWarning|complex_|float_)": "it is gone from NumPy 2",
    r"jax\.nn\.(get_scaled_dot_general_config|scaled_.*)": _SCALED,
    r"jax\.lax\.(scaled_dot|ragged_dot_general|RaggedDotDimensionNumbers)": _SCALED,
    r"jax\.lax\.(DotAlgorithm\w*|AccuracyMode|Tolerance|RandomAlgorithm)": "it is an option of XLA",
    r"jax\.lax\.rng_.*": "`fxla.random` has the bits of JAX's default generator",
    r"jax\.lax\.(\w*token|after_all|dce_sink|stage|composite)": "it marks programs for XLA",
    r"jax\.lax\.(ragged_all_to_all|pbroadcast|pcast|precv|psend|with_\w+)": _DEVICES,
    r"jax\.lax\.platform_dependent": "programs are the same on all devices: call the function",
    r"jax\.lax\.shape_as_value": "write `x.shape`",
    r"jax\.lax\.broadcast_like": "write `np.broadcast_to(x, like.shape)`",
    r"jax\.lax\.mulhi": "it is not there yet: write a product of wider integers, and shift it",
    r"jax\.lax\.dtype": "write `np.result_type(x)`",
    r"jax\.lax\.\w*(DimensionNumbers|Like)": "it is an alias for type checkers",
    r"jax\.lax\.linalg\.\w*(Implementation|Algorithm)": "it is a choice among LAPACK's routines",
    r"jax\.lax\.linalg\.\w+": "not yet; `fxla.scipy.linalg` has `schur`, `hessenberg` and `polar`",
    r"jax\.stages\..*": "it describes an argument, which fxla shows as text",
    r"jax\.tree\w*\.(default_registry|flatten_one_level\w*|is_tree_node)": _INTERNAL,
    r"jax\.tree\w*\.(tree_)?reduce_associative": "write `tree.reduce`",
    r"jax\.tree\w*\.static": "write `dataclasses.field(metadata={'static': True})`",
    r"jax\.random\.key_dtype": "keys are arrays of fxla's own",
    r"jax\.(NamedSharding|P|Shard|\w*mesh\w*|shard_map|smap|reshard|memory)": _DEVICES,
    r"jax\.pmap": "fxla runs on one device: write `fxla.vmap`",
    r"jax\.(local_devices|device_count|local_device_count)": "write `fxla.devices()`",
    r"jax\.(host_|process_|make_array|copy_to_host).*": _DEVICES,
    r"jax\.(auto_pcast|remove_).*": _DEVICES,
    r"jax\.(Ref|ds|\w+_ref|freeze)": _REFERENCES,
    r"jax\.(ad|fwd_and_bwd|float0|jax2tf_.*|no_execution|no_tracing|ensure_.*)": _INTERNAL,
    r"jax\.named_\w+": _NAMES,
    r"jax\.clear_caches": "a compiled function has `clear_cache`, and its programs go when it does",
    r"jax\.live_arrays": "arrays are NumPy's: ask `gc` for them",
    r"jax\.effects_barrier": "effects have happened when a call returns: leave it out",
    r"jax\.print_environment_info": "call `numpy.show_config()`",
    r"jax\.debug_(nans|infs)": "`fxla.train` has a guard; " + _CONFIG,
    r"jax\.(config|default_\w+|enable_\w+|numpy_\w+|\w*checking_leaks|check_tracer_leaks)": _CONFIG,
    r"jax\.(allow_\w+|array_garbage_\w+|debug_\w+|explain_\w+|legacy_\w+|log_\w+)": _CONFIG,
    r"jax\.(make_user_context|softmax_custom_jvp|thread_guard|threefry_\w+)": _CONFIG,
    r"jax\.transfer_guard\w*": _CONFIG,
}
"""Pattern -> reason: the first that fits a whole name. A test holds that every public name of JAX
that fxla does not have is here."""


def reason(module: str, name: str) -> str | None:
    """Why fxla has not a name of JAX's.

    Example:
        >>> reason("jax.lax", "shape_as_value")
        'write `x.shape`'
    """
    whole = f"{module}.{name}"
    return next((why for p, why in ABSENT.items() if re.fullmatch(p, whole)), None)


def no_attribute(package: str, name: str) -> AttributeError:
    """The error for a name that a public package does not have, with the reason if JAX has it.

    Example:
        >>> str(no_attribute("fxla.lax", "shape_as_value"))
        "module 'fxla.lax' has no attribute 'shape_as_value': write `x.shape`"
    """
    why = reason(package.replace("fxla", "jax", 1), name)
    because = f": {why}" if why else ""
    return AttributeError(f"module {package!r} has no attribute {name!r}{because}")
