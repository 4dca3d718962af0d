"""Prints a program as a readable Python function for numba.

    def prefix_sum(x, y):
        total = 0.0
        for i in range(x.shape[0]):
            total = total + x[i]
            y[i] = total

Arrays that are results are arguments; numbers that are results are written into arrays of one
element. A second function, the entry, gives it the memory of a compiled program: flat pointers, and
a batch of examples to run over.
"""

from __future__ import annotations

import keyword
from collections.abc import Sequence

from fxla.core.records import dataclass
from fxla.errors import InternalError
from fxla.kernels.ir import (
    Block,
    Loop,
    Make,
    Pop,
    Program,
    Push,
    Put,
    Repeat,
    Size,
    Stack,
    statement_exprs,
    walk,
)
from fxla.loops.ir import (
    BOOL,
    INDEX,
    Assign,
    Buffer,
    Cast,
    Const,
    DType,
    Expr,
    If,
    Load,
    Local,
    Op,
    Select,
    Stmt,
    walk_exprs,
)

__all__ = ["Printer", "entry_text", "parameters", "program_text", "stacks_of"]

_INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "floordiv": "//", "mod": "%", "pow": "**",
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "and": "&", "or": "|",
    "xor": "^", "shl": "<<", "shr": ">>",
}  # fmt: skip
_NUMPY = {
    "maximum": "np.maximum", "minimum": "np.minimum", "sign": "np.sign", "rint": "np.rint",
    "cbrt": "np.cbrt", "exp2": "np.exp2", "log2": "np.log2", "log10": "math.log10", "abs": "abs",
    "floor": "np.floor", "ceil": "np.ceil", "trunc": "np.trunc", "signbit": "np.signbit",
}  # fmt: skip
_TAKEN = frozenset([*keyword.kwlist, "np", "math", "range", "abs", "min", "max", "bool", "grown"])


