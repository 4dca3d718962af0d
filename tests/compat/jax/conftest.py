collect_ignore_glob = ["cases_*.py"]  # they import jax, which run.py makes
