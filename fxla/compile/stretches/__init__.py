"""Stretches of a program through arrays much larger than all that they are made of, in blocks."""
