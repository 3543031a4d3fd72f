"""The block of README.md and the figure of `experiments.ablations.cost`."""

from pathlib import Path
from typing import Any

import matplotlib

from experiments import harness

matplotlib.use("Agg")
SHARE, SECONDS = 0.05, 120  # targets: of the model's training, of wall-clock
NEAR = 1.05  # times another RMSE still counts as the same
STYLES = {
    "fm_ot": ("tab:blue", "o"),
    "fm_cs": ("tab:green", "^"),
    "eps_vp": ("tab:red", "s"),
}


def write(here: Path, settings: dict, stored: dict, timing: list[dict]) -> None:
    """stored: by model, the rows of `cost.by_kind`; timing: a row for each model."""
    lines: list[str] = []
    swept = {name: kinds for name, kinds in stored.items() if kinds["paths"]}
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
            lines += harness.table(corner.format(*settings["few"]), xs, body)
            lines.append("")
    for name, kinds in swept.items():
        lines += [enough(name, kinds), ""]
    lines += [*cheap_table(settings, stored), "", *cheap_verdict(settings, stored), ""]
    lines += clock(timing)
    harness.write_block(here / "README.md", "cost", lines)
    draw(here, settings, swept or stored)


def enough(name: str, kinds: dict[str, Any]) -> str:
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


def cheap_table(settings: dict, stored: dict) -> list[str]:
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
    return harness.table(f"RMSE at {settings['nfe']} NFE", columns, body)


def cheap_verdict(settings: dict, stored: dict) -> list[str]:
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


def clock(timing: list[dict]) -> list[str]:
    """Wall-clock of the cheap fit, once it was taken."""
    if not timing:
        return []
    slowest = max(row["wall_s"] for row in timing)
    columns = ("in all", "ground truth", "fit", "load before")
    body = [
        (row["model"], [row["wall_s"], row["truth_s"], row["fit_s"], row["load"]])
        for row in timing
    ]
    return [
        *harness.table("Cheap fit, seconds", columns, body),
        "",
        f"In a fresh process each, from its start to the fitted solver, compilation "
        f"included: {slowest:.0f} s at most, "
        f"{'within' if slowest <= SECONDS else 'not within'} {SECONDS} s. "
        f"{harness.machine()}.",
        "",
    ]


def draw(here: Path, settings: dict, stored: dict) -> None:
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 6), sharey=True)
    for name, kinds in stored.items():
        colour, marker = STYLES[name]
        style = {"color": colour, "marker": marker, "ms": 5}
        curve = sorted(kinds["paths"].items())
        xs = [x for x, _ in curve]
        left.plot(xs, [r["rmse"] for _, r in curve], **style, label=f"{name}, test")
        left.plot(
            xs, [r["validation"] for _, r in curve], **style, ls="--", mfc="white",
            label=f"{name}, validation",
        )  # fmt: skip
        rows = [row for _, row in sorted(kinds["short"].items())]
        spent = lambda row: row["evaluations"]
        right.plot(
            [spent(r) for r in rows], [r["rmse"] for r in rows], **style,
            label=f"{name}, {min(settings['short'])} to "
            f"{max(settings['short'])} iterations",
        )  # fmt: skip
        for kind, mark, label in (("cheap", "*", "cheap"), ("long", "P", "shared")):
            row = kinds[kind]
            right.plot(
                spent(row), row["rmse"], color=colour, marker=mark, ls="", ms=12,
                mec="black", label=f"{name}, {label} fit",
            )  # fmt: skip
        base = kinds["midpoint"]["rmse"]
        for axis in (left, right):
            axis.axhline(base, color=colour, ls=":", label=f"{name}, midpoint")
        # So many evaluations are the target: their share is proportional to them.
        limit = SHARE * kinds["long"]["evaluations"] / kinds["long"]["share"]
    right.axvline(limit, color="black", ls="-.", label=f"{SHARE:.0%} of training")
    left.set_xscale("log", base=2)
    left.set_xticks(settings["paths"], [str(x) for x in settings["paths"]])
    left.set(xlabel="training paths", yscale="log")
    left.set_ylabel(f"RMSE at {settings['nfe']} NFE (pixels on [-1, 1])")
    right.set(xlabel="network evaluations, ground truth included", xscale="log")
    for axis in (left, right):
        axis.grid(alpha=0.3, which="both")
        axis.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, fontsize=8
        )
    figure.set_layout_engine("constrained")
    figure.savefig(here / "cost.png", dpi=120)
