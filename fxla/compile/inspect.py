"""What a person sees of a compiled function: jaxpr, loop nests, generated source, fusion plan."""

from __future__ import annotations

from fxla.compile.executable import Executable
from fxla.compile.shares import share_lines
from fxla.core.deferred import deferred
from fxla.core.jaxpr import ClosedJaxpr, format_jaxpr
from fxla.core.records import dataclass
from fxla.loops.python.source import python_source
from fxla.loops.written import Written

__all__ = ["Inspection", "inspect_executable"]

html = deferred("html")

_STAGES = ("jaxpr", "plan", "loops", "source")


@dataclass(frozen=True)
class Inspection:
    """The stages of one compiled program, as text.

    Attributes:
        jaxpr: what was traced.
        plan: what was fused with what, and why not.
        loops: the loop nests, one kernel after the other.
        source: each kernel as a Python function that numba compiles.
        driver: the LLVM text of the program around the kernels.
        targets: for each kernel its name, the target that compiled it, and why if it is not the
            native one.
        threads: for each instruction into how many chunks it is cut, which threads share.
    """

    jaxpr: str
    plan: str
    loops: str
    source: str
    driver: str
    targets: str
    threads: str

    def __str__(self) -> str:
        parts = [f"--- {name} ---\n{getattr(self, name)}" for name in _STAGES]
        return "\n\n".join([*parts, f"--- targets ---\n{self.targets}"])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        blocks = [
            f"<details{' open' if name == 'jaxpr' else ''}><summary><b>{name}</b></summary>"
            f"<pre>{html.escape(getattr(self, name))}</pre></details>"
            for name in (*_STAGES, "targets")
        ]
        return "\n".join(blocks)


def inspect_executable(closed: ClosedJaxpr, executable: Executable) -> Inspection:
    """Collect the texts of a compiled program."""
    program = executable.program
    kernels = program.kernels()
    targets = [
        f"{k.name}: {'native' if c.packed else f'numba ({c.reason})'}"
        for k, c in zip(kernels, executable.kernels, strict=True)
    ]
    return Inspection(
        jaxpr=format_jaxpr(closed.jaxpr, len(closed.consts)),
        plan="\n".join(executable.explained.notes),
        loops="\n\n".join(str(k) for k in kernels),
        source="\n\n".join(
            k.source if isinstance(k, Written) else python_source(k).source for k in kernels
        ),
        driver=executable.driver_text,
        targets="\n".join(targets),
        threads="\n".join(share_lines(program.body)),
    )
