"""How well recursive differences estimate the derivative of the score-integrand.

    uv run python -m experiments.recursive_difference.derivative

With y = x / alpha and tau = sigma / alpha the ODE is dy/dtau = Gamma(tau) = eps. For a
step h from s, estimates of Gamma'(s) from Gamma(s) and Gamma at another point p:

    FD      (Gamma(p) - Gamma(s)) / (tau_p - tau_s)
    RD(m)   FD / phi_1(m), m = 3 and infinity: what SciRE-Solver uses
    full    corollary 3.1 and theorem 3.1 with the exact Gamma'(p) and Gamma''(p)
    EI      DPM-Solver-2's coefficient as a multiple of FD, 2 / (1 + tau_p / tau_s)

against the exact one, a directional derivative (`jax.jvp`) of the network along its own
path, on closed-form fields and on the digits eps-VP network, all in float64. First as
p -> s, then at the nodes of SciRE-V1-2 on NSR grids; there also the multiple c of FD
that a step would need to be exact (least squares over the samples): 1 is FD, 1.5 and
1.58 are RD. Writes `results/derivative-*.json`, README.md and two figures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import tyro

import bespoke_jax as bj
from bespoke_jax.solvers import recursive_difference
from experiments import harness
from experiments.recursive_difference import subjects

matplotlib.use("Agg")
HERE = Path(__file__).parent
NAMES = ("gaussian", "mixture", "eps_vp")
ESTIMATES = ("FD", "RD(3)", "RD(inf)", "full (3)", "full (inf)", "EI")


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = NAMES
    samples: int = 48
    starts: tuple[float, ...] = (5.0, 1.0, 0.3, 0.05)  # tau_s of the limit
    shrink: tuple[float, ...] = (0.5, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)  # 1 - rho
    nfe: tuple[int, ...] = (6, 8, 10, 12, 16, 20)
    seed: int = 0


def gamma(schedule: Any, field: Any, tau: Any, y: jax.Array) -> jax.Array:
    """Gamma = eps(x, t) at x = alpha y and sigma / alpha = tau."""
    t = schedule.time_at_nsr(tau)
    alpha, _ = schedule(t)
    return bj.fields.noise_prediction(field, schedule)(t, alpha * y)


@partial(jax.jit, static_argnums=0)
def derivatives(schedule: Any, field: Any, tau: Any, y: jax.Array) -> tuple:
    """(Gamma, Gamma', Gamma'') at a point of the path, by forward differentiation."""
    value = partial(gamma, schedule, field)

    def along(f: Callable) -> Callable:
        return lambda tau, y: jax.jvp(f, (tau, y), (1.0, value(tau, y)))[1]

    return value(tau, y), along(value)(tau, y), along(along(value))(tau, y)


@partial(jax.jit, static_argnums=0)
def flow(
    schedule: Any,
    field: Any,
    y: jax.Array,
    start: Any,
    stop: Any,
    tolerance: float = 1e-10,
) -> jax.Array:
    """The exact y at tau = stop from that at tau = start, solved for in log tau."""

    def rate(l, y, args):
        return jnp.exp(l) * gamma(schedule, field, jnp.exp(l), y)

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(rate),
        diffrax.Dopri8(),
        t0=jnp.log(start),
        t1=jnp.log(stop),
        dt0=None,
        y0=y,
        stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
        max_steps=4096,
    )
    assert solution.ys is not None
    return solution.ys[0]


def estimates(s: tuple, p: tuple, h: float, ratio: float) -> dict[str, jax.Array]:
    """All estimates of Gamma'(s) by name; s and p are (Gamma, Gamma', Gamma'')."""
    fd = (p[0] - s[0]) / h

    def full(m):
        one, two, three = recursive_difference(m)
        return (fd - two * p[1] - three * h * p[2]) / one

    values = (
        fd,
        fd / recursive_difference(3)[0],
        fd / recursive_difference(np.inf)[0],
        full(3),
        full(np.inf),
        fd * 2 / (1 + ratio),
    )
    return dict(zip(ESTIMATES, values, strict=True))


def judged(truth: jax.Array, found: dict[str, jax.Array]) -> dict[str, float]:
    """Relative RMS error of each estimate, and how often RD(3) is closer than FD."""
    off = {name: np.asarray(value - truth) for name, value in found.items()}
    size = np.sqrt(np.mean(np.asarray(truth) ** 2))
    rms = {name: float(np.sqrt(np.mean(v**2)) / size) for name, v in off.items()}
    each = {n: (v.reshape(len(v), -1) ** 2).sum(1) for n, v in off.items()}
    return {**rms, "closer": float(np.mean(each["RD(3)"] < each["FD"]))}


