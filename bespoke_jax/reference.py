"""Ground truth by diffrax: adaptive Runge-Kutta, one tolerance per sample.

Every sample is its own adaptive solve (its own steps and error norm), so no sample's
error hides behind the others'. Dense states are kept at knots shared by all samples,
placed where the solver itself took its steps and as many as cubic interpolation needs
to stay below the tolerance. A certificate repeats a few samples ten times tighter.

Reference: Kidger (2021), On Neural Differential Equations, arXiv 2202.02435 (diffrax);
Tsitouras (2011) and Dormand and Prince (1980) for the two pairs.
"""

import time
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from bespoke_jax._types import Conditioning, State
from bespoke_jax.adaptive import METHODS, batch_of, slopes_at, solve_each, velocities
from bespoke_jax.checkpoint import Checkpoints, fingerprint
from bespoke_jax.core.calls import as_field
from bespoke_jax.paths import Certificate, Paths, Stats, at, rms

# Both pairs: 7 stages, the last shared with the next step; 1 to start, 2 to choose
# the first step size.
_PER_STEP, _TO_START = 6, 3
_PILOTS = 8  # samples that place the knots and earn the certificate
_FINE = 256  # intervals at which the pilots are recorded
_COUNTS = (16, 32, 64, 128)  # knot intervals tried, coarsest first


def solve(
    field: Any,
    x0: State,
    *,
    c: Conditioning = None,
    end: float = 1.0,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    method: str = "tsit5",
    batch_size: int = 128,
    max_steps: int = 4096,
    directory: str | Path | None = None,
    progress: bool = True,
) -> Paths:
    """Integrate dx/dt = u(t, x) from t = 0 to `end` adaptively, for every sample.

    Args:
        field: velocity field `field(t, x, c)`.
        x0: (N, *shape) initial states: noise, times sigma_0 of the schedule.
        c: conditioning, leading axis N.
        end: last time, in (0, 1]; below 1 where the field is singular at the data end
            (noise and data predictions).
        rtol, atol: tolerances of the step-size control, per sample, on its RMS norm.
        method: "tsit5" or "dopri5".
        batch_size: samples integrated together; bounds memory.
        max_steps: accepted and rejected steps allowed per sample.
        directory: where to keep finished batches. The same call with the same directory
            goes on after the last one, to the same paths.
        progress: show a progress bar.

    Returns:
        Paths with dense states, cost and a certificate: the measured difference to the
        same solve at ten times tighter tolerance (not below what the dtype resolves).

    Raises:
        ValueError: arguments out of range, non-finite x0, a field that is not finite
            at t = 0, or a directory that holds other paths.
        RuntimeError: a solve failed; names samples, the time reached and tolerance.
    """
    field, x0 = as_field(field), jnp.asarray(x0)
    _check(x0, c, end, rtol, atol, method, batch_size)
    began = time.perf_counter()
    dtype = jnp.promote_types(x0.dtype, jnp.float32)
    x0 = x0.astype(dtype)
    _check_start(velocities(field, 0.0, *batch_of(x0, c, 0, 1)))

    def run(x, c, ts, rtol, atol):
        # As arrays: other times and tolerances do not compile again.
        ts, rtol, atol = (jnp.asarray(value, dtype) for value in (ts, rtol, atol))
        ys, accepted, result, steps = solve_each(
            field, x, c, ts, rtol, atol, METHODS[method], max_steps
        )
        return ys, np.asarray(accepted), np.asarray(result), np.asarray(steps)

    store, cached = None, lambda step, compute: compute()
    if directory is not None:
        settings = {
            "x0": fingerprint((x0, c)),
            "end": float(end),
            "rtol": rtol,
            "atol": atol,
            "method": method,
            "batch_size": batch_size,
            "field": fingerprint(velocities(field, end / 2, *batch_of(x0, c, 0, 1))),
        }
        store = Checkpoints(Path(directory), settings, keep=None)
        cached = store.cached

    with tqdm(
        total=x0.shape[0],
        desc=f"ground truth {method} rtol={rtol:g}",
        unit="path",
        disable=not progress,
    ) as bar:
        pilots = batch_of(x0, c, 0, min(_PILOTS, x0.shape[0]))
        # What the dtype cannot resolve would only be rejected forever.
        floor = 10 * float(jnp.finfo(dtype).eps)
        tight = max(rtol / 10, min(rtol, floor)), max(atol / 10, min(atol, floor))

        def place_knots():
            fine, states, spent = _pilot(run, pilots, end, tight, max_steps)
            knots, error = _choose_knots(field, pilots, fine, states, rtol, atol)
            return fine, states, np.asarray(spent), knots, np.asarray(error)

        def one_batch(start, stop, ts):
            x, cond = batch_of(x0, c, start, start + batch_size)
            ys, _, result, steps = run(x, cond, ts, rtol, atol)
            _raise_on_failure(ys, result, ts, start, stop, rtol, atol, max_steps)
            slopes = slopes_at(field, ts, ys, cond, batch_size)
            return tuple(
                leaf[: stop - start]
                for leaf in (ys, slopes, _PER_STEP * steps + _TO_START)
            )

        bar.set_postfix_str("placing knots")
        fine, tight_states, tight_nfe, knots, interpolation = cached(0, place_knots)
        parts = []
        for i, start in enumerate(range(0, x0.shape[0], batch_size)):
            stop = min(start + batch_size, x0.shape[0])
            batch = partial(one_batch, start, stop, fine[knots])
            parts.append(cached(i + 1, batch))
            bar.update(stop - start)
            mean = np.concatenate([steps for _, _, steps in parts]).mean()
            bar.set_postfix_str(f"{mean:.0f} NFE per path")
    if store is not None:
        store.close()
    states, slopes = (jnp.concatenate([part[k] for part in parts]) for k in (0, 1))
    nfe = np.concatenate([steps for _, _, steps in parts])
    off = jax.vmap(rms)(states[: tight_states.shape[0]] - tight_states[:, knots])
    at_knots = slopes.shape[0] * slopes.shape[1] + tight_states.shape[0] * fine.size
    spent = nfe.sum() + tight_nfe + at_knots + 1  # the look at the field's start
    return Paths(
        x0=x0,
        x1=states[:, -1],
        c=c,
        knots=jnp.asarray(fine[knots], dtype),
        states=states,
        slopes=slopes,
        end=jnp.asarray(end, dtype),
        stats=Stats(
            float(nfe.mean()), int(nfe.max()), int(spent), time.perf_counter() - began
        ),
        certificate=Certificate(
            tight_states.shape[0],
            float(tight[0]),
            float(tight[1]),
            float(off[:, -1].max()),
            float(off.max()),
            float(interpolation),
        ),
    )


