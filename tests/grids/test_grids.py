"""Grids: uniform in the variable they name, exact ends, published node lists."""

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bespoke_jax import grids, solvers
from bespoke_jax.schedules import EDM, VP, CondOT, Cosine, DiscreteVP

DDPM = DiscreteVP(np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)))
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "golden.json").read_text())
END = 1 - 1e-3


def named(name, schedule, *, n=9, end=END, start=0.05):
    function = getattr(grids, name)
    if name in ("uniform", "quadratic", "sigmoid", "shift"):
        return function(n, end, start=start)
    return function(n, schedule, end, start=start)


@pytest.mark.parametrize("schedule", [CondOT(), VP(), EDM(), DDPM], ids=repr)
@pytest.mark.parametrize("name", grids.NAMES)
def test_uniform_in_the_named_variable_with_exact_ends(name, schedule):
    t = named(name, schedule)
    assert t[0] == 0.05 and t[-1] == END and np.all(np.diff(t) > 0)
    nsr = schedule.nsr(t)
    variable = {
        "uniform": t,
        "quadratic": np.sqrt(1 - t),
        # the logit undoes the logistic curve, given its two end values
        "sigmoid": np.arctanh((2 * (t - t[0]) / (t[-1] - t[0]) - 1) * math.tanh(1.5)),
        "shift": (1 - t) / (3 - 2 * (1 - t)),
        "log_snr": np.log(nsr),
        "nsr": np.log(nsr + 3.1 * nsr[-1]),
        "edm": nsr ** (1 / 7),
    }[name]
    steps = np.diff(variable)
    np.testing.assert_allclose(steps, steps.mean(), rtol=1e-9)


@pytest.mark.parametrize("name", grids.NAMES)
@pytest.mark.parametrize("n", [1, 2, 100])
def test_every_name_resolves(name, n):
    t = grids.resolve(name, n, VP(), END)
    assert t.dtype == np.float64 and t.shape == (n + 1,)
    assert t[0] == 0.0 and t[-1] == END and np.all(np.diff(t) > 0)


@pytest.mark.parametrize("name", grids.NAMES)
def test_a_name_means_one_grid_everywhere(name):
    want = named(name, VP())
    np.testing.assert_array_equal(grids.resolve(name, 9, VP(), END, start=0.05), want)
    layout = grids.Layout(VP(), name, 0.05, END)
    np.testing.assert_array_equal(layout.times(9), want)
    for solver in (
        solvers.ddim(VP(), nfe=9, grid=name, start=0.05, end=END),
        solvers.euler(VP(), nfe=9, grid=name, start=0.05, end=END),
        solvers.construct("unipc", 9, schedule=VP(), grid=name, start=0.05, end=END),
    ):
        np.testing.assert_array_equal([*solver.t, solver.end], want)
    # Where the log-SNR is infinite, too, every constructor gets what `resolve` answers.
    want = grids.resolve(name, 9, CondOT(), 1.0)
    for constructor in (solvers.ddim, solvers.euler):
        solver = constructor(CondOT(), nfe=9, grid=name, end=1.0)
        np.testing.assert_array_equal([*solver.t, solver.end], want)


def test_the_nsr_grid_printed_in_the_scire_notes():
    u = "1 .9146 .8205 .7143 .5907 .4432 .2768 .1357 .0542 .0161 .001"
    want = 1 - np.array([float(x) for x in u.split()])
    np.testing.assert_allclose(grids.nsr(10, VP(), END), want, atol=5.1e-5)


SKIP_TYPES = {
    "logSNR": "log_snr",
    "time_uniform": "uniform",
    "time_quadratic": "quadratic",
    "NSR (k=3.1)": "nsr",
    "NSR": "nsr",
}


@pytest.mark.parametrize("skip_type", SKIP_TYPES)
def test_golden_nodes(skip_type):
    """Singlestep programs report every k-th node, or build the grid on fewer steps."""
    name, checked = SKIP_TYPES[skip_type], 0
    for entry in GOLDEN["entries"]:
        if entry["params"].get("skip_type") != skip_type:
            continue
        schedule = VP() if entry["family"] == "vp" else DDPM
        t = 1 - np.array(entry["nodes"])
        end = 1 - entry["params"]["t_end"]
        full = grids.resolve(name, entry["params"]["nfe_asked"], schedule, end)
        same = len(t) == len(full)
        own = full if same else grids.resolve(name, len(t) - 1, schedule, end)
        nearest = full[np.abs(full[:, None] - t).argmin(0)]
        error = min(np.abs(own - t).max(), np.abs(nearest - t).max())
        assert error < 1e-11, (entry["id"], error)
        checked += same
    assert checked >= 1


