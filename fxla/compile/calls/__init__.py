"""Calls from Python in native code: jitted functions, operators of arrays, memory of results."""
