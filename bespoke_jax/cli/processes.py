"""`--distributed`: one command in several processes, which share its samples.

Every process runs the same command. The samples are sharded over the devices of all of
them, the first process writes and prints, and a folder of checkpoints is shared.
"""

import re

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from bespoke_jax.core.types import Arr
from bespoke_jax.fields.model import Model, states

_FORM = re.compile(r"(.+:\d+),(\d+),(\d+)")


def join(distributed: str) -> None:
    """Meet the other processes; "" is a single one.

    Args:
        distributed: "auto", where `jax.distributed.initialize` finds out by itself
            (Slurm, Open MPI, Cloud TPU), or HOST:PORT,COUNT,NUMBER: where the first
            process listens, how many there are, and which this is, from 0.

    If the others do not come within five minutes, JAX ends the process.

    Raises:
        ValueError: another form, a number that is not below the count, or "auto" where
            nothing says which processes there are.
    """
    if not distributed:
        return
    found = _FORM.fullmatch(distributed)
    known = found is not None and int(found[3]) < int(found[2])
    if not known and distributed != "auto":
        raise ValueError(
            "--distributed must be auto or HOST:PORT,COUNT,NUMBER with NUMBER below "
            f"COUNT, such as 10.0.0.1:8476,2,0; got {distributed}"
        )
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    if found is not None:
        jax.distributed.initialize(found[1], int(found[2]), int(found[3]))
        return
    try:
        jax.distributed.initialize()
    except ValueError as error:
        raise ValueError(
            "--distributed auto found neither Slurm, Open MPI nor Cloud TPU; give "
            "HOST:PORT,COUNT,NUMBER"
        ) from error


def spread(model: Model) -> Model:
    """The model with its initial states sharded over the devices of all processes.

    They are those of a single process, which is left as it is. A number of samples that
    does not divide by the devices is refused with a ValueError.
    """
    if jax.process_count() == 1:
        return model
    devices = jax.devices()
    mesh = Mesh(np.array(devices), ("samples",))
    over_samples = NamedSharding(mesh, PartitionSpec("samples"))

    def x0(key: jax.Array, n: int, start: float) -> Arr:
        if n % len(devices):
            raise ValueError(
                f"the number of samples must be a multiple of the {len(devices)} "
                f"devices of all processes; got {n}"
            )
        whole = np.asarray(states(model._replace(start=start), key, n))
        return jax.make_array_from_callback(
            whole.shape, over_samples, lambda index: whole[index]
        )

    return model._replace(x0=x0)
