"""Transformations: each file holds one Trace, its Tracer, and the public function."""
