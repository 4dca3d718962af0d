"""Avals, dtypes, jaxprs, primitives and traces: what every other floor stands on."""
