"""Programs for sizes that were not seen before, without building them.

Programs of one outline (`fxla.compile.outline`) are a *family*. When a third one comes, it is built
with a `Size` in place of every number that differed, which gives a *template*: guards, which say
for what numbers it holds, and an image whose numbers are functions of them. Later programs of the
family that pass the guards are images of the template; those that do not make further templates.
The next program that one of the first templates serves is built in the other way, too: if their
images differ, the template is dropped, and after two of these the family has no more.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from typing import Any

from fxla.compile.backend.compiled import Kernels, target
from fxla.compile.build import build_program
from fxla.compile.image import HostFunction, Image, constant_table, image_of
from fxla.compile.outline import Outline, outline, with_numbers
from fxla.compile.program import Program
from fxla.core.jaxpr import Jaxpr
from fxla.core.patience import make_room
from fxla.core.records import dataclass
from fxla.loops.size import Guards, evaluator

__all__ = ["Family", "family_of", "same_image"]

SAMPLES = 2
"""Programs of a family that are built for their sizes alone before there is a template."""
PROOFS = 2
"""Templates of a family that are held against programs built for their sizes alone."""
TEMPLATES = 32
"""Templates of a family; programs that none of them serves are built for their sizes alone."""
PINS = 16
"""Templates of a family that serve one program each before no more are made."""
_FAMILIES = 512

_families: dict[tuple[str, str], Family] = {}


@dataclass(frozen=True, eq=False)
class Template:
    """A program for all numbers that pass its guards.

    Attributes:
        varying: the place of each size among the numbers.
        related: places of numbers that are multiples of a size and something, as those of a reshape
            are; each with that size, the factor, and what is added.
        fixed: places of the other numbers, and what they are.
        holds: the guards.
        numbers: gives the arena's bytes, the driver's integers and the work.
        image: for the numbers that it was made from.
        scalars: for each scalar of the program where it is in the table of constants.
        pinned: whether hardly any other program passes.
    """

    varying: tuple[int, ...]
    related: tuple[tuple[int, int, int, int], ...]
    fixed: tuple[tuple[int, int], ...]
    holds: Callable[[Sequence[int]], bool]
    numbers: Callable[[Sequence[int]], tuple[int, tuple[int, ...], float]]
    image: Image
    scalars: tuple[int, ...]
    pinned: bool

    def image_for(self, jaxpr: Jaxpr, parts: Outline) -> Image | None:
        """The image of another program of the family; None if the template does not hold."""
        given = parts.numbers
        if any(given[k] != n for k, n in self.fixed):
            return None
        sizes = [given[k] for k in self.varying]
        if any(given[k] != a * sizes[n] + b for k, n, a, b in self.related):
            return None
        if not self.holds(sizes):
            return None
        places = dict(zip(self.scalars, parts.scalars, strict=True))
        if len(set(zip(self.scalars, parts.scalars, strict=True))) != len(set(parts.scalars)):
            return None  # other scalars are equal to each other
        constants = bytearray(self.image.constants)
        for at, (_, content) in places.items():
            constants[at : at + len(content)] = content
        arena, integers, work = self.numbers(sizes)
        return replace(
            self.image,
            inputs=tuple([(a.dtype, a.shape) for a in jaxpr.in_avals]),
            outputs=tuple([(a.dtype, a.shape) for a in jaxpr.out_avals]),
            arena=arena, integers=integers, work=work, constants=bytes(constants),
        )  # fmt: skip


@dataclass(eq=False)
class Family:
    """Programs of one outline.

    Attributes:
        seen: the numbers of some of its programs.
        trusted: templates whose images are used.
        fresh: those that are to give an image first that is built in the other way, too.
        proofs: how many templates gave another program's image as it was built.
        failures: how many did not, or could not be made.
        pins: how many were good for one program: small sizes are constants.
    """

    seen: list[tuple[int, ...]] = field(default_factory=list)
    trusted: list[Template] = field(default_factory=list)
    fresh: list[Template] = field(default_factory=list)
    proofs: int = 0
    failures: int = 0
    pins: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def image(self, jaxpr: Jaxpr, parts: Outline) -> Image | None:
        """The image of a program, by a template; None if it shall be built for its sizes alone.

        Args:
            jaxpr: simplified.
            parts: its outline.
        """
        with self.lock:
            for k, template in enumerate(self.trusted):
                found = template.image_for(jaxpr, parts)
                if found is not None:
                    self.trusted.insert(0, self.trusted.pop(k))
                    return found
            full = len(self.trusted) + len(self.fresh) >= TEMPLATES
            useless = self.failures >= SAMPLES or self.pins >= PINS
            if full or useless or len(self.seen) < SAMPLES:
                return None
            if any(t.image_for(jaxpr, parts) for t in self.fresh):
                return None
            made = _template(jaxpr, parts, self.seen)
            found = None if made is None else made.image_for(jaxpr, parts)
            if made is None or found is None:
                self.failures += 1
            elif made.pinned:
                self.pins += 1
            else:
                (self.fresh if self.proofs < PROOFS else self.trusted).append(made)
            return found

    def learn(self, jaxpr: Jaxpr, parts: Outline, image: Image) -> None:
        """Take notice of the image of a program that was built for its sizes alone."""
        with self.lock:
            if len(self.seen) < SAMPLES:
                self.seen.append(parts.numbers)
            for template in self.fresh:
                found = template.image_for(jaxpr, parts)
                if found is None:
                    continue
                self.fresh.remove(template)
                if same_image(found, image):
                    self.trusted.insert(0, template)
                    self.proofs += 1
                else:
                    self.failures += 1
                return


def family_of(jaxpr: Jaxpr) -> tuple[Family, Outline] | None:
    """The family of a program, and its outline; None if it has none.

    Args:
        jaxpr: simplified.
    """
    parts = outline(jaxpr)
    if parts is None:
        return None
    key = (target(), parts.text)
    family = _families.get(key)
    if family is None:
        make_room(_families, _FAMILIES)
        family = _families[key] = Family()
    return family, parts


def _template(jaxpr: Jaxpr, parts: Outline, seen: Sequence[tuple[int, ...]]) -> Template | None:
    """A template by a program's numbers, of which those that were different before are sizes."""
    guards = Guards()
    numbers: list[Any] = list(parts.numbers)
    columns: list[tuple[int, ...]] = []
    varying: list[int] = []
    related: list[tuple[int, int, int, int]] = []
    fixed: list[tuple[int, int]] = []
    for k, column in enumerate(zip(parts.numbers, *seen, strict=True)):
        if len(set(column)) == 1:
            fixed.append((k, column[0]))
            continue
        known = _relation(column, columns)
        if known is None:
            known = len(varying), 1, 0
            varying.append(k)
            columns.append(column)
        else:
            related.append((k, *known))
        n, a, b = known
        numbers[k] = guards.size(n, columns[n][0]) * a + b
    try:
        program, image = _built(with_numbers(jaxpr, numbers))
        scalars = _places(program, parts)
        text = f"({image.arena}, ({''.join(f'{n},' for n in image.integers)}), {image.work})"
        plain = all(_is_plain(f) for f in image.functions)
        if scalars is None or not plain:
            return None
        return Template(
            tuple(varying), tuple(related), tuple(fixed), guards.function(), evaluator(text),
            replace(image, constants=constant_table(program)), scalars, guards.pinned,
        )  # fmt: skip
    except Exception:  # a rule that takes plain numbers only
        return None


