"""Rows by regression: a solver fitted without a gradient.

(S) is linear in its weights. With the times t_0 .. t_n fixed, ask the state x_{i+1} of
every sample to lie on its exact path: row i is a linear least-squares problem,

    min_theta  sum_s w_s |F_is theta - x_s(t_{i+1})|^2,    F_i = [x_0, D_0, .., D_i],

in the data predictions D_j = (sigma u_j - sigma' x_j) / W, which span the same states
as x_0, u_0 .. u_i with weights of order one (so do noise predictions). Rows are fitted
one after another; their features are evaluated at the solver's own states, so that each
row corrects the errors of the rows before it. A row costs one forward evaluation per
sample. With weights w_s = 1 / e_s, e_s the RMS error of sample s, the mean of the
errors is minimised instead of the mean of their squares.

References: Duan, Wang, Chen, Huang and Qian (2023), Optimal Linear Subspace Search,
arXiv 2305.14677, which solves for such rows with features on the exact path
(`states="exact"`); Ross, Gordon and Bagnell (2011) for features at one's own states;
Holland and Welsch (1977) for iteratively re-weighted least squares.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from bespoke_jax.core import checks, endpoints
from bespoke_jax.core.batches import batches
from bespoke_jax.core.calls import as_field, velocity
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.rows import advance
from bespoke_jax.core.solver import Solver, validate
from bespoke_jax.core.types import Arr
from bespoke_jax.fitting.least_squares import Products, solve
from bespoke_jax.reference.paths import Paths, at, check_paths
from bespoke_jax.solvers.first_order import ddim

STATES = ("own", "exact")
_OF = {"data": endpoints.Endpoints.data, "noise": endpoints.Endpoints.noise}
PREDICTIONS = tuple(_OF)
"""What the columns of a row can be."""


def regress(
    field: VelocityField,
    paths: Paths,
    *,
    times: Arr | Sequence[float | int],
    schedule: Schedule,
    window: int | None = None,
    prior: Solver | None = None,
    ridge: float | int = 1e-8,
    rounds: int = 2,
    states: str = "own",
    prediction: str = "data",
    batch_size: int = 64,
) -> Solver:
    """Fit the rows of a solver on given times by least squares, from exact paths.

    Costs n evaluations per path, forward ones alone; memory is that of one network call
    of a batch, and a few states per row on the host.

    Args:
        field: the velocity field.
        paths: ground truth with dense states, or with states at the inner `times`; four
            to 32 samples of an image model are enough.
        times: (n + 1,) increasing times t_0 .. t_n from the start to the end of paths.
        schedule: path of the model, which sets the basis.
        window: a row uses x_0, x_i and the `window` newest velocities; None uses all.
        prior: a solver with the same times. Directions that the samples do not
            determine keep its weights. None is DDIM.
        ridge: weight of the prior relative to that of each scaled column; above 0.
        rounds: of re-weighting towards the mean error; 0 gives the least mean square.
        states: "own" evaluates features at the states of the solver itself; "exact" on
            the exact paths, as OLSS does (`bj.olss`).
        prediction: "data" or "noise", the columns of a row beside x_0; not read with a
            window. Both span the same states at the solver's own states; on the exact
            paths they differ, and OLSS has the noise.
        batch_size: samples in one network call.

    Returns:
        A `Solver` of n evaluations in float64 on the host.

    Raises:
        ValueError: arguments out of range, times that do not fit the paths, a prior
            with other times, or states that are not finite.
    """
    check_paths(paths)
    checks.known("states", states, STATES)
    predict = _OF[checks.known("prediction", prediction, PREDICTIONS)]
    rounds = checks.whole("rounds", rounds, least=0)
    ridge = checks.real("ridge", ridge, above=0)
    batch_size = checks.whole("batch_size", batch_size)
    if window is not None:
        window = checks.whole("window", window)
    times = _times(times, paths)
    nodes = endpoints.at(checks.schedule("schedule", schedule), times[:-1])
    if not np.isfinite(nodes.W).all():
        raise ValueError("the schedule is singular at one of the times; end before it.")
    if window is None and prediction == "noise" and nodes.alpha[0] == 0:
        raise ValueError(
            "where alpha = 0 at the start the noise prediction is x_0 itself; use "
            'prediction="data".'
        )
    rows = _Rows(times, _prior(prior, times, schedule), window, predict)
    targets = _targets(paths, times)
    products = Products(np.asarray(paths.x0), batch_size)
    state = np.asarray(paths.x0)
    for i in range(len(times) - 1):
        u = _velocities(as_field(field), times[i], state, paths, batch_size)
        node = endpoints.Endpoints(*(float(value[i]) for value in nodes))
        products.add(f"x{i}", state)
        products.add(f"u{i}", u)
        products.add(f"D{i}", predict(node, state, u).astype(state.dtype))
        products.add("target", targets[i])
        names, start = rows.columns(i, node)
        normal = products.normal_equations(names, "target")
        weights = solve(normal, start, ridge=ridge, rounds=rounds)
        rows.add(weights)
        own = products.combination(names, weights)
        if not np.isfinite(own).all():
            raise ValueError(f"the state of row {i} is not finite; check the field.")
        state = own if states == "own" else targets[i]
    return validate(rows.solver())


class _Rows:
    """The rows found so far, and the columns of the next one.

    Everything is known as weights on x_0, u_0 .. u_{n-1}, its canonical form.
    """

    def __init__(
        self,
        times: np.ndarray,
        prior: Solver,
        window: int | None,
        predict: Callable[..., Any],
    ):
        n = len(times) - 1
        self._times, self._prior, self._window = times, prior, window
        self._predict = predict
        self._x0, *self._us = np.eye(n + 1)
        self._states, self._predictions = [self._x0], []
        self._forms = np.zeros((0, n + 1))
        self._weights: list[np.ndarray] = []

    def columns(
        self, i: int, node: endpoints.Endpoints
    ) -> tuple[list[str], np.ndarray]:
        """The names of the columns of row i, and the weights of the prior on them."""
        self._predictions.append(self._predict(node, self._states[i], self._us[i]))
        if self._window is None:
            names = ["x0", *(f"D{j}" for j in range(i + 1))]
            forms = [self._x0, *self._predictions]
        else:
            newest = range(i, max(i - self._window, -1), -1)
            names = ["x0", *[f"x{i}"][: i > 0], *(f"u{j}" for j in newest)]
            own = [self._states[i]][: i > 0]
            forms = [self._x0, *own, *(self._us[j] for j in newest)]
        self._forms = np.stack(forms)
        p, q = self._prior.p, self._prior.q
        step = advance(
            self._prior.a[i], p[i], q[i], self._x0, self._states, self._us[: i + 1]
        )
        start, *_ = np.linalg.lstsq(self._forms.T, step, rcond=None)
        if np.abs(start @ self._forms - step).max() > 1e-8 * np.abs(step).max():
            raise ValueError(
                f"row {i} of the prior uses more than x_0, x_{i} and the "
                f"{self._window} newest velocities; give a prior with that window."
            )
        return names, start

    def add(self, weights: np.ndarray) -> None:
        """The weights of the next row on its columns."""
        self._weights.append(weights)
        self._states.append(weights @ self._forms)

    def solver(self) -> Solver:
        """The table of all rows."""
        t, end = self._times[:-1], self._times[-1]
        n = len(t)
        if self._window is None:
            forms = np.stack(self._states[1:])
            lag = np.subtract.outer(np.arange(n), np.arange(n))
            q = np.take_along_axis(forms[:, 1:], np.maximum(lag, 0), axis=1)
            q = np.where(lag >= 0, q, 0.0)
            return Solver(t, forms[:, 0], np.zeros((n, 0)), q, np.float64(end))
        a, p = np.zeros(n), np.zeros((n, 1))
        q = np.zeros((n, min(self._window, n)))
        for i, weights in enumerate(self._weights):
            own = int(i > 0)  # row 0 has x_0 alone
            a[i], newest = weights[0], weights[1 + own :]
            p[i, :own] = weights[1 : 1 + own]
            q[i, : len(newest)] = newest
        return Solver(t, a, p, q, np.float64(end))


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
