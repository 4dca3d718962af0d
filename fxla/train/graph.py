"""A jaxpr as the graph that TensorBoard draws."""

from __future__ import annotations

from typing import Any

from fxla.core.jaxpr import Jaxpr, Literal
from fxla.data.builtin import optional

__all__ = ["graph_of", "levels"]


def graph_of(jaxpr: Jaxpr, names: list[str]) -> Any:
    """A ``GraphDef`` with a node for each input and equation.

    Args:
        jaxpr: what to draw. The programs inside its equations stay inside.
        names: of its inputs, as paths; dots and brackets become the levels that TensorBoard folds.
    """
    module = "tensorboardX.proto.graph_pb2"
    protocol = optional(module, "tensorboardX", "train.TensorBoard", "train")
    graph = protocol.GraphDef()
    known: dict[Any, str] = {}
    for var, name in zip(jaxpr.invars, names, strict=True):
        known[var] = levels(name)
        node = graph.node.add(name=known[var], op="Input")
        node.attr["type"].s = str(var.aval).encode()
    for k, eqn in enumerate(jaxpr.eqns):
        name = f"{eqn.primitive.name}_{k}"
        inputs = [known[v] for v in eqn.inputs if not isinstance(v, Literal) and v in known]
        node = graph.node.add(name=name, op=eqn.primitive.name, input=inputs)
        node.attr["type"].s = ", ".join(str(v.aval) for v in eqn.outputs).encode()
        known.update(dict.fromkeys(eqn.outputs, name))
    for k, out in enumerate(jaxpr.outs):
        source = [] if isinstance(out, Literal) else [known[out]]
        graph.node.add(name=f"output_{k}", op="Output", input=source)
    return graph


def levels(path: str) -> str:
    """A path with a slash at every level, as TensorBoard folds names."""
    text = path.replace("['", "/").replace("']", "").replace("[", "/").replace("]", "")
    return text.replace(".", "/")
