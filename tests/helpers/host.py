"""(S) row by row on the host, with one compiled field for every solver.

`bespoke_jax.sample` compiles per nfe and windows; the tests of many small tables do
without. That both agree is tested in test_solvers.py.
"""

import jax
import numpy as np

_FIELDS = {}


def run(u, solver, x0):
    """The sample of a solver on a field (a Partial), in the precision of x0."""
    # The field's numbers become constants: passing them costs more than computing.
    key = (u.func, *(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(u)))
    if key not in _FIELDS:
        _FIELDS[key] = jax.jit(lambda t, x: u(t, x))
    velocity = _FIELDS[key]
    x0 = np.asarray(x0)
    t, a, p, q, _ = (np.asarray(leaf, x0.dtype) for leaf in solver)
    xs, us = [x0], []
    for i in range(len(t)):
        us.insert(0, np.asarray(velocity(t[i], xs[0])))
        new = a[i] * x0
        for weights, values in ((p[i], xs), (q[i], us)):
            for w, value in zip(weights, values, strict=False):
                if w:
                    new = new + w * value
        xs = [new, *xs][: max(p.shape[1], 1)]
        us = us[: q.shape[1]]
    return xs[0]
