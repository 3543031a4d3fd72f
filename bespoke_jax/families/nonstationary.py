"""Non-stationary (BNS) solvers: all of (S), every number of it free.

In its canonical form x_{i+1} = a_i x_0 + sum_{j <= i} b_ij u_j a solver of n
evaluations has n - 1 inner times, n weights a_i and n (n + 1) / 2 weights b_ij:
n (n + 5) / 2 - 1 free numbers (t_0 = `start`, and the sample's time is `end`). These
raw numbers are badly scaled: on a VP or EDM path x_0 and u_0 are nearly parallel, and
weights span four orders of magnitude. theta therefore holds weights of the data
predictions

    D_j = (sigma_j u_j - sigma'_j x_j) / W_j,     W = sigma alpha' - alpha sigma',

x_{i+1} = (s_i + r_i A_i) x_0 + (alpha_{i+1} - alpha_0 s_i) sum_{j <= i} B_ij D_j,

with s_i = sigma_{i+1} / sigma_0 and r_i the ratio of sqrt(alpha^2 + sigma^2) at t_{i+1}
and at t_0: the same solvers in numbers of order one, on any path. A = 0 and
sum_j B_ij = 1 is what every consistent method has for data that are one point, at any
times.

Reference: Shaul, Singer, Chen, Le, Thabet, Pumarola, Lipman (2024), Bespoke
Non-Stationary Solvers for Fast Sampling of Diffusion and Flow Models, arXiv 2403.01329,
section 3, equations 10-11 and proposition 3.1. The basis is this library's.
"""

from functools import lru_cache, partial
from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax import grids
from bespoke_jax.core import checks
from bespoke_jax.core.endpoints import Endpoints
from bespoke_jax.core.protocols import Schedule, Values
from bespoke_jax.core.solver import Solver, canonical, validate
from bespoke_jax.core.types import Theta
from bespoke_jax.families.family import Family, Steps, check_interval
from bespoke_jax.schedules import CondOT, on_host
from bespoke_jax.solvers.first_order import ddim


class _Spec(NamedTuple):
    nfe: int
    schedule: Schedule
    start: float
    end: float


def nonstationary(
    nfe: int,
    *,
    schedule: Schedule | None = None,
    start: float | int = 0.0,
    end: float | int = 1.0,
) -> Family:
    """The non-stationary family with n = `nfe` evaluations.

    theta: "t" (n-1,) logits z_i of t_{i+1} = t_i + (end - t_i) sigmoid(z_i), ordered by
    construction (a repeated time, as Heun's, is a logit of -inf and stays one); "a"
    (n,) and "b" (n(n+1)/2,), the A_i and, row by row, the B_ij above.

    `init()` is DDIM on uniform times (Euler on CondOT's path), `init(solver)` any
    solver of n evaluations whose times do not decrease.

    Args:
        nfe: n, at least 1.
        schedule: path of the model, which sets the basis and so the scaling; None is
            CondOT. Any path gives the same set of solvers.
        start: start of the interval, in [0, end): the time of x_0.
        end: end of the interval, in (0, 1].

    Returns:
        The same `Family` for the same arguments, so that compiled code is reused. Its
        `steps` raises ValueError: there are no one-step maps.

    Raises:
        ValueError: nfe, start or end out of range. `init`: a solver of another length,
            start or end, or with times that decrease or where the path is singular.
    """
    start, end = check_interval(start, end)
    return _family(
        _Spec(checks.whole("nfe", nfe, most=1000), _path(schedule), start, end)
    )


def _path(schedule: Schedule | None) -> Schedule:
    if schedule is None:
        return CondOT()
    return checks.static_schedule("schedule", schedule)


@lru_cache
def _family(spec: _Spec) -> Family:
    return Family(
        name=f"nonstationary({spec.nfe} NFE)",
        init=partial(_init, spec),
        build=partial(_build, spec),
        steps=_no_steps,
        values=partial(_values, spec),
        effective=partial(_values, spec),
    )


def _no_steps(theta: Theta) -> Steps:
    raise ValueError(
        "a non-stationary solver has no one-step maps; fit it with losses.rmse, mse or "
        "psnr instead of a step-parallel loss."
    )