def measure(config: Config, name: str) -> None:
    model = subjects.load(name, double=True)
    settings = {k: v for k, v in vars(config).items() if k != "models"}
    results = harness.Results(HERE / "results" / f"derivative-{name}.json", settings)
    schedule, field = model.schedule, model.field
    x0 = subjects.noise(model, config.seed, config.samples)
    first = float(schedule.nsr(0.0))
    start = x0 / schedule(0.0)[0]
    move = partial(flow, schedule, field)
    at = partial(derivatives, schedule, field)

    @cache
    def begun(tau: float) -> tuple[jax.Array, tuple]:
        # What follows starts from this point of the path: only that must be exact.
        y = move(start, first, tau, 1e-6)
        return y, at(tau, y)

    def limit(tau: float, shrink: float) -> dict[str, Any]:
        (y, s), p = begun(tau), (1 - shrink) * tau
        found = estimates(s, at(p, move(y, tau, p)), p - tau, 1 - shrink)
        return judged(s[1], found)

    def grid(nfe: int) -> dict[str, Any]:
        steps = nfe // 2
        taus = schedule.nsr(bj.grids.nsr(steps, schedule, model.end)).tolist()
        y, rows = start, []
        for tau, end in zip(taus, taus[1:], strict=False):
            p = (tau + end) / 2
            s, y_p, y_end = at(tau, y), move(y, tau, p), move(y, tau, end)
            h = end - tau
            # The program sees the node after an Euler step, not the exact one.
            euler = gamma(schedule, field, p, y + h / 2 * s[0])
            exact_p = at(p, y_p)
            ratio = p / tau
            found = judged(s[1], estimates(s, exact_p, h / 2, ratio))
            seen = judged(s[1], estimates(s, (euler, *exact_p[1:]), h / 2, ratio))
            # y_end = y + h Gamma(s) + c h^2/2 FD, for c by least squares.
            term = np.asarray(h * (euler - s[0])).ravel()
            rest = np.asarray(y_end - y - h * s[0]).ravel()
            rows.append(
                {
                    "tau": tau,
                    "exact": found,
                    "euler": seen,
                    "needed": float(term @ rest / (term @ term)),
                }
            )
            y = y_end
        return {"steps": rows}

    for tau in config.starts:
        for shrink in config.shrink:
            key = {"kind": "limit", "tau": tau, "shrink": shrink}
            results.once(key, partial(limit, tau, shrink))
    for nfe in config.nfe:
        results.once({"kind": "grid", "nfe": nfe}, partial(grid, nfe))


def medians(row: dict, at: str) -> list[float]:
    """Median over the steps of a grid of each estimate's error, then of `closer`."""
    return [
        float(np.median([step[at][key] for step in row["steps"]]))
        for key in (*ESTIMATES, "closer")
    ]


def write_page(config: Config) -> None:
    lines = []
    settings = {k: v for k, v in vars(config).items() if k != "models"}
    stored = {}
    for name in NAMES:
        path = HERE / "results" / f"derivative-{name}.json"
        results = harness.Results(path, settings)
        if results.rows:
            stored[name] = results
    small, least = config.shrink[-1], config.shrink[-2]
    for name, results in stored.items():
        body = []
        for tau in config.starts:
            rows = [
                results.get(kind="limit", tau=tau, shrink=shrink)
                for shrink in (0.5, 0.1, least, small)
            ]
            for row in rows:
                cells = [row[key] for key in (*ESTIMATES, "closer")]
                body.append((f"{tau:g}, {1 - row['shrink']:g}", cells))
        columns = (*ESTIMATES, "share RD(3) < FD")
        lines += [*harness.table(f"{name}: tau_s, tau_p / tau_s", columns, body), ""]
        body = []
        for nfe in config.nfe:
            row = results.get(kind="grid", nfe=nfe)
            for at, label in (("exact", "exact"), ("euler", "Euler")):
                body.append((f"{nfe} NFE, {label} node", medians(row, at)))
        lines += [*harness.table(f"{name}: NSR grid", columns, body), ""]
        lines += [verdict(config, name, results), ""]
    lines += [
        f"Relative RMS error over {config.samples} samples and all dimensions; on the "
        f"grids the median over the steps. Seed {config.seed}, float64. "
        f"{harness.machine()}."
    ]
    harness.write_block(HERE / "README.md", "derivative", lines)
    draw_limit(config, stored)
    draw_needed(config, stored)


