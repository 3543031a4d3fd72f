"""One curve of time and scale for every number of steps.

The scale-time family learns t, t', s, s' at the nodes of n steps. Here they are those
of two polynomials in Bernstein form of degree N,

    t(r) = sum_k c_k B_{k,N}(r),    start = c_0 < c_1 < .. < c_N = end,
    s(r) = sum_k w_k B_{k,N}(r),    w_0 = 1,    w_k > 0,

so that t increases, s is positive and s(0) = 1; t' and s' are the exact derivatives.
Any theta therefore gives a solver for any n, and as n grows these solvers converge to
the exact solution at the order of the base (Theorem 2.2). A change of the Gaussian path
is such a curve (Theorem 2.3), up to the degree.

References: Shaul et al. (2024), arXiv 2310.19075, which names solvers that serve all
numbers of steps as future work. Min, Koo, Yoo, Sung (2025), BezierFlow, arXiv
2512.13255: Bezier curves of alpha and sigma, fitted anew for each number of steps.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.checks import known, numbers, shown, whole
from bespoke_jax.core.solver import Solver, validate
from bespoke_jax.core.types import Theta
from bespoke_jax.families.family import Family, Joint, check_interval
from bespoke_jax.families.scale_time.bernstein import basis, elevated
from bespoke_jax.families.scale_time.inverse import values_of
from bespoke_jax.families.scale_time.nodes import Nodes, Spec, identity, tolerance
from bespoke_jax.families.scale_time.steps import family_on, layout
from bespoke_jax.solvers.tableaux import TABLEAUX

MOST = 30
"""Largest degree."""


def curve(
    degree: int = 6,
    *,
    base: str = "midpoint",
    start: float | int = 0.0,
    end: float | int = 1.0,
) -> "Curve":
    """The scale-time solvers on polynomials t(r) and s(r), one theta for every n.

        curve = bj.families.curve(end=paths.end)
        fitted = bj.fit(curve.over((4, 6, 8, 12)), field, paths, loss=bj.losses.rmse,
                        key=key)
        solver = fitted.at(7)

    theta holds 2N - 1 unconstrained numbers for degree N: "t" (N - 1,), the increments
    of the c_k as logarithms relative to the last one; "s" (N,), log w_1 .. log w_N. All
    zeros are the base solver: t = start + (end - start) r, s = 1.

    Args:
        degree: N, in 1 .. 30.
        base: a Runge-Kutta method of `solvers.TABLE`, as for `scale_time`.
        start: start of the interval, in [0, end).
        end: end of the interval, in (0, 1].

    Raises:
        ValueError: degree, base, start or end out of range.
    """
    known("base", base, TABLEAUX)
    return Curve(whole("degree", degree, most=MOST), base, *check_interval(start, end))


@dataclass(frozen=True)
class Curve:
    """Scale-time families of all numbers of steps with one theta; made by `curve`."""

    degree: int
    base: str
    start: float
    end: float

    @property
    def name(self) -> str:
        return _name(self)

    def init(self, start: object = None) -> dict[str, jax.Array]:
        """theta of the base solver, all zeros, or of a curve of a lower degree.

        Args:
            start: None; a theta of this or a lower degree, which is elevated: the same
                curve with more numbers; or the base solver, of any number of steps.

        Raises:
            ValueError: any other start.
        """
        if isinstance(start, Solver):
            _check_base(self, start)
            start = None
        if start is None:
            start = {"t": np.zeros(self.degree - 1), "s": np.zeros(self.degree)}
        dtype = jnp.promote_types(jnp.float32, jnp.result_type(float))
        return {k: jnp.asarray(v, dtype) for k, v in _elevated(self, start).items()}

    def at(self, steps: int) -> Family:
        """The family of n = `steps` steps; the same object for the same n.

        Raises:
            ValueError: steps are no whole number in 1 .. 10,000.
        """
        return _member(self, whole("steps", steps, most=10_000))

    def over(self, steps: Iterable[int]) -> Joint:
        """The families of several n, which `fit` fits at once; as `at`, made once.

        Args:
            steps: one or more n, each once.

        Raises:
            ValueError: no steps, some twice, or some out of range.
        """
        try:
            given = tuple(steps)
        except TypeError:  # no iterable, or an array of no axis
            raise ValueError(
                f"steps must be several numbers, such as (4, 8); got {shown(steps)}."
            ) from None
        several = tuple(whole("steps", n, most=10_000) for n in given)
        if not several or len(set(several)) < len(several):
            raise ValueError(
                "steps must be one or more numbers, each of them once; got "
                f"{shown(several)}."
            )
        return _joint(self, several)


def _name(curve: Curve, *steps: int) -> str:
    suffix = f", {', '.join(map(str, steps))} steps" if steps else ""
    return f"curve({curve.base}, degree {curve.degree}{suffix})"


@lru_cache(maxsize=64)
def _joint(curve: Curve, steps: tuple[int, ...]) -> Joint:
    members = tuple(map(curve.at, steps))
    return Joint(_name(curve, *steps), curve.init, curve.at, members)


@lru_cache(maxsize=256)
def _member(curve: Curve, steps: int) -> Family:
    spec = layout(_name(curve, steps), steps, curve.base, curve.start, curve.end)
    degree, r = curve.degree, spec.r
    values, rates = basis(degree, r), degree * basis(degree - 1, r[: spec.evaluated])

    def nodes(spec: Spec, theta: Theta) -> Nodes:
        gaps = spec.span * jax.nn.softmax(jnp.append(theta["t"], 0.0))
        # c_N = end exactly: the sum of a softmax is 1 only up to rounding.
        inner = spec.start + jnp.cumsum(gaps)[:-1]
        c = jnp.concatenate([jnp.full(1, spec.start), inner, jnp.full(1, spec.end)])
        w = jnp.concatenate([jnp.ones(1), jnp.exp(theta["s"])])
        return Nodes(
            t=_combined(values, c),
            t_dot=_combined(rates, gaps),
            s=_combined(values, w),
            s_dot=_combined(rates, jnp.diff(w)),
        )

    return family_on(spec, lambda _, start=None: curve.init(start), nodes)


def _combined(basis: np.ndarray, coefficients: jax.Array) -> jax.Array:
    table = jnp.asarray(basis, coefficients.dtype)
    return jnp.matmul(table, coefficients, precision="highest")


def _check_base(curve: Curve, solver: Solver) -> None:
    """ValueError unless the solver is the base with some number of steps."""
    steps = max(1, validate(solver).nfe // TABLEAUX[curve.base].stages)
    spec = layout(_name(curve, steps), steps, curve.base, curve.start, curve.end)
    close = tolerance(*solver)
    pairs = zip(values_of(spec, solver), identity(spec), strict=True)
    if not all(np.allclose(*pair, rtol=close, atol=close) for pair in pairs):
        raise ValueError(
            f"{curve.name} starts from its base solver or from a theta; this solver is "
            "another member of the scale-time family."
        )


def _elevated(curve: Curve, theta: object) -> dict[str, np.ndarray]:
    """theta of the same curve at the degree of `curve`, on the host."""
    wanted = f"'t' (N - 1,) and 's' (N,) of a degree N in 1 .. {curve.degree}"
    if not isinstance(theta, dict) or set(theta) != {"t", "s"}:
        raise ValueError(
            f"a start of {curve.name} is None, its base solver, or a theta with "
            f"{wanted}; got {shown(theta)}."
        )
    t, s = (np.asarray(numbers(name, theta[name]), np.float64) for name in "ts")
    if s.ndim != 1 or t.shape != (s.size - 1,) or not 1 <= s.size <= curve.degree:
        raise ValueError(
            f"a theta of {curve.name} has {wanted}; got shapes {t.shape} and {s.shape}."
        )
    if not (np.isfinite(t).all() and np.isfinite(s).all()):
        raise ValueError(f"a theta of {curve.name} must be finite numbers.")
    logits = np.append(t, 0.0)
    # The increments are the coefficients of t', up to a factor.
    gaps = elevated(np.exp(logits - logits.max()), curve.degree - 1)
    w = elevated(np.append(1.0, np.exp(s)), curve.degree)
    return {"t": np.log(gaps[:-1] / gaps[-1]), "s": np.log(w[1:])}
