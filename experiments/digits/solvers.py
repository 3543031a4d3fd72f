"""RK2-Bespoke against RK1, RK2 and RK4 on the three digits models.

    uv run python experiments/digits/solvers.py

Ground truth once per model; then, at each NFE, one fit per loss. Selection uses the
validation paths, every figure of the table comes from other noises. Interrupted, the
same command goes on where it stopped (fits resume from `runs/digits`). Writes
`solvers.json`, the table in README.md and `rmse_nfe.png`.
"""

import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import optax
import tyro

import bespoke_jax as bj

matplotlib.use("Agg")
HERE = Path(__file__).parent
LOSSES = {"rmse_bound": bj.losses.rmse_bound, "rmse": bj.losses.rmse}
GENERIC = ("euler", "midpoint", "rk4")
LABELS = {
    "euler": "RK1 (euler)",
    "midpoint": "RK2 (midpoint)",
    "rk4": "RK4",
    "bespoke_rmse_bound": "RK2-Bespoke, RMSE-bound",
    "bespoke_rmse": "RK2-Bespoke, direct RMSE",
}


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = ("fm_ot", "fm_cs", "eps_vp")
    nfe: tuple[int, ...] = (8, 10, 16, 20)
    training: int = 320
    validation: int = 128
    test: int = 1024
    tolerance: float = 1e-5
    iterations: int = 200
    batch_size: int = 32
    lr: float = 1e-2
    seed: int = 0
    runs: Path = field(default=Path("runs/digits"))


def main(config: Config) -> None:
    out = HERE / "solvers.json"
    rows = []
    if out.exists():
        before = json.loads(out.read_text())
        # A table of another configuration is started afresh.
        rows = before["rows"] if before["config"] == described(config) else []
    for name in config.models:
        rows = one_model(config, name, rows, out)
    write_page(config, rows)


def described(config: Config) -> dict:
    return json.loads(json.dumps(asdict(config), default=str))


