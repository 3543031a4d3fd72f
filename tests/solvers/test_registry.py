"""The registry: what it says agrees with the constructors, and it imports no JAX."""

import inspect
import subprocess
import sys

import pytest

import bespoke_jax as bj
from bespoke_jax.solvers import TABLE, TABLEAUX, construct
from bespoke_jax.solvers.registry import find, names


@pytest.mark.parametrize("name", TABLE)
def test_an_entry_is_its_constructor(name):
    entry = TABLE[name]
    assert entry.name == name and entry.constructor is getattr(bj.solvers, name)
    assert entry.constructor.__name__ == name and entry.constructor.__doc__
    parameters = inspect.signature(entry.constructor).parameters
    required = [p for p in parameters.values() if p.default is p.empty]
    assert ("schedule" in [p.name for p in required]) == ("schedule" in entry.needs)
    assert {"nfe", "grid", "start", "end"} <= set(parameters)
    assert ("steps" in parameters) == (name in TABLEAUX), "nfe is the budget"
    if name in TABLEAUX:
        assert (entry.order, entry.stages) == (
            TABLEAUX[name].order, TABLEAUX[name].stages
        )  # fmt: skip


def test_names_and_aliases_are_unique_and_found():
    assert len(set(names())) == len(names()) > len(TABLE)
    for entry in TABLE.values():
        assert all(find(name) is entry for name in (entry.name, *entry.aliases))
    assert find("midpiont") is None and find(3) is None


def test_construct_takes_an_alias():
    vp = bj.schedules.VP()
    one, two = (construct(n, 6, schedule=vp) for n in ("dpmpp_2m", "dpm_solver_pp_2m"))
    assert all((a == b).all() for a, b in zip(one, two, strict=True))


def test_every_public_name_exists():
    for name in dir(bj.solvers):
        assert getattr(bj.solvers, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'ddimm'"):
        _ = bj.solvers.ddimm  # pyright: ignore


def test_listing_the_solvers_imports_neither_jax_nor_numpy():
    program = (
        "import sys; from bespoke_jax.solvers import TABLE; "
        "print(len(TABLE), *({'jax', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(len(TABLE))]
