"""Samples of the random bit generator; the oracle is Threefry-2x32 on Python integers.

Reference: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (2011). The known answers at
the end are those of the Random123 distribution, so that the oracle itself is tested.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.laws.sample import Sample

__all__ = ["KNOWN_ANSWERS", "SAMPLES", "threefry"]

_MASK = 0xFFFFFFFF
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))

KNOWN_ANSWERS = (
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((_MASK, _MASK), (_MASK, _MASK), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
)
"""(key, counter, result)."""


def threefry(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """Twenty rounds of Threefry-2x32."""
    schedule = (*key, key[0] ^ key[1] ^ 0x1BD11BDA)
    x, y = (counter[0] + schedule[0]) & _MASK, (counter[1] + schedule[1]) & _MASK
    for block in range(5):
        for turn in _ROTATIONS[block % 2]:
            x = (x + y) & _MASK
            y = ((y << turn | y >> (32 - turn)) & _MASK) ^ x
        x = (x + schedule[(block + 1) % 3]) & _MASK
        y = (y + schedule[(block + 2) % 3] + block + 1) & _MASK
    return x, y


def _bits(lead: tuple[int, ...], shape: tuple[int, ...], width: int, first: int = 0) -> Sample:
    def operands(rng: np.random.Generator) -> tuple[Any, ...]:
        key = rng.integers(0, 2**32, (*lead, 2), dtype=np.uint32)
        return key, rng.integers(first, first + 100, lead, dtype=np.uint64).astype(np.uint64)

    def oracle(key: Any, start: Any) -> Any:
        n = math.prod(shape)
        out = np.empty((*lead, n), f"u{width // 8}")
        for b in np.ndindex(*lead):
            for i in range(n):
                counter = (int(start[b]) + i) % 2**64
                high, low = threefry(
                    (int(key[b][0]), int(key[b][1])), (counter >> 32, counter & _MASK)
                )
                value = high << 32 | low if width == 64 else (high ^ low) % (1 << width)
                out[(*b, i)] = value
        return out.reshape((*lead, *shape))

    return Sample(
        f"{width}bits-{lead}-{shape}-from{first}".replace(" ", ""),
        operands,
        {"bit_width": width, "shape": shape},
        oracle,
    )


SAMPLES: dict[str, list[Sample]] = {
    "random_bits": [
        _bits((), (5,), 32),
        _bits((), (2, 3), 64),
        _bits((), (), 32),
        _bits((), (0,), 32),
        _bits((3,), (4,), 32),
        _bits((2,), (3,), 8),
        _bits((), (7,), 16),
        _bits((), (4,), 32, 2**32 - 50),
    ]
}
