"""Higher-order primitives: those whose params hold a jaxpr. They use the transforms freely."""
