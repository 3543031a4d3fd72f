"""What a fit is asked to do, checked and priced before anything is spent."""

import functools
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bespoke_jax.core import checks
from bespoke_jax.core.batches import batches
from bespoke_jax.core.budget import Budget, TooLittle
from bespoke_jax.core.calls import INDEPENDENCE_COST, as_field
from bespoke_jax.core.counting import Passes, passes
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.norms import rms
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.core.sample import sample
from bespoke_jax.core.solver import Solver, validate
from bespoke_jax.core.types import Arr, Theta
from bespoke_jax.families import Family
from bespoke_jax.fitting import identity, joint, losses
from bespoke_jax.fitting.joint import Fittable
from bespoke_jax.fitting.splits import Split
from bespoke_jax.reference.paths import Paths, take


class Options(NamedTuple):
    """How a fit is to go about it; see the arguments of `fit`."""

    loss: losses.Loss
    optimizer: optax.GradientTransformation
    iterations: int
    batch_size: int
    validate_every: int
    save_seconds: float

    def checked(self, training: int) -> "Options":
        """The options, if a fit on `training` paths can use all of them.

        Raises:
            ValueError: naming the first that it cannot.
        """
        checks.whole("iterations", self.iterations)
        checks.whole("validate_every", self.validate_every)
        name = "batch_size (of the training paths)"
        checks.whole(name, self.batch_size, most=training)
        checks.real("save_seconds", self.save_seconds, least=0)
        if not callable(self.loss) or isinstance(self.loss, type):
            raise ValueError(
                "loss must be a function of losses, such as losses.rmse; got "
                f"{checks.shown(self.loss)}."
            )
        if not hasattr(self.optimizer, "update"):
            raise ValueError(
                "optimizer must be an optax optimiser, such as optax.adam(2e-3); got "
                f"{checks.shown(self.optimizer)}."
            )
        return self


