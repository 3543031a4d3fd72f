"""The tables, the sentences and the figure of what a fit costs."""

from pathlib import Path
from typing import Any

import bespoke_jax as bj
from experiments import harness
from experiments.ablations.cost.measure import MODELS, Config
from experiments.harness import figures, pages

HERE = Path(__file__).parent
SHARE, SECONDS = 0.05, 120  # targets: of the model's training, of wall-clock
NEAR = 1.05  # times another RMSE still counts as the same

Kinds = dict[str, Any]
"""Rows of a model: those of a curve ("paths", "short") by x, the others as they are."""


def by_kind(results: harness.Results) -> Kinds:
    """The rows of a model by kind; {} where it is unfinished."""
    found: Kinds = {"paths": {}, "short": {}}
    for row in results.rows:
        if "x" in row:
            found[row["kind"]][row["x"]] = row
        else:
            found[row["kind"]] = row
    return found if "cheap" in found else {}


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    timing = config.results("timing")
    found = harness.stored(config.results, MODELS)
    stored = {name: by_kind(each) for name, each in found.items()}
    stored = {name: kinds for name, kinds in stored.items() if kinds}
    settings = timing.settings
    swept = {name: kinds for name, kinds in stored.items() if kinds["paths"]}
    lines = curves(settings, swept)
    for name, kinds in swept.items():
        lines += [enough(name, kinds), ""]
    lines += [*cheap_table(settings, stored), "", *cheap_verdict(settings, stored), ""]
    pages.write(HERE, "cost", [*lines, *clock(timing)])
    draw(settings, swept or stored)


def curves(settings: dict[str, Any], swept: dict[str, Kinds]) -> list[str]:
    """Tables of the RMSE against paths and against iterations."""
    lines: list[str] = []
    corners = {
        "paths": f"Training paths, {settings['iterations']} iterations",
        "short": "Iterations, {} training and {} validation paths",
    }
    for kind, corner in corners.items():
        xs, body = settings[kind], []
        for name, kinds in swept.items():
            rows = [kinds[kind].get(x, {}) for x in xs]
            body.append((f"{name}, test RMSE", [row.get("rmse") for row in rows]))
            validation = [row.get("validation") for row in rows]
            body.append((f"{name}, validation RMSE", validation))
            shares = [f"{r['share']:.1%}" if r else None for r in rows]
            body.append((f"{name}, share of its training", shares))
        if body:
            lines += pages.table(corner.format(*settings["few"]), xs, body)
            lines.append("")
    return lines


def enough(name: str, kinds: Kinds) -> str:
    """How few paths, and how few evaluations, come near the most."""
    by_paths, short, long = kinds["paths"], kinds["short"], kinds["long"]
    most = by_paths[max(by_paths)]["rmse"]
    fewest = min(x for x, row in by_paths.items() if row["rmse"] <= NEAR * most)
    text = (
        f"{name}: {fewest} training paths are the fewest within {NEAR - 1:.0%} of the "
        f"RMSE of {max(by_paths)} ({by_paths[fewest]['rmse']:.3g}, {most:.3g})."
    )
    near = [row for row in short.values() if row["rmse"] <= NEAR * long["rmse"]]
    if not near:
        return f"{text} No short fit comes within {NEAR - 1:.0%} of the shared fit."
    first = min(near, key=lambda row: row["evaluations"])
    return (
        f"{text} The cheapest short fit within {NEAR - 1:.0%} of the shared fit "
        f"({first['rmse']:.3g}, {long['rmse']:.3g}) has {first['x']} iterations and "
        f"takes {first['evaluations'] / long['evaluations']:.2f} times its evaluations."
    )


def cheap_table(settings: dict[str, Any], stored: dict[str, Kinds]) -> list[str]:
    columns = ("midpoint", "cheap fit", "shared fit", "evaluations, cheap", "shared")
    columns += ("share of training, cheap", "shared")
    columns += ("forward passes alone, cheap", "shared")
    body = []
    for name, kinds in stored.items():
        cells = [kinds[kind]["rmse"] for kind in ("midpoint", "cheap", "long")]
        pair = kinds["cheap"], kinds["long"]
        cells += [f"{row['evaluations']:,.0f}" for row in pair]
        for key in ("share", "forward_share"):
            cells += [f"{row[key]:.1%}" for row in pair]
        body.append((name, cells))
    return pages.table(f"RMSE at {settings['nfe']} NFE", columns, body)


