"""One row of (S). Only this function and the scan of `sample` interpret rows.

x_{i+1} = a_i x_0 + sum_{k < wx} p_ik x_{i-k} + sum_{k < wu} q_ik u_{i-k}    (S)
"""

from collections.abc import Sequence
from typing import Any, TypeVar

Array = TypeVar("Array", bound=Any)  # of NumPy or of JAX; both serve


def advance(
    a: Array, p: Array, q: Array, x0: Array, xs: Sequence[Array], us: Sequence[Array]
) -> Array:
    """The state x_{i+1} that a row of (S) computes, for NumPy and JAX arrays.

    Args:
        a, p, q: (*rows,), (*rows, wx) and (*rows, wu) coefficients, lag 0 first. With
            leading axes, as many independent rows at once.
        x0: the initial state, (*rows, *shape), or without the leading axes.
        xs, us: states x_0 .. x_i and velocities u_0 .. u_i so far, latest last, each
            (*rows, *shape). Window entries before the first are skipped; `validate`
            checks that their weights are 0.
    """
    new = _times(a, x0, us[-1].ndim)
    for window, values in ((p, xs), (q, us)):
        for lag in range(min(window.shape[-1], len(values))):
            value = values[-1 - lag]
            new = new + _times(window[..., lag], value, value.ndim)
    return new


def _times(weight, value, ndim):
    """weight (*rows,) times value, whose leading axes are the rows'."""
    return weight[(..., *(None,) * (ndim - weight.ndim))] * value
