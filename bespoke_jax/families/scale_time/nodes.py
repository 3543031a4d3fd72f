"""Numbers of a scale-time family: theta and the values t, t', s, s' at its nodes.

theta holds unconstrained numbers: times as log-increments relative to the last one
(softmax keeps them ordered), t' and s as logarithms (positive), s' unchanged.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.protocols import Values
from bespoke_jax.core.types import Theta
from bespoke_jax.solvers.tableaux import Tableau

LEARN = {
    "both": ("t", "t_dot", "s", "s_dot"),
    "time": ("t", "t_dot"),
    "scale": ("s", "s_dot"),
}
FIXED = {
    "time": "s = 1 and s' = 0",
    "scale": "t = start + (end - start) r and t' = end - start",
}


class Spec(NamedTuple):
    """Host constants of one family member."""

    name: str
    steps: int
    tableau: Tableau
    start: float
    end: float
    learn: str
    r: np.ndarray  # (n m + 1,) distinct nodes in [0, 1], m per step
    stage: np.ndarray  # (n, stages) node of each stage
    evaluated: int  # nodes with an evaluation: n m, or n m + 1 if some c = 1

    @property
    def span(self) -> float:
        """Length of the interval: t' of the base solver."""
        return self.end - self.start

    @property
    def begin(self) -> np.ndarray:
        """(n + 1,) nodes at which the steps begin and the last one ends."""
        return np.linspace(0, len(self.r) - 1, self.steps + 1).astype(int)


class Nodes(NamedTuple):
    """The paper's quantities at all nodes; rates beyond `evaluated` do not exist."""

    t: Values
    t_dot: Values
    s: Values
    s_dot: Values


def identity(spec: Spec) -> Nodes:
    """The base solver: t_r = start + span r, t' = span = end - start, s = 1, s' = 0."""
    return Nodes(
        t=np.append(spec.start + spec.span * spec.r[:-1], spec.end),
        t_dot=np.full(spec.evaluated, spec.span),
        s=np.ones(len(spec.r)),
        s_dot=np.zeros(spec.evaluated),
    )


def theta_from(spec: Spec, nodes: Nodes) -> dict[str, jax.Array]:
    """The learned numbers of given host values; the inverse of `nodes_from`."""
    log_gaps = np.log(np.diff(nodes.t))
    numbers = {
        "t": log_gaps[:-1] - log_gaps[-1],
        "t_dot": np.log(nodes.t_dot / spec.span),
        "s": np.log(nodes.s[1:]),
        "s_dot": nodes.s_dot,
    }
    dtype = jnp.promote_types(jnp.float32, jnp.result_type(float))
    return {name: jnp.asarray(numbers[name], dtype) for name in LEARN[spec.learn]}


def nodes_from(spec: Spec, theta: Theta) -> Nodes:
    """The values at the nodes; those that are not learned are the identity's."""
    theta = {**theta_from(spec._replace(learn="both"), identity(spec)), **theta}
    gaps = jax.nn.softmax(jnp.append(theta["t"], 0.0))
    # t_n = end exactly: the sum of a softmax is 1 only up to rounding.
    inner = spec.start + spec.span * jnp.cumsum(gaps)[:-1]
    t = jnp.concatenate([jnp.full(1, spec.start), inner, jnp.full(1, spec.end)])
    return Nodes(
        t=t,
        t_dot=spec.span * jnp.exp(theta["t_dot"]),
        s=jnp.concatenate([jnp.ones(1), jnp.exp(theta["s"])]),
        s_dot=theta["s_dot"],
    )


def tolerance(*arrays: object) -> float:
    """What counts as equal: rounding of the coarsest dtype, theta's included."""
    dtypes = [jnp.result_type(float), *(np.asarray(leaf).dtype for leaf in arrays)]
    return max(1e-9, 100 * max(float(jnp.finfo(dtype).eps) for dtype in dtypes))


def check_values(spec: Spec, values: Mapping[str, object]) -> Nodes:
    """Check host values at the nodes; missing ones are those of the base solver.

    Raises:
        ValueError: unknown names, wrong lengths, values that are not finite, times
            that do not increase from start to end, s_0 other than 1, t' or s not
            positive, or a value that `learn` keeps fixed moved.
    """
    if unknown := set(values) - {"r", *Nodes._fields}:
        raise ValueError(
            f"values of {spec.name} are named {list(Nodes._fields)}; "
            f"got {sorted(unknown)}."
        )
    base = identity(spec)
    given = {name: values.get(name, want) for name, want in base._asdict().items()}
    close = tolerance(*given.values())
    nodes = Nodes(**{k: np.asarray(v, np.float64) for k, v in given.items()})
    _check_arrays(spec, nodes, base)
    _check_ends(spec, nodes, close)
    _check_signs(spec, nodes)
    _check_fixed(spec, nodes, base, close)
    return nodes


def _check_arrays(spec: Spec, nodes: Nodes, base: Nodes) -> None:
    """Shapes, and finite numbers."""
    for name, got, want in zip(Nodes._fields, nodes, base, strict=True):
        if got.shape != want.shape:
            raise ValueError(
                f"{name} of {spec.name} must have shape {want.shape}; got {got.shape}."
            )
        if not np.isfinite(got).all():
            node = int(np.flatnonzero(~np.isfinite(got))[0])
            raise ValueError(
                f"{name} must be finite; {_at(spec, node)} it is {got[node]}. "
                "Where the path has infinite rates at the data end, use end < 1."
            )


def _check_ends(spec: Spec, nodes: Nodes, close: float) -> None:
    """t_0 = start, t_n = end and s_0 = 1."""
    off = np.abs([nodes.t[0] - spec.start, nodes.t[-1] - spec.end, nodes.s[0] - 1.0])
    if off.max() > close:
        raise ValueError(
            f"{spec.name} needs t[0] = start = {spec.start}, t[-1] = end = {spec.end} "
            f"and s[0] = 1; got {nodes.t[0]:.6g}, {nodes.t[-1]:.6g} and "
            f"{nodes.s[0]:.6g}."
        )


def _check_signs(spec: Spec, nodes: Nodes) -> None:
    """Increasing times, t' > 0 and s > 0."""
    gaps = np.append(np.diff(nodes.t), np.inf)
    named = {"t[i+1] - t[i]": gaps, "t_dot": nodes.t_dot, "s": nodes.s}
    for name, got in named.items():
        if got.min() <= 0:
            node = int(np.argmin(got))
            raise ValueError(
                f"{name} must be positive; {_at(spec, node)} it is {got[node]:.6g}. "
                "Where the path has infinite rates at the data end, use end < 1."
            )


def _check_fixed(spec: Spec, nodes: Nodes, base: Nodes, close: float) -> None:
    """What `learn` keeps fixed has the values of the base solver."""
    for name in set(Nodes._fields) - set(LEARN[spec.learn]):
        got, want = getattr(nodes, name), getattr(base, name)
        moved = np.abs(got - want)
        if moved.max() > close * max(1.0, np.abs(got).max()):
            node = int(np.argmax(moved))
            raise ValueError(
                f"learn={spec.learn!r} keeps {FIXED[spec.learn]}; this start needs "
                f"{name} = {got[node]:.6g} {_at(spec, node)}. Use learn='both'."
            )


def _at(spec: Spec, node: int) -> str:
    return f"at r = {spec.r[node]:.4g}"
