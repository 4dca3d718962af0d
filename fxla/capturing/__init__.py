"""Python's control flow on traced values: functions rewritten so that a program holds it.

A function's syntax is rewritten once (`jumps`, `liveness`, `statements`, `expressions`); what a
statement then does is decided each time it runs (`branches`, `loops`): on concrete values what
Python does, on traced ones what `lax.cond`, `lax.while_loop` and `lax.scan` do.
"""
