"""One ground truth from look to paths, adaptive or of fixed steps, resumable."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from bespoke_jax.cards.checkpoint import Checkpoints
from bespoke_jax.core.budget import Budget
from bespoke_jax.core.fingerprint import fingerprint
from bespoke_jax.core.hosts import shows
from bespoke_jax.reference import fixed, pipeline
from bespoke_jax.reference.allowance import Allowance
from bespoke_jax.reference.fixed import Plan
from bespoke_jax.reference.paths import Paths
from bespoke_jax.reference.pipeline import Request


def run(
    request: Request,
    budget: Budget,
    folder: Path | None,
    progress: bool,
    plan: Plan | None = None,
) -> Paths:
    """Look at the field, solve and certify; what is in the folder is not done again.

    plan: that of fixed steps; None for adaptive ones.
    """
    look = pipeline.look_at(request)
    budget.pay(look.evaluations)
    allowance = Allowance(budget, pipeline.LOOKING)
    store, cached = None, lambda step, compute: compute()
    if folder is not None:
        settings = _settings(request, budget) | {"field": look.rounding.probe}
        settings |= {} if plan is None else _planned(request, plan)
        store = Checkpoints(folder, settings, keep=None)
        cached = store.cached
    control = request.problem.control
    with tqdm(
        total=request.samples.size,
        desc=f"ground truth {control.method} rtol={control.rtol:g}",
        unit="path",
        disable=not shows(progress),
    ) as bar:

        def note(paths: int, mean: float) -> None:
            bar.update(paths)
            bar.set_postfix_str(f"{mean:.0f} NFE per path" if mean else "")

        bar.set_postfix_str("pilots")
        if plan is None:
            found = pipeline.pilots(request, look, allowance, cached)
            parts = pipeline.batches(request, found, allowance, cached, note)
            certify = partial(pipeline.certificate, request, found, look)
            times = found.times
        else:
            chosen = fixed.pilots(request, plan, look, allowance, cached)
            parts = fixed.batches(request, chosen, allowance, cached, note)
            certify = lambda states: fixed.certificate(request, chosen, look)
            times = chosen.times if request.dense else request.times
            if plan.sought is not None:
                control = control._replace(rtol=0.0, atol=chosen.tolerance)
    if store is not None:
        store.close()
    paths = pipeline.assemble(request, times, parts, certify, budget)
    return paths._replace(control=control)


def _planned(request: Request, plan: Plan) -> dict[str, Any]:
    """What tells runs of fixed steps apart; schedules are compared by their values."""
    times = np.linspace(request.problem.start, request.problem.end, 5)
    return {"schedule": np.ravel(plan.schedule(times)), "sought": plan.sought}


def _settings(request: Request, budget: Budget) -> dict[str, Any]:
    """What identifies a run: inputs alone, the same on any device and at any time."""
    problem = request.problem
    return {
        "x0": fingerprint(tuple(request.samples)),
        **problem.control._asdict(),
        "start": problem.start,
        "end": problem.end,
        "times": [float(t) for t in request.times],
        "dense": request.dense,
        "jumps": list(problem.frame.jumps),
        "batch_size": request.batch_size,
        "evaluations": int(budget.evaluations) if budget.bounded else None,
    }
