"""Flax modules, linen and nnx, as networks `(t, x, c) -> out`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flax import linen, nnx
from jax.tree_util import Partial

from bespoke_jax._types import BatchTime, Conditioning, State
from bespoke_jax.core.calls import evaluate, to_batch
from bespoke_jax.fields.base import check_name

_ORDERS: dict[str, Callable] = {
    "xt": lambda model, t, x, c: model(x, t) if c is None else model(x, t, c),
    "tx": lambda model, t, x, c: model(t, x) if c is None else model(t, x, c),
}


@dataclass(frozen=True)
class _Linen:
    module: linen.Module
    call: Callable

    def __call__(
        self, variables: Any, t: BatchTime, x: State, c: Conditioning = None
    ) -> State:
        # `method` hands over the module with its variables in scope.
        network = lambda t, x, c=None: self.module.apply(
            variables, t, x, c, method=lambda model, *args: self.call(model, *args)
        )
        return evaluate(network, to_batch(t, x), x, c)


@dataclass(frozen=True)
class _Nnx:
    graphdef: Any
    call: Callable

    def __call__(
        self, state: Any, t: BatchTime, x: State, c: Conditioning = None
    ) -> State:
        model = nnx.merge(self.graphdef, state)
        network = lambda t, x, c=None: self.call(model, t, x, c)
        return evaluate(network, to_batch(t, x), x, c)


def from_flax(
    module: Any,
    variables: Any = None,
    *,
    order: str = "xt",
    call: Callable | None = None,
) -> Partial:
    """The network `(t, x, c=None) -> out` of a Flax module and its weights.

    A velocity model is a field as it stands; any other prediction goes on to
    `from_prediction`. The module is called as `module(x, t)`, or `module(x, t, c)`
    where conditioning is given, with t of shape `(batch,)`; its output is cast to the
    dtype of x, so that a bfloat16 network serves float32 states. The weights are leaves
    of the result, the module is compared by value.

    Args:
      module: a `flax.linen` module, or a `flax.nnx` module in evaluation mode (updates
        that a call makes to its state are dropped).
      variables: linen: the variables, `{"params": ...}`; nnx: None.
      order: "xt" or "tx", the order of the module's first two arguments.
      call: `call(model, t, x, c) -> out` for any other signature, where `model(...)`
        calls the module with its weights; it takes the place of `order`. Define it
        once: functions are compared by identity.

    Raises:
      ValueError: for linen without variables, nnx with variables, an unknown order,
        anything else than a Flax module, and a module that cannot be hashed.
    """
    check_name("order", order, _ORDERS)
    call = _ORDERS[order] if call is None else call
    if isinstance(module, linen.Module):
        if variables is None:
            raise ValueError(
                f"the linen module {type(module).__name__} needs its variables: "
                'from_flax(module, {"params": params})'
            )
        return Partial(_hashable(_Linen(module, call), module), variables)
    if isinstance(module, nnx.Module):
        if variables is not None:
            raise ValueError(
                f"the nnx module {type(module).__name__} holds its own weights: "
                f"expected variables=None, got {type(variables).__name__}"
            )
        graphdef, state = nnx.split(module)
        return Partial(_hashable(_Nnx(graphdef, call), module), state)
    raise ValueError(
        f"expected a flax.linen or flax.nnx module, got {type(module).__name__}; "
        "a function network(t, x) needs no from_flax"
    )


def _hashable(function: Any, module: Any) -> Any:
    try:
        hash(function)
    except TypeError as error:
        raise ValueError(
            f"{type(module).__name__} must be hashable to be compiled once ({error}); "
            "give its fields tuples for lists and keep arrays in the variables"
        ) from error
    return function
