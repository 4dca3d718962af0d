"""Time fxla beside its peers.

    python -m bench peers                       # once: the peers, in an environment of their own
    python -m bench                             # every workload beside every peer that is there
    python -m bench --only softmax --peers jax  # those whose name contains the word, beside JAX
    python -m bench --write                     # also keep the page and plot in bench/results/
    python -m bench heldout                     # the programs that nobody tunes on
    python -m bench --floor                     # what the machine can do, and how close fxla comes
    python -m bench scaling                     # cost against size and against threads
    python -m bench stages --only LSTM          # what threads do, and who waits, kernel by kernel
    python -m bench sizes                       # 200 batch sizes through one function
    python -m bench import                      # what importing costs
    python -m bench surface                     # every function of fxla.numpy beside NumPy's
    python -m bench training                    # an epoch beside PyTorch and JAX with optax
    python -m bench list                        # the names

Each package runs each workload in a fresh process with an empty cache; the rounds alternate.
"""

from __future__ import annotations

import sys

from bench.command import main

if __name__ == "__main__":
    sys.exit(main())
