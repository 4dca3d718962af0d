"""The kernel IR: typed loop nests, their checker, printers and passes. Knows no jaxpr."""
