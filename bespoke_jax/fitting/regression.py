"""Rows by regression: a solver fitted without a gradient.

(S) is linear in its weights. With the times t_0 .. t_n fixed, ask the state x_{i+1} of
every sample to lie on its exact path: row i is a linear least-squares problem,

    min_theta  sum_s w_s |F_is theta - x_s(t_{i+1})|^2,    F_i = [x_0, D_0, .., D_i],

in the data predictions D_j = (sigma u_j - sigma' x_j) / W, which span the same states
as x_0, u_0 .. u_i with weights of order one. Rows are fitted one after another; their
features are evaluated at the solver's own states, so that each row corrects the errors
of the rows before it. A row costs one forward evaluation per sample. With weights
w_s = 1 / e_s, e_s the RMS error of sample s, the mean of the errors is minimised
instead of the mean of their squares. Weights that are polynomials in a number of each
sample (its guidance weight, say) are the same problem with more columns.

References: Duan, Wang, Chen, Huang and Qian (2023), Optimal Linear Subspace Search,
arXiv 2305.14677, which solves for such rows with features on the exact path
(`states="exact"`); Ross, Gordon and Bagnell (2011) for features at one's own states;
Holland and Welsch (1977) for iteratively re-weighted least squares.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from bespoke_jax.core import checks, endpoints
from bespoke_jax.core.batches import batches
from bespoke_jax.core.calls import as_field, velocity
from bespoke_jax.core.conditional import Conditional, conditional
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.solver import Solver, validate
from bespoke_jax.core.types import Arr
from bespoke_jax.fitting.columns import Columns
from bespoke_jax.fitting.conditions import (
    CONSTANT,
    Basis,
    ConditionLike,
    basis_of,
    checked,
)
from bespoke_jax.fitting.least_squares import Products, solve
from bespoke_jax.reference.paths import Paths, at, check_paths
from bespoke_jax.solvers.first_order import ddim

STATES = ("own", "exact")


class Regressed(NamedTuple):
    """The outcome of a regression."""

    columns: Columns
    weights: list[np.ndarray]
    """Row by row, (columns of the row, K)."""
    basis: Basis
    errors: np.ndarray
    """(N,) RMS errors of the end points of the paths that it was fitted to."""

    def at(self, condition: float | int) -> Solver:
        """The solver for a condition."""
        phi = self.basis(condition)
        return self.columns.solver([weights @ phi for weights in self.weights])


def regress(
    field: VelocityField,
    paths: Paths,
    *,
    times: Arr | Sequence[float | int],
    schedule: Schedule,
    condition: ConditionLike | None = None,
    degree: int = 2,
    window: int | None = None,
    prior: Solver | None = None,
    ridge: float | int = 1e-8,
    rounds: int = 2,
    judge: str = "mean",
    states: str = "own",
    batch_size: int = 64,
) -> Solver | Conditional:
    """Fit the rows of a solver on given times by least squares, from exact paths.

    Costs n evaluations per path, forward ones alone; memory is that of one network call
    of a batch, and a few states per row on the host.

    Args:
        field: the velocity field.
        paths: ground truth with dense states, or with states at the inner `times`; four
            to 32 samples of an image model are enough.
        times: (n + 1,) increasing times t_0 .. t_n from the start to the end of paths.
        schedule: path of the model, which sets the basis.
        condition: (N,) a number of each sample that its solver depends on, such as the
            guidance weight that travels in `paths.c`; None is one solver for all.
        degree: of the polynomials in the condition.
        window: a row uses x_0, x_i and the `window` newest velocities; None uses all.
        prior: a solver with the same times. Directions that the samples do not
            determine keep its weights. None is DDIM.
        ridge: weight of the prior relative to that of each scaled column; above 0.
        rounds: of re-weighting towards the judge; 0 gives the least mean square.
        judge: "mean" or "median" of the errors, what is to be small.
        states: "own" evaluates features at the states of the solver itself; "exact" on
            the exact paths, as OLSS does.
        batch_size: samples in one network call.

    Returns:
        A `Solver` of n evaluations in float64 on the host; with a condition, a
        `Conditional` on the range of the conditions.

    Raises:
        ValueError: arguments out of range, times that do not fit the paths, a prior
            with other times, or states that are not finite.
    """
    check_paths(paths)
    checks.known("judge", judge, ("mean", "median"))
    values = None if condition is None else checked(condition, paths.size)
    found = fit_rows(
        field, paths, times=times, schedule=schedule, condition=values, degree=degree,
        window=window, prior=prior, ridge=ridge, rounds=rounds,
        robust=judge == "median", states=states, batch_size=batch_size,
    )  # fmt: skip
    if values is None:
        return validate(found.at(0.0))
    return conditional(found.at, found.basis.low, found.basis.high, tolerance=1e-9)


def fit_rows(
    field: VelocityField,
    paths: Paths,
    *,
    times: Arr | Sequence[float | int],
    schedule: Schedule,
    condition: np.ndarray | None = None,
    degree: int = 2,
    window: int | None = None,
    prior: Solver | None = None,
    ridge: float | int = 1e-8,
    rounds: int = 2,
    robust: bool = False,
    states: str = "own",
    batch_size: int = 64,
) -> Regressed:
    """`regress`, with the errors of the fit."""
    checks.known("states", states, STATES)
    rounds = checks.whole("rounds", rounds, least=0)
    ridge = checks.real("ridge", ridge, above=0)
    batch_size = checks.whole("batch_size", batch_size)
    if window is not None:
        window = checks.whole("window", window)
    times = _times(times, paths)
    nodes = endpoints.at(checks.schedule("schedule", schedule), times[:-1])
    if not np.isfinite(nodes.W).all():
        raise ValueError("the schedule is singular at one of the times; end before it.")
    basis = CONSTANT if condition is None else basis_of(condition, degree)
    phi = basis(np.zeros(paths.size) if condition is None else condition)
    columns = Columns(times, nodes, window)
    starts = columns.weights_of(_prior(prior, times, schedule))
    targets = _targets(paths, times)
    products = Products(np.asarray(paths.x0), batch_size)
    field, state, found = as_field(field), np.asarray(paths.x0), []
    errors = np.zeros(0)
    for i, start in enumerate(starts):
        u = _velocities(field, times[i], state, paths, batch_size)
        products.add(f"x{i}", state)
        products.add(f"u{i}", u)
        products.add(f"D{i}", columns.nodes[i].data(state, u).astype(state.dtype))
        products.add("target", targets[i])
        normal = products.normal_equations(columns.names(i), "target").conditioned(phi)
        start = np.outer(start, np.eye(basis.size)[0]).ravel()
        weights = solve(normal, start, ridge=ridge, rounds=rounds, robust=robust)
        errors = normal.errors(weights)
        found.append(weights.reshape(-1, basis.size))
        own = products.combination(columns.names(i), phi @ found[-1].T)
        if not np.isfinite(own).all():
            raise ValueError(f"the state of row {i} is not finite; check the field.")
        state = own if states == "own" else targets[i]
    return Regressed(columns, found, basis, errors)


def _velocities(
    field: VelocityField, t: float, x: np.ndarray, paths: Paths, batch_size: int
) -> np.ndarray:
    """u(t, x) of all samples, batch by batch, on the host."""
    time = jnp.asarray(t, x.dtype)
    parts = [
        np.asarray(velocity(field, time, *part))[: stop - start]
        for start, stop, part in batches((jnp.asarray(x), paths.c), batch_size)
    ]
    return np.concatenate(parts)


def _times(times: Arr | Sequence[float | int], paths: Paths) -> np.ndarray:
    t = np.asarray(checks.numbers("times", times), np.float64)
    if t.ndim != 1 or t.size < 2 or not (np.diff(t) > 0).all():
        raise ValueError(
            f"times must be n + 1 >= 2 increasing numbers; got {checks.shown(times)}."
        )
    ends = float(paths.start), float(paths.end)
    if not np.allclose((t[0], t[-1]), ends, rtol=0, atol=1e-6):
        raise ValueError(
            f"times must run from {ends[0]:g} to {ends[1]:g}, as the paths do; got "
            f"{t[0]:g} to {t[-1]:g}."
        )
    return t


def _prior(prior: Solver | None, times: np.ndarray, schedule: Schedule) -> Solver:
    if prior is None:
        # From x_0 and t_0 as given: an explicit grid lists all times.
        return ddim(schedule, nfe=len(times) - 1, grid=times, end=times[-1])
    given = validate(prior)
    found = Solver(*(np.asarray(leaf, np.float64) for leaf in given))
    if found.nfe != len(times) - 1 or not np.allclose(found.t, times[:-1], atol=1e-6):
        raise ValueError(
            f"the prior evaluates at {np.round(found.t, 4)}, the times are "
            f"{np.round(times[:-1], 4)}; make it on these times."
        )
    return found


def _targets(paths: Paths, times: np.ndarray) -> list[np.ndarray]:
    """Exact states at t_1 .. t_n, each (N, *shape)."""
    inner = times[1:-1]
    if paths.slopes is not None:
        states = list(np.asarray(at(paths, inner)[0])) if inner.size else []
        return [*states, np.asarray(paths.x1)]
    if not inner.size:
        return [np.asarray(paths.x1)]
    knots = np.zeros(0) if paths.knots is None else np.asarray(paths.knots, np.float64)
    gaps = np.abs(knots[None] - inner[:, None])
    if not knots.size or gaps.min(1).max() > 1e-6:
        raise ValueError(
            "the paths have no states at the inner times; solve with "
            "reference.solve(..., dense=True) or times= these times."
        )
    states = [np.asarray(paths.states[:, place]) for place in gaps.argmin(1)]
    return [*states, np.asarray(paths.x1)]
