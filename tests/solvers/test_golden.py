"""Every recorded run of a public program, repeated by the library's own solver."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from golden_cases import case
from host import run
from oracles import Mixture, field

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "golden.json").read_text())
ENTRIES = {entry["id"]: entry for entry in GOLDEN["entries"]}
MIXTURE = Mixture(*(np.array(GOLDEN["field"][key]) for key in ("w", "mu", "s")))
NOT_HERE = {
    "faults of the programs": (
        "A068 A069 A146 A148 A155 A157 A163 A164 A165 A202 A227 A228 A243 A302 A303"
    ),
    "not a solver of the library": "A136 A137 A160 A162",
    "compared by other tests": (
        "A270 A271 A272 A273 A274 A279 A280 A281 A282 A283 A284 A285 A286 A287 A288 "
        "A289 A290"
    ),
}
"""Entries without a case; `golden_cases.case` says why for each."""

_case = cache(lambda name: case(ENTRIES[name]))


@pytest.mark.parametrize("name", ENTRIES)
def test_agrees_with_the_program(name):
    entry, this = ENTRIES[name], _case(name)
    if isinstance(this, str):
        pytest.skip(this)
    calls = sum(solver.nfe for solver in this.solvers)
    # Two programs take a last step of no length, for one call that changes nothing.
    assert entry["params"]["nfe_counted"] - calls in (0, name in "A215 A239 A241")
    x = this.start * np.array(GOLDEN["initial_points"][entry["x_init"]])
    u = field(this.schedule, MIXTURE)
    for solver in this.solvers:
        x = run(u, solver, x)
    recorded = entry if this.final in entry else entry["extra"]
    want = this.end * np.array(recorded[this.final])
    assert np.abs(x - want).max() < 1e-8 * np.abs(want).max()


def test_every_entry_is_compared_or_listed():
    listed = {name for names in NOT_HERE.values() for name in names.split()}
    assert {name for name in ENTRIES if isinstance(_case(name), str)} == listed
    assert (len(ENTRIES), len(listed)) == (304, 36)
