"""Samples are independent: eight simulated devices give one device's numbers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
sys.path.insert(0, {tests!r})
from oracles import field, random_mixture
import bespoke_jax as bj

assert jax.device_count() == 8
u = field(bj.schedules.CondOT(), random_mixture(0))
x0 = jax.random.normal(jax.random.key(0), (64, 2))
mesh = Mesh(np.array(jax.devices()), ("batch",))
spread = jax.device_put(x0, NamedSharding(mesh, PartitionSpec("batch")))
family = bj.families.scale_time(2)

def everything(x0):
    solver = bj.solvers.rk4(steps=3)
    out = bj.sample(u, solver, x0)
    paths = bj.reference.solve(u, x0, batch_size=32, progress=False)
    fitted = bj.fit(family, u, paths, key=jax.random.key(1), iterations=10,
                    batch_size=8, progress=False)
    return out, paths, fitted.theta, bj.metrics.rmse(out, paths.x1)

one, many = everything(x0), everything(spread)
assert len(many[0].sharding.device_set) == 8
for a, b in zip(jax.tree.leaves((one[0], one[1].x1, one[1].states, one[2:])),
                jax.tree.leaves((many[0], many[1].x1, many[1].states, many[2:]))):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
"""


@pytest.mark.slow
def test_eight_devices_give_the_numbers_of_one():
    tests = str(Path(__file__).parent)
    environment = {
        **os.environ,
        "JAX_ENABLE_X64": "1",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(tests=tests)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
