"""What the tests of the ground truth share: fields with an exact answer."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles

import bespoke_jax as bj

DISCRETE = bj.schedules.DiscreteVP(np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)))
VP = bj.schedules.VP()
MIXTURE = oracles.random_mixture(0)
END = 1 - 1e-3


def noise_model(schedule, mixture):
    """The field of the ideal noise prediction, as a user would build it."""

    def network(t, x):
        return oracles.posterior_means(mixture, x, *schedule(t))[1]

    return bj.fields.from_prediction(network, schedule, "noise")


def noises(size, dtype=jnp.float32, dim=2):
    return jax.random.normal(jax.random.key(0), (size, dim), jnp.float32).astype(dtype)


def exact_ends(schedule, mixture, x0, start=0.0, end=END):
    """x(end) to 10 digits: the closed form, or rk4 in the angle at 4,000 steps."""
    x0 = np.asarray(x0, np.float64)
    if len(mixture.w) == 1:
        return np.asarray(oracles.gaussian_flow(schedule, mixture, x0, start, end))
    angle = bj.schedules.Cosine()
    plain = oracles.field(angle, mixture)
    (a, s), (b, tau) = schedule(start), schedule(end)
    first, last = (float(angle.time_at_log_snr(schedule.log_snr(t)))
                   for t in (start, end))  # fmt: skip
    solver = bj.solvers.rk4(steps=2000)
    warp = bj.fields.scale_time(
        plain, lambda r: jnp.ones_like(r), lambda r: first + (last - first) * r
    )
    z = bj.sample(warp, solver, jnp.asarray(x0 / np.hypot(a, s)))
    return np.asarray(z) * np.hypot(b, tau)


def counting(field):
    """(rows of each call as it happens, the field that notes them down)."""
    calls = []

    def note(t):
        calls.append(t.size)
        return np.zeros_like(t)

    def counted(t, x):
        like = jax.ShapeDtypeStruct(t.shape, t.dtype)
        zero = jax.pure_callback(note, like, t, vmap_method="expand_dims")
        return field(t + zero, x)

    return calls, counted
