"""What is said when a budget does not pay for the least that makes sense."""


class TooLittle(ValueError):
    """A budget of network evaluations that is too small, with one that would do."""

    def __init__(self, asked: int, least: int, why: str = ""):
        super().__init__(
            f"evaluations={asked} is too little: this needs at least {least} network "
            "evaluations of single samples (forward 1, reverse 2 more)."
            + (f" {why}." if why else "")
        )
        self.asked, self.least = asked, least