def _times(spec: _Spec, z: jax.Array) -> jax.Array:
    """(n + 1,) t_0 .. t_n."""
    left = jnp.exp(jnp.cumsum(jax.nn.log_sigmoid(-z)))
    inner = spec.start + (spec.end - spec.start) * (1 - left)
    ends = [jnp.full((1,), time, inner.dtype) for time in (spec.start, spec.end)]
    return jnp.concatenate([ends[0], inner, ends[1]])


def _basis(
    spec: _Spec, t: Values, xp: ModuleType
) -> tuple[Values, Values, Values, Endpoints]:
    """(s, r, g) of the rows and the path at the evaluations."""
    call = on_host if xp is np else lambda method, t: method(t)
    alpha, sigma = call(spec.schedule, t)
    d_alpha, d_sigma = call(spec.schedule.rates, t[:-1])
    s = sigma[1:] / sigma[0]
    radius = xp.sqrt(alpha**2 + sigma**2)
    g = alpha[1:] - alpha[0] * s
    path = Endpoints(alpha[:-1], sigma[:-1], d_alpha, d_sigma)
    return s, radius[1:] / radius[0], g, path


def _packed(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.tril_indices(n)


def _canonical(spec: _Spec, theta: Theta) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(t, a, b): times (n + 1,), and the canonical weights."""
    n = spec.nfe
    t = _times(spec, theta["t"])
    s, r, g, path = _basis(spec, t, jnp)
    on_x0 = s + r * theta["a"]
    packed = jnp.zeros((n, n), t.dtype).at[_packed(n)].set(theta["b"])
    on_d = g[:, None] * packed
    # D_j = (sigma_j u_j - sigma'_j x_j) / W_j, and x_1 .. x_{n-1} are rows before.
    on_u = on_d * (path.sigma / path.W)[None]
    on_x = -on_d * (path.d_sigma / path.W)[None]
    own = jnp.concatenate([on_x[:, 1:], jnp.zeros((n, 1), t.dtype)], axis=1)
    given = jnp.concatenate([(on_x0 + on_x[:, 0])[:, None], on_u], axis=1)
    rows = jax.scipy.linalg.solve_triangular(
        jnp.eye(n, dtype=t.dtype) - own, given, lower=True, unit_diagonal=True
    )
    return t, rows[:, 0], jnp.tril(rows[:, 1:])


@partial(jax.jit, static_argnums=0)
def _build(spec: _Spec, theta: Theta) -> Solver:
    t, a, b = _canonical(spec, theta)
    n = spec.nfe
    # (S) counts back from the latest: column k of row i is evaluation i - k.
    source = np.arange(n)[:, None] - np.arange(n)[None]
    rows = np.arange(n)[:, None]
    q = jnp.where(source >= 0, b[rows, np.maximum(source, 0)], 0.0)
    return Solver(t[:-1], a, jnp.zeros((n, 0), t.dtype), q, jnp.asarray(spec.end))


@partial(jax.jit, static_argnums=0)
def _values(spec: _Spec, theta: Theta) -> dict[str, jax.Array]:
    """Times t (n + 1,) and the canonical a (n,), b (n, n)."""
    t, a, b = _canonical(spec, theta)
    return {"t": t, "a": a, "b": b}


def _init(spec: _Spec, start: object = None) -> dict[str, jax.Array]:
    n = spec.nfe
    if start is None:
        times = grids.uniform(n, spec.end, start=spec.start)
        start = ddim(spec.schedule, nfe=n, grid=times, end=spec.end)
    if not isinstance(start, Solver):
        raise ValueError(
            f"a start is None (DDIM) or a Solver; got {type(start).__name__}."
        )
    a, b = canonical(start)
    t = np.append(np.asarray(start.t, np.float64), spec.end)
    _check_fits(spec, start, t)
    t[0] = spec.start
    with np.errstate(divide="ignore", invalid="ignore"):
        s, r, g, path = _basis(spec, t, np)
        # u_j = (W_j D_j + sigma'_j x_j) / sigma_j.
        of_x, of_d = path.from_data
        on_d, on_x = b * of_d, b * of_x
    on_d, on_x = np.where(b == 0, 0.0, on_d), np.where(b == 0, 0.0, on_x)
    if not (np.isfinite(on_d).all() and np.isfinite(on_x).all()):
        raise ValueError(
            f"the start evaluates where sigma is 0 or its rate infinite (t = {t[-2]}); "
            "end earlier, or start from a solver without an evaluation there."
        )
    own = np.concatenate([on_x[:, 1:], np.zeros((n, 1))], axis=1)
    given = np.concatenate([(a + on_x[:, 0])[:, None], on_d], axis=1)
    rows = np.linalg.solve(np.eye(n) - own, given)
    return _theta(t, (rows[:, 0] - s) / r, rows[:, 1:] / g[:, None])


def _check_fits(spec: _Spec, start: Solver, t: np.ndarray) -> None:
    """A start of the length, interval and order of times that the family has."""
    if start.nfe != spec.nfe:
        raise ValueError(
            f"the family has {spec.nfe} evaluations; the start {start.nfe}."
        )
    if abs(float(start.end) - spec.end) > 1e-6:
        raise ValueError(
            f"the family ends at {spec.end}, the start at {float(start.end):.6g}; give "
            "the family that end."
        )
    if abs(t[0] - spec.start) > 1e-6:
        raise ValueError(
            f"the family starts at {spec.start}, the start solver at {t[0]:.6g}; give "
            "the family that start."
        )
    falls = np.flatnonzero(np.diff(t) < 0)
    if falls.size or (spec.nfe > 1 and t[1] == t[0]):
        where = f"t[{falls[0] + 1}] < t[{falls[0]}]" if falls.size else f"{t[:2]}"
        raise ValueError(
            "a non-stationary solver evaluates at t_0, then later, at times that "
            f"do not decrease; the start has {where}."
        )


def _theta(t: np.ndarray, a: np.ndarray, b: np.ndarray) -> dict[str, jax.Array]:
    """From times (n + 1,), A (n,) and the lower-triangular B (n, n)."""
    with np.errstate(divide="ignore"):
        share = np.diff(t)[:-1] / (t[-1] - t[:-2])
        z = np.log(share) - np.log1p(-share)
    theta = {"t": z, "a": a, "b": b[_packed(a.size)]}
    return {k: jnp.asarray(v, jnp.result_type(float)) for k, v in theta.items()}


def insert(start: Solver, t: float, *, schedule: Schedule | None = None) -> Solver:
    """The same solver with one more evaluation at time t, of which nothing is used.

    The new state gets the weights of the row after it, taken to time t; no row looks at
    the new velocity, so the sample is the same. A start for a fit of one evaluation
    more that is never worse.

    Raises:
        ValueError: t is not inside (start.t[0], end), or as `nonstationary(...).init`.
    """
    first, end, n = float(validate(start).t[0]), float(start.end), start.nfe
    t = checks.real("the new time", t)
    if not first < t < end:
        raise ValueError(f"the new time must lie in ({first}, {end}); got {t}.")
    spec = _Spec(n, _path(schedule), first, end)
    theta = {k: np.asarray(v, np.float64) for k, v in _init(spec, start).items()}
    times = np.append(np.asarray(start.t, np.float64), end)
    where = int(np.searchsorted(times[:-1], t, side="right"))
    rows = np.zeros((n, n))
    rows[_packed(n)] = theta["b"]
    # Before the row that makes the state at `where`: a copy of it, blind for itself.
    b = np.insert(np.insert(rows, where, 0.0, axis=1), where - 1, 0.0, axis=0)
    b[where - 1, :where] = rows[where - 1, :where]
    a = np.insert(theta["a"], where - 1, theta["a"][where - 1])
    larger = spec._replace(nfe=n + 1)
    solver = _build(larger, _theta(np.insert(times, where, t), a, b))
    return Solver(*(np.asarray(leaf) for leaf in solver))


__all__ = ["insert", "nonstationary"]
