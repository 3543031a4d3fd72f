"""Solves for the same paths by `reference.solve`, diffrax and torchdiffeq.

Needs the `peers` dependency group.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import torch
import torchdiffeq
from tqdm import tqdm

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks import timing
from experiments.benchmarks.ground_truth import torch_unet
from experiments.benchmarks.ground_truth.page import HERE, Config

# Tsit5: its last stage is the next step's first; one evaluation to start.
PER_STEP, TO_START = 6, 1


class Solved(NamedTuple):
    """End points, and evaluations of the network per path: mean and largest."""

    x1: np.ndarray
    mean: float
    largest: int
    paths: bj.Paths | None = None


def reference(field: Any, x0: jax.Array, tolerance: float) -> Solved:
    """All of it: one tolerance a sample, dense states, a certificate."""
    options = {"rtol": tolerance, "atol": tolerance, "progress": False}
    paths = bj.reference.solve(field, x0, **options)
    mean = paths.stats.evaluations / len(x0)
    return Solved(np.asarray(paths.x1), mean, paths.stats.nfe_max, paths)


@partial(jax.jit, static_argnames="tolerance")
def _end_points(field: Any, paths: bj.Paths, tolerance: float) -> jax.Array:
    ends = jnp.array([0.0, 1.0])
    states, _ = bj.reference.solve_at(
        field, paths, ends, rtol=tolerance, atol=tolerance
    )
    return states[-1]


def end_points(field: Any, paths: bj.Paths, tolerance: float) -> Solved:
    """The same solves without dense states and certificate."""
    start = paths._replace(stats=None, certificate=None)
    x1 = np.asarray(_end_points(field, start, tolerance))
    return Solved(x1, paths.stats.nfe_mean, paths.stats.nfe_max)


@partial(jax.jit, static_argnames=("tolerance", "each"))
def _diffrax(field: Any, x0: jax.Array, tolerance: float, each: bool) -> Any:
    def one(x):
        velocity = (lambda t, x, _: field(t, x[None])[0]) if each else (
            lambda t, x, _: field(t, x)
        )  # fmt: skip
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(velocity), diffrax.Tsit5(), 0.0, 1.0, None, x,
            stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
        )  # fmt: skip
        assert solution.ys is not None
        return solution.ys[-1], solution.stats["num_steps"]

    return jax.vmap(one)(x0) if each else one(x0)


def plain_diffrax(field: Any, x0: jax.Array, tolerance: float, each: bool) -> Solved:
    """A plain diffeqsolve: vmapped over the samples, or once for the batch."""
    x1, steps = _diffrax(field, x0, tolerance, each)
    nfe = PER_STEP * np.asarray(steps) + TO_START
    return Solved(np.asarray(x1), float(nfe.mean()), int(nfe.max()))


def plain_torchdiffeq(
    network: torch.nn.Module, x0: torch.Tensor, tolerance: float, method: str = "dopri5"
) -> Solved:
    """odeint on the batch as one system."""
    calls = []

    def velocity(t, x):
        calls.append(None)
        return network(t, x)

    ends = torch.tensor([0.0, 1.0], dtype=x0.dtype)
    options = {"rtol": tolerance, "atol": tolerance, "method": method}
    x1 = torchdiffeq.odeint(velocity, x0, ends, **options)[-1]
    return Solved(x1.numpy(), len(calls), len(calls))


def check(field: Any, network: torch.nn.Module, x0: jax.Array) -> float:
    """The largest difference of one call over the velocity's size, at three times."""
    worst, call = 0.0, jax.jit(lambda field, t, x: field(t, x))
    for t in (0.0, 0.5, 1.0):
        here = np.asarray(call(field, t, x0))
        there = network(torch.tensor(t), torch.tensor(np.asarray(x0))).numpy()
        worst = max(worst, float(np.abs(here - there).max() / np.abs(here).max()))
    if not worst < 1e-5:
        raise RuntimeError(f"the two networks differ by {worst:.1e} of the velocity")
    return worst


