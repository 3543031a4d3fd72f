"""A 4 x 2 mesh, samples by weights: one device's numbers, a share of work for each."""

from pathlib import Path

import pytest
from process import python

SCRIPT = """
import sys
import collections
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from jax.tree_util import Partial
sys.path.insert(0, {tests!r})
import bespoke_jax as bj
from bespoke_jax.core import hosts

assert jax.device_count() == 8
mesh = Mesh(np.array(jax.devices()).reshape(4, 2), ("samples", "weights"))
put = lambda x, *spec: jax.device_put(x, NamedSharding(mesh, P(*spec)))
D, WIDTH, END = 6, 32, 1 - 1e-3
VP = bj.schedules.VP()
keys = jax.random.split(jax.random.key(0), 3)
A = jax.random.normal(keys[0], (D, WIDTH)) / 2
B = jax.random.normal(keys[1], (WIDTH, D)) / 6
rows = collections.Counter()  # rows of the hidden layer that each device computes

def network(A, B, t, x, c=None):
    h = jnp.tanh(x @ A + t[:, None])
    if {count}:
        jax.debug.callback(lambda h: rows.update([("calls", len(h))]), h)
        jax.debug.inspect_array_sharding(h, callback=lambda s: seen.append(
            (h.shape, s.shard_shape(h.shape))))
    return h @ B

seen = []
x0 = jax.random.normal(keys[2], ({N}, D))
one = Partial(network, A, B), x0
many = (Partial(network, put(A, None, "weights"), put(B, "weights", None)),
        put(x0, "samples", None))
options = {{"schedule": VP, "end": END, "progress": False}}
times = bj.grids.resolve("quadratic", 3, VP, END)
family = bj.families.nonstationary(3, schedule=VP, end=END)

def bare(x):
    return np.asarray(x, np.float64)

def everything(field, x0):
    out = {{}}
    solve = lambda **more: bj.reference.solve(
        field, x0, end=END, progress=False, batch_size=16, **more)
    paths = solve()
    fixed = solve(method="multistep", schedule=VP)
    for name, each in (("adaptive", paths), ("fixed", fixed)):
        out[name] = each.x1, each.states, each.slopes
    solver = bj.regress(field, paths, times=times, schedule=VP, batch_size=16)
    out["regress"] = bj.canonical(solver)
    out["window"] = bj.canonical(bj.regress(
        field, paths, times=times, schedule=VP, window=2, batch_size=16))
    out["sample"] = bj.sample(field, solver, x0)
    fitted = bj.fit(family, field, paths, key=jax.random.key(1), iterations=3,
                    loss=bj.losses.rmse, batch_size=8, progress=False)
    out["fit"] = jax.tree.leaves(fitted.theta), fitted.rmse
    points = bj.metrics.work_precision(
        field, {{"regress": solver}}, paths, batch_size=16, repeats=1, progress=False)
    out["work_precision"] = points[0].errors, points[0].rmse
    for effort, more in (("seconds", {{}}), ("best", {{"evaluations": 4000}})):
        made = bj.tailor(field, paths, nfe=3, key=jax.random.key(2), effort=effort,
                         **more, **options)
        out[effort] = bj.canonical(made.solver), made.rmse, made.start_rmse
    return out

a, b = everything(*one), everything(*many)
for name in a:
    for p, q in zip(jax.tree.leaves(a[name]), jax.tree.leaves(b[name]), strict=True):
        p, q = np.asarray(p), np.asarray(q)
        off = np.abs(p - q).max() / np.abs(p).max()
        print(name, off)
for name in ("adaptive", "fixed"):
    for leaf in b[name]:
        print(name, leaf.sharding)
print(b["sample"].sharding)
"""


@pytest.mark.slow
def test_a_mesh_gives_the_numbers_of_one_device_and_shares_the_work():
    tests = str(Path(__file__).parents[1] / "helpers")
    python(
        SCRIPT.format(tests=tests, count=False, N=64), devices=8, JAX_ENABLE_X64="1"
    )
