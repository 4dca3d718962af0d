"""From a jaxpr to a program: simplify, lower, fuse, schedule, and put the pieces in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fxla.compile.convolution import products_for_convolutions
from fxla.compile.fusion import plan_lines, plan_storage
from fxla.compile.grain import chunk_size
from fxla.compile.graph import Node, Value, build_graph
from fxla.compile.group import Group
from fxla.compile.kernels import KernelStep, group_kernels, nest_kernel
from fxla.compile.library import gemm_of
from fxla.compile.memory import assign_offsets
from fxla.compile.products import choose_product
from fxla.compile.program import (
    CONSTANT_BYTES,
    Branch,
    Buffer,
    Copy,
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
from fxla.compile.regions import BranchRegion, ScanRegion, WhileRegion
from fxla.compile.schedule import schedule, used_outside
from fxla.compile.simplify import simplify
from fxla.compile.transposes import absorb_transposes
from fxla.core.aval import Aval
from fxla.core.check import checks_enabled
from fxla.core.dtypes import bool_
from fxla.core.jaxpr import Eqn, Jaxpr, Literal, Var
from fxla.errors import InternalError
from fxla.loops.check import check_kernel
from fxla.loops.extents import kernel_key, normal_form
from fxla.loops.ir import Const, Expr, Extent, For, Kernel, Op
from fxla.loops.view import Contract, Nest, Opaque, View
from fxla.ops.conv import conv_general_dilated_p
from fxla.ops.dot import dot_general_p
from fxla.ops.structure import broadcast_in_dim_p

__all__ = ["Build", "build_program"]


def build_program(jaxpr: Jaxpr, use_library: bool = True, tiles: bool = False) -> Program:
    """Compile a jaxpr to a program.

    Args:
        jaxpr: any.
        use_library: whether matrix products may go to BLAS and rows may wait in the first cache; on
            a GPU products are generated loops, and each thread has a row.
        tiles: whether the target prints the tiles of contractions, so that few need BLAS.
    """
    return Build(use_library, tiles).program(jaxpr)


class Build:
    """The state of building one program.

    Attributes:
        kernels: every kernel by its content, so that equal loop nests are compiled once.
        notes: lines for `inspect(...).plan`.
    """

    def __init__(self, use_library: bool = True, tiles: bool = False) -> None:
        self.use_library = use_library
        self.tiles = tiles
        self.kernels: dict[str, Kernel] = {}
        self.notes: list[str] = []
        self.constants: dict[tuple[str, bytes], tuple[Buffer, Any]] = {}

    def program(self, jaxpr: Jaxpr) -> Program:
        """The program of a whole function."""
        inputs = [Buffer(a.shape, a.dtype, "input", k) for k, a in enumerate(jaxpr.in_avals)]
        outputs = [Buffer(a.shape, a.dtype, "output", k) for k, a in enumerate(jaxpr.out_avals)]
        body = self.block(jaxpr, [Pointer(b) for b in inputs], [Pointer(b) for b in outputs])
        program = Program(inputs, outputs, body, notes=self.notes)
        program.constants = list(self.constants.values())
        program.keys = {id(kernel): key for key, kernel in self.kernels.items()}
        program.arena = assign_offsets(program)
        return program

    def block(
        self, jaxpr: Jaxpr, inputs: Sequence[Pointer], targets: Sequence[Pointer]
    ) -> list[Instruction]:
        """Instructions that compute a jaxpr from memory to memory."""
        jaxpr = with_array_outputs(simplify(jaxpr))
        if self.use_library:
            jaxpr = absorb_transposes(products_for_convolutions(jaxpr, self.tiles), self.tiles)
        graph = build_graph(jaxpr, self.lower)
        reasons = plan_storage(graph, cached=self.use_library)
        place: dict[Value, Pointer] = dict(zip(graph.inputs, inputs, strict=True))
        for key, value in graph.constants.items():
            place[value] = Pointer(self.constant_buffer(key, value))
        late: list[tuple[Value, Pointer]] = []
        for value, target in zip(graph.outputs, targets, strict=True):
            if value.producer is None or value in place:
                late.append((value, target))
            else:
                place[value] = target
        items = schedule(graph, cached=self.use_library)
        outside = used_outside(graph, items)
        body: list[Instruction] = []
        for item in items:
            if isinstance(item, Group):
                steps = group_kernels(item, outside, cached=self.use_library)
                body += [self.launch(step, place) for step in steps]
            elif isinstance(item.form, Nest):
                body.append(self.launch(nest_kernel(graph, item), place))
            else:
                body += self.node(item, place)
        for value, target in late:
            body.append(Copy(target, place[value], aval_bytes(value.aval)))
        self.notes += plan_lines(graph, reasons, place)
        return body

    def constant_buffer(self, key: tuple[str, bytes], value: Value) -> Buffer:
        """The place of a scalar in the program's table of constants."""
        if key not in self.constants:
            buffer = Buffer(
                (), value.aval.dtype, "constant", offset=CONSTANT_BYTES * len(self.constants)
            )
            self.constants[key] = (buffer, value.constant)
        return self.constants[key][0]

    def lower(self, eqn: Eqn, views: Sequence[View]) -> Any:
        """An equation's lowered form; contractions that BLAS serves are opaque."""
        lowered = eqn.primitive.lower
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

    def launch(self, step: KernelStep, place: dict[Value, Pointer]) -> Launch:
        """The launch of a kernel, with results that have no place yet put in temporaries."""
        kernel, sizes = normal_form(step.kernel)
        if checks_enabled():
            check_kernel(kernel, "scheduling")
        key = kernel_key(kernel)
        kernel = self.kernels.setdefault(key, kernel)
        for value in step.outputs:
            pointer_of(value, place)
        count = 0
        first = step.kernel.body[0] if len(step.kernel.body) == 1 else None
        if isinstance(first, For) and first.kind == "parallel":
            count = int_value(first.extent)
        args = tuple([place[v] for v in (*step.inputs, *step.outputs)])
        grain = chunk_size(step.kernel)
        return Launch(kernel, args, len(step.outputs), sizes, count, grain)

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
            case ScanRegion():
                return setup + self.scan(form, node, operands, place)
            case WhileRegion():
                return setup + self.while_loop(form, node, operands, place)
            case BranchRegion(branches=branches):
                inner = [self.block(b, operands[1:], results) for b in branches]
                return [*setup, Branch(operands[0], inner)]
            case Opaque():
                eqn = node.eqn
                if self.use_library and eqn.primitive is dot_general_p:
                    return [*setup, gemm_of(eqn, operands[0], operands[1], results[0])]
                return [*setup, host_call(eqn, operands, results)]
        raise InternalError(f"{node.eqn.primitive.name} lowers to {type(form).__name__}")

    def literal(self, value: Value, place: dict[Value, Pointer]) -> list[Instruction]:
        """A literal operand of a library call or region, written to memory."""
        assert value.literal is not None
        place[value] = Pointer(Buffer((), value.aval.dtype))
        var = Var(value.aval)
        params = {"shape": (), "dims": ()}
        eqn = Eqn(broadcast_in_dim_p, (value.literal,), params, (var,))
        return self.block(Jaxpr((), (eqn,), (var,)), [], [place[value]])

    def scan(
        self, form: ScanRegion, node: Node, operands: list[Pointer], place: dict[Value, Pointer]
    ) -> list[Instruction]:
        """A counted loop. Carries live in pairs of buffers that trade places."""
        k, c = form.n_consts, form.n_carry
        index = LoopIndex()
        before, pairs = self.carries(form.body.in_avals[k : k + c], operands[k : k + c])
        xs = [
            p.slice(index, aval_bytes(a))
            for p, a in zip(operands[k + c :], form.body.in_avals[k + c :], strict=True)
        ]
        ys = [
            place[v].slice(index, aval_bytes(a))
            for v, a in zip(node.outputs[c:], form.body.out_avals[c:], strict=True)
        ]
        body = self.block(
            form.body,
            [*operands[:k], *(Pointer(a) for a, _ in pairs), *xs],
            [*(Pointer(b) for _, b in pairs), *ys],
        )
        loop = Loop(index, form.length, form.reverse, body, tuple(pairs))
        return [*before, loop, *self.final_carries(node.outputs[:c], pairs, place)]

    def while_loop(
        self, form: WhileRegion, node: Node, operands: list[Pointer], place: dict[Value, Pointer]
    ) -> list[Instruction]:
        """A conditional loop."""
        kc, kb = form.n_condition_consts, form.n_body_consts
        before, pairs = self.carries(form.body.in_avals[kb:], operands[kc + kb :])
        carry = [Pointer(a) for a, _ in pairs]
        predicate = Pointer(Buffer((), bool_))
        condition = self.block(form.condition, [*operands[:kc], *carry], [predicate])
        body = self.block(
            form.body, [*operands[kc : kc + kb], *carry], [Pointer(b) for _, b in pairs]
        )
        loop = WhileLoop(condition, predicate, body, tuple(pairs))
        return [*before, loop, *self.final_carries(node.outputs, pairs, place)]

    def carries(
        self, avals: Sequence[Aval], initial: Sequence[Pointer]
    ) -> tuple[list[Instruction], list[tuple[Buffer, Buffer]]]:
        """Two buffers for each carry, and copies of the initial values into the first."""
        pairs = [(Buffer(a.shape, a.dtype), Buffer(a.shape, a.dtype)) for a in avals]
        copies: list[Instruction] = [
            Copy(Pointer(p[0]), x, p[0].nbytes) for p, x in zip(pairs, initial, strict=True)
        ]
        return copies, pairs

    def final_carries(
        self,
        values: Sequence[Value],
        pairs: Sequence[tuple[Buffer, Buffer]],
        place: dict[Value, Pointer],
    ) -> list[Instruction]:
        """Copies of the last carries to where the results belong."""
        return [
            Copy(place[v], Pointer(p[0]), p[0].nbytes) for v, p in zip(values, pairs, strict=True)
        ]


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
            return int(value)
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