class Task(NamedTuple):
    """What stays the same from the first iteration to the last."""

    family: Fittable
    field: VelocityField
    options: Options
    parts: Split
    key: jax.Array
    nfe: int
    """Network evaluations of a sample by every solver that is fitted."""
    price: int
    """Network evaluations of one iteration."""
    like: Arr
    """The noises of all paths, which say how batches are sharded."""

    def score(self, theta: Theta, paths: Paths) -> float:
        """Mean RMSE of a solver on paths; of several their geometric mean."""
        whole = (paths.x0, paths.x1, paths.c)

        def mean(family: Family) -> float:
            each = [
                to_host(_errors(family, theta, self.field, *batch))[: stop - start]
                for start, stop, batch in batches(
                    whole, self._even(paths.size), self.like
                )
            ]
            return float(np.mean(np.concatenate(each).astype(np.float64)))

        return joint.score([mean(family) for family in joint.members(self.family)])

    def score_price(self, paths: Paths) -> int:
        """Evaluations of `score`, the filling up of the last batch included."""
        even = self._even(paths.size)
        return -(-paths.size // even) * even * self.nfe

    def _even(self, size: int) -> int:
        """The batch size, at most `batch_size`, that needs the least filling up."""
        return -(-size // -(-size // self.options.batch_size))


def planned(
    family: Fittable,
    field: VelocityField,
    options: Options,
    parts: Split,
    key: jax.Array,
    theta: Theta,
    nfe: int,
    budget: Budget,
    like: Arr,
) -> Task:
    """The task, with its price.

    Args:
        theta: iterate 0.
        nfe: network evaluations of a sample by every solver that is fitted.
        budget: what pays; where it is bounded the price must be known.
        like: the noises of all paths.

    Raises:
        ValueError: the loss has a cost that only a run tells, and it has to be known.
    """
    price = _price(family, options, theta, parts.training, budget.bounded)
    # How the paths came about is for people: compiled code must not depend on it.
    bare = {"stats": None, "certificate": None, "control": None}
    parts = Split(*(part._replace(**bare) for part in parts))
    return Task(family, as_field(field), options, parts, key, nfe, price, like)


def starting(
    family: Fittable, start: object, paths: Paths
) -> tuple[Theta, tuple[Solver, ...]]:
    """theta of iterate 0 and its solvers, which run over the interval of the paths."""
    base = family.init()
    if start is None:
        theta = base
    elif isinstance(start, Solver):
        theta = family.init(start)
    else:
        form = lambda theta: jax.tree.map(jnp.shape, theta)
        if form(start) != form(base):
            raise ValueError(
                f"a start of {family.name} is None, a Solver, or a theta of the form "
                f"{form(base)}; got {form(start)}."
            )
        theta = jax.tree.map(lambda a, b: jnp.asarray(a, b.dtype), start, base)
    try:
        built = [member.build(theta) for member in joint.members(family)]
        solvers = tuple(map(validate, jax.device_get(built)))
    except ValueError as error:
        raise ValueError(f"the start is no usable solver: {error}") from None
    interval = [float(paths.start), float(paths.end)]
    own = [float(solvers[0].t[0]), float(solvers[0].end)]
    if not np.allclose(own, interval, rtol=0, atol=1e-6):
        raise ValueError(
            f"{family.name} runs from {own[0]:g} to {own[1]:g}, the paths from "
            f"{interval[0]:g} to {interval[1]:g}; give the family the start and end of "
            "the paths."
        )
    return theta, solvers


def _price(
    family: Fittable, options: Options, theta: Theta, training: Paths, bounded: bool
) -> int:
    """Network evaluations of one iteration."""
    loss, size = options.loss, options.batch_size
    passes = iteration_passes(family, loss, theta, training, size)
    if not passes.adaptive:
        return passes.evaluations
    if bounded:
        raise ValueError(
            f"the loss {losses.loss_name(loss)} solves adaptively, so that its cost is "
            "not known in advance; evaluations= needs a loss without online=True."
        )
    if training.stats is None:
        raise ValueError(
            f"the loss {losses.loss_name(loss)} solves adaptively, as many evaluations "
            "a path as paths.stats says; these paths have no stats."
        )
    return passes.evaluations + size * training.stats.nfe_max


def pay_checks(task: Task, budget: Budget, paths: Paths, *, probed: bool) -> None:
    """The ground truth and the checks, if there is enough for one iteration too.

    Raises:
        TooLittle: there is not.
    """
    solved = 0 if paths.stats is None else int(paths.stats.evaluations)
    first = solved + INDEPENDENCE_COST + probed * identity.PROBE_COST
    validation, test = map(task.score_price, task.parts[1:])
    least = first + 2 * (validation + test) + task.price
    if least > budget.evaluations:
        raise TooLittle(int(budget.evaluations), least)
    budget.pay(first)


def iteration_passes(
    family: Fittable,
    loss: losses.Loss,
    theta: Theta,
    training: Paths,
    batch_size: int,
) -> Passes:
    """The passes through the field of one iteration: a loss and its gradient."""
    batch = jax.eval_shape(lambda p: take(p, np.arange(batch_size)), training)
    leaves, structure = jax.tree.flatten((jax.eval_shape(lambda t: t, theta), batch))
    return _passes(family, loss, tuple(leaves), structure)


@functools.lru_cache(maxsize=64)
def _passes(
    family: Fittable, loss: losses.Loss, leaves: tuple, structure: Any
) -> Passes:
    theta, batch = jax.tree.unflatten(structure, leaves)

    def both(field, theta, paths):
        value = lambda theta: joint.objective(loss, family, theta, field, paths)
        return jax.value_and_grad(value)(theta)

    return passes(both, batch.x0, theta, batch)


@partial(jax.jit, static_argnames=("family",))
def _errors(family, theta, field, x0, x1, c):
    return rms(sample(field, family.build(theta), x0, c=c) - x1)
