"""The error for a budget below the least that a search or a fit needs."""


class TooLittle(ValueError):
    """A budget of network evaluations that is too small; `least` would be enough."""

    def __init__(self, asked: int, least: int, why: str = ""):
        super().__init__(
            f"evaluations={asked} is too little: this needs at least {least} network "
            "evaluations of single samples (forward 1, reverse 2 more)."
            + (f" {why}." if why else "")
        )
        self.asked, self.least = asked, least
