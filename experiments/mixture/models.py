"""Mixtures as models: exact velocities on the VP path with linear beta."""

import bespoke_jax as bj

PATH = bj.schedules.VP()


def model(
    name: str, mixture: bj.fields.Mixture, *, end: float | int = 1 - 1e-3
) -> bj.Model:
    """A mixture on the VP path to `end`."""
    field = bj.fields.mixture_field(PATH, mixture)
    shape = (mixture.mu.shape[1],)
    return bj.Model(field, shape, end=end, schedule=PATH, name=name)


def benchmark(seed: int) -> bj.Model:
    """One of the study's mixtures: 8-D, 6 modes, standard deviation 0.15."""
    mixture = bj.fields.random_mixture(seed, dim=8, modes=6, std=0.15)
    return model(f"mixture-{seed}", mixture)
