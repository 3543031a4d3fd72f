"""`bespoke list`: the training-free solvers."""


def list_solvers() -> None:
    """List the training-free solvers: order, cost of a step, source."""
    from bespoke_jax.cli import display
    from bespoke_jax.solvers import TABLE

    display.show(
        display.table(
            "Training-free solvers",
            ("solver", ">order", ">NFE per step", "needs", "paper"),
            [
                (name, str(e.order), str(e.stages), ", ".join(e.needs) or "-", e.paper)
                for name, e in TABLE.items()
            ],
        )
    )
