"""With x0 sharded over devices, every network call of a fit is divided over them."""

from pathlib import Path

import pytest
from process import python

SCRIPT = """
import sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
sys.path.insert(0, {tests!r})
from oracles import GAUSSIAN, field, gaussian_paths
import bespoke_jax as bj
from bespoke_jax import losses

END = 0.99
inner = field(bj.schedules.VP(), GAUSSIAN)
seen = []

def watched(t, x, c=None):
    jax.debug.inspect_array_sharding(
        x, callback=lambda s: seen.append((x.shape, s.shard_shape(x.shape)[0])))
    return inner(t, x)

def spread(leaf):
    return jax.device_put(leaf, NamedSharding(mesh, PartitionSpec("batch")))

mesh = Mesh(np.array(jax.devices()), ("batch",))
paths = gaussian_paths(bj.schedules.VP(), GAUSSIAN, 40, END, knots=33)
names = ("x0", "x1", "states", "slopes")
many = paths._replace(**{{name: spread(getattr(paths, name)) for name in names}})
family = bj.families.scale_time(2, end=END)
for loss, rows in ((losses.rmse, 8), (losses.rmse_bound, 16)):
    thetas = []
    for each in (paths, many):
        seen.clear()
        fitted = bj.fit(family, watched, each, loss=loss, key=jax.random.key(1),
                        iterations=4, batch_size=8, progress=False)
        thetas.append(jax.tree.leaves(fitted.theta))
        jax.effects_barrier()
    assert rows in {{shape[0] for shape, _ in seen}}, seen  # as it was compiled
    for (batch, _), shard in seen:
        assert batch < 8 or shard * 4 == batch, seen
    for a, b in zip(*thetas):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
"""


@pytest.mark.slow
def test_batches_of_the_network_are_divided():
    root = Path(__file__).parents[2]
    script = SCRIPT.format(tests=str(root / "tests" / "helpers"))
    python(script, devices=4, JAX_ENABLE_X64="1")
