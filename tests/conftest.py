"""Strict JAX for every test: float64, no silent rank promotion, cached compilation."""

import inspect
import os
import sys
from importlib.metadata import version
from pathlib import Path

# Without byte code every worker and every command that a test runs compiles some two
# thousand modules again, which takes longer than many a test.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Reading cached programs, XLA logs pages on CPU features that it does not use.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Compilation dominates the suite, and the costly optimisations are half of it. Users
# have them: `.ci/run` tests with them too, where it sets XLA_FLAGS to nothing.
_CHEAP = [
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_parallel_codegen_split_count=1",
]
if tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11):
    # A version that does not know a flag ends the process.
    _CHEAP.append("--xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("XLA_FLAGS", " ".join(_CHEAP))

import jax  # noqa: E402
import jaxtyping  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
# Compilation dominates the suite on a CPU; the cache survives between runs.
_CACHE = Path(__file__).parents[1] / ".cache"
jax.config.update("jax_compilation_cache_dir", str(_CACHE / "jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def pytest_configure(config):
    """The whole suite checks every annotated shape and type of the package as it runs.

    The quick selection (-m "not slow") leaves that out: it costs half as much again.
    """
    if "not slow" not in config.option.markexpr:
        jaxtyping.jaxtyped = _where_annotated(jaxtyping.jaxtyped)
        jaxtyping.install_import_hook("bespoke_jax", "beartype.beartype")


def _where_annotated(jaxtyped):
    """`jaxtyped` that leaves functions without annotations alone: nothing to check.

    A nested one would be compiled again at every call of the function around it.
    """

    def decorator(**options):
        checked = jaxtyped(**options)
        bare = lambda f: inspect.isfunction(f) and not f.__annotations__
        return lambda f: f if bare(f) else checked(f)

    return decorator


@pytest.fixture(autouse=True, scope="module")
def _few_programs():
    """Forget compiled programs before there are too many for one process.

    XLA maps some memory for each, and a process on Linux has at most 65,530 maps
    (vm.max_map_count): beyond, the compiler ends it with a segmentation fault.
    """
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > 30_000:
        jax.clear_caches()
