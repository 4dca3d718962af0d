"""What the native printer must know of a machine: vector width, masks, and a few instructions."""

from __future__ import annotations

from fxla.core.records import dataclass

__all__ = ["AVX2", "AVX512", "BASELINE", "NEON", "Isa"]


@dataclass(frozen=True, slots=True)
class Isa:
    """An instruction set, as far as generated code depends on it.

    Attributes:
        name: for people.
        vector_bytes: width of a vector register.
        masked: element sizes in bytes that masked loads and stores serve in one instruction.
            Loops over other elements end in a scalar remainder.
        ldexp: there is a vector instruction for ``x * 2**n`` over the full range of n.
        half: the hardware converts float16 to float32 and back; elsewhere integers do.
        fma: a product and a sum are rounded once, by one instruction.
        cpu: LLVM's name of the processor to generate for.
        features: LLVM's feature string.
    """

    name: str
    vector_bytes: int
    masked: frozenset[int]
    ldexp: bool
    half: bool
    fma: bool
    cpu: str = ""
    features: str = ""


AVX512 = Isa("avx512", 64, frozenset({1, 2, 4, 8}), True, True, True, "x86-64-v4", "")
"""x86-64-v4: the F, BW, CD, DQ and VL parts of AVX-512."""

AVX2 = Isa("avx2", 32, frozenset({4, 8}), False, True, True, "x86-64-v3", "")
"""x86-64-v3: AVX2, FMA and F16C."""

BASELINE = Isa("baseline", 16, frozenset(), False, False, False)
"""128-bit vectors without masks: SSE2, or NEON where it has no `cpu`."""

NEON = Isa("baseline", 16, frozenset(), False, True, True, "generic", "+neon")
"""Any aarch64."""
