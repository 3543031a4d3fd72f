"""OLSS: rows by least squares on the exact path, on steps chosen by an error limit.

Among M + 1 times of a teacher, here exact paths, the chosen times tau_0 = t_0, tau_1 ..
are found greedily: with

    e(tau_0 .. tau_i; t)^2 = min_w mean |w x_0 + sum_{j <= i} w_j eps_j - x(t)|^2,

eps_j the noise prediction on the exact path at tau_j, the next time tau_{i+1} is the
last one up to which e stays below a limit. The limit is the smallest one with which n
steps reach the end. The times and the network alone then determine the rows.

Reference: Duan, Wang, Chen, Huang and Qian (2023), Optimal Linear Subspace Search,
arXiv 2305.14677, section 3. Their teacher is a solver of many steps, and their limit is
found by bisection to a given precision.
"""

from collections.abc import Callable, Sequence

import numpy as np

from bespoke_jax.core import checks, endpoints
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Arr
from bespoke_jax.fitting.columns import PREDICTIONS
from bespoke_jax.fitting.regression import regress
from bespoke_jax.grids import explicit
from bespoke_jax.reference.paths import Paths, require_dense
from bespoke_jax.reference.products import products
from bespoke_jax.schedules import on_host

TEACHER = 50
"""Steps of the teacher where no times are given."""
_RANK = 1e-13
"""Share of the largest eigenvalue below which columns are dependent."""


def olss(
    field: VelocityField,
    paths: Paths,
    *,
    nfe: int,
    schedule: Schedule,
    teacher: Arr | Sequence[float | int] | None = None,
    prediction: str = "noise",
    ridge: float | int = 1e-5,
    batch_size: int = 64,
) -> Solver:
    """Fit a solver by Optimal Linear Subspace Search, a baseline of its paper.

        x_{i+1} = w_i x_0 + sum_{j <= i} w_ij eps_j

    Costs nfe evaluations per path, forward ones alone, for the rows; the choice of the
    times reads the velocities of the dense paths.

    Args:
        field: the velocity field.
        paths: ground truth with dense states; four to 32 samples are enough.
        nfe: evaluations of the solver.
        schedule: path of the model.
        teacher: (M + 1,) increasing times to choose among, from the start to the end of
            the paths; None is 50 uniform steps.
        prediction: "noise", as in the paper; "data" where alpha = 0 at the start
            (CondOT), where the noise prediction is x_0 itself.
        ridge: relative weight of DDIM, which bounds weights that the samples hardly
            determine. Rows of noise predictions need it; with data predictions 1e-8 is
            as safe and a little more accurate.
        batch_size: samples in one network call.

    Returns:
        A `Solver` of nfe evaluations in float64 on the host: `regress` with
        `states="exact"` and `rounds=0` on the chosen times. Where fewer steps are
        as good, the longest are halved.

    Raises:
        ValueError: paths without dense states, fewer teacher's steps than nfe, or as
            `regress`.

    Reference: Duan et al. (2023), arXiv 2305.14677.
    """
    require_dense(paths, "olss")
    nfe = checks.whole("nfe", nfe)
    checks.known("prediction", prediction, PREDICTIONS)
    ridge = checks.real("ridge", ridge, above=0)
    ends = float(paths.start), float(paths.end)
    if teacher is None:
        teacher = np.linspace(*ends, TEACHER + 1)
    times = explicit(teacher)
    if len(times) <= nfe or not np.allclose(times[[0, -1]], ends, rtol=0, atol=1e-6):
        raise ValueError(
            f"teacher must be more than nfe = {nfe} times from {ends[0]:g} to "
            f"{ends[1]:g}, as the paths do; got {len(times)} from {times[0]:g} to "
            f"{times[-1]:g}."
        )
    error = errors_of(gram(paths, times, schedule, prediction))
    chosen, _ = search(error, len(times) - 1, nfe)
    found = regress(
        field, paths, times=times[halved(chosen, nfe)], schedule=schedule, ridge=ridge,
        rounds=0, states="exact", prediction=prediction, batch_size=batch_size,
    )  # fmt: skip
    assert isinstance(found, Solver)  # there is no condition
    return found


Error = Callable[[tuple[int, ...], int], float]
"""Of the state at index j from the predictions at the chosen indices before it."""


def search(error: Error, last: int, nfe: int) -> tuple[list[int], float]:
    """The chosen indices, 0 to `last`, and the smallest limit that needs nfe steps.

    From one limit to the next the choice does not change before the smallest error that
    was above the limit: trying these in turn finds the smallest without a precision.
    """
    limit = 0.0
    while True:
        path, refused = greedy(error, last, nfe, limit)
        if path[-1] == last:
            return path, limit
        limit = refused


def greedy(error: Error, last: int, nfe: int, limit: float) -> tuple[list[int], float]:
    """At most nfe steps, each as far as the error stays below the limit, at least one.

    Returns:
        The indices from 0, and the smallest error above the limit that ended a step.
    """
    path, refused = [0], np.inf
    while path[-1] < last and len(path) <= nfe:
        before, reached = tuple(path), path[-1]
        while reached < last:
            e = error(before, reached + 1)
            if e > limit:
                refused = min(refused, e)
                break
            reached += 1
        path.append(max(reached, path[-1] + 1))
    return path, refused


def halved(path: Sequence[int], nfe: int) -> list[int]:
    """The indices with the longest steps halved until there are nfe of them."""
    path = list(path)
    while len(path) <= nfe:
        longest = int(np.argmax(np.diff(path)))
        path.insert(longest + 1, (path[longest] + path[longest + 1]) // 2)
    return path


def errors_of(G: np.ndarray) -> Error:
    """The root mean square error of x(t_j) by x_0 and the predictions at a path.

    Args:
        G: (2 M + 1, 2 M + 1) mean products of x_0, eps_0 .. eps_{M-1}, x_1 .. x_M.
    """
    m = len(G) // 2
    scale = np.sqrt(np.maximum(G.diagonal(), np.finfo(float).tiny))
    H = G / np.outer(scale, scale)
    known: dict[tuple[tuple[int, ...], int], float] = {}

    def error(path: tuple[int, ...], j: int) -> float:
        if (path, j) not in known:
            columns, y = [0, *(1 + i for i in path)], m + j
            A, b = H[np.ix_(columns, columns)], H[columns, y]
            w, *_ = np.linalg.lstsq(A, b, rcond=_RANK)
            square = max(1 - 2 * w @ b + w @ A @ w, 0.0)
            known[path, j] = float(scale[y] * np.sqrt(square))
        return known[path, j]

    return error


def gram(
    paths: Paths, times: np.ndarray, schedule: Schedule, prediction: str
) -> np.ndarray:
    """The products of `errors_of`, from those of states and velocities."""
    checks.schedule("schedule", schedule)
    node = on_host(lambda t: endpoints.at(schedule, t), times[:-1])
    if not np.isfinite(node.W).all():
        raise ValueError("the schedule is singular at one of the times; end before it.")
    m = len(times) - 1
    x, v = np.split(np.eye(2 * (m + 1)), 2)  # each column as weights on x and v
    column = endpoints.Endpoints(*(value[:, None] for value in node))
    predict = column.noise if prediction == "noise" else column.data
    T = np.concatenate([x[:1], predict(x[:-1], v[:-1]), x[1:]])
    return T @ products(paths, times).mean(axis=0) @ T.T
