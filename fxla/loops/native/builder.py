"""Structured control flow in SSA form, and the finished text of a function.

Loops and branches take the values they carry and give them back as phis, so no pass that promotes
memory to registers is needed. What each runs is a Python function that prints its body.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fxla.loops.native.instructions import LLVM, Block, Instructions, Scope, Value, llvm_type

__all__ = ["Builder"]


class Builder(Instructions):
    """Builds one function of a module."""

    # ------------------------------------------------------------ control flow

    def block(self) -> Block:
        """A new block, which takes its place in the text when it is started."""
        self._count += 1
        return Block(f"b{self._count}")

    def start(self, block: Block) -> None:
        """Continue the current scope in `block`."""
        self.blocks.append(block)
        self.scopes[-1].block = block

    def terminate(self, text: str) -> Block:
        """End the current block; returns it."""
        block = self.scopes[-1].block
        block.terminator = text
        return block

    def push(self, scope: Scope) -> None:
        """Enter a scope, whose block comes next in the text."""
        self.blocks.append(scope.block)
        self.scopes.append(scope)
        if scope.loop:
            self.loop_level = len(self.scopes) - 1

    def pop(self) -> None:
        """Leave the current scope."""
        self.scopes.pop()
        self.loop_level = max(k for k, s in enumerate(self.scopes) if s.loop or k == 0)

    def phi(self, incoming: Sequence[tuple[Value, Block]]) -> Value:
        """A phi of the current block, which must not have other instructions yet."""
        v = incoming[0][0]
        edges = ", ".join(f"[{x.name}, %{block.label}]" for x, block in incoming)
        return self.emit_here(f"phi {llvm_type(v.type, v.width)} {edges}", v.type, v.width)

    def branch(
        self,
        condition: Value,
        then: Callable[[], list[Value]],
        otherwise: Callable[[], list[Value]],
    ) -> list[Value]:
        """Run one of two arms; returns the values that they return, as phis."""
        if condition.known is not None:
            return then() if condition.known else otherwise()
        arms = (self.block(), self.block())
        done = self.block()
        self.terminate(f"br {condition.text}, label %{arms[0].label}, label %{arms[1].label}")
        results, ends = [], []
        for arm, run in zip(arms, (then, otherwise), strict=True):
            self.push(Scope(arm, conditional=True))
            results.append(run())
            ends.append(self.terminate(f"br label %{done.label}"))
            self.pop()
        self.start(done)
        return [self.phi(list(zip(pair, ends, strict=True))) for pair in zip(*results, strict=True)]

    def loop(
        self,
        low: Value,
        high: Value,
        step: int,
        carried: list[Value],
        body: Callable[[Value, list[Value]], list[Value]],
        stored: frozenset[str] = frozenset(),
    ) -> list[Value]:
        """``for i in range(low, high, step)``; returns the carried values after it.

        Two levels are entered: one that runs once if the loop runs at all, and the body.
        """
        certain = low.known is not None and high.known is not None and low.known < high.known
        if not certain and low.known is not None and high.known is not None:
            return carried
        before, head, done = self.block(), self.block(), self.block()
        if certain:
            source = self.terminate(f"br label %{before.label}")
        else:
            runs = low.cmp("slt", high)
            source = self.terminate(f"br {runs.text}, label %{before.label}, label %{done.label}")
        self.push(Scope(before, conditional=not certain))
        self.terminate(f"br label %{head.label}")
        self.push(Scope(head, loop=True, stored=stored))
        level = len(self.scopes) - 1
        index = Value(self, self.fresh(), "i64", 0, level)
        phis = [Value(self, self.fresh(), v.type, v.width, level) for v in carried]
        head.lines.append("")  # the phis, once their values are known
        results = body(index, phis)
        following = self.emit_here(f"add nsw i64 {index.name}, {step}", "i64")
        again = self.emit_here(f"icmp slt i64 {following.name}, {high.name}", "i1")
        latch = self.terminate(f"br {again.text}, label %{head.label}, label %{done.label}")
        lines = []
        for p, first, last in zip(
            [index, *phis], [low, *carried], [following, *results], strict=True
        ):
            t = llvm_type(p.type, p.width)
            lines.append(
                f"{p.name} = phi {t} [{first.name}, %{before.label}], [{last.name}, %{latch.label}]"
            )
        head.lines[0] = "\n  ".join(lines)
        self.pop()
        self.pop()
        self.start(done)
        if certain:
            level = len(self.scopes) - 1
            return [Value(self, r.name, r.type, r.width, level) for r in results]
        ends = [(c, r) for c, r in zip(carried, results, strict=True)]
        return [self.phi([(c, source), (r, latch)]) for c, r in ends]

    def while_loop(
        self,
        carried: list[Value],
        condition: Callable[[list[Value]], Value],
        body: Callable[[list[Value]], list[Value]],
        stored: frozenset[str] = frozenset(),
    ) -> list[Value]:
        """``while condition: body``; returns the carried values after it."""
        head, inside, done = self.block(), self.block(), self.block()
        source = self.terminate(f"br label %{head.label}")
        self.push(Scope(head, loop=True, stored=stored))
        level = len(self.scopes) - 1
        phis = [Value(self, self.fresh(), v.type, v.width, level) for v in carried]
        head.lines.append("")
        holds = condition(phis)
        self.terminate(f"br {holds.text}, label %{inside.label}, label %{done.label}")
        self.push(Scope(inside, conditional=True))
        results = body(phis)
        latch = self.terminate(f"br label %{head.label}")
        head.lines[0] = "\n  ".join(
            f"{p.name} = phi {llvm_type(p.type, p.width)} "
            f"[{first.name}, %{source.label}], [{last.name}, %{latch.label}]"
            for p, first, last in zip(phis, carried, results, strict=True)
        )
        self.pop()
        self.pop()
        self.start(done)
        level = len(self.scopes) - 1
        return [Value(self, p.name, p.type, p.width, level) for p in phis]

    # ------------------------------------------------------ functions of values

    def apply(self, name: str, body: Callable[..., Value], args: Sequence[Value]) -> Value:
        """A pure function of values that takes many instructions: printed once for its operands.

        If its name is in `outlined` it is a function of the module, and this a call.

        Args:
            name: tells functions apart.
            body: prints the function, given a builder and its arguments.
            args: all of one type and width.
        """
        key = f"{name}({', '.join(a.text for a in args)})"
        level = max(a.level for a in args)
        for at in range(level, len(self.scopes)):
            found = self.scopes[at].known.get(key)
            if found is not None:
                return found
        value = self._outlined(name, body, args) if name in self.outlined else body(self, *args)
        self.scopes[-1].known[key] = value
        return value

    def _outlined(self, name: str, body: Callable[..., Value], args: Sequence[Value]) -> Value:
        kind, width = args[0].type, args[0].width
        symbol = f"op.{name}.{kind}x{width}"
        if symbol not in self.defined:
            inner = Builder(self.ldexp, self.fma_rounds_once, self.half)
            params = [Value(inner, f"%x{k}", kind, width) for k in range(len(args))]
            result = body(inner, *params)
            text = inner.function(symbol, ", ".join(p.text for p in params), result)
            self.defined.add(symbol)
            self.declared.update(inner.declared)
            self.declared[text] = None
        operands = ", ".join(a.text for a in args)
        text = f'call {llvm_type(kind, width)} @"{symbol}"({operands})'
        return self.emit(text, kind, width, *args)

    # ----------------------------------------------------------- library calls

    def call(self, symbol: str, kind: str, *args: Value) -> Value:
        """A pure library function of scalars, or of each lane of vectors."""
        args = tuple(self.same(*args))
        t = LLVM[kind]
        self.declared[f"declare {t} @{symbol}({', '.join(LLVM[a.type] for a in args)})"] = None
        width = args[0].width
        if not width:
            text = f"call {t} @{symbol}({', '.join(a.text for a in args)})"
            return self.emit(text, kind, 0, *args)
        return self._call_lanes(symbol, kind, args)

    def _call_lanes(self, symbol: str, kind: str, args: tuple[Value, ...]) -> Value:
        width = args[0].width
        memory = [self.alloca(a.type, width) for a in args]
        result = self.alloca(kind, width)
        for a, m in zip(args, memory, strict=True):
            self.effect(f"store {a.text}, ptr {m.name}, align 64")

        def one(k: Value, _: list[Value]) -> list[Value]:
            lanes = [
                self.emit_here(
                    f"load {LLVM[a.type]}, {self.gep(m, a.type, k).text}, align 1", a.type
                )
                for a, m in zip(args, memory, strict=True)
            ]
            y = self.emit_here(
                f"call {LLVM[kind]} @{symbol}({', '.join(v.text for v in lanes)})", kind
            )
            self.effect(f"store {y.text}, {self.gep(result, kind, k).text}, align 1")
            return []

        zero, count = self.constant(0, "i64"), self.constant(width, "i64")
        self.loop(zero, count, 1, [], one)
        text = f"load {llvm_type(kind, width)}, ptr {result.name}, align 64"
        return self.emit_here(text, kind, width)

    # -------------------------------------------------------------------- text

    def function(self, name: str, params: str, result: Value | None = None) -> str:
        """The finished function: of the module's own if it returns a value, else one to link."""
        self.terminate("ret void" if result is None else f"ret {result.text}")
        self.entry.lines[:0] = self._allocas
        self._allocas = []
        kind = "void" if result is None else f"internal {llvm_type(result.type, result.width)}"
        lines = [f'define {kind} @"{name}"({params}) nounwind {{']
        for block in self.blocks:
            lines.append(f"{block.label}:")
            lines += [f"  {line}" for line in block.lines if line]
            lines.append(f"  {block.terminator}")
        return "\n".join([*lines, "}"])
