"""One fit, in this process: prints its peak memory and what it spent as JSON.

    python -m experiments.benchmarks.fit_memory.job WORK NFE PATHS EVALUATIONS
"""

import json
import resource
import sys

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

import bespoke_jax as bj
from bespoke_jax.demo.unet import UNet

SHAPE = (32, 32, 3)
BATCH = 64
SIZES = {"fine": 64, "coarse": 192, "width": 128}


def field() -> tuple[Partial, int]:
    """A network whose velocities are of the size of x, and its number of parameters."""
    network = UNet(**SIZES)
    x, t = jnp.zeros((1, *SHAPE)), jnp.zeros(1)
    shapes = jax.eval_shape(network.init, jax.random.key(0), x, t)["params"]
    leaves, tree = jax.tree.flatten(shapes)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    drawn = [
        jax.random.normal(key, leaf.shape) / max(1, leaf.size // leaf.shape[-1]) ** 0.5
        for key, leaf in zip(keys, leaves, strict=True)
    ]
    params = jax.tree.unflatten(tree, drawn)
    return Partial(_velocity, params), sum(leaf.size for leaf in leaves)


def _velocity(params, t, x):
    return UNet(**SIZES).apply({"params": params}, x, t)


def evaluate(u: Partial, reverse: bool) -> None:
    """One evaluation of a batch, with its reverse pass if asked for."""
    x, t = jax.random.normal(jax.random.key(2), (BATCH, *SHAPE)), jnp.full(BATCH, 0.5)

    def work(u, t, x):
        if not reverse:
            return u(t, x)
        out, pull = jax.vjp(lambda t, x: u(t, x), t, x)
        return pull(out)

    jax.block_until_ready(jax.jit(work)(u, t, x))


def fit(u: Partial, nfe: int, paths: int, evaluations: int) -> bj.Tailored:
    """The whole of `tailor`: ground truth, regression, descent and score."""
    x0 = jax.random.normal(jax.random.key(3), (paths, *SHAPE))
    found = bj.tailor(
        u, x0, nfe=nfe, key=jax.random.key(4), evaluations=evaluations,
        batch_size=BATCH, progress=False,
    )  # fmt: skip
    assert isinstance(found, bj.Tailored)
    return found


def main(work: str, nfe: int, paths: int, evaluations: int) -> None:
    u, parameters = field()
    told = {"parameters": parameters}
    if work == "fit":
        found = fit(u, nfe, paths, evaluations)
        told |= {"evaluations": found.evaluations, "start": found.start}
        told |= {"steps": len(found.history.rmse) - 1, "paths solved": found.paths.size}
    else:
        evaluate(u, work == "reverse")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({**told, "bytes": peak}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
