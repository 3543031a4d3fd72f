"""Python in a process of its own, with several devices where a test asks for them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BESPOKE = """
import sys
from bespoke_jax.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""The command `bespoke`, for an interpreter's -c."""


def model_file(numbers: int) -> str:
    """A file with a model `load` whose samples have so many numbers."""
    return f"""
import jax.numpy as jnp
import bespoke_jax as bj
def load():
    field = lambda t, x: jnp.tanh(3 * jnp.sin(4 * t[:, None]) - x) + jnp.cos(2 * x)
    return bj.Model(field, ({numbers},))
"""


def environment(devices: int = 1, **more: str) -> dict[str, str]:
    """The variables of a process that sees `devices` CPU devices."""
    flags = os.environ.get("XLA_FLAGS", "")
    return {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "XLA_FLAGS": f"{flags} --xla_force_host_platform_device_count={devices}",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        **more,
    }


def python(code: str, *argv: str, **options) -> str:
    """What `code` prints; the options are those of `environment`, and `cwd`."""
    cwd = options.pop("cwd", None)
    done = subprocess.run(
        [sys.executable, "-c", code, *argv],
        cwd=cwd,
        env=environment(**options),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
