"""Samples are independent: eight simulated devices give one device's numbers."""

from pathlib import Path

import pytest
from process import python

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

WHERE = """
import sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
sys.path.insert(0, {tests!r})
import bespoke_jax as bj
from bespoke_jax.core.batches import batches, rows
from bespoke_jax.reference.adaptive import METHODS, slopes_at, solve_each

x0 = jax.random.normal(jax.random.key(0), (64, 24))
mesh = Mesh(np.array(jax.devices()).reshape(8, 1), ("batch", "model"))
spread = jax.device_put(x0, NamedSharding(mesh, PartitionSpec("batch", "model")))
w = jax.random.normal(jax.random.key(1), (24, 40)) / 5
network = lambda t, x: jnp.tanh(x @ w) @ w.T
field = bj.fields.as_field(network)

# Every batch lies where its samples lie: a device holds its share of the rows.
seen = [part for _, _, part in batches((spread, spread[:, 0]), 30)]
assert {{part[0].shape for part in seen}} == {{(32, 24)}}
for x, first in seen:
    assert {{s.data.shape for s in x.addressable_shards}} == {{(4, 24)}}
    assert {{s.data.shape for s in first.addressable_shards}} == {{(4,)}}

# The network's matrix products in the compiled solve have four rows, not 32.
ts, tol = jnp.array([0.0, 1.0]), jnp.asarray(1e-5)
def products(x):
    compiled = solve_each.lower(
        field, x, None, ts, tol, tol, method=METHODS["tsit5"], max_steps=64
    ).compile().compiled.as_text()
    return [line for line in compiled.splitlines() if " dot(" in line]
whole, share = products(x0[:32]), products(rows(spread, slice(0, 32)))
count = lambda lines, n: sum(f"[{{n}},40]" in x or f"[{{n}},1,40]" in x for x in lines)
assert count(whole, 32) and not count(whole, 4), whole[:3]
assert count(share, 4) and not count(share, 32), share[:3]

one, many = (
    bj.reference.solve(network, x, batch_size=30, progress=False)
    for x in (x0, spread)
)
assert many.x1.sharding == spread.sharding
for leaf in (many.states, many.slopes):
    assert {{s.data.shape[0] for s in leaf.addressable_shards}} == {{8}}
for name in ("x1", "knots", "states", "slopes"):
    np.testing.assert_allclose(
        getattr(many, name), getattr(one, name), rtol=1e-9, atol=1e-10
    )
ends = bj.reference.solve(network, spread, dense=False, progress=False)
assert ends.x1.sharding == spread.sharding
"""


@pytest.mark.slow
@pytest.mark.parametrize("script", [SCRIPT, WHERE], ids=["numbers", "places"])
def test_eight_devices_give_the_numbers_of_one_and_share_the_work(script):
    tests = str(Path(__file__).parents[1] / "helpers")
    python(script.format(tests=tests), devices=8, JAX_ENABLE_X64="1")
