"""From a jaxpr to a program: simplify, lower, fuse, schedule, and put the pieces in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fxla.compile.fusion.grain import chunk_size
from fxla.compile.fusion.graph import Graph, Node, Value, build_graph
from fxla.compile.fusion.group import Group
from fxla.compile.fusion.kernels import KernelStep, RepeatedSteps, group_kernels, nest_kernels
from fxla.compile.fusion.lines import in_lines
from fxla.compile.fusion.merge import NotMergeableError, merge
from fxla.compile.fusion.running_rows import running_nest
from fxla.compile.fusion.schedule import last_readers, schedule
from fxla.compile.fusion.stored import plan_lines, plan_storage
from fxla.compile.fusion.strips import in_strips
from fxla.compile.memory import assign_offsets
from fxla.compile.passes.convolution import products_for_convolutions
from fxla.compile.passes.in_place import InPlace, find_in_place, kept_carries
from fxla.compile.passes.invariant import invariant_part, weights_by_column
from fxla.compile.passes.privatise import sums_in_parts
from fxla.compile.passes.products import choose_product, made_tileable
from fxla.compile.passes.simplify import simplify
from fxla.compile.passes.stacked_products import Around, products_around
from fxla.compile.passes.transposes import absorb_transposes
from fxla.compile.passes.widened import widened_products
from fxla.compile.program import (
    CONSTANT_BYTES,
    Branch,
    Buffer,
    Copy,
    Failure,
    HostCall,
    Instruction,
    Launch,
    Loop,
    LoopIndex,
    NumpyValue,
    Pointer,
    Program,
    WhileLoop,
)
from fxla.compile.regions import (
    BlocksRegion,
    BranchRegion,
    LanesRegion,
    Region,
    ScanRegion,
    WhileRegion,
)
from fxla.compile.routines.fourier import fourier_passes
from fxla.compile.routines.library import gemm_of
from fxla.compile.routines.matrix_blocks import in_matrix_blocks
from fxla.compile.routines.selecting import selecting_nest
from fxla.compile.routines.sorting import sorting_nest
from fxla.compile.routines.written_out import written_out_nest
from fxla.compile.stretches.in_blocks import in_blocks
from fxla.core.aval import Aval
from fxla.core.check import checks_enabled
from fxla.core.dtypes import bool_, int32
from fxla.core.jaxpr import Eqn, Jaxpr, Literal, Var
from fxla.core.patience import make_room
from fxla.core.records import dataclass
from fxla.errors import InternalError
from fxla.loops.check import check_kernel
from fxla.loops.extents import Signature, kernel_key, normal_form, signature
from fxla.loops.ir import Const, Expr, Extent, For, Kernel, Op
from fxla.loops.size import whole
from fxla.loops.view import Contract, Handed, Nest, Opaque, View
from fxla.ops.conv import conv_general_dilated_p
from fxla.ops.dot import DotDims, dot_general_p
from fxla.ops.fft import fft_p
from fxla.ops.structure import broadcast_in_dim_p

__all__ = ["Build", "build_program"]

_KERNELS = 4096
_kernels: dict[tuple[str, ...], Kernel] = {}
"""Kernels in normal form, by their keys and names."""


def _kernel_of(literal: Kernel, found: Signature) -> Kernel:
    """The normal form of a kernel, perhaps made for other sizes before."""
    buffers = (*literal.inputs, *literal.outputs)
    key = (found.key, literal.name, *[b.name for b in buffers])
    known = _kernels.get(key)
    if known is not None and not checks_enabled():
        return known
    kernel, sizes = normal_form(literal)
    if sizes != found.sizes:
        raise InternalError(f"kernel {kernel.name}: sizes {found.sizes} became {sizes}")
    if checks_enabled():
        check_kernel(kernel, "scheduling")
    make_room(_kernels, _KERNELS)
    _kernels[key] = kernel
    return kernel


def build_program(
    jaxpr: Jaxpr,
    use_library: bool = True,
    tiles: bool = False,
    made: Callable[[Kernel, str], object] | None = None,
    noted: bool = True,
) -> Program:
    """Compile a jaxpr to a program.

    Args:
        jaxpr: any.
        use_library: whether matrix products may go to BLAS and rows may wait in the first cache; on
            a GPU products are generated loops, and each thread has a row.
        tiles: whether the target prints the tiles of contractions, so that few need BLAS.
        made: called with each kernel of the program, and its key, as soon as it is certain.
        noted: whether the program shall say what was fused with what, and why.
    """
    return Build(use_library, tiles, made=made, noted=noted).program(jaxpr)


class Build:
    """The state of building one program.

    Attributes:
        kernels: every kernel by its content, so that equal loop nests are compiled once.
        notes: lines for `inspect(...).plan`, if `noted`.
        constants: scalars that kernels load.
        failures: for the text of an error the memory that is not 0 if it shall be raised.
        merging: whether the instructions are to become one kernel: then kernels keep literal
            sizes, and what does not suit a kernel raises `NotMergeableError`.
    """

    def __init__(
        self,
        use_library: bool = True,
        tiles: bool = False,
        merging: bool = False,
        made: Callable[[Kernel, str], object] | None = None,
        noted: bool = True,
    ) -> None:
        self.use_library = use_library
        self.tiles = tiles
        self.merging = merging
        self.made = made
        self.noted = noted
        self.kernels: dict[str, Kernel] = {}
        self.notes: list[str] = []
        self.constants: dict[tuple[str, bytes], tuple[Buffer, Any]] = {}
        self.failures: dict[str, Buffer] = {}

    def program(self, jaxpr: Jaxpr) -> Program:
        """The program of a whole function."""
        inputs = [Buffer(a.shape, a.dtype, "input", k) for k, a in enumerate(jaxpr.in_avals)]
        outputs = [Buffer(a.shape, a.dtype, "output", k) for k, a in enumerate(jaxpr.out_avals)]
        body = self.block(jaxpr, [Pointer(b) for b in inputs], [Pointer(b) for b in outputs])
        body = [*self.no_failures(), *body, *self.raised_failures()]
        program = Program(inputs, outputs, body, notes=self.notes)
        program.constants = list(self.constants.values())
        program.keys = {id(kernel): key for key, kernel in self.kernels.items()}
        program.arena = assign_offsets(program)
        return program

    def block(
        self,
        jaxpr: Jaxpr,
        inputs: Sequence[Pointer],
        targets: Sequence[Pointer],
        owned: Sequence[int] = (),
        repeated: bool = False,
    ) -> list[Instruction]:
        """Instructions that compute a jaxpr from memory to memory.

        Inputs at the positions `owned` may be written over. What is `repeated` is a loop's body.
        """
        jaxpr = simplify(jaxpr)
        if self.use_library and not self.merging:
            jaxpr = in_blocks(jaxpr, self.notes)
        jaxpr = self.regular_products(with_array_outputs(jaxpr))
        updates = find_in_place(jaxpr, owned)
        graph = build_graph(jaxpr, lambda eqn, views: self.lower(eqn, views, updates))
        for node in graph.nodes:
            node.in_place = updates.pairs.get(id(node.eqn), ())
        cached = self.use_library and not self.merging
        reasons = plan_storage(graph, cached)
        failures = self.note_failures(graph)
        reasons |= dict.fromkeys(failures, "is set where the kernel fails")
        place: dict[Value, Pointer] = dict(zip(graph.inputs, inputs, strict=True)) | failures
        for key, value in graph.constants.items():
            place[value] = Pointer(self.constant_buffer(key, value))
        late: list[tuple[Value, Pointer]] = []
        for value, target in zip(graph.outputs, targets, strict=True):
            first = memory_source(value)
            if first.producer is None or first in place:
                late.append((value, target))
            else:
                place[first] = place[value] = target
        items = schedule(graph, cached)
        outside = last_readers(graph, items)
        body: list[Instruction] = []
        steps: list[KernelStep] = []
        for k, item in enumerate(items):
            if isinstance(item, Group):
                steps += group_kernels(item, outside, cached, self.merging, repeated)
                continue
            body += self.launches(steps, place, outside, k)
            for i, o in item.in_place:
                place[item.outputs[o]] = pointer_of(item.inputs[i], place)
            if isinstance(item.form, Nest):
                body += self.nest(nest_kernels(graph, item), place)
            else:
                body += self.node(item, place)
        body += self.launches(steps, place, outside, len(items))
        for value, target in late:
            if place[value] != target:
                body.append(Copy(target, place[value], aval_bytes(value.aval)))
        if self.noted:
            self.notes += plan_lines(graph, reasons, place)
        graph.release()
        return body

    def regular_products(self, jaxpr: Jaxpr, n_fixed: int = 0) -> Jaxpr:
        """A jaxpr whose products read their operands as tiles and BLAS can, and sums have parts.

        The transposes of its first `n_fixed` inputs cost nothing.
        """
        if not self.use_library or self.merging:
            return jaxpr
        jaxpr = widened_products(jaxpr, self.tiles)
        jaxpr = products_for_convolutions(sums_in_parts(jaxpr), self.tiles)
        return absorb_transposes(jaxpr, self.tiles, jaxpr.invars[:n_fixed])

    def note_failures(self, graph: Graph) -> dict[Value, Pointer]:
        """Give nests that may fail the memory where they say so."""
        found: dict[Value, Pointer] = {}
        for node in graph.nodes:
            if isinstance(node.form, Nest) and node.form.failure is not None:
                status = Value(Aval((), int32), node, stored=True)
                buffer = self.failures.setdefault(node.form.failure, Buffer((), int32))
                found[status] = Pointer(buffer)
                node.outputs = (*node.outputs, status)
        return found

    def no_failures(self) -> list[Instruction]:
        """Nothing has failed yet."""
        if not self.failures:
            return []
        zero = Value(Aval((), int32), stored=True, constant=np.int32(0))
        start = Pointer(self.constant_buffer(("int32", bytes(4)), zero))
        return [Copy(Pointer(b), start, b.nbytes) for b in self.failures.values()]

    def raised_failures(self) -> list[Instruction]:
        """Raise what has failed."""
        return [
            Branch(Pointer(b), [[], [HostCall(Failure(text), "raise", (), (), (), ())]])
            for text, b in self.failures.items()
        ]

    def constant_buffer(self, key: tuple[str, bytes], value: Value) -> Buffer:
        """The place of a scalar in the program's table of constants."""
        if key not in self.constants:
            buffer = Buffer(
                (), value.aval.dtype, "constant", offset=CONSTANT_BYTES * len(self.constants)
            )
            self.constants[key] = (buffer, value.constant)
        return self.constants[key][0]

    def lower(self, eqn: Eqn, views: Sequence[View], updates: InPlace) -> Any:
        """An equation's lowered form; contractions that BLAS serves are opaque."""
        if id(eqn) in updates.pairs and eqn.primitive.updates:
            return eqn.primitive.lower_in_place(*views, **eqn.params)
        lowered = eqn.primitive.lower
        if self.merging:
            check_size(eqn, self.tiles)
            return lowered(*views, **eqn.params)
        better = self.better_nest(eqn, views)
        if better is not None:
            return better
        if not self.use_library or eqn.primitive not in (dot_general_p, conv_general_dilated_p):
            return lowered(*views, **eqn.params)
        choice = choose_product(eqn, self.tiles)
        self.notes.append(f"{eqn.primitive.name} {eqn.outputs[0].aval}: {choice.reason}")
        if choice.how == "blas":
            return Opaque()
        forms = lowered(*views, **eqn.params)
        if choice.how == "tiles":
            (form,) = forms
            fields = (form.shape, form.dtype, form.extents, form.op, form.init, form.element)
            return (Contract(*fields),)
        return forms

    def better_nest(self, eqn: Eqn, views: Sequence[View]) -> Nest | None:
        """Loops for a CPU that are better than the primitive's own; None if there are none."""
        if not self.use_library:
            return None
        found = sorting_nest(eqn, views) or selecting_nest(eqn, views) or running_nest(eqn, views)
        if found is not None or not self.tiles:
            return found
        written_out = written_out_nest(eqn, views)
        if written_out is not None:
            return written_out
        blocks = in_matrix_blocks(eqn, views)
        if blocks is None:
            return None
        self.notes.append(f"{eqn.primitive.name} {eqn.outputs[0].aval}: {blocks.reason}")
        return blocks.nest

    def launches(
        self,
        steps: list[KernelStep],
        place: dict[Value, Pointer],
        last_readers: Mapping[Value, int],
        position: int,
    ) -> list[Instruction]:
        """The launches of kernels that follow each other, which are taken from the list.

        Args:
            steps: the kernels.
            place: of values, which gets the places of results.
            last_readers: see `fxla.compile.fusion.schedule`.
            position: of the item after them.
        """
        found, notes = in_strips(steps)
        if self.use_library and not self.merging:
            found, more = in_lines(
                found, lambda v: v in place or last_readers.get(v, -1) >= position
            )
            notes += more
        self.notes += notes
        steps.clear()
        return [self.launch(step, place) for step in found]

    def launch(self, step: KernelStep, place: dict[Value, Pointer]) -> Launch:
        """The launch of a kernel, with results that have no place yet put in temporaries."""
        for value in step.outputs:
            pointer_of(value, place)
        args = tuple([place[v] for v in (*step.inputs, *step.outputs)])
        return self.launch_of(step.kernel, args, len(step.outputs), step.work)

    def nest(
        self, steps: Sequence[KernelStep | RepeatedSteps], place: dict[Value, Pointer]
    ) -> list[Instruction]:
        """The launches of a nest's phases, and loops around those that are repeated."""
        body: list[Instruction] = []
        for step in steps:
            if isinstance(step, KernelStep):
                body.append(self.launch(step, place))
                continue
            inner: list[Instruction] = [self.launch(s, place) for s in step.steps]
            body.append(Loop(LoopIndex(), step.times, False, inner, ()))
        return body

    def launch_of(
        self, literal: Kernel, args: tuple[Pointer, ...], n_outputs: int, work: int = 0
    ) -> Launch:
        """The launch of a kernel with literal sizes."""
        count = 0
        first = literal.body[0] if len(literal.body) == 1 else None
        if isinstance(first, For) and first.kind == "parallel":
            count = int_value(first.extent)
        grain = chunk_size(literal, work)
        if self.merging:
            if 0 < grain < count:
                raise NotMergeableError  # several threads would share it
            return Launch(literal, args, n_outputs, (), 0)
        found = signature(literal)
        kernel = self.kept(found.key, lambda: _kernel_of(literal, found))
        return Launch(kernel, args, n_outputs, found.sizes, count, grain)

    def kept(self, key: str, make: Callable[[], Kernel]) -> Kernel:
        """The one kernel of a content."""
        kernel = self.kernels.get(key)
        if kernel is None:
            kernel = self.kernels[key] = make()
            if self.made is not None:
                self.made(kernel, key)
        return kernel

    def node(self, node: Node, place: dict[Value, Pointer]) -> list[Instruction]:
        """Instructions of a library call or a region."""
        setup: list[Instruction] = []
        operands = []
        for v in node.inputs:
            if v.literal is not None and v not in place:
                setup += self.literal(v, place)
            operands.append(place[v])
        results = [pointer_of(v, place) for v in node.outputs]
        form = node.form
        match form:
            case Region():
                return setup + self.region(form, node, operands, place)
            case Opaque() | Handed() if self.merging:
                raise NotMergeableError
            case Opaque():
                eqn = node.eqn
                if self.use_library and eqn.primitive is dot_general_p:
                    return [*setup, gemm_of(eqn, operands[0], operands[1], results[0])]
                if self.use_library and eqn.primitive is fft_p:
                    passes = fourier_passes(eqn, operands[0], results[0])
                    if passes is not None:
                        return [*setup, *passes]
                return [*setup, host_call(eqn, operands, results)]
            case Handed(grid=None) if not self.use_library:
                return [*setup, host_call(node.eqn, operands, results)]
            case Handed(grid=grid) if not self.use_library and grid is not None:
                own = [Pointer(Buffer((form.count, *s), t)) for s, t in form.scratch]
                args = (*operands, *results, *own)
                sizes = (*form.sizes, *[n for s, _ in form.scratch for n in s], form.count)
                kept = self.kept(kernel_key(grid), lambda: grid)
                return [*setup, Launch(kept, args, len(results) + len(own), sizes, form.count)]
            case Handed(kernel=kernel, sizes=sizes, count=count, grain=grain):
                args = (*operands, *results)
                kept = self.kept(kernel_key(kernel), lambda: kernel)
                return [*setup, Launch(kept, args, len(results), sizes, count, grain)]
        raise InternalError(f"{node.eqn.primitive.name} lowers to {type(form).__name__}")

    def literal(self, value: Value, place: dict[Value, Pointer]) -> list[Instruction]:
        """A literal operand of a library call or region, written to memory."""
        assert value.literal is not None
        place[value] = Pointer(Buffer((), value.aval.dtype))
        var = Var(value.aval)
        params = {"shape": (), "dims": ()}
        eqn = Eqn(broadcast_in_dim_p, (value.literal,), params, (var,))
        return self.block(Jaxpr((), (eqn,), (var,)), [], [place[value]])

    def region(
        self, form: Region, node: Node, operands: list[Pointer], place: dict[Value, Pointer]
    ) -> list[Instruction]:
        """A loop or branch: one kernel if that suits it, else instructions around kernels."""
        if self.merging or isinstance(form, BlocksRegion):
            return self.control_flow(form, node, operands, place)
        if self.use_library and isinstance(form, ScanRegion):
            form = replace(form, body=simplify(form.body))
            around = products_around(form)
            if around is not None:
                return self.loop_between(around, node, operands, place)
        return self.one_kernel_or_more(form, node, operands, place)

    def loop_between(
        self, around: Around, node: Node, operands: list[Pointer], place: dict[Value, Pointer]
    ) -> list[Instruction]:
        """A counted loop, and the products before and after it."""
        form = around.loop
        k, c = form.n_consts, form.n_carry
        consts, body = operands[:k], []
        if around.before is not None:
            made = [Pointer(Buffer(a.shape, a.dtype)) for a in around.before.out_avals]
            body += self.block(around.before, [*consts, *operands[k + c :]], made)
            operands = [*operands, *made]
        outputs = list(node.outputs)
        for j in around.late:
            aval = form.body.out_avals[c + j]
            outputs[c + j] = Value(Aval((form.length, *aval.shape), aval.dtype), stored=True)
            pointer_of(outputs[c + j], place)
        inner = replace(node, outputs=tuple(outputs))
        body += self.one_kernel_or_more(form, inner, operands, place)
        if around.after is not None:
            stacks = [place[outputs[c + j]] for j in around.late]
            results = [place[node.outputs[c + j]] for j in around.late]
            body += self.block(around.after, [*consts, *stacks], results)
        return body

    def one_kernel_or_more(
        self, form: Region, node: Node, operands: list[Pointer], place: dict[Value, Pointer]
    ) -> list[Instruction]:
        """Control flow as one kernel if that suits it, else instructions around kernels."""
        tiles = self.tiles and not isinstance(form, LanesRegion)  # a lane has none
        trial = Build(self.use_library, tiles, merging=True, noted=self.noted)
        trial.constants, trial.failures = self.constants, self.failures
        outside = {p.buffer for p in operands} | {place[v].buffer for v in node.outputs}
        try:
            body = trial.control_flow(form, node, operands, place)
            outside.update(self.failures.values())
            merged = merge(body, outside, node.eqn.primitive.name, grid=not self.use_library)
        except NotMergeableError:
            if isinstance(form, LanesRegion):
                return self.block(form.whole(), operands, [place[v] for v in node.outputs])
            return self.control_flow(form, node, operands, place)
        self.notes += trial.notes
        args = (*merged.inputs, *merged.outputs)
        return [self.launch_of(merged.kernel, args, len(merged.outputs))]

    def control_flow(
        self, form: Region, node: Node, operands: list[Pointer], place: dict[Value, Pointer]
    ) -> list[Instruction]:
        """The instructions of a loop or branch."""
        match form:
            case ScanRegion():
                return self.scan(form, node, operands, place)
            case WhileRegion():
                return self.while_loop(form, node, operands, place)
            case BranchRegion(branches=branches):
                results = [place[v] for v in node.outputs]
                owned = [i - 1 for i, _ in node.in_place]
                inner = [self.block(b, operands[1:], results, owned) for b in branches]
                return [Branch(operands[0], inner)]
            case LanesRegion():
                return self.lanes(form, node, operands, place)
        raise InternalError(f"{node.eqn.primitive.name} lowers to {type(form).__name__}")

    def before_loop(
        self, body: Jaxpr, n_consts: int, consts: list[Pointer], certain: bool
    ) -> tuple[list[Instruction], Jaxpr, list[Pointer]]:
        """Compute once what is the same in every iteration.

        Returns:
            The instructions before the loop, the body that takes their results as further consts,
            and the consts.
        """
        body = self.regular_products(simplify(body), n_consts)
        if self.merging:
            body = weights_by_column(body, n_consts)
        first, rest = invariant_part(body, n_consts, certain)
        if first is None:
            return [], body, consts
        made = [Pointer(Buffer(a.shape, a.dtype)) for a in first.out_avals]
        return self.block(first, consts, made), rest, [*consts, *made]

    def scan(
        self, form: ScanRegion, node: Node, operands: list[Pointer], place: dict[Value, Pointer]
    ) -> list[Instruction]:
        """A counted loop."""
        k, c = form.n_consts, form.n_carry
        index = LoopIndex()
        kept = kept_carries(form.body, k, c)
        carries = self.carries(form.body.in_avals[k : k + c], operands[k:], node, k, kept, place)
        xs = [
            p.slice(index, aval_bytes(a))
            for p, a in zip(operands[k + c :], form.body.in_avals[k + c :], strict=True)
        ]
        ys = [
            place[v].slice(index, aval_bytes(a))
            for v, a in zip(node.outputs[c:], form.body.out_avals[c:], strict=True)
        ]
        once, inner, consts = self.before_loop(form.body, k, operands[:k], form.length > 0)
        owned = range(len(consts), len(consts) + c)
        body = self.block(inner, [*consts, *carries.now, *xs], [*carries.next, *ys], owned, True)
        loop = Loop(index, form.length, form.reverse, body, carries.swapped)
        return [*once, *carries.before, loop, *carries.after]

    def while_loop(
        self, form: WhileRegion, node: Node, operands: list[Pointer], place: dict[Value, Pointer]
    ) -> list[Instruction]:
        """A conditional loop."""
        kc, kb = form.n_condition_consts, form.n_body_consts
        c = len(node.outputs)
        kept = kept_carries(form.body, kb, c)
        carries = self.carries(
            form.body.in_avals[kb:], operands[kc + kb :], node, kc + kb, kept, place
        )
        predicate = Pointer(Buffer((), bool_))
        condition = self.block(form.condition, [*operands[:kc], *carries.now], [predicate])
        once, inner, consts = self.before_loop(form.body, kb, operands[kc : kc + kb], False)
        owned = range(len(consts), len(consts) + c)
        body = self.block(inner, [*consts, *carries.now], carries.next, owned, True)
        loop = WhileLoop(condition, predicate, body, carries.swapped)
        return [*once, *carries.before, loop, *carries.after]

    def lanes(
        self, form: LanesRegion, node: Node, operands: list[Pointer], place: dict[Value, Pointer]
    ) -> list[Instruction]:
        """A loop over examples, for a kernel: nothing else runs their programs at the same time."""
        index = LoopIndex()
        given = [
            p.slice(index, aval_bytes(a)) if b else p
            for p, a, b in zip(operands, form.body.in_avals, form.batched, strict=True)
        ]
        results = [
            place[v].slice(index, aval_bytes(a))
            for v, a in zip(node.outputs, form.body.out_avals, strict=True)
        ]
        body = self.block(form.body, given, results)
        return [Loop(index, form.size, False, body, (), independent=True)]

    def carries(
        self,
        avals: Sequence[Aval],
        initial: Sequence[Pointer],
        node: Node,
        first: int,
        kept: Sequence[int],
        place: dict[Value, Pointer],
    ) -> Carries:
        """Memory for the carries of a loop.

        One that the body leaves in place has one buffer: its operand's if that may be written
        over, else the result's. The others live in two that trade places.

        Args:
            avals: types of the carries.
            initial: their first values.
            node: the loop.
            first: position of the first of them among the node's operands.
            kept: which the body leaves in place.
            place: where the results go.
        """
        found = Carries([], [], (), [], [])
        written_over = {i - first for i, _ in node.in_place}
        pairs: list[tuple[Buffer, Buffer]] = []
        for j, (a, x) in enumerate(zip(avals, initial, strict=False)):
            result = place[node.outputs[j]]
            own = aval_bytes(a) <= SMALL_CARRY or j not in kept
            if not own:
                found.now.append(result)
                found.next.append(result)
                if j not in written_over:
                    found.before.append(Copy(result, x, aval_bytes(a)))
                continue
            now = Buffer(a.shape, a.dtype)
            found.before.append(Copy(Pointer(now), x, now.nbytes))
            found.after.append(Copy(result, Pointer(now), now.nbytes))
            found.now.append(Pointer(now))
            if j in kept:
                found.next.append(Pointer(now))
            else:
                following = Buffer(a.shape, a.dtype)
                found.next.append(Pointer(following))
                pairs.append((now, following))
        return replace(found, swapped=tuple(pairs))