def test_golden_karras_levels():
    checked = 0
    for entry in GOLDEN["entries"]:
        if not entry["params"].get("use_karras_sigmas"):
            continue
        ratios = np.array(entry["nodes_sigma"]) / np.array(entry["nodes_alpha"])
        ratios = ratios[ratios > 0]
        ratios = ratios[np.append(True, np.diff(ratios) < 0)]
        end = float(DDPM.time_at_nsr(ratios[-1]))
        got = DDPM.nsr(grids.edm(ratios.size - 1, DDPM, end))
        np.testing.assert_allclose(got, ratios, rtol=1e-9)
        checked += 1
    assert checked >= 2


def test_limits_of_the_parameters():
    args = (8, VP(), END)
    np.testing.assert_allclose(grids.nsr(*args, k=0.0), grids.log_snr(*args), rtol=1e-9)
    # rho -> infinity is log-SNR too, and k -> infinity is uniform in NSR.
    np.testing.assert_allclose(
        grids.edm(*args, rho=1e6), grids.log_snr(*args), atol=1e-4
    )
    far = grids.nsr(8, VP(), END, k=1e9)
    np.testing.assert_allclose(far, grids.edm(*args, rho=1.0), atol=1e-4)
    # A larger k puts fewer times near the end.
    assert np.all(grids.nsr(*args, k=7.0)[1:-1] < grids.nsr(*args, k=2.0)[1:-1])
    np.testing.assert_allclose(
        grids.sigmoid(8, slope=1e-4), grids.uniform(8), rtol=0, atol=1e-8
    )
    np.testing.assert_allclose(EDM().nsr(grids.edm(8, EDM(), 1.0))[-1], 0.002)
    assert grids.edm(8, VP(), 1.0)[-1] == 1.0  # the data itself: NSR = 0


def test_resolve_takes_arrays_and_callables():
    times = [0.0, 0.3, 0.9]
    np.testing.assert_array_equal(grids.resolve(times, 2), times)
    np.testing.assert_array_equal(grids.resolve(np.array(times), 2), times)
    got = grids.resolve(partial(grids.nsr, k=5.0), 6, VP(), END)
    np.testing.assert_array_equal(got, grids.nsr(6, VP(), END, k=5.0))
    own = np.array(times)
    grids.resolve(own, 2)[0] = 0.1
    assert own[0] == 0.0  # a copy


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: grids.resolve("logsnr", 4, VP(), END), "did you mean 'log_snr'"),
        (lambda: grids.resolve("nsr", 4, None, END), "needs the schedule"),
        (lambda: grids.resolve([0.0, 0.5, 1.0], 3), "3 steps need a grid of 4 times"),
        (lambda: grids.log_snr(4, CondOT(), END), "start=1e-3"),
        (lambda: grids.edm(4, Cosine(), END), "NSR of Cosine is infinite at t=0.0"),
        (lambda: grids.nsr(4, CondOT(), END), "infinite at t=0.0"),
        (lambda: grids.log_snr(4, VP(), 1.0), "end earlier"),
        (lambda: grids.nsr(4, VP(), 1.0), "end earlier"),
        (lambda: grids.nsr(4, VP(), END, k=-1.0), "k must be"),
        (lambda: grids.edm(4, VP(), END, rho=0.0), "rho must be"),
        (lambda: grids.sigmoid(4, slope=-1.0), "slope must be"),
        (lambda: grids.uniform(0), "at least 1; got 0"),
        (lambda: grids.uniform(4, 0.5, start=0.5), "start=0.5, end=0.5"),
        (lambda: grids.uniform(4, 1.5), "end=1.5"),
        (lambda: grids.uniform(4, 1.0, start=1 - 1e-16), "closer than float64"),
        (lambda: grids.explicit([1.0, 0.5, 0.0]), "diffusion time"),
        (lambda: grids.explicit([0.0, 0.5, 0.5]), r"t\[1\] = 0.5 then t\[2\]"),
        (lambda: grids.explicit([0.0, np.nan]), r"t\[1\] = nan"),
        (lambda: grids.explicit([0.0]), "got shape"),
    ],
)
def test_bad_grids_say_what_to_do(call, words):
    with pytest.raises(ValueError, match=words):
        call()
