"""The functions that numba's CPU and CUDA targets provide to `fxla.loops.python.functions`.

They are intrinsics: a type and a few LLVM instructions each. Both targets have the same machinery
under different module names, so the modules are parameters here and nothing imports numba.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import llvmlite.ir as ll

__all__ = ["half_functions", "target_functions"]


def target_functions(
    intrinsic: Any, types: Any, signature: Any, library: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """The functions of `fxla.loops.python.functions.TARGET_FUNCTIONS` as intrinsics.

    Args:
        intrinsic: the target's ``extending.intrinsic``.
        types: its ``types``.
        signature: makes a signature of a result and argument types.
        library: for a rounding that is no LLVM intrinsic there, the name of the target's function
            on doubles; with an f at the end it is the one on floats.
    """

    def bits(source: Any, target: Any, llvm_type: Any) -> Any:
        def convert(typing: Any, x: Any) -> Any:
            def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
                return builder.bitcast(args[0], llvm_type)

            return signature(target, source), emit

        return intrinsic(convert)

    def rounding(name: str) -> Any:
        def convert(typing: Any, x: Any) -> Any:
            if x not in (types.float32, types.float64):
                return None

            def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
                kind, module = args[0].type, builder.module
                if name not in library:
                    return builder.call(module.declare_intrinsic(f"llvm.{name}", [kind]), args)
                called = library[name] + ("f" if x == types.float32 else "")
                known = module.globals.get(called)
                f = known or ll.Function(module, ll.FunctionType(kind, [kind]), called)
                return builder.call(f, args)

            return signature(x, x), emit

        return intrinsic(convert)

    def remainder() -> Any:
        def apply(typing: Any, x: Any, y: Any) -> Any:
            if x != y or x not in (types.float32, types.float64):
                return None

            def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
                return builder.frem(*args)

            return signature(x, x, y), emit

        return intrinsic(apply)

    return {
        "float32_bits": bits(types.float32, types.uint32, ll.IntType(32)),
        "float32_from_bits": bits(types.uint32, types.float32, ll.FloatType()),
        "float64_bits": bits(types.float64, types.uint64, ll.IntType(64)),
        "float64_from_bits": bits(types.uint64, types.float64, ll.DoubleType()),
        **{name: rounding(name) for name in ("floor", "ceil", "trunc", "rint")},
        "fmod": remainder(),
        "scratch": _scratch(intrinsic, types, signature),
    }


def half_functions(intrinsic: Any, types: Any, signature: Any) -> dict[str, Any]:
    """The conversions of half floats as instructions, for a target that has them.

    They take the place of the prelude's functions of these names.
    """
    half, single = ll.HalfType(), ll.FloatType()
    i16, i32 = ll.IntType(16), ll.IntType(32)

    def float16_to_float32(typing: Any, n: Any) -> Any:
        def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return builder.fpext(builder.bitcast(args[0], half), single)

        return signature(types.float32, types.uint16), emit

    def float64_to_float16(typing: Any, x: Any) -> Any:
        def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return builder.bitcast(builder.fptrunc(args[0], half), i16)

        return signature(types.uint16, x), emit

    def bfloat16_to_float32(typing: Any, n: Any) -> Any:
        def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            upper = builder.shl(builder.zext(args[0], i32), i32(16))
            return builder.bitcast(upper, single)

        return signature(types.float32, types.uint16), emit

    def float32_to_bfloat16(typing: Any, x: Any) -> Any:
        def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            bits = builder.bitcast(args[0], i32)
            upper = builder.lshr(bits, i32(16))
            odd = builder.and_(upper, i32(1))
            rounded = builder.lshr(builder.add(bits, builder.add(odd, i32(0x7FFF))), i32(16))
            nan = builder.or_(builder.and_(upper, i32(0x8000)), i32(0x7FC0))
            is_nan = builder.fcmp_unordered("uno", args[0], args[0])
            return builder.trunc(builder.select(is_nan, nan, rounded), i16)

        return signature(types.uint16, types.float32), emit

    conversions = (float16_to_float32, float64_to_float16, bfloat16_to_float32, float32_to_bfloat16)
    return {f.__name__: intrinsic(f) for f in conversions}


def _scratch(intrinsic: Any, types: Any, signature: Any) -> Any:
    """An uninitialised array of a constant size on the stack, as a pointer."""

    def allocate(typing: Any, size: Any, dtype: Any) -> Any:
        if not isinstance(size, types.IntegerLiteral):
            return None
        count, element = size.literal_value, dtype.dtype

        def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            with builder.goto_entry_block():
                array = builder.alloca(context.get_data_type(element), count)
            return array

        return signature(types.CPointer(element), size, dtype), emit

    return intrinsic(allocate)