SMALL_CARRY = 512
"""Bytes of a carry that is copied rather than kept in its result, as it may fit in registers."""


@dataclass(frozen=True, slots=True)
class Carries:
    """Where the carries of a loop are.

    Attributes:
        now, next: at the start and at the end of an iteration.
        swapped: buffers that trade places in between.
        before, after: copies of the first values, and to the results.
    """

    now: list[Pointer]
    next: list[Pointer]
    swapped: tuple[tuple[Buffer, Buffer], ...]
    before: list[Instruction]
    after: list[Instruction]


def memory_source(value: Value) -> Value:
    """The value at the start of a chain of updates in place."""
    while value.producer is not None:
        node = value.producer
        at = next((i for i, o in node.in_place if node.outputs[o] is value), None)
        if at is None:
            break
        value = node.inputs[at]
    return value


MAX_PRODUCT = 8192
"""Multiplications of a product of matrices inside a merged kernel; BLAS is faster beyond."""
MAX_VECTOR_PRODUCT = 1 << 16
"""Likewise of a matrix and a vector, which is bound by reading the matrix."""


def check_size(eqn: Eqn, tiles: bool) -> None:
    """Raise `NotMergeableError` for a product that tiles or a library compute faster.

    The loops of a merged kernel have no blocks of results in registers: what tiles serve at all,
    they serve better, launches included (1.2 to 14 times as fast from 8 x 8 x 8 to 32 x 32 x 32).
    """
    if eqn.primitive is conv_general_dilated_p:
        raise NotMergeableError
    if eqn.primitive is not dot_general_p:
        return
    lhs, rhs = (a.aval for a in eqn.inputs)
    dims: DotDims = eqn.params["dims"]
    rows = math.prod(lhs.shape[a] for a in dims.lhs_kept(lhs.ndim))
    columns = math.prod(rhs.shape[a] for a in dims.rhs_kept(rhs.ndim))
    work = eqn.outputs[0].aval.size * math.prod(lhs.shape[a] for a in dims.lhs_contract)
    if 1 in (rows, columns):
        too_large = work > MAX_VECTOR_PRODUCT
    else:
        tileable = (made_tileable(eqn, fixed=True) if tiles else None) or [eqn]
        too_large = work > MAX_PRODUCT or choose_product(tileable[-1], tiles).how == "tiles"
    if too_large:
        raise NotMergeableError


