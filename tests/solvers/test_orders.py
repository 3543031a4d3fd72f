"""Orders of convergence of every training-free solver, in float64.

By the library's own certificate, on a mixture under VP, from noise to 1 - 1e-3. That
its exact solution is exact is tested in test_certify.py.
"""

import pytest

import bespoke_jax as bj
from bespoke_jax.solvers import TABLE

pytestmark = pytest.mark.slow  # solvers of 768 evaluations are traced
SCHEDULE, END = bj.schedules.VP(), 1 - 1e-3


@pytest.mark.parametrize("name", TABLE)
def test_table_holds_the_measured_order(name):
    entry = TABLE[name]
    verdict = bj.certify(name, schedule=SCHEDULE, end=END, nfe=(384, 768))
    assert verdict.nfe == verdict.asked == (384, 768)
    assert max(verdict.consistency) < 1e-12
    assert abs(verdict.measured - entry.measured) < 0.25
    below = entry.measured < entry.order - 0.25
    assert bool(entry.note) == below, "a note explains exactly the shortfalls"


# The settings that keep the order, and those of other orders than the default's.
SETTINGS = [
    *((name, {"phi": "fd"}, 2) for name in TABLE if name.startswith("scire")),
    ("scire_v1_3", {"phi": "fd", "stage": "taylor"}, 3),
    ("scire_v2_3", {"phi": "fd", "stage": "taylor"}, 3),
    ("scire_v1_2", {"phi": "rd_inf"}, 1),
    ("scire_v1_2", {"phi": "official"}, 1),
    ("scire_v1_2m", {"phi": "fd", "variant": "iclr"}, 2),
    ("dpm_solver_3m", {"variant": "exact"}, 3),
    ("dpm_solver_pp_3m", {"variant": "exact"}, 3),
    ("dpm_solver_3", {"variant": "taylor"}, 3),
    ("dpm_solver_pp_2m", {"variant": "taylor"}, 2),
    ("unipc", {"order": 1, "corrector": False}, 1),
    ("unipc", {"order": 1}, 2),
    ("unipc", {"order": 2, "corrector": False}, 2),
    ("unipc", {"order": 2, "variant": "bh1"}, 3),
    ("unipc", {"order": 2, "prediction": "noise"}, 3),
    ("unipc", {"order": 2, "variant": "vary_coeff"}, 3),
    ("deis_tab", {"order": 1}, 2),
    ("deis_tab", {"order": 2}, 3),
    ("deis_rho_ab", {"order": 2}, 3),
    ("ipndm_v", {"order": 2}, 2),
    ("ipndm_v", {"order": 3}, 3),
    ("adams_bashforth", {"order": 1}, 1),
    ("adams_bashforth", {"order": 4}, 2),
    ("adams_moulton", {"order": 2}, 2),
    ("adams_moulton", {"order": 4}, 3.8),  # its start, of order 3, begins to show
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options", "order"), SETTINGS)
def test_settings_have_the_order_their_docstring_says(name, options, order):
    entry = TABLE[name]

    def build(n):
        return entry.constructor(SCHEDULE, nfe=n, end=END, **options)

    verdict = bj.certify(build, schedule=SCHEDULE, nfe=(288, 576))
    assert abs(verdict.measured - order) < 0.25
