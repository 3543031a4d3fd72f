"""The best fixed-budget solver for one model at one NFE, found by measuring.

1. Ground truth by diffrax, a part of it held out.
2. Every training-free solver on every grid is measured on a few paths, beside the
   solvers that the caller brings.
3. The best few start a non-stationary family, each improved by Levenberg-Marquardt
   steps (`gauss_newton`); after each round the better half goes on, with more paths and
   more steps. Where the median is what counts, the robustness scale falls step by step.
4. The best iterate on the held-out paths is returned. Every start is an iterate, so it
   is never worse than the best of them.
"""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from bespoke_jax import gauss_newton, reference
from bespoke_jax._types import Conditioning, Schedule
from bespoke_jax.candidates import Start, candidates, diverse
from bespoke_jax.checkpoint import Checkpoints, fingerprint
from bespoke_jax.core.calls import as_field
from bespoke_jax.families import (
    Family,
    nonstationary,
)
from bespoke_jax.fit import History
from bespoke_jax.paths import Paths, split, take
from bespoke_jax.schedules import CondOT
from bespoke_jax.table import Solver

PILOTS = 64  # paths that the starts are measured on
LOST = 1e4  # damping at which a track has nothing left to gain


class _Judge(NamedTuple):
    """What is to be small, and how the fits that may make it small are rationed."""

    measure: Callable[[Any], Any]
    rounds: tuple[tuple[int, int, float], ...]
    """(tracks, steps each, share of the training paths) of each round."""
    dead: float
    """Relative gain over `patience` steps below which a track has died out."""
    patience: int


JUDGES = {
    "mean": _Judge(np.mean, ((3, 6, 0.5), (2, 6, 1.0), (1, 30, 1.0)), 3e-3, 2),
    # The robustness scale falls from step to step, which takes more of them.
    "median": _Judge(np.median, ((4, 6, 0.4), (2, 8, 0.7), (1, 40, 1.0)), 2e-3, 4),
}


class Tailored(NamedTuple):
    """A tailored solver and how it came about."""

    theta: Any
    solver: Solver
    family: Family
    start: str
    """The start that led to it."""
    starts: tuple[Start, ...]
    """All measured starts, best first."""
    history: History
    """One entry per step, the first is the best start: rmse is the held-out judge's
    score of the best iterate so far, evaluations include the ground truth."""

    @property
    def rmse(self) -> float:
        """Held-out score of the solver."""
        return float(self.history.rmse[-1])

    @property
    def start_rmse(self) -> float:
        """Held-out score of the best start."""
        return float(self.history.rmse[0])


class _Track(NamedTuple):
    name: str
    theta: Any
    score: float
    damping: float
    done: int