def pointer_of(value: Value, place: dict[Value, Pointer]) -> Pointer:
    """Where a stored value is; a new temporary if it has no place yet."""
    if value not in place:
        place[value] = Pointer(Buffer(value.aval.shape, value.aval.dtype))
    return place[value]


def aval_bytes(aval: Aval) -> int:
    """Bytes of an array of that type."""
    return aval.size * aval.dtype.itemsize


def int_value(e: Expr) -> int:
    """The value of integer arithmetic on sizes that are not parametrised yet."""
    match e:
        case Const(value=value) | Extent(value=value):
            return whole(value)
        case Op(name="add", args=(a, b)):
            return int_value(a) + int_value(b)
        case Op(name="mul", args=(a, b)):
            return int_value(a) * int_value(b)
        case Op(name="floordiv", args=(a, b)):
            return int_value(a) // int_value(b)
    raise InternalError(f"a parallel extent must be arithmetic on sizes: {e}")


def host_call(eqn: Eqn, operands: list[Pointer], results: list[Pointer]) -> HostCall:
    """A call of a primitive's NumPy value from inside the program."""
    return HostCall(
        NumpyValue(eqn.primitive, eqn.params), eqn.primitive.name,
        tuple(operands), tuple(a.aval for a in eqn.inputs),
        tuple(results), tuple(v.aval for v in eqn.outputs),
    )  # fmt: skip


def with_array_outputs(jaxpr: Jaxpr) -> Jaxpr:
    """A program whose outputs are all variables: literals are broadcast to rank 0."""
    if not any(isinstance(a, Literal) for a in jaxpr.outs):
        return jaxpr
    eqns = list(jaxpr.eqns)
    outs: list[Any] = []
    for atom in jaxpr.outs:
        if isinstance(atom, Literal):
            var = Var(atom.aval)
            eqns.append(Eqn(broadcast_in_dim_p, (atom,), {"shape": (), "dims": ()}, (var,)))
            outs.append(var)
        else:
            outs.append(atom)
    return Jaxpr(jaxpr.invars, tuple(eqns), tuple(outs))
