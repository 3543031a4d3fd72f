"""`--model`: a demo model's name, `package.module:function` or `file.py:function`."""

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax import demo
from bespoke_jax.cli.arguments import existing, nearest
from bespoke_jax.core.calls import as_field, evaluate
from bespoke_jax.core.types import Conditioning
from bespoke_jax.fields.model import Model, noise

GUIDANCE = "guidance"
"""The condition of a card whose solvers depend on the guidance weight."""
_FORMS = "a demo model, package.module:function or path/to/file.py:function"


def load(name: str) -> Model:
    """The `bespoke_jax.Model` of a name, its field tried on two samples.

    Raises:
        ValueError: no such model, or one whose function or field does not work.
    """
    if not name:
        raise ValueError(
            f"give --model: {_FORMS} (demo models: {', '.join(demo.RECIPES)})"
        )
    if ":" not in name:
        if name not in demo.RECIPES:
            raise ValueError(
                f"no model {name!r}; the nearest is {nearest(name, demo.RECIPES)} "
                f"(expected {_FORMS}; demo models: {', '.join(demo.RECIPES)})"
            )
        return demo.load(name)
    where, _, function = name.rpartition(":")
    module = _from_file(where) if where.endswith(".py") else _from_module(where)
    make = getattr(module, function, None)
    if not callable(make):
        public = [k for k, v in vars(module).items() if callable(v) and k[0] != "_"]
        hint = f"; the nearest is {nearest(function, public)}" if public else ""
        raise ValueError(f"{where} has no function {function!r}{hint}")
    try:
        model = make()
    except Exception as error:
        raise ValueError(f"{name} raised {_brief(error)}") from error
    if not isinstance(model, Model):
        raise ValueError(
            f"{name} must return a bespoke_jax.Model(field=..., shape=...), "
            f"got {type(model).__name__}"
        )
    _try_field(name, model)
    return model._replace(name=model.name or name)


def starting(model: Model, start: float) -> Model:
    """The model with another start of its interval; -1 keeps its own.

    Raises:
        ValueError: a start outside [0, end), or one that the model has no states for.
    """
    if start == -1:
        return model
    if not 0 <= start < model.end:
        raise ValueError(f"--start must lie in [0, {model.end:g}); got {start:g}")
    if start and model.x0 is None:
        raise ValueError(
            f"--start {start:g}: the model {model.name} says nothing of its states "
            "there; give its bespoke_jax.Model an x0(key, n, start)"
        )
    return model._replace(start=start)


def has_weights(model: Model) -> bool:
    """Whether the conditioning that the model draws has guidance weights, c["w"]."""
    drawn = None if model.c is None else model.c(jax.random.key(0), 2)
    return isinstance(drawn, dict) and np.shape(drawn.get("w")) == (2,)


def at_guidance(model: Model, w: float | np.ndarray) -> Model:
    """The model with guidance weights of our own, for all samples or (n,) for each.

    Raises:
        ValueError: its c(key, n) draws no weights.
    """
    if model.c is None or not has_weights(model):
        raise ValueError(
            f"to choose guidance weights, the c(key, n) of the model {model.name} must "
            'return a dict whose entry "w" is (n,) weights, which its field reads, as '
            'in bespoke_jax.fields.guide(field, ..., weight=lambda c: c["w"])'
        )
    draw = model.c

    def c(key: jax.Array, n: int) -> Conditioning:
        drawn: Any = draw(key, n)
        own = jnp.asarray(w, jnp.result_type(drawn["w"], float))
        return {**drawn, "w": jnp.broadcast_to(own, (n,))}

    return model._replace(c=c)


def _from_file(path: str) -> ModuleType:
    existing(path)
    # As `python path/to/file.py` does: its neighbours can be imported.
    sys.path.insert(0, str(Path(path).resolve().parent))
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"{path} raised {_brief(error)}") from error
    return module


def _from_module(name: str) -> ModuleType:
    sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise ValueError(f"importing {name} raised {_brief(error)}") from error


def _try_field(name: str, model: Model) -> None:
    def velocity(t: jax.Array) -> jax.Array:
        x0, c = noise(model, jax.random.key(0), 2)
        return evaluate(as_field(model.field), t, x0, c)

    try:
        jax.eval_shape(velocity, jax.ShapeDtypeStruct((), jnp.float32))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _brief(error: Exception) -> str:
    text = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
