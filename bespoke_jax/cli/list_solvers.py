"""`bespoke list`: the training-free solvers."""


def list_solvers() -> None:
    """List the training-free solvers: claimed and measured order, cost, source."""
    from bespoke_jax.cli import display
    from bespoke_jax.solvers.registry import TABLE

    display.show(
        display.table(
            "Training-free solvers",
            (
                "solver",
                ">claimed order",
                ">measured",
                ">NFE per step",
                "needs",
                "paper",
            ),
            [
                (
                    name,
                    str(e.order),
                    f"{e.measured:.2g}",
                    str(e.stages),
                    ", ".join(e.needs) or "-",
                    e.paper,
                )
                for name, e in TABLE.items()
            ],
        )
    )
