"""From lowered equations to loop nests: what is stored, what shares a kernel, in which order."""