@dataclass
class Printer:
    """Prints statements as lines of Python.

    Attributes:
        given: arrays that the function is given, so that it makes none.
    """

    program: Program
    lines: list[str]
    given: frozenset[str]

    def name(self, name: str) -> str:
        return _legal(name)

    # --- expressions ---

    def expr(self, e: Expr) -> str:
        match e:
            case Const(value=value, dtype=dtype):
                return _constant(value, dtype)
            case Size(array=name, axis=axis):
                return f"{self.name(name)}.shape[{axis}]"
            case Local(name=name):
                return self.name(name)
            case Load(buffer=b, index=index):
                return f"{self.name(b.name)}[{self.index(index)}]"
            case Cast(dtype=dtype, arg=arg):
                return f"np.{dtype.name if dtype.kind != 'b' else 'bool_'}({self.expr(arg)})"
            case Select(condition=c, then=t, otherwise=o):
                return self.select(c, t, o)
            case Op():
                return self.op(e)
        raise InternalError(f"not an expression of a kernel: {e!r}")

    def index(self, index: Sequence[Expr]) -> str:
        return ", ".join([self.expr(i) for i in index]) or "()"

    def select(self, c: Expr, t: Expr, o: Expr) -> str:
        if t.dtype == BOOL and isinstance(o, Const) and not o.value:
            return f"({self.expr(c)} and {self.expr(t)})"
        if t.dtype == BOOL and isinstance(t, Const) and t.value:
            return f"({self.expr(c)} or {self.expr(o)})"
        return f"({self.expr(t)} if {self.expr(c)} else {self.expr(o)})"

    def op(self, e: Op) -> str:
        args = e.args
        if e.name == "pow" and isinstance(args[1], Const) and float(args[1].value).is_integer():
            return f"({self.expr(args[0])} ** {int(args[1].value)})"
        if e.name in _INFIX:
            left, right = self.operand(args[0], args[1]), self.operand(args[1], args[0])
            return f"({left} {_INFIX[e.name]} {right})"
        if e.name == "neg":
            return f"(-{self.expr(args[0])})"
        if e.name == "not":
            return f"({'not ' if e.dtype == BOOL else '~'}{self.expr(args[0])})"
        function = _NUMPY.get(e.name, f"math.{e.name}")
        text = f"{function}({', '.join([self.expr(a) for a in args])})"
        if e.name in ("erf", "erfc", "lgamma") and e.dtype.name == "float32":
            return f"np.float32({text})"
        return text

    def operand(self, e: Expr, other: Expr) -> str:
        """An operand; a conversion that numba does by itself is left out."""
        if isinstance(e, Cast) and not isinstance(other, (Cast, Const)):
            implied = e.dtype.name == "float64" and e.arg.dtype.kind in "iu"
            if implied and other.dtype == e.dtype:
                return self.expr(e.arg)
        return self.expr(e)

    def plain(self, e: Expr) -> str:
        """An expression that needs no parentheses around it."""
        text = self.expr(e)
        if isinstance(e, (Op, Select)) and text.startswith("(") and text.endswith(")"):
            return text[1:-1]
        return text

    # --- statements ---

    def block(self, body: Block, depth: int) -> None:
        if not body:
            self.line(depth, "pass")
        for s in body:
            self.statement(s, depth)

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def statement(self, s: Stmt, depth: int) -> None:
        match s:
            case Assign(local=x, value=v):
                self.line(depth, f"{self.name(x.name)} = {self.plain(v)}")
            case Make():
                self.make(s, depth)
            case Put(buffer=b, index=index, value=v, add=add):
                sign = "+=" if add else "="
                self.line(depth, f"{self.name(b.name)}[{self.index(index)}] {sign} {self.plain(v)}")
            case If(condition=c, then=then, otherwise=otherwise):
                self.branch(c, then, otherwise, depth)
            case Loop():
                self.loop(s, depth)
            case Repeat(condition=c, body=body, until=until, count=count):
                if count is not None:
                    self.line(depth, f"{self.name(count.name)} = 0")
                self.line(depth, f"while {self.plain(c)}:")
                self.inside(body, until, count, depth)
            case Push(stack=stack, value=v):
                name, n = self.name(stack.name), f"n_{stack.name}"
                self.line(depth, f"{name}[{n}] = {self.plain(v)}")
                self.line(depth, f"{n} += 1")
            case Reserve(stack=stack, count=count):
                name, n = self.name(stack.name), f"n_{stack.name}"
                self.line(depth, f"if {n} + {self.expr(count)} > {name}.size:")
                self.line(depth + 1, f"{name} = grown({name}, {n} + {self.expr(count)})")
            case Pop(target=target, stack=stack):
                n = f"n_{stack.name}"
                self.line(depth, f"{n} -= 1")
                self.line(depth, f"{self.expr(target)} = {self.name(stack.name)}[{n}]")
            case _:
                raise InternalError(f"not a statement of a kernel: {s!r}")

    def make(self, s: Make, depth: int) -> None:
        name = self.name(s.buffer.name)
        if s.buffer.name in self.given:
            if s.fill is not None:
                everything = ", ".join([":"] * len(s.shape)) or "()"
                self.line(depth, f"{name}[{everything}] = {self.plain(s.fill)}")
            elif not walkable(self.program):
                self.line(depth, "pass")
            return
        shape = ", ".join([self.expr(n) for n in s.shape]) + ("," if len(s.shape) == 1 else "")
        dtype = f"np.{s.buffer.dtype.name if s.buffer.dtype.kind != 'b' else 'bool_'}"
        zero = isinstance(s.fill, Const) and s.fill.value == 0
        if s.fill is None or zero:
            kind = "empty" if s.fill is None else "zeros"
            self.line(depth, f"{name} = np.{kind}(({shape}), {dtype})")
        else:
            self.line(depth, f"{name} = np.full(({shape}), {self.expr(s.fill)}, {dtype})")

    def branch(self, c: Expr, then: Block, otherwise: Block, depth: int) -> None:
        if not then and otherwise:
            self.line(depth, f"if not {self.expr(c)}:")
            self.block(otherwise, depth + 1)
            return
        self.line(depth, f"if {self.plain(c)}:")
        self.block(then, depth + 1)
        while len(otherwise) == 1 and isinstance(otherwise[0], If) and otherwise[0].then:
            inner = otherwise[0]
            self.line(depth, f"elif {self.plain(inner.condition)}:")
            self.block(inner.then, depth + 1)
            otherwise = inner.otherwise
        if otherwise:
            self.line(depth, "else:")
            self.block(otherwise, depth + 1)

    def loop(self, s: Loop, depth: int) -> None:
        start, stop, step = self.plain(s.start), self.plain(s.stop), self.plain(s.step)
        if step != "1":
            bounds = f"{start}, {stop}, {step}"
        else:
            bounds = stop if start == "0" else f"{start}, {stop}"
        if s.count is not None:
            self.line(depth, f"{self.name(s.count.name)} = 0")
        self.line(depth, f"for {self.name(s.index.name)} in range({bounds}):")
        self.inside(s.body, s.until, s.count, depth)

    def inside(self, body: Block, until: Local | None, count: Local | None, depth: int) -> None:
        self.block(body, depth + 1)
        if count is not None:
            self.line(depth + 1, f"{self.name(count.name)} += 1")
        if until is not None:
            self.line(depth + 1, f"if {self.name(until.name)}:")
            self.line(depth + 2, "break")