def call_ms(field: Any, network: torch.nn.Module, x0: jax.Array) -> dict[str, float]:
    """Median milliseconds of one network call on the batch."""
    call, x = jax.jit(lambda field, t, x: field(t, x)), torch.tensor(np.asarray(x0))
    each = jax.jit(lambda f, t, x: jax.vmap(lambda x: f(t, x[None])[0])(x))
    t = torch.tensor(0.5)
    works = {
        "JAX": lambda: call(field, 0.5, x0),
        "JAX, vmapped over samples": lambda: each(field, 0.5, x0),
        "torch": lambda: network(t, x),
    }
    spent = timing.in_turn(works, 10, desc="one call")
    return {name: 1e3 * float(np.median(values)) for name, values in spent.items()}


def errors(x1: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    each = np.sqrt(np.mean((x1.astype(np.float64) - exact) ** 2, axis=(1, 2, 3)))
    points = {"median": 0.5, "p95": 0.95, "max": 1.0}
    return {name: float(np.quantile(each, q)) for name, q in points.items()}


def measure(config: Config) -> None:
    threads = timing.cores()
    torch.set_num_threads(threads)
    model = bj.demo.load(config.model)
    x0, _ = bj.model.noise(model, jax.random.key(config.seed), config.paths)
    network = torch_unet.load(model.field)
    with torch.inference_mode():
        result = measured(config, model.field, network, x0)
    packages = (
        f"{name} {version(name)}" for name in ("diffrax", "torch", "torchdiffeq")
    )
    result["machine"] = (
        f"{harness.machine()}, {', '.join(packages)}, {threads} thread(s)"
    )
    harness.save(HERE / "results.json", result)


def measured(config: Config, field: Any, network: Any, x0: jax.Array) -> dict:
    parity, x = check(field, network, x0), torch.tensor(np.asarray(x0))
    double = torch_unet.load(field, torch.float64)
    exact, looser = (
        plain_torchdiffeq(double, x.double(), tolerance, "dopri8").x1
        for tolerance in (config.exact, 10 * config.exact)
    )
    swept = {}
    for tolerance in tqdm(config.swept, desc="reference paths"):
        swept[tolerance] = reference(field, x0, tolerance).paths
    methods: dict[str, Callable[[float], Solved]] = {
        "reference.solve": lambda tol: reference(field, x0, tol),
        "reference.solve_at": lambda tol: end_points(field, swept[tol], tol),
        "diffrax, per sample": lambda tol: plain_diffrax(field, x0, tol, True),
        "diffrax, batch": lambda tol: plain_diffrax(field, x0, tol, False),
        "torchdiffeq, batch": lambda tol: plain_torchdiffeq(network, x, tol),
    }
    rows = []
    for tolerance in tqdm(config.swept, desc="timed"):
        solved = {name: solve(tolerance) for name, solve in methods.items()}
        works = {name: partial(solve, tolerance) for name, solve in methods.items()}
        spent = timing.in_turn(works, config.rounds, warm=False, disable=True)
        rows += [
            {
                "method": name,
                "tolerance": tolerance,
                "evaluations": one.mean,
                "largest": one.largest,
                "seconds": float(np.median(spent[name])) / config.paths,
                **errors(one.x1, exact),
            }
            for name, one in solved.items()
        ]
    return {
        "config": asdict(config),
        "parity": parity,
        "exact": errors(looser, exact),
        "call_ms": call_ms(field, network, x0),
        "parts": parts(swept[config.tolerance]),
        "certificate": swept[config.tolerance].certificate._asdict(),
        "rows": rows,
    }


def parts(paths: bj.Paths) -> dict[str, float]:
    """Evaluations per path of `reference.solve`, by what they are for."""
    solves, knots = paths.stats.nfe_mean, paths.slopes.shape[1]
    every = paths.stats.evaluations / paths.size
    return {
        "the adaptive solves": solves,
        "slopes at the knots": float(knots),
        "placing knots and the certificate": every - solves - knots,
    }
