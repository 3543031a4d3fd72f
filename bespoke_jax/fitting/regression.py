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
from typing import NamedTuple, overload

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core import checks, endpoints
from bespoke_jax.core.batches import batches, joined
from bespoke_jax.core.calls import as_field, velocity
from bespoke_jax.core.conditional import Conditional, conditional
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.solver import Solver, validate
from bespoke_jax.core.types import Arr
from bespoke_jax.fitting.columns import PREDICTIONS, Columns
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
    states: list[jax.Array]
    """x_0 .. x_n of these paths, where x_0 is."""
    target: jax.Array
    """Their exact end points."""
    products: Products

    def at(self, condition: float | int) -> Solver:
        """The solver for a condition."""
        phi = self.basis(condition)
        return self.columns.solver([weights @ phi for weights in self.weights])


@overload
def regress(
    field: VelocityField,
    paths: Paths,
    *,
    times: Arr | Sequence[float | int],
    schedule: Schedule,
    condition: None = None,
    degree: int = 2,
    window: int | None = None,
    prior: Solver | None = None,
    ridge: float | int = 1e-8,
    rounds: int = 2,
    judge: str = "mean",
    states: str = "own",
    prediction: str = "data",
    batch_size: int = 64,
) -> Solver: ...
@overload
def regress(
    field: VelocityField,
    paths: Paths,
    *,
    times: Arr | Sequence[float | int],
    schedule: Schedule,
    condition: ConditionLike,
    degree: int = 2,
    window: int | None = None,
    prior: Solver | None = None,
    ridge: float | int = 1e-8,
    rounds: int = 2,
    judge: str = "mean",
    states: str = "own",
    prediction: str = "data",
    batch_size: int = 64,
) -> Conditional: ...
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
    prediction: str = "data",
    batch_size: int = 64,
) -> Solver | Conditional:
    """Fit the rows of a solver on given times by least squares, from exact paths.

    Costs n evaluations per path, forward ones alone; memory is that of one network call
    of a batch, and a few states per row where the paths are.

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
        prediction: "data" or "noise", the columns of a row beside x_0; not read with a
            window. Both span the same rows at one's own states; on the exact paths they
            differ, and OLSS has the noise.
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
    checks.known("states", states, STATES)
    checks.known("prediction", prediction, PREDICTIONS)
    basis, phi = CONSTANT, None
    if condition is not None:
        values = checked(condition, paths.size)
        basis = basis_of(values, degree)
        phi = basis(values)
    rows = Rows(
        as_field(field), paths, checks.schedule("schedule", schedule), basis, phi,
        window=None if window is None else checks.whole("window", window),
        ridge=checks.real("ridge", ridge, above=0),
        rounds=checks.whole("rounds", rounds, least=0),
        robust=judge == "median", own=states == "own", prediction=prediction,
        batch_size=checks.whole("batch_size", batch_size),
    )  # fmt: skip
    found = rows.fit(_times(times, paths), prior)
    if condition is None:
        return validate(found.at(0.0))
    return conditional(found.at, basis.low, basis.high, tolerance=1e-9)


class Rows(NamedTuple):
    """Regressions of the same paths on any times."""

    field: VelocityField
    paths: Paths
    schedule: Schedule
    basis: Basis = CONSTANT
    phi: np.ndarray | None = None
    """(N, K) the basis at the condition of each sample; None is 1 for all."""
    window: int | None = None
    ridge: float | int = 1e-8
    rounds: int = 2
    robust: bool = False
    """Whether the median is what counts."""
    own: bool = True
    """Whether features are taken at the solver's own states."""
    prediction: str = "data"
    batch_size: int = 64
    like: Arr | None = None
    """The samples that the paths were taken from, which says how they are sharded."""

    def fit(
        self,
        times: np.ndarray,
        prior: Solver | None = None,
        *,
        like: Regressed | None = None,
        moved: int = 0,
    ) -> Regressed:
        """The rows on times t_0 .. t_n.

        Args:
            times: (n + 1,) from the start to the end of the paths.
            prior: see `regress`.
            like: a regression whose times differ in t_moved alone. Its rows before
                that one and its evaluations are taken over: n - moved are left to do.
            moved: at least 1.
        """
        paths, n = self.paths, len(times) - 1
        columns = Columns(times, self._nodes(times), self.window, self.prediction)
        starts = columns.weights_of(_prior(prior, times, self.schedule))
        phi = np.ones((paths.size, 1)) if self.phi is None else self.phi
        if like is None:
            products, state, found = Products(), jnp.asarray(paths.x0), []
            products.add("x0", state)
        else:
            products, state = like.products.copy(), like.states[moved - 1]
            found = like.weights[: moved - 1]
        states = [state] if like is None else like.states[:moved]
        errors = np.zeros(0)
        for i in range(len(found), n):
            names, first = columns.names(i), np.eye(self.basis.size)[0]
            if like is None or i >= moved:
                self._evaluate(products, columns, i, state)
            products.add("target", _exact(paths, times[i + 1]))
            normal = products.normal_equations(names, "target").conditioned(phi)
            weights = solve(
                normal, np.outer(starts[i], first).ravel(),
                ridge=self.ridge, rounds=self.rounds, robust=self.robust,
            )  # fmt: skip
            errors = normal.errors(weights)
            found = [*found, weights.reshape(-1, self.basis.size)]
            own = products.combination(names, phi @ found[-1].T)
            if not _finite(own):
                raise ValueError(
                    f"the state of row {i} is not finite; check the field."
                )
            state = own if self.own else _exact(paths, times[i + 1])
            states = [*states, state]
        target = jnp.asarray(paths.x1)
        return Regressed(columns, found, self.basis, errors, states, target, products)

    def cost(self, nfe: int, moved: int = 0) -> int:
        """Network evaluations of `fit`."""
        return (nfe - moved) * self.paths.size

    def _nodes(self, times: np.ndarray) -> endpoints.Endpoints:
        nodes = endpoints.at(self.schedule, times[:-1])
        if not np.isfinite(nodes.W).all():
            raise ValueError(
                "the schedule is singular at one of the times; end before it."
            )
        dense = self.window is None
        if dense and self.prediction == "noise" and nodes.alpha[0] == 0:
            raise ValueError(
                "where alpha = 0 at the start the noise prediction is x_0 itself; use "
                'prediction="data".'
            )
        return nodes

    def _evaluate(
        self, products: Products, columns: Columns, i: int, state: jax.Array
    ) -> None:
        """The columns that the evaluation at t_i, x_i adds."""
        time = jnp.asarray(columns.times[i], state.dtype)
        like = state if self.like is None else self.like
        u = joined(
            [
                velocity(self.field, time, *part)
                for _, _, part in batches((state, self.paths.c), self.batch_size, like)
            ],
            self.paths.size,
            like,
        )
        for name, column in columns.of_evaluation(i, state, u).items():
            products.add(name, column)


@jax.jit
def _finite(x):
    return jnp.isfinite(x).all()


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


def _exact(paths: Paths, t: float) -> jax.Array:
    """Exact states at one time, (N, *shape)."""
    if abs(t - float(paths.end)) <= 1e-6:
        return jnp.asarray(paths.x1)
    if paths.slopes is not None:
        return at(paths, t)[0]
    knots = np.zeros(0) if paths.knots is None else np.asarray(paths.knots, np.float64)
    gaps = np.abs(knots - t)
    if not knots.size or gaps.min() > 1e-6:
        raise ValueError(
            "the paths have no states at the inner times; solve with "
            "reference.solve(..., dense=True) or times= these times."
        )
    return jnp.asarray(paths.states[:, int(gaps.argmin())])