def one_model(config: Config, name: str, rows: list[dict], out: Path) -> list[dict]:
    done = {(r["model"], r["solver"], r["nfe"]) for r in rows}
    wanted = {
        (name, solver, nfe)
        for nfe in config.nfe
        for solver in (*GENERIC, *(f"bespoke_{loss}" for loss in LOSSES))
        if solver != "rk4" or nfe % 4 == 0
    }
    if wanted <= done:
        return rows
    model = bj.demo.load(name)
    paths = ground_truth(config, model)
    training = bj.paths.take(paths, slice(0, config.training))
    stop = config.training + config.validation
    held_out = bj.paths.take(paths, slice(config.training, stop))
    test = bj.paths.take(paths, slice(stop, None))
    cost = {
        "ground_truth_evaluations": paths.stats.evaluations,
        "ground_truth_endpoint": paths.certificate.endpoint,
    }
    for model_name, solver_name, nfe in sorted(wanted - done, key=lambda w: w[2]):
        began = time.perf_counter()
        extra = {}
        if solver_name in GENERIC:
            solver = bj.solvers.construct(solver_name, nfe, end=model.end)
        else:
            loss = solver_name.removeprefix("bespoke_")
            fitted = bj.fit(
                bj.families.scale_time(nfe // 2, end=model.end),
                model.field,
                training,
                validation=held_out,
                loss=LOSSES[loss],
                optimizer=optax.adam(
                    optax.cosine_decay_schedule(config.lr, config.iterations)
                ),
                iterations=config.iterations,
                batch_size=config.batch_size,
                key=jax.random.key(config.seed + 1),
                directory=config.runs / f"{name}-{nfe}-{loss}",
            )
            solver = fitted.solver
            extra = {
                "fit_evaluations": float(fitted.history.evaluations[-1]),
                "fit_seconds": float(fitted.history.seconds[-1]),
                "validation_start": fitted.start_rmse,
                "validation_best": fitted.rmse,
                **cost,
            }
        errors = np.asarray(bj.metrics.errors(sampled(model, solver, test.x0), test.x1))
        rows = [
            *rows,
            {
                "model": model_name,
                "solver": solver_name,
                "nfe": solver.nfe,
                "rmse_mean": float(errors.mean()),
                "rmse_median": float(np.median(errors)),
                "psnr": float(20 * np.log10(model.data_range / errors.mean())),
                "seconds": time.perf_counter() - began,
                **extra,
            },
        ]
        out.write_text(
            json.dumps({"config": described(config), "rows": rows}, indent=1) + "\n"
        )
    return rows


def sampled(model, solver, x0: jax.Array, batch: int = 128) -> jax.Array:
    parts = range(0, len(x0), batch)
    return jnp.concatenate(
        [bj.sample(model.field, solver, x0[i : i + batch]) for i in parts]
    )


def ground_truth(config: Config, model) -> bj.Paths:
    count = config.training + config.validation + config.test
    x0 = jax.random.normal(jax.random.key(config.seed), (count, *model.shape))
    return bj.reference.solve(
        model.field, x0, end=model.end, rtol=config.tolerance, atol=config.tolerance
    )


def table(rows: list[dict], model: str, nfes: tuple[int, ...]) -> list[str]:
    found = {(r["solver"], r["nfe"]): r for r in rows if r["model"] == model}
    lines = [
        f"| {model}: RMSE mean (median) | "
        + " | ".join(f"{n} NFE" for n in nfes)
        + " |",
        "|---|" + "---|" * len(nfes),
    ]
    for solver, label in LABELS.items():
        cells = []
        for nfe in nfes:
            row = found.get((solver, nfe))
            text = f"{row['rmse_mean']:.4f} ({row['rmse_median']:.4f})" if row else "-"
            best = min(found[k]["rmse_mean"] for k in found if k[1] == nfe)
            cells.append(f"**{text}**" if row and row["rmse_mean"] == best else text)
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines


def write_page(config: Config, rows: list[dict]) -> None:
    lines = []
    for model in config.models:
        lines += [*table(rows, model, config.nfe), ""]
    fits = [r for r in rows if "fit_evaluations" in r]
    span = lambda key, form: (
        f"{min(r[key] for r in fits):{form}} to {max(r[key] for r in fits):{form}}"
    )
    count = config.training + config.validation + config.test
    lines += [
        f"One fit costs {span('fit_evaluations', '.3g')} network evaluations (forward "
        f"1, reverse 2) and {span('fit_seconds', '.0f')} s; ground truth for all "
        f"{count} paths {span('ground_truth_evaluations', '.3g')} evaluations. Its end "
        "points are within "
        f"{max(r['ground_truth_endpoint'] for r in fits):.1g} (RMS, worst sample of "
        "the certificates) of a ten times tighter solve.",
        "",
        f"Seed {config.seed}; {config.training} training, {config.validation} "
        f"validation and {config.test} test noises; Adam, lr {config.lr} with cosine "
        f"decay, {config.iterations} iterations of {config.batch_size} paths. "
        f"{platform.machine()}, {jax.default_backend()}, {os.cpu_count()} cores; "
        f"Python {platform.python_version()}, JAX {jax.__version__}.",
    ]
    page = HERE / "README.md"
    begin, end = "<!-- solvers: begin -->\n", "<!-- solvers: end -->"
    text = page.read_text()
    head, rest = text.split(begin)
    page.write_text(head + begin + "\n".join(lines) + "\n" + end + rest.split(end)[1])
    draw(config, rows)


def draw(config: Config, rows: list[dict]) -> None:
    import matplotlib.pyplot as plt

    styles = {
        "euler": ("0.6", "s", ":"),
        "midpoint": ("0.45", "o", "--"),
        "rk4": ("0.3", "^", "-."),
        "bespoke_rmse_bound": ("tab:blue", "D", "-"),
        "bespoke_rmse": ("tab:red", "*", "-"),
    }
    figure, axes = plt.subplots(
        1, len(config.models), figsize=(4 * len(config.models), 3.6), sharey=True
    )
    for axis, model in zip(np.atleast_1d(axes), config.models, strict=True):
        for solver, (colour, marker, line) in styles.items():
            points = sorted(
                (r["nfe"], r["rmse_mean"])
                for r in rows
                if r["model"] == model and r["solver"] == solver
            )
            axis.plot(
                *zip(*points, strict=True), color=colour, marker=marker, linestyle=line,
                label=LABELS[solver],
            )  # fmt: skip
        axis.set(title=model, xlabel="NFE", yscale="log", xticks=config.nfe)
        axis.grid(alpha=0.3, which="both")
    np.atleast_1d(axes)[0].set_ylabel("RMSE to the exact solution")
    np.atleast_1d(axes)[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(HERE / "rmse_nfe.png", dpi=120)


if __name__ == "__main__":
    main(tyro.cli(Config))
