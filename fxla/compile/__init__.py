"""From a jaxpr to native code: simplify, lower, fuse, schedule, and one program around the kernels."""
