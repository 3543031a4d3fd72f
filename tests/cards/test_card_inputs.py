"""What a card is given: schedules, arrays of all kinds, old and mutated files."""

import dataclasses
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from card_cases import midpoint_solver, mutate, one_card, same_bits

from bespoke_jax import card, schedules


@dataclasses.dataclass(frozen=True)
class Own(schedules.Path):
    """A user's own schedule, with fields of all kinds that a file can hold."""

    power: float = 2.0
    levels: tuple[float, ...] = (0.9, 0.5)
    table: Any = None
    inner: Any = None

    def alpha(self, t):
        return t**self.power

    def sigma(self, t):
        return 1 - t


VP = {"name": "VP", "beta_min": 0.1, "beta_max": 20.0}
SCHEDULES = {
    "scaled": (
        schedules.Scaled(schedules.VP(), 2.0),
        {"name": "Scaled", "base": VP, "sigma_0": 2.0},
    ),
    "shifted": (
        schedules.Scaled(schedules.Shifted(schedules.VP(), 3.0), 2.0),
        {
            "name": "Scaled",
            "base": {"name": "Shifted", "base": VP, "shift": 3.0},
            "sigma_0": 2.0,
        },
    ),
    "own": (
        Own(float(np.float32(1.5)), table=np.arange(3.0), inner=schedules.VP()),
        {
            "name": "Own",
            "power": 1.5,
            "levels": [0.9, 0.5],
            "table": [0.0, 1.0, 2.0],
            "inner": VP,
        },
    ),
}


@pytest.mark.parametrize(("schedule", "want"), SCHEDULES.values(), ids=SCHEDULES)
def test_schedules_come_back(tmp_path, schedule, want):
    path = card.save(tmp_path / "a.json", midpoint_solver(), schedule=schedule)
    loaded = one_card(path).schedule
    assert loaded == want
    again = card.save(tmp_path / "b.json", midpoint_solver(), schedule=loaded)
    assert one_card(again).schedule == want


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        (Own(levels=((1.0, 2.0),)), r"schedule.levels\[0\]: expected a number"),  # pyright: ignore
        (Own(power=float("nan")), "schedule.power: expected a finite"),
        (Own(table=np.ones((2, 2))), r"schedule.table\[0\]: expected a number"),
        (Own(inner=object()), "object.*give text, numbers"),
        (Own, "must be a schedule object"),
    ],
)
def test_schedules_of_other_things_are_refused_in_words(tmp_path, schedule, says):
    with pytest.raises(ValueError, match=says) as caught:
        card.save(tmp_path / "a.json", midpoint_solver(), schedule=schedule)
    assert "\n" not in str(caught.value)


def test_schedules_do_not_nest_without_end(tmp_path):
    schedule: Any = schedules.VP()
    for _ in range(40):
        schedule = schedules.Scaled(schedule)
    with pytest.raises(ValueError, match="at most 8 schedules within schedules"):
        card.save(tmp_path / "a.json", midpoint_solver(), schedule=schedule)


def test_cards_of_format_1_are_read_bit_for_bit(path, tmp_path):
    """Without judge and paths, which they do not record."""
    data = json.loads(path.read_text("utf-8"))
    data["format_version"] = 1
    del data["condition"]
    (tmp_path / "old.json").write_text(json.dumps(data), "utf-8")
    with pytest.raises(ValueError, match='validation: unknown key "judge"'):
        card.load(tmp_path / "old.json")
    del data["validation"]["judge"], data["validation"]["paths"]
    (tmp_path / "old.json").write_text(json.dumps(data), "utf-8")
    old, new = one_card(tmp_path / "old.json"), one_card(path)
    assert (old.validation.judge, old.validation.paths) == (None, None)
    assert all(map(same_bits, old.at(), new.at()))
    scores = old.validation._replace(judge="median", paths=102)
    assert old._replace(validation=scores, solver=new.at()) == new


def test_solvers_of_jax_arrays_are_stored_and_bfloat16_is_refused_in_words(tmp_path):
    solver = midpoint_solver()
    on_device = jax.tree.map(jnp.asarray, solver)
    path = card.save(tmp_path / "a.json", on_device)
    assert all(map(same_bits, one_card(path).at(), solver))
    # A float64 end beside float32 rows is rounded, as `sample` would.
    mixed = midpoint_solver(np.float32)._replace(end=np.float64(0.999))
    path = card.save(tmp_path / "a.json", mixed)
    assert one_card(path).at().end == np.float32(0.999)
    half = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.bfloat16), solver)
    with pytest.raises(ValueError, match="bfloat16.*cast it with"):
        card.save(tmp_path / "b.json", half)


# Seeds of mutated cards. Each is a whole card or one sentence.


@pytest.mark.parametrize("block", range(6))
def test_mutated_cards_are_whole_or_refused_in_one_sentence(path, tmp_path, block):
    good = path.read_text("utf-8")
    refused = 0
    for seed in range(50 * block, 50 * (block + 1)):
        data = json.loads(good)
        mutate(data, np.random.default_rng(seed))
        (tmp_path / "m.json").write_text(json.dumps(data), "utf-8")
        try:
            loaded = one_card(tmp_path / "m.json")
        except ValueError as error:
            refused += 1
            first, _, rest = str(error).partition("m.json: ")
            assert str(tmp_path) in first and rest and "\n" not in rest, seed
            assert len(rest) < 400, seed
            continue
        assert all(np.isfinite(leaf).all() for leaf in loaded.at()), seed
        card.save(tmp_path / "again.json", **{
            key: value for key, value in loaded._asdict().items()
            if key not in ("created", "versions")
        })  # fmt: skip
        again = one_card(tmp_path / "again.json")
        assert all(map(same_bits, again.at(), loaded.at())), seed
    assert refused >= 40