def tailor(
    field: Any,
    x0: Any,
    *,
    nfe: int,
    key: jax.Array,
    schedule: Schedule | None = None,
    end: float | int = 1.0,
    c: Conditioning = None,
    starts: Sequence[Solver] = (),
    judge: str = "mean",
    validation: float | Paths = 0.25,
    probes: int = 3,
    evaluations: float | int | None = None,
    seconds: float | int | None = None,
    tolerance: float = 1e-5,
    directory: str | Path | None = None,
    progress: bool = True,
) -> Tailored:
    """The most accurate solver of `nfe` evaluations that this recipe finds for a field.

    Args:
        field: the velocity field.
        x0: (N, *shape) noises, a few hundred; or their `Paths`, solved for already.
        nfe: network evaluations of one sample.
        key: source of the random probes.
        schedule: path of the model; None is CondOT. It sets the scaling of the family
            and which training-free solvers can be tried.
        end: end of the interval, in (0, 1].
        c: conditioning of x0, leading axis N.
        starts: further solvers to start from, of nfe evaluations or of nfe - 1 (to
            which one is added; the result is then never worse than that solver).
        judge: "mean" or "median" of the per-sample RMS errors, what is to be small.
        validation: fraction of the paths held out (the last ones), or other Paths.
        probes: reverse passes per sample and step; samples of no more numbers than
            that have exact derivatives.
        evaluations: network evaluations to spend, ground truth included (forward 1,
            reverse 2 more); None is no limit.
        seconds: wall-clock to spend after the ground truth; None is no limit.
        tolerance: relative and absolute tolerance of the ground truth.
        directory: where to keep ground truth and steps: the same call goes on there.
        progress: show a progress bar.

    Raises:
        ValueError: arguments out of range, or no start that solves the field.
    """
    if judge not in JUDGES:
        raise ValueError(f"judge must be one of {list(JUDGES)}; got {judge!r}.")
    field, end = as_field(field), float(end)
    schedule = CondOT() if schedule is None else schedule
    family = nonstationary(nfe, schedule=schedule, end=end)
    paths = x0
    if not isinstance(paths, Paths):
        paths = reference.solve(
            field,
            x0,
            c=c,
            end=end,
            rtol=tolerance,
            atol=tolerance,
            directory=None if directory is None else Path(directory) / "ground-truth",
            progress=progress,
        )
    spent = 0 if paths.stats is None else paths.stats.evaluations
    training, held_out = (
        (paths, validation)
        if isinstance(validation, Paths)
        else split(paths, validation)
    )
    began = time.perf_counter()
    measure, rounds, dead, patience = JUDGES[judge]
    errors = lambda theta, paths: gauss_newton.errors(family, theta, field, paths)
    pilots = take(training, slice(0, PILOTS))
    found = list(candidates(family, schedule, nfe, end, starts))
    measured = []
    for name, theta in tqdm(found, desc="starts", unit="solver", disable=not progress):
        measured.append(Start(name, float(measure(errors(theta, pilots))), theta))
    spent += len(found) * pilots.size * nfe
    measured.sort(key=lambda start: start.score)
    tracks = [
        _Track(start.name, start.theta, float(measure(errors(start.theta, held_out))),
               1e-2, 0)
        for start in diverse(measured, rounds[0][0])
    ]  # fmt: skip
    spent += len(tracks) * held_out.size * nfe
    if not tracks or not math.isfinite(min(track.score for track in tracks)):
        raise ValueError(
            f"none of {len(measured)} starts solves this field at {nfe} evaluations; "
            "check the field, its end and its schedule."
        )
    store = None
    if directory is not None:
        settings = {
            "nfe": nfe,
            "judge": judge,
            "probes": probes,
            "key": np.asarray(jax.random.key_data(key)).tolist(),
            "data": fingerprint((training, held_out)),
            "starts": fingerprint([track.theta for track in tracks]),
        }
        store = Checkpoints(Path(directory) / "tailor", settings, keep=None)
    best = min(tracks, key=lambda track: track.score)
    log: list[tuple[float, ...]] = []

    def note(loss: float) -> None:
        clock = time.perf_counter() - began
        log.append((len(log), loss, best.score, spent, clock))

    def over() -> bool:
        late = seconds is not None and time.perf_counter() - began > seconds
        return late or (evaluations is not None and spent > evaluations)

    note(math.nan)
    total = sum(count * steps for count, steps, _ in rounds)
    with tqdm(total=total, desc="tailor", unit="step", disable=not progress) as bar:
        for number, (count, steps, share) in enumerate(rounds):
            tracks = sorted(tracks, key=lambda track: track.score)[:count]
            used = take(training, slice(0, max(1, round(share * training.size))))
            for place, track in enumerate(tracks):
                known = errors(track.theta, used)
                spent += used.size * nfe
                gains: list[float] = []
                for _ in range(steps):
                    if (
                        over()
                        or track.damping > LOST
                        or _died_out(gains, dead, patience)
                    ):
                        break
                    made = _cached_step(
                        store,
                        len(log),
                        family,
                        track,
                        field,
                        used,
                        known,
                        key=jax.random.fold_in(key, len(log)),
                        c=_scale(judge, number, track.done, known),
                        probes=probes,
                    )
                    known = made.errors
                    gains.append(float(measure(known)))
                    score = float(measure(errors(made.theta, held_out)))
                    spent += made.evaluations + held_out.size * nfe
                    track = _Track(
                        track.name, made.theta, score, made.damping, track.done + 1
                    )
                    best = min(best, track, key=lambda track: track.score)
                    note(made.loss)
                    bar.update()
                    bar.set_postfix_str(
                        f"{track.name}, best {best.score:.3g} "
                        f"(start {log[0][2]:.3g}), {spent:.2g} evaluations"
                    )
                tracks[place] = track
    if store is not None:
        store.close()
    history = History(*(np.array(column) for column in zip(*log, strict=True)))
    solver = jax.tree.map(np.asarray, family.build(best.theta))
    return Tailored(best.theta, solver, family, best.name, tuple(measured), history)


def _scale(judge: str, number: int, done: int, known: np.ndarray) -> float:
    """The robustness scale c: infinite for the mean, falling towards the median."""
    if judge == "mean" or number == 0:
        return math.inf
    return float(np.median(known)) * max(
        1.0, 8 * 0.8 ** (done - JUDGES[judge].rounds[0][1])
    )


def _died_out(scores: list[float], dead: float, patience: int) -> bool:
    return len(scores) > patience and scores[-1] > (1 - dead) * scores[-1 - patience]


def _cached_step(
    store: Checkpoints | None,
    index: int,
    family: Family,
    track: _Track,
    field: Any,
    paths: Paths,
    known: np.ndarray,
    *,
    key: jax.Array,
    c: float,
    probes: int,
) -> gauss_newton.Step:
    """A step, or the one that an interrupted run has saved."""

    def compute():
        made = gauss_newton.step(
            family,
            track.theta,
            field,
            paths,
            key=key,
            c=c,
            probes=probes,
            damping=track.damping,
            before=known,
        )
        return [np.asarray(leaf) for leaf in jax.tree.leaves(made)]

    if store is None:
        saved = compute()
    else:
        saved = store.cached(index, compute)
    like = gauss_newton.Step(track.theta, 0.0, 0.0, 0, known)
    step = jax.tree.unflatten(jax.tree.structure(like), saved)
    return step._replace(
        theta=jax.tree.map(jnp.asarray, step.theta),
        loss=float(step.loss),
        damping=float(step.damping),
        evaluations=int(step.evaluations),
    )
