"""The table, the sentences and the figure of distillation."""

from pathlib import Path

import bespoke_jax as bj
from experiments.ablations.distillation.measure import LOSSES, MODELS, Config, cases
from experiments.harness import figures, pages

HERE = Path(__file__).parent


# What the figure shows: name, the row of a case and the entry of it.
SHOWN = (
    ("midpoint, original network", "midpoint", "rmse"),
    ("RK2-Bespoke, direct RMSE", "bespoke", "rmse"),
    ("RK2-Bespoke, RMSE bound", "bound", "rmse"),
    ("midpoint, distilled network", "distilled", "rmse"),
    ("the same on its own training paths", "distilled", "on_training"),
    ("distilled, more iterations", "longer", "rmse"),
)


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    stored = {
        f"{name}, {nfe} NFE": case
        for name in MODELS
        for nfe, case in cases(config, config.results(name).rows).items()
    }
    columns = ("midpoint", "Bespoke, direct", "Bespoke, bound", "distilled")
    columns += ("distilled, on its training paths", "its lr", "its iterate")
    body = []
    for name, case in stored.items():
        others = [case[kind]["rmse"] for kind in ("midpoint", *LOSSES)]
        for kind, note in (("distilled", ""), ("longer", f", {config.longer}x longer")):
            if kind in case:
                row = [case[kind][k] for k in ("rmse", "on_training", "lr", "iterate")]
                body.append((name + note, others + row))
    lines = [*pages.table("RMSE on test noises", columns, body), ""]
    lines += verdict(config, stored)
    pages.write(HERE, "distillation", lines)
    draw(stored)


def verdict(config: Config, stored: dict[str, dict]) -> list[str]:
    """What the rows say, whichever way they came out."""
    every, setup = list(stored.values()), config.setup
    span = pages.span
    over = lambda kind: [c["distilled"]["rmse"] / c[kind]["rmse"] for c in every]
    won = lambda kind: sum(ratio < 1 for ratio in over(kind))
    gap = lambda kind: span([c[kind]["rmse"] / c[kind]["on_training"] for c in every])
    equal = all(c["distilled"]["evaluations"] == c["fit"]["evaluations"] for c in every)
    freed = sorted(c["fit"]["freed"] for c in every)
    return [
        f"Distilling frees {every[0]['distilled']['freed']:,} weights, Bespoke "
        f"{freed[0]} to {freed[-1]} numbers, on the same {setup.training} training "
        f"paths, {setup.iterations} iterations of {setup.batch_size} paths and "
        f"{'the same' if equal else 'another'} number of network evaluations "
        "(forward 1, reverse 2) at one learning rate; distilling had the best of "
        f"{pages.listed(f'{lr:g}' for lr in config.lrs)}, Bespoke only {setup.lr:g}.",
        "",
        f"The distilled network has {span(over('fit'))} times the RMSE of the Bespoke "
        "fit that the validation paths choose (below 1: better), and is better than it "
        f"in {won('fit')} of {len(every)} cases; {span(over('midpoint'))} times that "
        f"of midpoint with the original network, better in {won('midpoint')}. RMSE on "
        f"test noises over RMSE on the training paths: {gap('distilled')} distilled, "
        f"{gap('fit')} Bespoke, {gap('midpoint')} midpoint, which has seen neither.",
    ]


def draw(stored: dict[str, dict]) -> None:
    """RMSE of each case, the kinds side by side."""
    width = 1.6 + 1.3 * max(len(stored), 4)
    figure, ((axis,),) = bj.plots.panels(1, 1, size=(width, 4.4))
    looks = bj.plots.looks(name for name, *_ in SHOWN)
    for k, (name, source, entry) in enumerate(SHOWN):
        points = [
            (i + 0.11 * (k - 2.5), case[source][entry])
            for i, case in enumerate(stored.values())
            if source in case
        ]
        style = {**looks[name], "ls": "", "ms": 8}
        if entry == "on_training":
            style["mfc"] = "white"
        axis.plot(*zip(*points, strict=True), label=name, **style)
    bj.plots.dress(axis, ylabel=figures.ERROR, log="y")
    axis.grid(visible=False, axis="x", which="both")
    axis.set_xticks(range(len(stored)), [name.replace(", ", "\n") for name in stored])
    axis.set_xlim(-0.5, len(stored) - 0.5)
    bj.plots.legend(figure, columns=2)
    figures.save(figure, HERE / "distillation.png")