def walkable(program: Program) -> bool:
    """Whether a statement left out can leave no block empty: no array is made inside of one."""
    return all(s in program.body for s in walk(program.body) if isinstance(s, Make))


@dataclass(frozen=True, slots=True)
class Reserve(Stmt):
    """Make sure that a stack has room for so many numbers more."""

    stack: Stack
    count: Expr


def with_room(body: Block, inside: bool = False) -> Block:
    """The statements with room made for what they push, at once where a loop is innermost."""
    found: list[Stmt] = []
    for s in body:
        match s:
            case Push(stack=stack) if not inside:
                found += [Reserve(stack, Const(INDEX, 1)), s]
            case If(condition=c, then=then, otherwise=otherwise):
                found.append(If(c, with_room(then, inside), with_room(otherwise, inside)))
            case Loop(body=inner):
                inside_loops = any(isinstance(t, (Loop, Repeat)) for t in walk(inner))
                stacks = {t.stack: None for t in walk(inner) if isinstance(t, Push)}
                if inside_loops or not stacks or inside:
                    found.append(_with_body(s, with_room(inner, inside)))
                else:
                    pushed = {
                        k: sum(isinstance(t, Push) and t.stack == k for t in walk(inner))
                        for k in stacks
                    }
                    found += [Reserve(k, _times(trips(s), n)) for k, n in pushed.items()]
                    found.append(s)
            case Repeat(body=inner):
                found.append(_with_body(s, with_room(inner, inside)))
            case _:
                found.append(s)
    return tuple(found)


def _with_body(s: Loop | Repeat, body: Block) -> Stmt:
    if isinstance(s, Loop):
        return Loop(s.index, s.start, s.stop, s.step, body, s.until, s.count)
    return Repeat(s.condition, body, s.until, s.count)


def _times(e: Expr, n: int) -> Expr:
    return e if n == 1 else Op(e.dtype, "mul", (e, Const(INDEX, n)))


def trips(s: Loop) -> Expr:
    """How often a counted loop runs at most; may be less than 0 for never."""
    extent = Op(INDEX, "sub", (s.stop, s.start)) if not _is(s.start, 0) else s.stop
    if _is(s.step, 1):
        return extent
    if _is(s.step, -1):
        return Op(INDEX, "sub", (s.start, s.stop))
    one = Const(INDEX, 1)
    return Op(INDEX, "add", (Op(INDEX, "floordiv", (extent, s.step)), one))


