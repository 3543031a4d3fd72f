"""What moves SciRE's error besides phi: the grid's k, the end time, a biased network.

    uv run python -m experiments.recursive_difference.effects

- k: the NSR grid's parameter, at one NFE.
- end: the sample taken at 1 - 1e-3 or 1 - 1e-4, each against the exact solution there.
- bias: a network whose noise prediction is 0.99, 1 or 1.01 times the model's. Errors
  are against the exact solution of the unbiased model, so that a solver which undoes
  the bias would be below the biased model's own exact solution, the row "exact".

Spread is the samples' standard deviation about their mean over that of the unbiased
exact samples. Writes `results/effects-*.json` and the tables in README.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tyro

import bespoke_jax as bj
from experiments import harness
from experiments.recursive_difference import generation, subjects

HERE = Path(__file__).parent
NAMES = ("mixture", "eps_vp", "edm")
RULES = (
    "scire_v1_2 rd",
    "scire_v1_2 fd",
    "scire_v1_2m rd",
    "scire_v1_2m fd",
    "dpm_solver_pp_2m",
    "ddim",
)
K = (0.0, 1.0, 2.0, 3.1, 5.0, 7.0, 15.0)
ENDS = (1e-3, 1e-4)
FACTORS = (0.99, 1.0, 1.01)


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = NAMES
    k_nfe: int = 10
    nfe: tuple[int, ...] = (10, 20, 50)
    samples: int = 512
    setup: harness.Setup = harness.Setup()

    def described(self) -> dict[str, Any]:
        own = {"k_nfe": self.k_nfe, "nfe": self.nfe, "samples": self.samples}
        return {**own, **self.setup.described()}


def measure(config: Config, name: str) -> None:
    model = subjects.load(name)
    path = HERE / "results" / f"effects-{name}.json"
    results = harness.Results(path, config.described())
    digits = name in subjects.DIGITS
    first = lambda pair: [x[: config.samples] for x in pair]
    x0, exact = first(subjects.exact(config.setup, model))

    def one(label: str, nfe: int, model: bj.Model, against: Any, grid: Any) -> dict:
        solver = generation.build(label, model, nfe, grid)
        assert solver is not None
        samples = harness.sampled(model.field, solver, x0)
        return generation.judged(samples, against, digits=digits)

    def once(row: Callable[[], dict], **key: Any) -> None:
        results.once(key, row)

    for label in RULES:
        for k in K:
            grid = partial(bj.grids.nsr, k=k)
            row = partial(one, label, config.k_nfe, model, exact, grid)
            once(row, kind="k", label=label, nfe=config.k_nfe, k=k)
    # EDM ends at sigma_min, and no other end is asked of it.
    for end in ENDS if model.end < 1 else ():
        ended = model._replace(end=1 - end)
        own = ended.end == model.end
        tag = "" if own else f"{name}-end-{end:g}"
        solve = partial(
            subjects.exact, config.setup, model, name=tag, end=None if own else 1 - end
        )
        _, there = first(solve())
        row = partial(generation.judged, there, there, digits=digits)
        once(row, kind="end", label="exact", nfe=0, end=end)
        for label in RULES:
            for nfe in config.nfe:
                row = partial(one, label, nfe, ended, there, "nsr")
                once(row, kind="end", label=label, nfe=nfe, end=end)
    for factor in FACTORS:
        field = model.field if factor == 1 else subjects.biased(model, factor)
        off = model._replace(field=field)
        tag = "" if factor == 1 else f"{name}-noise-{factor:g}"
        solve = partial(subjects.exact, config.setup, model, name=tag, field=field)
        _, moved = first(solve())
        row = partial(generation.judged, moved, exact, digits=digits)
        once(row, kind="bias", label="exact", nfe=0, factor=factor)
        for label in RULES:
            for nfe in config.nfe:
                row = partial(one, label, nfe, off, exact, "nsr")
                once(row, kind="bias", label=label, nfe=nfe, factor=factor)


def write_page(config: Config) -> None:
    lines: list[str] = []
    for name in NAMES:
        path = HERE / "results" / f"effects-{name}.json"
        results = harness.Results(path, config.described())
        if results.rows:
            lines += page_of(config, name, results)
    lines += [
        f"{config.samples} noises, seed {config.setup.seed + 1000}; NSR grids. "
        f"{harness.machine()}."
    ]
    harness.write_block(HERE / "README.md", "effects", lines)


def page_of(config: Config, name: str, results: harness.Results) -> list[str]:
    digits = name in subjects.DIGITS
    last = "frechet" if digits else "spread"
    kinds = ("rmse", "frechet") if digits else ("rmse",)
    lines = []
    for figure in kinds:
        body = [
            (
                label,
                [results.get(kind="k", label=label, k=k)[figure] for k in K],
            )
            for label in RULES
        ]
        title = f"{name}, {config.k_nfe} NFE: {TITLES[figure]} at k"
        lines += [*harness.table(title, K, body), ""]
    lines += [k_verdict(name, results), ""]
    if any(row["kind"] == "end" for row in results.rows):
        columns = [
            f"{config_nfe} NFE, {end:g}" for config_nfe in config.nfe for end in ENDS
        ]
        for figure in kinds:
            get = lambda label, nfe, end, figure=figure: results.get(
                kind="end", label=label, nfe=nfe, end=end
            )[figure]
            body = [
                (label, [get(label, n, end) for n in config.nfe for end in ENDS])
                for label in RULES
            ]
            title = f"{name}: {TITLES[figure]} at the end 1 - ..."
            lines += [*harness.table(title, columns, body), ""]
        if digits:
            at = [
                results.get(kind="end", label="exact", nfe=0, end=end)["frechet"]
                for end in ENDS
            ]
            lines += [
                f"{name}: the exact samples' Frechet distance is {at[0]:.3g} at the "
                f"end 1 - {ENDS[0]:g} and {at[1]:.3g} at 1 - {ENDS[1]:g}.",
                "",
            ]
    for figure in ("rmse", last) if digits else ("rmse",):
        lines += [*bias_table(config, name, results, figure), ""]
    lines += [*bias_table(config, name, results, "spread"), ""]
    lines += [bias_verdict(config, name, results), ""]
    return lines


TITLES = {"rmse": "RMSE", "frechet": "Frechet distance", "spread": "spread"}


def bias_table(config, name: str, results: harness.Results, figure: str) -> list[str]:
    columns = [f"{nfe} NFE, {factor:g}" for nfe in config.nfe for factor in FACTORS]
    get = lambda label, nfe, factor: results.get(
        kind="bias", label=label, nfe=nfe, factor=factor
    )[figure]
    body = [("exact", [get("exact", 0, f) for _ in config.nfe for f in FACTORS])]
    body += [
        (label, [get(label, n, f) for n in config.nfe for f in FACTORS])
        for label in RULES
    ]
    title = f"{name}: {TITLES[figure]} with the noise prediction times"
    return harness.table(title, columns, body)


def k_verdict(name: str, results: harness.Results) -> str:
    """Spread of the RMSE over the k that SciRE-Solver recommends, and the best k."""
    parts = []
    for label in RULES:
        rows = {k: results.get(kind="k", label=label, k=k)["rmse"] for k in K}
        inside = [rows[k] for k in K if 2 <= k <= 7]
        best = min(rows, key=rows.__getitem__)
        parts.append(
            f"{label} {max(inside) / min(inside):.2f} (lowest at k = {best:g})"
        )
    return (
        f"{name}: largest over smallest RMSE for k from 2 to 7, the recommended range: "
        f"{', '.join(parts)}."
    )


def bias_verdict(config: Config, name: str, results: harness.Results) -> str:
    """Where RD brings samples of a biased network nearer to the unbiased ones."""
    get = lambda label, nfe, factor, figure: results.get(
        kind="bias", label=label, nfe=nfe, factor=factor
    )[figure]
    parts = []
    figures = ("rmse", "frechet") if name in subjects.DIGITS else ("rmse",)
    for factor in FACTORS:
        for figure in figures:
            exact = get("exact", 0, factor, figure)
            for rule in ("scire_v1_2", "scire_v1_2m"):
                wins = [
                    n
                    for n in config.nfe
                    if get(f"{rule} rd", n, factor, figure)
                    < get(f"{rule} fd", n, factor, figure)
                ]
                over = [
                    n
                    for n in config.nfe
                    if get(f"{rule} rd", n, factor, figure) < exact and factor != 1
                ]
                listed = ", ".join(map(str, wins)) or "none"
                below = f" (below exact at {', '.join(map(str, over))})" if over else ""
                parts.append(f"{factor:g}, {TITLES[figure]}, {rule}: {listed}{below}")
    return (
        f"{name}: NFE of {', '.join(map(str, config.nfe))} at which RD is below FD, by "
        f"factor: {'; '.join(parts)}."
    )


def main(config: Config) -> None:
    for name in config.models:
        measure(config, name)
    write_page(config)


if __name__ == "__main__":
    main(tyro.cli(Config))