def solve_at(
    field: Any,
    paths: Paths,
    times: jax.Array,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    method: str = "tsit5",
    max_steps: int = 4096,
) -> tuple[jax.Array, jax.Array]:
    """Exact states and velocities at given times, solved for again from paths.x0.

    For use inside compiled code, where the times are not known before: the ground truth
    "on line" of the Bespoke paper. `solve` and `paths.at` cost one solve for all fits.

    Args:
        field: the velocity field.
        paths: only x0 and c are read.
        times: (m,) from 0 to the end, not decreasing.
        rtol, atol, method, max_steps: as `solve`.

    Returns:
        x and u(t, x), each (m, N, *shape). u is 0 at the first and the last time, whose
        states are not moved and where it may be infinite. A sample whose solve fails is
        inf from there on.

    Reference: Shaul et al. (2024), arXiv 2310.19075, algorithm 2.
    """
    times = jnp.asarray(times, paths.x0.dtype)
    states, _, _, _ = solve_each(
        field, paths.x0, paths.c, times, rtol, atol, METHODS[method], max_steps
    )
    states = jnp.swapaxes(states, 0, 1)
    # One time after the other: the memory of one network call.
    inner = jax.lax.map(
        lambda row: velocities(field, row[0], row[1], paths.c),
        (times[1:-1], states[1:-1]),
    )
    zero = jnp.zeros_like(states[:1])
    return states, jnp.concatenate([zero, inner, zero])


