"""A saved card with every entry."""

import numpy as np
import pytest
from card_cases import Linear, midpoint_solver

from bespoke_jax import card


@pytest.fixture
def path(tmp_path):
    return card.save(
        tmp_path / "solver.json",
        midpoint_solver(),
        model="digits FM-OT",
        schedule=Linear(),
        family="scale_time",
        loss="rmse_bound",
        rmse=np.float32(0.02),
        start_rmse=0.05,
        judge="median",
        paths=102,
        rtol=1e-6,
        atol=1e-6,
        certificate=3e-6,
        evaluations=123_456,
        seconds=61.5,
        guidance=2.0,
        seed=7,
        notes="größer ≥ kleiner",
    )
