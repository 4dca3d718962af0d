"""Named workloads, timed for fxla and for its peers in alternating rounds: `python -m bench`."""
