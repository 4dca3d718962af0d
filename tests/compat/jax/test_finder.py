"""Installing, and undoing it; what is there already is left alone."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_installing_and_undoing() -> None:
    told = run(
        "import fxla, fxla.compat.jax as c, importlib.util\n"
        "print(importlib.util.find_spec('jax'), c.installed())\n"
        "c.install(); c.install()\n"
        "import jax, jax.numpy as jnp, jax.scipy.stats.norm\n"
        "from jax.nn import relu\n"
        "x = jnp.ones(2); y = x; y += 1\n"
        "print(jnp.ones(2).dtype, x.tolist(), jax.__version__.count('.'))\n"
        "c.uninstall(); c.uninstall()\n"
        "x = fxla.numpy.ones(2); y = x; y += 1\n"
        "print(fxla.numpy.ones(2).dtype, x.tolist(), importlib.util.find_spec('jax'))"
    )
    assert told.splitlines() == ["None False", "float32 [1.0, 1.0] 2", "float64 [2.0, 2.0] None"]


def test_double_precision() -> None:
    told = run(
        "import fxla.compat.jax as c; c.install(x64=True)\n"
        "import jax, jax.numpy as jnp\n"
        "print(jnp.ones(2).dtype, jnp.arange(2).dtype, jax.config.jax_enable_x64)"
    )
    assert told == "float64 int64 True"


def test_another_jax_is_left_alone() -> None:
    told = run(
        "import sys, types; sys.modules['jax'] = types.ModuleType('jax')\n"
        "import fxla.compat.jax as c\n"
        "try: c.install()\n"
        "except RuntimeError as e: print(e)\n"
        "print(c.installed())"
    )
    assert "jax has been imported already" in told and told.endswith("False")


def test_fxla_itself_does_not_import_it() -> None:
    assert run("import fxla, sys; print('fxla.compat' in sys.modules)") == "False"


def test_lists_of_names_are_true() -> None:
    run(
        "import fxla.compat.jax as c; c.install(); import importlib\n"
        "from fxla.compat.jax.namespaces import MODULES\n"
        "for name in MODULES:\n"
        "    m = importlib.import_module(name)\n"
        "    assert all(hasattr(m, n) for n in m.__all__), name"
    )
