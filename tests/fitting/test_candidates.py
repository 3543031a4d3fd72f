"""Grids of the caller's own are candidates beside the named ones."""

import numpy as np
import pytest
from oracles import GAUSSIAN, gaussian_paths

import bespoke_jax as bj
from bespoke_jax.fitting.candidates import candidates

VP, END = bj.schedules.VP(), 1 - 1e-3


@pytest.mark.slow
def test_every_solver_is_tried_on_the_grids_given():
    paths = gaussian_paths(VP, GAUSSIAN, 4, END)
    profiles = {
        "bent": bj.grids.profile(paths),
        "best": bj.grids.optimal_steps(paths, schedule=VP),
    }
    family = bj.families.nonstationary(3, schedule=VP, end=END)
    few, _ = candidates(family, VP, 3, (0.0, END), [])
    more, dropped = candidates(family, VP, 3, (0.0, END), [], profiles)
    added = {c.name: c for c in more if c.name not in {c.name for c in few}}
    assert len(more) == len(few) + len(added)
    for label, profile in profiles.items():
        assert {f"ddim, {label}", f"unipc, {label}"} <= set(added)
        solver = family.build(added[f"ddim, {label}"].theta)
        np.testing.assert_allclose([*solver.t, END], profile.grid(3), atol=1e-6)
    lost = [one.reason for one in dropped if "bent" in one.name]
    assert all("pays for none" in reason for reason in lost)  # of too many stages
