"""From a jaxpr to native code: simplify, lower, fuse, schedule, one program around the kernels."""
