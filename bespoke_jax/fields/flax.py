"""Flax modules, linen and nnx, as networks `(t, x, c) -> out`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import jax
from flax import linen, nnx
from flax.errors import InvalidRngError, ModifyScopeVariableError
from jax.tree_util import Partial
from jaxtyping import PyTree

from bespoke_jax.core import checks
from bespoke_jax.core.calls import FieldError, evaluate
from bespoke_jax.core.types import Conditioning, State
from bespoke_jax.fields.base import NetworkTime, with_time
from bespoke_jax.fields.transforms import reverse as reversed_field

F = TypeVar("F")

_ORDERS: dict[str, Callable] = {
    "xt": lambda model, t, x, c: model(x, t) if c is None else model(x, t, c),
    "tx": lambda model, t, x, c: model(t, x) if c is None else model(t, x, c),
}


@dataclass(frozen=True)
class _Linen:
    module: linen.Module
    call: Callable

    def __call__(
        self, variables: PyTree, t: NetworkTime, x: State, c: Conditioning = None
    ) -> State:
        name = type(self.module).__name__

        def network(t, x, c=None):
            # `method` hands over the module with its variables in scope.
            method = lambda model, *args: self.call(model, *args)
            try:
                out = self.module.apply(variables, t, x, c, method=method)
            except InvalidRngError as error:
                raise FieldError(
                    f"{name} draws random numbers in its call ({_reason(error)}): a "
                    "field has none. Call it in evaluation mode, "
                    "call=lambda model, t, x, c: model(x, t, deterministic=True) or "
                    "train=False"
                ) from error
            except ModifyScopeVariableError as error:
                raise FieldError(
                    f"{name} updates a variable in its call ({_reason(error)}): a "
                    "field keeps no state. Call it in evaluation mode, "
                    "call=lambda model, t, x, c: model(x, t, train=False)"
                ) from error
            return _one_output(out, name)

        return evaluate(with_time(network, t), 0.0, x, c)


@dataclass(frozen=True)
class _Nnx:
    graphdef: nnx.GraphDef
    call: Callable

    def __call__(
        self, state: PyTree, t: NetworkTime, x: State, c: Conditioning = None
    ) -> State:
        model = nnx.merge(self.graphdef, state, copy=True)
        network = lambda t, x, c=None: self.call(model, t, x, c)
        return evaluate(with_time(network, t), 0.0, x, c)


def from_flax(
    module: object,
    variables: PyTree = None,
    *,
    order: str = "xt",
    call: Callable | None = None,
    reverse: bool = False,
) -> Partial:
    """The network `(t, x, c=None) -> out` of a Flax module and its weights.

    For a velocity model the result is a field; for any other prediction pass it to
    `from_prediction`. The module is called as `module(x, t)`, or `module(x, t, c)`
    where conditioning is given, with t of shape `(batch,)`, floating-point unless it is
    given as an array of integers; its output is cast to the
    dtype of x, so that a bfloat16 network serves float32 states. The weights are leaves
    of the result, the module is compared by value. Later changes of an nnx module do
    not reach the field.

    Args:
      module: a `flax.linen` module, or a `flax.nnx` module in evaluation mode. What an
        nnx module writes to its variables in a call (counters, caches) is dropped.
      variables: linen: the variables, `{"params": ...}`; nnx: None.
      order: "xt" or "tx", the order of the module's first two arguments.
      call: `call(model, t, x, c) -> out` for any other signature, where `model(...)`
        calls the module with its weights; it takes the place of `order`. It selects
        the prediction where the module returns several things, and the evaluation
        mode of a linen module. Define it once: functions are compared by identity.
      reverse: the module is a velocity whose time runs from data to noise, as in
        `transforms.reverse`: the result is -module(x, 1 - t). Only for
        velocities: `from_prediction` has an argument `time` for the time of a network.

    Raises:
      ValueError: for linen without variables, nnx with variables, an nnx layer in
        training mode, an unknown order, anything else than a Flax module, and a module
        that cannot be hashed. At the call for a module that returns something else
        than one array, and for a linen module that draws random numbers or updates a
        variable.
    """
    checks.known("order", order, _ORDERS)
    call = _ORDERS[order] if call is None else call
    if isinstance(module, linen.Module):
        if variables is None:
            raise ValueError(
                f"the linen module {type(module).__name__} needs its variables: "
                'from_flax(module, {"params": params})'
            )
        network = Partial(_hashable(_Linen(module, call), module), variables)
        return reversed_field(network) if reverse else network
    if isinstance(module, nnx.Module):
        if variables is not None:
            raise ValueError(
                f"the nnx module {type(module).__name__} holds its own weights: "
                f"expected variables=None, got {type(variables).__name__}"
            )
        _check_evaluation_mode(module)
        graphdef, state = nnx.split(module)
        # Variables of our own: those of `split` are those of the module.
        state = jax.tree.map(lambda leaf: leaf, state)
        network = Partial(_hashable(_Nnx(graphdef, call), module), state)
        return reversed_field(network) if reverse else network
    raise ValueError(
        f"expected a flax.linen or flax.nnx module, got {type(module).__name__}; "
        "a function network(t, x) needs no from_flax"
    )


def _check_evaluation_mode(module: nnx.Module) -> None:
    """Dropout (`deterministic`) and BatchNorm (`use_running_average`), any layer."""
    for path, layer in nnx.iter_modules(module):
        training = [
            name
            for name in ("deterministic", "use_running_average")
            if getattr(layer, name, None) is False
        ]
        if training:
            where = ".".join(["model", *map(str, path)])
            raise ValueError(
                f"{where} ({type(layer).__name__}) is in training mode "
                f"({training[0]}=False): call model.eval() before from_flax"
            )


def _one_output(out: PyTree, name: str) -> PyTree:
    if isinstance(out, tuple | list | Mapping):
        keys = out if isinstance(out, Mapping) else range(len(out))
        raise FieldError(
            f"{name} returns a {type(out).__name__} with the entries "
            f"{', '.join(map(str, keys))}, a field one array: select it with "
            f"call=lambda model, t, x, c: model(x, t)[{next(iter(keys), 0)!r}]"
        )
    return out


def _reason(error: Exception) -> str:
    return str(error).split(" (http")[0].rstrip(".")


def _hashable(function: F, module: object) -> F:
    try:
        hash(function)
    except TypeError as error:
        raise ValueError(
            f"{type(module).__name__} must be hashable to be compiled once ({error}); "
            "give its fields tuples for lists and keep arrays in the variables"
        ) from error
    return function
