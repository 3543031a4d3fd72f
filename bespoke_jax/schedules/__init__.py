"""Gaussian paths x_t = alpha_t x_1 + sigma_t x_0, from noise (t=0) to data (t=1).

Every schedule is a frozen, hashable object of plain numbers (static under `jit`,
not a pytree) with one interface: `schedule(t) -> (alpha, sigma)`, `rates`, `log_snr`,
`nsr`, `time_at_log_snr`, `time_at_nsr`. The noise-to-signal ratio nsr = sigma / alpha
falls from t=0 to t=1; log_snr = log(alpha / sigma) = -log(nsr) is the *half* log-SNR,
the lambda of the DPM-Solver and SciRE papers. A path whose rates jump at known times
names them in `joints`.

Python numbers and NumPy arrays are computed in NumPy float64 whatever the JAX
configuration says, because solver tables are built on the host; JAX arrays and tracers
are computed by JAX in their own dtype. Any shape is accepted and kept.

Formulas use 1 - t near the data and t near the noise, so that nothing cancels at either
end: nsr in float32 is within about 1e-6 relative of float64 up to t = 1 - 1e-5.

A schedule of your own is a `Path`, which needs alpha and sigma only, or any object with
the six methods; `check` verifies that they agree. `endpoints` turns velocities into
data and noise predictions and changes one schedule into another.
"""

from bespoke_jax.core import endpoints as endpoints
from bespoke_jax.schedules.checks import check as check
from bespoke_jax.schedules.cond_ot import CondOT as CondOT
from bespoke_jax.schedules.cosine import Cosine as Cosine
from bespoke_jax.schedules.cosine_vp import CosineVP as CosineVP
from bespoke_jax.schedules.discrete_vp import DiscreteVP as DiscreteVP
from bespoke_jax.schedules.edm import EDM as EDM
from bespoke_jax.schedules.host import joints as joints
from bespoke_jax.schedules.host import on_host as on_host
from bespoke_jax.schedules.log_snr import LogSNR as LogSNR
from bespoke_jax.schedules.path import Path as Path
from bespoke_jax.schedules.records import from_dict as from_dict
from bespoke_jax.schedules.records import to_dict as to_dict
from bespoke_jax.schedules.scaled import Scaled as Scaled
from bespoke_jax.schedules.shifted import Shifted as Shifted
from bespoke_jax.schedules.vp import VP as VP