def _pilot(run, pilots, end, tolerances, max_steps):
    """The pilots at tight tolerance on a fine grid that follows the solver's steps."""
    (x, c), (rtol, atol) = pilots, tolerances
    fine = np.linspace(0.0, end, _FINE + 1)
    ys, accepted, result, steps = run(x, c, fine, rtol, atol)
    size = x.shape[0]
    _raise_on_failure(ys, result, fine, 0, size, rtol, atol, max_steps)
    # F(t) is the mean share of steps taken before t; equal shares between knots.
    paths = [np.append(0.0, row[np.isfinite(row)]) for row in accepted]
    times = np.unique(np.concatenate(paths))
    shares = [np.interp(times, p, np.linspace(0.0, 1.0, p.size)) for p in paths]
    fine = np.interp(np.linspace(0.0, 1.0, _FINE + 1), np.mean(shares, 0), times)
    fine[0], fine[-1] = 0.0, end
    ys, _, result, _ = run(x, c, fine, rtol, atol)
    _raise_on_failure(ys, result, fine, 0, size, rtol, atol, max_steps)
    nfe = 2 * int((_PER_STEP * steps + _TO_START).sum())
    return fine, ys, nfe


def _choose_knots(field, pilots, fine, states, rtol, atol):
    """The fewest knots whose half-way Hermite error stays below the tolerance."""
    x, c = pilots
    slopes = slopes_at(field, fine, states, c, x.shape[0])
    scale = float(jnp.sqrt(jnp.mean(jnp.square(states))))
    knots, error = None, np.inf
    for count in _COUNTS:
        knots = np.arange(0, _FINE + 1, _FINE // count)
        coarse = Paths(
            x,
            states[:, -1],
            c,
            fine[knots],
            states[:, knots],
            slopes[:, knots],
            fine[-1],
        )
        half = (knots[1:] + knots[:-1]) // 2
        between, _ = at(coarse, fine[half])
        error = float(
            jax.vmap(rms)(jnp.swapaxes(between, 0, 1) - states[:, half]).max()
        )
        if error <= atol + rtol * scale:
            break
    return knots, error


def _raise_on_failure(ys, result, ts, start, stop, rtol, atol, max_steps):
    bad = np.flatnonzero(~result[: stop - start])
    if not bad.size:
        return
    finite = np.isfinite(np.asarray(ys[bad])).reshape(len(bad), len(ts), -1).all(-1)
    reached = np.where(finite, np.asarray(ts)[None], 0.0).max(1)
    first = ", ".join(str(i) for i in (start + bad)[:8])
    raise RuntimeError(
        f"the reference solve failed for {len(bad)} of {stop - start} samples "
        f"(samples {first}{', ...' if len(bad) > 8 else ''}); the earliest stopped "
        f"after t = {reached.min():.6g} of {ts[-1]:.6g} at rtol = {rtol:g}, "
        f"atol = {atol:g}, within {max_steps} steps. Noise and data predictions are "
        "singular at t = 1 (use end < 1); otherwise loosen the tolerance or raise "
        "max_steps. A field that returns nan after that time ends the same way."
    )


def _check_start(velocity):
    # Rejected steps without end would otherwise be all that is seen of it.
    if not np.isfinite(np.asarray(velocity)).all():
        raise ValueError(
            "the field is not finite at t = 0 on the first of x0. Check the weights, "
            "or a prediction that divides by alpha = 0 there (fields.from_prediction)."
        )


def _check(x0, c, end, rtol, atol, method, batch_size):
    if method not in METHODS:
        near = get_close_matches(method, METHODS, n=2) or list(METHODS)
        raise ValueError(f"method must be one of {near}; got {method!r}.")
    if not 0 < float(end) <= 1:
        raise ValueError(f"end must lie in (0, 1]; got {end}.")
    if not (rtol > 0 and atol > 0):
        raise ValueError(f"rtol and atol must be positive; got {rtol} and {atol}.")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}.")
    if x0.ndim < 1 or x0.shape[0] < 1 or not jnp.issubdtype(x0.dtype, jnp.floating):
        raise ValueError(
            "x0 must be a floating-point array (N, *shape) with N >= 1; "
            f"got dtype {x0.dtype}, shape {x0.shape}."
        )
    for leaf in jax.tree.leaves(c):
        if jnp.ndim(leaf) == 0 or jnp.shape(leaf)[0] != x0.shape[0]:
            raise ValueError(
                f"every leaf of c must have the leading axis {x0.shape[0]} of x0; "
                f"got shape {jnp.shape(leaf)}."
            )
    finite = np.isfinite(np.asarray(x0)).reshape(x0.shape[0], -1).all(1)
    if not finite.all():
        raise ValueError(f"x0 is not finite in samples {np.flatnonzero(~finite)[:8]}.")
