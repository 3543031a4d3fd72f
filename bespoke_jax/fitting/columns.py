"""The columns of each row of a regression, and the solver that their weights make.

Dense rows are combinations of x_0 and the data predictions D_0 .. D_i, whose weights
are of order one on every path, or the noise predictions E_0 .. E_i. Rows with a window
are combinations of x_0, x_i and the newest velocities.
"""

from collections.abc import Sequence

import numpy as np

from bespoke_jax.core import endpoints
from bespoke_jax.core.solver import Solver, canonical
from bespoke_jax.core.types import Arr

PREDICTIONS = {
    "data": ("D", endpoints.Endpoints.data),
    "noise": ("E", endpoints.Endpoints.noise),
}


class Columns:
    """Which columns each row has.

    Args:
        times: (n + 1,) t_0 .. t_n.
        nodes: the path at t_0 .. t_{n-1}.
        window: newest velocities of a row; None is dense rows.
        prediction: "data" or "noise", the columns of dense rows.
    """

    def __init__(
        self,
        times: np.ndarray,
        nodes: endpoints.Endpoints,
        window: int | None,
        prediction: str = "data",
    ):
        self.times, self.window = times, window
        self.letter, self._predict = PREDICTIONS[prediction]
        self.nodes = [
            endpoints.Endpoints(*(float(value[i]) for value in nodes))
            for i in range(len(times) - 1)
        ]

    @property
    def nfe(self) -> int:
        """Rows."""
        return len(self.nodes)

    def names(self, i: int) -> list[str]:
        """Those of row i: x0, D0, D1, .. or x0, x_i and u_i, u_{i-1}, .."""
        if self.window is None:
            return ["x0", *(f"{self.letter}{j}" for j in range(i + 1))]
        newest = range(i, max(i - self.window, -1), -1)
        return ["x0", *[f"x{i}"][: i > 0], *(f"u{j}" for j in newest)]

    def prediction(self, i: int, x: Arr, u: Arr) -> Arr:
        """D_i or E_i of one evaluation."""
        return self._predict(self.nodes[i], x, u)

    def of_evaluation(self, i: int, x: Arr, u: Arr) -> dict[str, Arr]:
        """The columns that an evaluation at t_i, x_i adds, by name."""
        if self.window is None:
            return {f"{self.letter}{i}": self.prediction(i, x, u).astype(x.dtype)}
        return {f"x{i}": x, f"u{i}": u}

    def weights_of(self, solver: Solver) -> list[np.ndarray]:
        """The rows of a solver on these columns.

        Raises:
            ValueError: a row that is no combination of its columns.
        """
        a, b = canonical(solver)
        rows = np.concatenate([a[:, None], b], axis=1)
        found = []
        for i, row in enumerate(rows):
            forms = self._forms(i, [np.eye(self.nfe + 1)[0], *rows])
            weights, *_ = np.linalg.lstsq(forms.T, row, rcond=None)
            if np.abs(weights @ forms - row).max() > 1e-8 * np.abs(row).max():
                raise ValueError(
                    f"row {i} of the prior uses more than x_0, x_{i} and the "
                    f"{self.window} newest velocities; give a prior with that window."
                )
            found.append(weights)
        return found

    def solver(self, weights: Sequence[np.ndarray]) -> Solver:
        """The solver of the weights of all rows."""
        t, end, n = self.times[:-1], np.float64(self.times[-1]), self.nfe
        if self.window is None:
            states = [np.eye(n + 1)[0]]
            for i, row in enumerate(weights):
                states.append(row @ self._forms(i, states))
            forms = np.stack(states[1:])
            lag = np.subtract.outer(np.arange(n), np.arange(n))
            q = np.take_along_axis(forms[:, 1:], np.maximum(lag, 0), axis=1)
            q = np.where(lag >= 0, q, 0.0)
            return Solver(t, forms[:, 0], np.zeros((n, 0)), q, end)
        a, p = np.zeros(n), np.zeros((n, 1))
        q = np.zeros((n, min(self.window, n)))
        for i, row in enumerate(weights):
            own = int(i > 0)  # row 0 has x_0 alone
            a[i], newest = row[0], row[1 + own :]
            p[i, :own] = row[1 : 1 + own]
            q[i, : len(newest)] = newest
        return Solver(t, a, p, q, end)

    def _forms(self, i: int, states: Sequence[np.ndarray]) -> np.ndarray:
        """The columns of row i as weights on x_0, u_0 .. u_{n-1}; states x_0 .. x_i."""
        us = np.eye(self.nfe + 1)[1:]
        known: dict[str, Arr] = {"x0": states[0], f"x{i}": states[i]}
        for j in range(i + 1):
            known[f"u{j}"] = us[j]
            known[f"{self.letter}{j}"] = self.prediction(j, states[j], us[j])
        return np.stack([known[name] for name in self.names(i)])
