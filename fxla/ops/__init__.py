"""First-order primitives, a file for each family. Rules call only other primitives."""