def cheap_verdict(settings: dict[str, Any], stored: dict[str, Kinds]) -> list[str]:
    cheap, rows = settings["cheap"], [kinds["cheap"] for kinds in stored.values()]
    worst = {key: max(row[key] for row in rows) for key in ("share", "forward_share")}
    said = {k: "below" if v < SHARE else "not below" for k, v in worst.items()}
    ratios = [k["cheap"]["rmse"] / k["long"]["rmse"] for k in stored.values()]
    return [
        f"Cheap fit: {cheap['training']} training and {cheap['validation']} validation "
        f"paths, {cheap['iterations']} iterations of {cheap['batch_size']} paths, lr "
        f"{cheap['lr']:g}. Evaluations are those of the ground truth, the fit and "
        "its validations. Share of training: "
        "forward 1 and reverse 2 in both, so that training counts three times its "
        "forward passes; the most is "
        f"{worst['share']:.1%}, {said['share']} {SHARE:.0%}. Forward passes alone, in "
        f"both: {worst['forward_share']:.1%}, {said['forward_share']} {SHARE:.0%}. Its "
        f"RMSE is {min(ratios):.2f} to {max(ratios):.2f} times the shared fit's.",
    ]


def clock(timing: harness.Results) -> list[str]:
    """Wall-clock of the cheap fit, once it was taken."""
    if not timing.rows:
        return []
    slowest = max(row["wall_s"] for row in timing.rows)
    columns = ("in all", "ground truth", "fit", "load before")
    body = [
        (row["model"], [row["wall_s"], row["truth_s"], row["fit_s"], row["load"]])
        for row in timing.rows
    ]
    return [
        *pages.table("Cheap fit, seconds", columns, body),
        "",
        f"In a fresh process each, from its start to the fitted solver, compilation "
        f"included: {slowest:.0f} s at most, "
        f"{'within' if slowest <= SECONDS else 'not within'} {SECONDS} s. "
        f"{timing.machine}.",
        "",
    ]


def draw(settings: dict[str, Any], stored: dict[str, Kinds]) -> None:
    """RMSE against training paths, and against all evaluations spent."""
    figure, axes = bj.plots.panels(1, 2, size=(5, 6), sharey=True)
    left, right = axes[0]
    looks = bj.plots.looks(MODELS)
    for name, kinds in stored.items():
        draw_paths(left, name, looks[name], kinds["paths"])
        draw_spent(right, name, looks[name], kinds, settings["short"])
        for axis in (left, right):
            level = {"color": looks[name].get("color"), "label": f"{name}, midpoint"}
            axis.axhline(kinds["midpoint"]["rmse"], ls=":", **level)
    # So many evaluations are the target: their share is proportional to them.
    long = [*stored.values()][-1]["long"]
    target = SHARE * long["evaluations"] / long["share"]
    right.axvline(target, color="black", ls="-.", label=f"{SHARE:.0%} of training")
    ylabel = f"RMSE at {settings['nfe']} NFE (pixels on [-1, 1])"
    bj.plots.dress(
        left, xlabel="training paths", ylabel=ylabel, log="xy", xticks=settings["paths"]
    )
    spent = "network evaluations, ground truth included"
    bj.plots.dress(right, xlabel=spent, log="xy")
    for axis in (left, right):
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.13)}
        axis.legend(ncols=2, fontsize=8, **below)
    figures.save(figure, HERE / "cost.png")


def draw_paths(
    axis: figures.Axes, name: str, look: bj.plots.Look, rows: dict[int, harness.Row]
) -> None:
    """Test and validation RMSE against training paths."""
    curve = sorted(rows.items())
    xs = [x for x, _ in curve]
    test, held_out = ([row[k] for _, row in curve] for k in ("rmse", "validation"))
    style: dict[str, Any] = {**look, "ls": "-"}
    axis.plot(xs, test, label=f"{name}, test", **style)
    style |= {"ls": "--", "mfc": "white"}
    axis.plot(xs, held_out, label=f"{name}, validation", **style)


def draw_spent(
    axis: figures.Axes,
    name: str,
    look: bj.plots.Look,
    kinds: Kinds,
    iterations: list[int],
) -> None:
    """Test RMSE against evaluations: short fits, the cheap one and the shared one."""
    rows = [row for _, row in sorted(kinds["short"].items())]
    xs, ys = ([row[k] for row in rows] for k in ("evaluations", "rmse"))
    label = f"{name}, {min(iterations)} to {max(iterations)} iterations"
    style: dict[str, Any] = {**look, "ls": "-"}
    axis.plot(xs, ys, label=label, **style)
    for kind, mark, fit in (("cheap", "*", "cheap"), ("long", "P", "shared")):
        row = kinds[kind]
        style |= {"ls": "", "marker": mark, "ms": 12, "mec": "black"}
        axis.plot(row["evaluations"], row["rmse"], label=f"{name}, {fit} fit", **style)