def _is(e: Expr, value: int) -> bool:
    return isinstance(e, Const) and bool(e.value == value)


def _constant(value: object, dtype: DType) -> str:
    if dtype.name in ("float64", "int64", "bool"):
        text = repr(value)
        if text in ("nan", "inf", "-inf"):
            return f"({text.replace('nan', 'math.nan').replace('inf', 'math.inf')})"
        return f"({text})" if text.startswith("-") else text
    text = repr(value).replace("nan", "math.nan").replace("inf", "math.inf")
    return f"np.{dtype.name}({text})"


def stacks_of(program: Program) -> list[Stack]:
    """The stacks of a program, in order of appearance."""
    return list({s.stack: None for s in walk(program.body) if isinstance(s, (Push, Pop))})


def parameters(program: Program) -> tuple[list[str], list[str]]:
    """Names of inputs and of results, as the function's parameters."""
    ins = [x.name for x in program.inputs]
    outs = [o.name if isinstance(o, Buffer) else f"{o.name}_out" for o in program.outputs]
    return [_legal(n) for n in ins], [_legal(n) for n in outs]


def _legal(name: str) -> str:
    """A name that means nothing else in the printed function."""
    return f"{name}_" if name in _TAKEN else name


def program_text(program: Program) -> str:
    """The function of a program, as Python."""
    given = frozenset(o.name for o in program.outputs if isinstance(o, Buffer))
    printer = Printer(program, [], given)
    ins, outs = parameters(program)
    printer.line(0, f"def {program.name}({', '.join([*ins, *outs])}):")
    for stack in stacks_of(program):
        printer.line(1, f"{stack.name} = np.empty(64, np.{stack.dtype.name})")
        printer.line(1, f"n_{stack.name} = 0")
    printer.block(with_room(program.body), 1)
    for o, name in zip(program.outputs, outs, strict=True):
        if isinstance(o, Local):
            printer.line(1, f"{name}[0] = {printer.name(o.name)}")
    return "\n".join(printer.lines) + "\n"


def entry_text(program: Program, batched: Sequence[bool], entry: str) -> str:
    """The function that a compiled program calls: pointers, sizes, and a range of examples.

    Args:
        program: what runs for each example.
        batched: which inputs differ between examples.
        entry: the name of the function.
    """
    ins, outs = parameters(program)
    marks = [*batched, *[True] * len(outs)]
    lines: list[str] = []
    sizes: list[str] = []
    values: list[str] = []
    for x, name, batch in zip((*program.inputs, *program.outputs), (*ins, *outs), marks,
                              strict=True):  # fmt: skip
        rank = len(x.shape) if isinstance(x, Buffer) else 0
        own = [f"{name}_n{k}" for k in range(rank)]
        sizes += own
        first = ["end"] if batch else [] if rank else ["1"]
        lines.append(f"    all_{name} = carray(p_{name}, ({', '.join([*first, *own])},))")
        is_number = isinstance(x, Local) and x in program.inputs and name in ins
        if is_number:
            values.append(f"all_{name}[{'b' if batch else '0'}]")
        elif rank == 0:
            values.append(f"all_{name}[b : b + 1]")
        else:
            values.append(f"all_{name}[b]" if batch else f"all_{name}")
    pointers = [f"p_{n}" for n in (*ins, *outs)]
    head = f"def {entry}({', '.join([*pointers, *sizes, 'begin', 'end'])}):"
    call = f"        {program.name}({', '.join(values)})"
    return "\n".join([head, *lines, "    for b in range(begin, end):", call]) + "\n"


def uses(program: Program) -> set[str]:
    """Names of the operations of a program."""
    return {
        x.name
        for s in walk(program.body)
        for e in statement_exprs(s)
        for x in walk_exprs(e)
        if isinstance(x, Op)
    }
