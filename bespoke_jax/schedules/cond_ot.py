"""The straight path of flow matching."""

from dataclasses import dataclass

from bespoke_jax.schedules.closed_form import RatioPath


@dataclass(frozen=True)
class CondOT(RatioPath):
    """Conditional optimal transport: alpha = t, sigma = 1 - t.

    nsr = (1 - t) / t, and t = 1 / (1 + nsr). The scheduler of Flow Matching (Lipman et
    al., 2022, arXiv 2210.02747) and rectified flow, "FM-OT" in the Bespoke paper.
    """

    def _path(self, xp, t):
        return t, 1 - t

    def _nsr(self, xp, t):
        return (1 - t) / t

    def _time_at_nsr(self, xp, r):
        return 1 / (1 + r)
