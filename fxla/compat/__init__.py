"""Other libraries' names for what fxla does."""
