"""diffrax's adaptive solvers at a few evaluations a sample, for comparison.

Each sample is its own solve. A step costs 3 evaluations (Bosh3) or 6 (Tsit5, Dopri5),
whether accepted or rejected, as the last stage of a step is the first of the next;
a solve costs 1 more. The first step tried is half the interval: left to itself, diffrax
starts with so small a step that no solve ends within 10 evaluations.
"""

from functools import lru_cache, partial
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import bespoke_jax as bj

METHODS = {"bosh3": (diffrax.Bosh3, 3), "tsit5": (diffrax.Tsit5, 6)}
TOLERANCES = tuple(float(tol) for tol in np.geomspace(3.0, 1e-4, 24))
TO_START = 1


@lru_cache
def _solver(method: str):
    @partial(jax.jit)
    def solve(field, x0, end, tolerance):
        controller = diffrax.PIDController(
            rtol=tolerance, atol=tolerance, norm=lambda y: jnp.sqrt(jnp.mean(y**2))
        )

        def one(x):
            term = diffrax.ODETerm(lambda t, y, args: field(t, y[None])[0])
            solution = diffrax.diffeqsolve(
                term,
                METHODS[method][0](),
                0.0,
                end,
                end / 2,
                x,
                stepsize_controller=controller,
                max_steps=256,
                throw=False,
            )
            assert solution.ys is not None
            return solution.ys[0], solution.stats["num_steps"]

        return jax.vmap(one)(x0)

    return solve


def work_precision(model: bj.Model, paths: bj.Paths) -> list[dict[str, Any]]:
    """For each method and tolerance the mean NFE and the mean RMSE to the paths."""
    points = []
    for method, (_, per_step) in METHODS.items():
        for tolerance in TOLERANCES:
            x, steps = _solver(method)(
                model.field, paths.x0, jnp.float32(model.end), jnp.float32(tolerance)
            )
            points.append(
                {
                    "method": method,
                    "tolerance": tolerance,
                    "nfe": float(np.mean(steps)) * per_step + TO_START,
                    "rmse": float(bj.metrics.rmse(x, paths.x1)),
                }
            )
    return points


def best(points: list[dict[str, Any]], nfe: int) -> float | None:
    """Smallest RMSE of those that spend at most `nfe` evaluations on average."""
    within = [p["rmse"] for p in points if p["nfe"] <= nfe and np.isfinite(p["rmse"])]
    return min(within, default=None)
