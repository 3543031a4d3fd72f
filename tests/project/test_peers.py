"""Other programs beside ours: what was committed, and where they run, the pairs again.

The first part needs none of the programs: it reads the committed results and builds our
side of every pair. The second runs a few pairs; it skips where the `peers` dependency
group is not installed.
"""

import re
from importlib.util import find_spec
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks.ground_truth import page as ground_truth_page
from experiments.benchmarks.peers import page as peers_page
from experiments.benchmarks.peers.pairs import COND_OT, PAIRS

FOLDER = Path(__file__).parents[2] / "experiments" / "benchmarks"
PEERS, TRUTH = (
    harness.load(FOLDER / name / "results.json") for name in ("peers", "ground_truth")
)
ROWS = {row["pair"]: row for row in PEERS["rows"]}
PROGRAMS = ("torch", "diffusers", "torchdiffeq", "flow_matching", "azula")
MISSING = [name for name in PROGRAMS if find_spec(name) is None]
needs_programs = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} not installed (uv --group peers)"
)

# float32, and coordinates of order 1. A median is rounding; the largest difference is
# that of a noise between two modes, which a solve moves apart.
MEDIAN, LARGEST = 2e-5, 2e-2
# Few pairs, but every program and every form of scheduler.
FEW = (
    "diffusers DPMSolverMultistep / dpm_solver_pp_2m",
    "diffusers DPMSolverSinglestep (lower_order_final=True)"
    " / dpm_solver_pp_2s, then ddim twice",
    "diffusers HeunDiscrete / edm_heun",
    "diffusers UniPCMultistep / unipc, order 2",
    "torchdiffeq rk4 / runge_kutta of the 3/8 tableau",
    "flow_matching midpoint / midpoint",
    "azula zAB (order=3) / ipndm_v, order 3",
)


def test_every_pair_was_measured_and_says_why():
    assert set(ROWS) == {pair.name for pair in PAIRS}
    assert {pair.program for pair in PAIRS} == set(PROGRAMS) - {"torch"}
    for pair in PAIRS:
        assert re.fullmatch(r"[A-Zt].{20,}\.", pair.why), pair.name
        row = ROWS[pair.name]
        assert row["same"] == pair.same
        counts = zip(row["accuracy"], PEERS["config"]["nfes"], strict=True)
        assert all(a["nfe"] in (n - 1, n) for a, n in counts), pair.name


@pytest.mark.parametrize("pair", [p for p in PAIRS if p.same], ids=lambda p: p.name)
def test_the_same_method_gave_the_same_samples(pair):
    for a in ROWS[pair.name]["accuracy"]:
        assert a["nfe"] == a["nfe_ours"]
        assert a["difference_median"] < MEDIAN and a["difference_max"] < LARGEST
        assert abs(a["rmse"] - a["rmse_ours"]) < 1e-3 * a["rmse"] + 1e-5


def test_another_method_gave_other_samples():
    for pair in PAIRS:
        if not pair.same:
            rows = ROWS[pair.name]["accuracy"]
            assert max(a["difference_median"] for a in rows) > 10 * MEDIAN, pair.name


def test_ours_was_at_least_five_times_faster():
    # Of the programs as they come, at the smallest batch; the page has the others.
    assert PEERS["config"]["batches"][0] == 64
    for name, row in ROWS.items():
        assert row["speed"][0]["ratio_theirs"] >= peers_page.GOAL, name


def test_pages_say_what_was_measured():
    page = (FOLDER / "peers" / "README.md").read_text()
    block = page.split("<!-- peers: begin -->")[1].split("<!-- peers: end -->")[0]
    truth = (FOLDER / "ground_truth" / "README.md").read_text()
    for pair in PAIRS:
        assert f"| {peers_page.label(pair)} |" in block
        assert pair.why in block
    assert PEERS["machine"] in page and TRUTH["machine"] in truth
    for method in ground_truth_page.LABELS.values():
        assert f"| {method} |" in truth


def test_ground_truth_was_taken_at_its_tolerance():
    rows = [r for r in TRUTH["rows"] if r["tolerance"] == TRUTH["config"]["tolerance"]]
    assert {row["method"] for row in rows} == set(ground_truth_page.LABELS)
    assert TRUTH["config"]["tolerance"] == 1e-5 and TRUTH["parity"] < 1e-5
    solved = {row["method"]: row for row in rows}
    # Of the same solves, a plain call per sample and ours take the same evaluations.
    ours, plain = solved["reference.solve_at"], solved["diffrax, per sample"]
    assert abs(ours["evaluations"] / plain["evaluations"] - 1) < 0.05
    parts = sum(TRUTH["parts"].values())
    assert parts == pytest.approx(solved["reference.solve"]["evaluations"])


def test_ours_is_built_without_the_programs():
    # Levels of some program: from nearly pure noise to data, steps of unequal length.
    times = np.linspace(0.05, 0.999, 9) ** 1.2
    for pair in PAIRS:
        steps = pair.steps(8)
        solvers = pair.build(times[: steps + 1], 8)
        assert all(isinstance(solver, bj.Solver) for solver in solvers)
        assert sum(solver.nfe for solver in solvers) in (7, 8), pair.name


@needs_programs
def test_both_fields_agree():
    from experiments.benchmarks.peers import measure as peers

    assert peers.Problem(peers.Config(noises=64, batches=(64,))).check() < 1e-5


@needs_programs
@pytest.mark.parametrize("name", FEW)
def test_a_pair_agrees(name):
    torch = pytest.importorskip("torch")

    from experiments.benchmarks.peers import programs

    pair = next(pair for pair in PAIRS if pair.name == name)
    mixture = bj.fields.random_mixture(0, dim=8, modes=6, std=0.15)
    noise = np.asarray(jax.random.normal(jax.random.key(3), (64, 8)), np.float64)
    torch_field = programs.Field(mixture)
    torch_field.counting = True
    with torch.inference_mode():
        program = programs.prepare(pair, torch_field, 8)
        start = torch.tensor(program.start * noise, dtype=torch.float32)
        theirs = program.last * program.solve(start).numpy()
    x = jnp.asarray(program.first * noise, jnp.float32)
    for solver in pair.build(program.times, torch_field.calls):
        x = bj.sample(bj.fields.mixture_field(COND_OT, mixture), solver, x)
    off = np.sqrt(np.mean((np.asarray(x) - theirs) ** 2, axis=1))
    assert np.median(off) < MEDIAN and off.max() < LARGEST


@needs_programs
def test_the_network_in_torch_is_that_in_flax():
    torch = pytest.importorskip("torch")

    from experiments.benchmarks.ground_truth import measure, torch_unet

    model = bj.demo.load("fm_ot")
    x0, _ = bj.model.noise(model, jax.random.key(0), 4)
    network = torch_unet.load(model.field)
    with torch.inference_mode():
        assert measure.check(model.field, network, x0) < 1e-5
        with torch.no_grad():
            network.first.bias += 0.1
        with pytest.raises(RuntimeError, match="networks differ"):
            measure.check(model.field, network, x0)