def _relation(
    column: tuple[int, ...], columns: Sequence[tuple[int, ...]]
) -> tuple[int, int, int] | None:
    """One of other columns, a factor and a summand that give a column, if there are such."""
    for n, other in enumerate(columns):
        x, y = next((x, y) for x, y in zip(other, column, strict=True) if x != other[-1])
        a, rest = divmod(y - column[-1], x - other[-1])
        b = y - a * x
        if a and not rest and all(a * x + b == y for x, y in zip(other, column, strict=True)):
            return n, a, b
    return None


def _built(jaxpr: Jaxpr) -> tuple[Program, Image]:
    """A program with sizes in the place of numbers, and its image."""
    kernels = Kernels()
    try:
        tiles = target() == "native"
        program = build_program(jaxpr, tiles=tiles, made=kernels.add, noted=False)
    except BaseException:
        kernels.finish()
        raise
    return program, image_of(program, kernels)


def _is_plain(function: int | str | HostFunction) -> bool:
    """Whether what a driver calls is the same for all sizes."""
    if isinstance(function, HostFunction):
        return not function.in_avals and not function.out_avals
    return isinstance(function, int) or "s[" not in function


def _places(program: Program, parts: Outline) -> tuple[int, ...] | None:
    """Where each scalar of an outline is in a program's table of constants."""
    places = {
        (buffer.dtype.name, value.tobytes()): buffer.offset for buffer, value in program.constants
    }
    found = [places.get(scalar) for scalar in parts.scalars]
    known = [at for at in found if at is not None]
    return tuple(known) if len(known) == len(found) else None


def same_image(found: Image | None, image: Image) -> bool:
    """Whether two images run the same code with the same numbers."""
    if found is None:
        return False
    return _content(found) == _content(image)


_plain = operator.attrgetter(
    "inputs", "outputs", "arena", "constants", "integers", "shared", "work", "driver"
)


def _content(image: Image) -> tuple[Any, ...]:
    functions = [type(f) if isinstance(f, HostFunction) else f for f in image.functions]
    return (*_plain(image), functions, [kernel.address for kernel in image.kernels])
