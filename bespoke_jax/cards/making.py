"""The card of a solver or of a fit, written from what the result itself knows."""

import contextlib
import datetime
import importlib.metadata
import math
import platform
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, overload, runtime_checkable

import numpy as np

from bespoke_jax._version import __version__
from bespoke_jax.cards.records import NESTED, RECORDS, Card, Cost, Truth, Validation
from bespoke_jax.cards.rows import on_host
from bespoke_jax.cards.sets import CardSet
from bespoke_jax.core import checks
from bespoke_jax.core.conditional import Conditional
from bespoke_jax.core.solver import Solver

_ABOUT = tuple(
    name for name in Card._fields if name not in ("solver", "created", "versions")
)


@runtime_checkable
class Fit(Protocol):
    """What a card reads of a result of `fit` or `tailor`."""

    @property
    def solver(self) -> Solver | Conditional: ...
    @property
    def family(self) -> Any: ...
    @property
    def loss(self) -> str: ...
    @property
    def judge(self) -> str: ...
    @property
    def rmse(self) -> float: ...
    @property
    def start_rmse(self) -> float: ...
    @property
    def scored(self) -> int: ...
    @property
    def evaluations(self) -> int: ...
    @property
    def history(self) -> Any: ...


@runtime_checkable
class Fits(Protocol):
    """Results for several budgets: the one of `nfe` is `fits[nfe]`."""

    @property
    def budgets(self) -> Sequence[int]: ...
    def __getitem__(self, nfe: int, /) -> Fit: ...


@runtime_checkable
class Truths(Protocol):
    """What a card reads of the `Paths` of a ground truth."""

    @property
    def control(self) -> Any: ...
    @property
    def certificate(self) -> Any: ...
    @property
    def stats(self) -> Any: ...


@overload
def of(
    solver: Solver | Conditional | Card | Fit,
    truth: Truths | None = None,
    **about: object,
) -> Card: ...
@overload
def of(
    solver: CardSet | Fits, truth: Truths | None = None, **about: object
) -> CardSet: ...
@overload
def of(
    solver: Solver | Conditional | Card | CardSet | Fit | Fits,
    truth: Truths | None = None,
    **about: object,
) -> Card | CardSet: ...
def of(
    solver: Solver | Conditional | Card | CardSet | Fit | Fits,
    truth: Truths | None = None,
    **about: object,
) -> Card | CardSet:
    """The card of a solver, with everything that a fit knows of how it was made.

    Args:
        solver: a `Solver` or `Conditional` of float32 or float64 leaves; what `fit` or
            `tailor` returned, whose errors, cost, family and loss are recorded; or a
            card, whose entries are kept. Of a `CardSet`, or of results for several
            budgets, the set of their cards.
        truth: the `Paths` that a fit was given, whose tolerances and certificate are
            recorded; None takes those that a `Tailored` carries.
        **about: entries of `Card` (model, schedule, guidance, condition, family, loss,
            validation, ground_truth, cost, seed, notes) or of its nested records (rmse,
            judge, paths, rtol, evaluations, ...). `schedule` is a schedule object or
            the dict of a loaded card. A set takes those that its cards can share: not
            validation and cost, nor their entries.

    Raises:
        ValueError: no valid solver, or an entry that cards do not have.
    """
    now, versions = _now(), _versions()

    def card_of(one: Solver | Conditional | Card | Fit) -> Card:
        card = _started(one, truth)
        for name, value in about.items():
            card = _with(card, name, value)
        solver = on_host(card.solver)
        return card._replace(solver=solver, created=now, versions=versions)

    if isinstance(solver, CardSet):
        _check_shared(about)
        return CardSet(tuple(map(card_of, solver)))
    if isinstance(solver, Fits):
        _check_shared(about)
        return CardSet(tuple(card_of(solver[nfe]) for nfe in solver.budgets))
    return card_of(solver)


def _started(one: Solver | Conditional | Card | Fit, truth: Truths | None) -> Card:
    """The card of one thing with what it knows of itself."""
    if isinstance(one, Card):
        return one
    if isinstance(one, Fit):
        return _of_fit(one, truth)
    return Card(one)


def _check_shared(about: Iterable[str]) -> None:
    for name in about:
        if NESTED.get(name, name) in ("validation", "cost"):
            raise ValueError(
                f"{name} differs between the budgets of a set: give it to the card of "
                f"each, card.of(..., {name}=...), and make a card.CardSet of them."
            )


def _with(card: Card, name: str, value: object) -> Card:
    """The card with one more entry."""
    checks.known("an entry of a card", name, (*_ABOUT, *NESTED))
    if name in NESTED:
        record = getattr(card, NESTED[name])._replace(**{name: _plain(value)})
        return card._replace(**{NESTED[name]: record})
    if name in RECORDS:
        kind = RECORDS[name]
        if not (isinstance(value, tuple) and isinstance(value, kind)):
            got = checks.shown(value)
            raise ValueError(f"{name} must be a card.{kind.__name__}; got {got}.")
        return card._replace(**{name: kind(*map(_plain, value))})
    if name == "schedule" and not (value is None or isinstance(value, dict)):
        from bespoke_jax import schedules

        value = schedules.to_dict(value)
    return card._replace(**{name: _plain(value)})


def _of_fit(fit: Fit, truth: Truths | None) -> Card:
    from bespoke_jax.fitting.tailored import Tailored

    seconds, notes = float(fit.history.seconds[-1]), ""
    if isinstance(fit, Tailored):
        truth, notes = truth or fit.paths, f"tailored from {fit.start}"
    elif truth is not None and truth.stats is not None:
        seconds += truth.stats.seconds  # the clock of a fit starts after it
    finite = math.isfinite(fit.start_rmse)
    return Card(
        fit.solver,
        family=fit.family.name,
        loss=fit.loss,
        validation=Validation(
            rmse=fit.rmse,
            start_rmse=fit.start_rmse if finite else None,
            judge=fit.judge,
            paths=fit.scored,
        ),
        ground_truth=_truth(truth),
        cost=Cost(fit.evaluations, seconds),
        notes=notes,
    )


def _truth(paths: Truths | None) -> Truth:
    if paths is None:
        return Truth()
    control, certificate = paths.control, paths.certificate
    return Truth(
        rtol=None if control is None else control.rtol,
        atol=None if control is None else control.atol,
        certificate=None if certificate is None else certificate.endpoint,
    )


def _plain(value: Any) -> Any:
    """NumPy and JAX scalars and arrays as Python numbers; the rest unchanged."""
    return np.asarray(value).tolist() if hasattr(value, "__array__") else value


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    versions = {"bespoke_jax": __version__, "python": platform.python_version()}
    for name in ("jax", "flax", "diffrax"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
