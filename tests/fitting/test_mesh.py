"""A 4 x 2 mesh, samples by weights: one device's numbers, and a share for each."""

import pytest
from process import python

SCRIPT = """
import sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from jax.tree_util import Partial
import bespoke_jax as bj

assert jax.device_count() == 8
mesh = Mesh(np.array(jax.devices()).reshape(4, 2), ("samples", "weights"))
put = lambda x, *spec: jax.device_put(x, NamedSharding(mesh, P(*spec)))
D, WIDTH, END, VP = 6, 16, 1 - 1e-3, bj.schedules.VP()
keys = jax.random.split(jax.random.key(0), 3)
A = jax.random.normal(keys[0], (D, WIDTH)) / 2
B = jax.random.normal(keys[1], (WIDTH, D)) / 6
x0 = jax.random.normal(keys[2], (40, D))  # in parts of 24, 8 and 8
done = []  # activations that the devices compute, all of them together

def plain(A, B, t, x, c=None):
    return jnp.tanh(x @ A + t[:, None]) @ B

def watched(A, B, t, x, c=None):
    h = jnp.tanh(x @ A + t[:, None])
    jax.debug.callback(lambda h: done.append(h.size), h, partitioned=True)
    return h @ B

times = bj.grids.resolve("quadratic", 3, VP, END)
family = bj.families.nonstationary(3, schedule=VP, end=END)
quiet = {"progress": False}

def everything(A, B, x0):
    "name -> (results, activations computed, sharded outputs)."
    field, out = Partial(watched, A, B), {}

    def note(name, run, numbers, sharded=lambda made: ()):
        jax.effects_barrier()
        done.clear()
        made = run()
        jax.effects_barrier()
        out[name] = numbers(made), sum(done), sharded(made)
        return made

    dense = lambda paths: (paths.x1, paths.states, paths.slopes)
    solve = lambda field, **more: bj.reference.solve(
        field, x0, end=END, batch_size=16, **more, **quiet)
    note("adaptive", lambda: solve(Partial(plain, A, B), dense=False).x1,
         lambda x: x, lambda x: x)
    paths = note("multistep", lambda: solve(
        field, method="multistep", schedule=VP, rtol=1e-3, atol=1e-3), dense, dense)
    solver = note("regress", lambda: bj.regress(
        field, paths, times=times, schedule=VP, batch_size=16), bj.canonical)
    note("sample", lambda: bj.sample(field, solver, x0), lambda x: x, lambda x: x)
    note("fit", lambda: bj.fit(
        family, field, paths, key=jax.random.key(1), iterations=10, batch_size=8,
        loss=bj.losses.rmse, **quiet), lambda made: (made.theta, made.rmse))
    note("work_precision", lambda: bj.metrics.work_precision(
        field, {"one": solver}, paths, batch_size=16, repeats=1, **quiet)[0],
        lambda point: (point.errors, point.rmse.mean))
    spend = {"evaluations": 1500 + paths.stats.evaluations}
    for effort, more in (("seconds", {}), ("best", spend)):
        note(effort, lambda: bj.tailor(
            field, paths, nfe=3, key=jax.random.key(2), schedule=VP, end=END,
            effort=effort, **more, **quiet),
            lambda made: (bj.canonical(made.solver), made.rmse, made.start_rmse))
    return out

one = everything(A, B, x0)
many = everything(put(A, None, "weights"), put(B, "weights", None),
                  put(x0, "samples", None))
# Adaptive steps amplify rounding; all else takes the same steps.
for name, (numbers, *_) in many.items():
    for p, q in zip(*map(jax.tree.leaves, (one[name][0], numbers)), strict=True):
        p, q = np.asarray(p), np.asarray(q)
        np.testing.assert_allclose(
            q, p, rtol=0, atol=1e-10 * np.abs(p).max(), err_msg=name)
# Every device runs the same program: the busiest computes an eighth of all.
share = {name: many[name][1] / max(one[name][1], 1) for name in one}
print(share)
for name in ("multistep", "regress", "sample", "fit", "work_precision"):
    assert 1 - 1e-9 <= share[name] <= 1.1, (name, share)
# A search of few evaluations tries grids on pilots that do not divide by the devices.
assert max(share["seconds"], share["best"]) <= 1.5, share
for name in ("adaptive", "multistep", "sample"):
    for leaf in jax.tree.leaves(many[name][2]):
        assert {s.data.shape[0] for s in leaf.addressable_shards} == {10}, name
        assert leaf.sharding.spec[0] == "samples", name
"""

UNEVEN = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from bespoke_jax.core.batches import batches, joined, rows

mesh = Mesh(np.array(jax.devices()), ("samples",))
x = jax.random.normal(jax.random.key(0), (24, 3))
spread = jax.device_put(x, NamedSharding(mesh, P("samples")))
part = rows(spread, slice(0, 13))  # lies on all devices, and knows of no shards
assert len(part.sharding.device_set) == 8 and part.sharding.is_fully_replicated
seen = list(batches((part, part[:, 0]), 6, spread))
for start, stop, leaves in seen:
    for leaf in leaves:
        assert {s.data.shape[0] for s in leaf.addressable_shards} == {1}, (start, stop)
again = joined([leaves[0] for _, _, leaves in seen], 13, spread)
np.testing.assert_array_equal(again, x[:13])
"""


@pytest.mark.slow
@pytest.mark.parametrize("script", [SCRIPT, UNEVEN], ids=["mesh", "uneven"])
def test_a_mesh_gives_the_numbers_of_one_device_and_shares_the_work(script):
    print(python(script, devices=8, JAX_ENABLE_X64="1"))
