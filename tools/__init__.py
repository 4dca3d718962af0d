"""Commands for working on fxla."""
