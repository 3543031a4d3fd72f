"""The best fixed-budget solver for one model at one NFE, found by measuring.

1. Ground truth by diffrax, of as many noises as half the budget pays for. The paths
   are split in three: some fit, some choose, and some only score the result.
2. Every training-free solver on every grid, and the solvers that the caller brings,
   race by successive halving, which takes at most a fifth of the budget.
3. The best few start a non-stationary family, each improved by Levenberg-Marquardt
   steps (`gauss_newton`); after each round the better half goes on, with more paths and
   more steps. Where the median is what counts, the robustness scale falls step by step.
4. The best iterate on the choosing paths is returned. Every start is an iterate, so it
   is never worse there than the best of them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from bespoke_jax import fields
from bespoke_jax.core import checks
from bespoke_jax.core.budget import Budget
from bespoke_jax.core.calls import as_field
from bespoke_jax.core.fingerprint import fingerprint
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Conditioning
from bespoke_jax.families import nonstationary
from bespoke_jax.families.family import check_interval
from bespoke_jax.fitting import gauss_newton, identity
from bespoke_jax.fitting.candidates import candidates
from bespoke_jax.fitting.improve import JUDGES, Problem
from bespoke_jax.fitting.journal import Journal
from bespoke_jax.fitting.search import Tailored, search
from bespoke_jax.fitting.splits import three_way
from bespoke_jax.fitting.truth import ground_truth
from bespoke_jax.reference.paths import Paths, take
from bespoke_jax.schedules import CondOT


def tailor(
    field: Any,
    x0: Any,
    *,
    nfe: int,
    key: jax.Array,
    schedule: Schedule | None = None,
    start: float | int = 0.0,
    end: float | int = 1.0,
    c: Conditioning = None,
    starts: Sequence[Solver] = (),
    judge: str = "mean",
    validation: float | Paths = 0.2,
    test: float | Paths = 0.2,
    probes: int = 3,
    evaluations: float | int | None = None,
    seconds: float | int | None = None,
    tolerance: float = 1e-5,
    batch_size: int | None = None,
    directory: str | Path | None = None,
    progress: bool = True,
) -> Tailored:
    """The most accurate solver of `nfe` evaluations that this recipe finds for a field.

    Args:
        field: the velocity field.
        x0: (N, *shape) states at `start`, a few hundred; or their `Paths`, solved for
            already (what these cost counts as spent).
        nfe: network evaluations of one sample.
        key: source of the random probes.
        schedule: path of the model; None is the one that the field was made with
            (`fields.schedule_of`), or CondOT. It sets the scaling of the family and
            which training-free solvers can be tried.
        start: start of the interval, in [0, end); above 0 where x0 is not pure noise.
        end: end of the interval, in (start, 1].
        c: conditioning of x0, leading axis N.
        starts: further solvers to start from, of nfe evaluations or of nfe - 1 (to
            which one is added; the result is then never worse than that solver on the
            choosing paths).
        judge: "mean" or "median" of the per-sample RMS errors, what is to be small.
        validation: fraction of the paths that choose among iterates, or other Paths.
        test: fraction of the paths that choose nothing and give the scores reported, or
            other Paths.
        probes: reverse passes per sample and step; samples of no more numbers than
            that have exact derivatives.
        evaluations: network evaluations of single samples to spend at most, everything
            included (forward 1, reverse 2 more); None is no bound. At most half goes
            into the ground truth, which may then be of fewer noises than N.
        seconds: wall-clock to spend at most, everything included; None is no bound.
            Checked between steps: the last one is not begun unless it fits.
        tolerance: relative and absolute tolerance of the ground truth.
        batch_size: samples in one network call, which bounds memory; None is 128 for
            the ground truth and 64 or more for the fit.
        directory: where to keep ground truth and steps: the same call goes on there,
            and returns at once where it had ended.
        progress: show a progress bar.

    Raises:
        ValueError: arguments out of range, no start that solves the field, a field
            whose samples are not independent, a directory that holds another run, or
            (`TooLittle`) a budget that does not pay for the least that is needed.
    """
    checks.known("judge", judge, JUDGES)
    checks.random_key("key", key)
    tolerance = checks.real("tolerance", tolerance, above=0)
    if batch_size is not None:
        batch_size = checks.whole("batch_size", batch_size)
    field, interval = as_field(field), check_interval(start, end)
    if schedule is None:
        schedule = fields.schedule_of(field) or CondOT()
    family = nonstationary(nfe, schedule=schedule, start=interval[0], end=interval[1])
    budget = Budget(evaluations, seconds)
    found, dropped = candidates(family, schedule, nfe, interval, starts)
    folder = None if directory is None else checks.path("directory", directory)
    paths = ground_truth(
        field, x0, c, interval, nfe=nfe, budget=budget, tolerance=tolerance,
        batch_size=batch_size, folder=folder, progress=progress,
    )  # fmt: skip
    gauss_newton.check_probes(probes, paths)
    settings = {
        "nfe": nfe, "judge": judge, "probes": probes, "interval": list(interval),
        "evaluations": evaluations, "seconds": seconds, "tolerance": tolerance,
        "batch_size": batch_size,
        **_noises("x0", x0 if isinstance(x0, Paths) else (x0, c)),
        **_noises("validation", validation),
        **_noises("test", test),
        **_measured(field, schedule, paths, interval, key, starts),
    }  # fmt: skip
    budget.pay(identity.PROBE_COST)
    journal = Journal(folder and folder / "tailor", settings, budget)
    try:
        # Where seconds bound the truth, the first run decides how many paths there are.
        (size,) = journal.once(lambda: [paths.size])
        paths = take(paths, slice(0, int(size)))
        parts = three_way(paths, validation, test)
        problem = Problem(
            family, nfe, field, JUDGES[judge], probes, key, batch_size, budget,
            journal, progress,
        )  # fmt: skip
        return search(problem, judge, paths, parts, found, dropped)
    finally:
        journal.close()


def _measured(
    field: Any,
    schedule: Schedule,
    paths: Paths,
    interval: tuple[float, float],
    key: jax.Array,
    starts: Sequence[Solver],
) -> dict[str, Any]:
    """What tells the functions of a run from others.

    Arrays are compared with a tolerance: they differ in their last digits on other
    devices.
    """
    return {
        "key": identity.of_key(key),
        "starts": np.concatenate([[0.0], *map(identity.of_solver, starts)]),
        "schedule": np.ravel(schedule(np.linspace(*interval, 5))),
        "field": identity.of_field(field, paths, *interval),
    }


def _noises(name: str, given: Any) -> dict[str, Any]:
    """What tells the noises of a run from others: their content, or a fraction."""
    if isinstance(given, Paths):
        return identity.of_paths(name, given)
    return {name: fingerprint(given) if isinstance(given, tuple) else given}
