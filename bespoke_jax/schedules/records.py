"""Schedules as plain records, for files that never execute anything."""

import dataclasses

import numpy as np

from bespoke_jax.core.protocols import Schedule
from bespoke_jax.schedules.cond_ot import CondOT
from bespoke_jax.schedules.cosine import Cosine
from bespoke_jax.schedules.cosine_vp import CosineVP
from bespoke_jax.schedules.discrete_vp import DiscreteVP
from bespoke_jax.schedules.edm import EDM
from bespoke_jax.schedules.log_snr import LogSNR
from bespoke_jax.schedules.scaled import Scaled
from bespoke_jax.schedules.shifted import Shifted
from bespoke_jax.schedules.vp import VP

_KNOWN: dict[str, type] = {
    kind.__name__: kind
    for kind in (VP, CondOT, Cosine, CosineVP, DiscreteVP, EDM, Scaled, Shifted)
}


def to_dict(schedule: object) -> dict[str, object]:
    """{"name": ..., its fields}: text, numbers, lists, and dicts of inner schedules.

    The name is that of the class, and `from_dict` gives an equal object back for the
    library's own. That of a user's own class only documents it (`module.Class` where
    the library has a class of that name); so does the gamma of `LogSNR`.

    Raises ValueError for anything that is neither a schedule nor a frozen dataclass.
    """
    known = isinstance(schedule, Schedule) or dataclasses.is_dataclass(schedule)
    if isinstance(schedule, type) or not known:
        raise ValueError(
            "schedule must be a schedule object such as schedules.VP(0.1, 20.0), "
            f"got {schedule!r}"
        )
    kind = type(schedule)
    ours = {**_KNOWN, "LogSNR": LogSNR}.get(kind.__name__, kind) is kind
    name = kind.__name__ if ours else f"{kind.__module__}.{kind.__qualname__}"
    fields = dataclasses.fields(schedule) if dataclasses.is_dataclass(schedule) else ()
    return {"name": name, **{f.name: _plain(getattr(schedule, f.name)) for f in fields}}


def _plain(value: object) -> object:
    if isinstance(value, Schedule):
        return to_dict(value)
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "__array__"):
        return np.asarray(value).tolist()
    if callable(value):
        name = getattr(value, "__qualname__", type(value).__qualname__)
        return f"{getattr(value, '__module__', '')}.{name}"
    return value


def from_dict(record: object) -> Schedule:
    """The schedule of a record that `to_dict` made.

    Raises ValueError for a record of another form, a user's own schedule, or values
    that the schedule refuses.
    """
    if not isinstance(record, dict) or not isinstance(record.get("name"), str):
        raise ValueError(f'a schedule is {{"name": ..., its fields}}; got {record!r}')
    fields = {key: _value(value) for key, value in record.items() if key != "name"}
    name = record["name"]
    if name == "LogSNR":
        raise ValueError("LogSNR holds a function, which no file does: build it again")
    if name not in _KNOWN:
        raise ValueError(
            f"no schedule of the library is named {name!r}; known: {', '.join(_KNOWN)}"
        )
    try:
        return _KNOWN[name](**fields)
    except TypeError:
        expected = ", ".join(f.name for f in dataclasses.fields(_KNOWN[name]))
        raise ValueError(
            f"schedule {name} has the fields ({expected}); got "
            f"({', '.join(map(str, fields))})"
        ) from None


def _value(value: object) -> object:
    if isinstance(value, dict):
        return from_dict(value)
    return tuple(value) if isinstance(value, list) else value