def verdict(config: Config, name: str, results: harness.Results) -> str:
    """What the tables say, in words, from the rows."""
    pair = config.shrink[-2:]
    slopes = {key: [] for key in ESTIMATES}
    last = {key: [] for key in ESTIMATES}
    for tau in config.starts:
        two = [results.get(kind="limit", tau=tau, shrink=s) for s in pair]
        for key in ESTIMATES:
            slope = np.log(two[0][key] / two[1][key]) / np.log(pair[0] / pair[1])
            slopes[key].append(slope)
            last[key].append(two[1][key])
    order = {key: float(np.median(value)) for key, value in slopes.items()}
    steps = [
        step
        for nfe in config.nfe
        for step in results.get(kind="grid", nfe=nfe)["steps"]
    ]
    wins = sum(step["euler"]["RD(3)"] < step["euler"]["FD"] for step in steps)
    near = sum(abs(s["needed"] - 1.5) < abs(s["needed"] - 1) for s in steps)
    return (
        f"{name}: as the step shrinks, the error falls with the power "
        f"{order['FD']:.2f} of it for FD, {order['EI']:.2f} for EI, "
        f"{order['full (3)']:.2f} for the full formula, {order['RD(3)']:.2f} for "
        f"RD(3), which ends at {np.median(last['RD(3)']):.3f} "
        f"(RD(inf): {np.median(last['RD(inf)']):.3f}). On the grids, with the node "
        f"that the program sees, RD(3) estimates better than FD in {wins} of "
        f"{len(steps)} steps; the multiple of FD that makes the step exact is nearer "
        f"to 1.5 than to 1 in {near} of {len(steps)}."
    )


STYLES = {
    "FD": ("0.0", "o", "-"),
    "RD(3)": ("tab:red", "s", "--"),
    "RD(inf)": ("tab:orange", "D", ":"),
    "full (3)": ("tab:blue", "^", "-."),
    "EI": ("0.5", "x", "-"),
}


def draw_limit(config: Config, stored: dict[str, harness.Results]) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(stored), figsize=(4 * len(stored), 4.2), sharey=True, squeeze=False
    )
    tau = config.starts[1]
    for axis, (name, results) in zip(axes[0], stored.items(), strict=True):
        for key, (colour, marker, dash) in STYLES.items():
            rows = [
                results.get(kind="limit", tau=tau, shrink=s)[key] for s in config.shrink
            ]
            axis.plot(
                config.shrink, rows, color=colour, marker=marker, ls=dash, label=key
            )
        axis.set(
            title=f"{name}, tau = {tau:g}",
            xlabel="relative step 1 - tau_p / tau_s",
            xscale="log",
            yscale="log",
        )
        axis.grid(alpha=0.3, which="both")
    axes[0, 0].set_ylabel("relative error of the derivative estimate")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=5)
    figure.set_layout_engine("constrained")
    figure.savefig(HERE / "derivative_limit.png", dpi=120)


def draw_needed(config: Config, stored: dict[str, harness.Results]) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(stored), figsize=(4 * len(stored), 4.2), sharey=True, squeeze=False
    )
    shown = (config.nfe[0], config.nfe[len(config.nfe) // 2], config.nfe[-1])
    styles = (
        ("tab:purple", "o", "-"),
        ("tab:green", "^", "--"),
        ("0.2", "s", ":"),
    )
    for axis, (name, results) in zip(axes[0], stored.items(), strict=True):
        for nfe, (colour, marker, dash) in zip(shown, styles, strict=True):
            steps = results.get(kind="grid", nfe=nfe)["steps"]
            pairs = [(step["tau"], step["needed"]) for step in steps]
            axis.plot(
                *zip(*pairs, strict=True), color=colour, marker=marker, ls=dash,
                label=f"{nfe} NFE",
            )  # fmt: skip
        for level, text in ((1.0, "FD"), (1.5, "RD(3)")):
            axis.axhline(level, color="0.6", lw=1)
            axis.annotate(text, (0.99, level), xycoords=("axes fraction", "data"),
                          ha="right", va="bottom", fontsize=8)  # fmt: skip
        axis.set(title=name, xlabel="tau = sigma / alpha at the step", xscale="log")
        axis.set_ylim(-0.5, 3)
        axis.invert_xaxis()
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("multiple of FD that makes the step exact")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3)
    figure.set_layout_engine("constrained")
    figure.savefig(HERE / "needed.png", dpi=120)


def main(config: Config) -> None:
    for name in config.models:
        measure(config, name)
    write_page(config)


if __name__ == "__main__":
    main(tyro.cli(Config))
