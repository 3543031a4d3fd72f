"""Cards round trip bit for bit, are written whole, and refuse every damaged file."""

import json
import os
import stat
from typing import Literal

import numpy as np
import pytest
from card_cases import Linear, midpoint_solver, one_card, same_bits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bespoke_jax import card
from bespoke_jax.core.solver import Solver


@st.composite
def solvers(draw):
    width: Literal[32, 64] = draw(st.sampled_from([32, 64]))
    dtype = np.dtype(f"float{width}")
    n = draw(st.integers(1, 4))
    wx, wu = draw(st.integers(0, n)), draw(st.integers(1, n))
    entry = st.floats(allow_nan=False, allow_infinity=False, width=width)
    end = draw(st.floats(0, 1, exclude_min=True, width=width))
    times = st.floats(0, end, width=width)
    p = np.tril(draw(arrays(dtype, (n, wx), elements=entry)))
    q = np.tril(draw(arrays(dtype, (n, wu), elements=entry)))
    t, a = (
        draw(arrays(dtype, n, elements=times)),
        draw(arrays(dtype, n, elements=entry)),
    )
    return Solver(t, a, p, q, np.asarray(end, dtype))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(solver=solvers(), model=st.text(), rmse=st.none() | st.floats(0, 1e300))
def test_round_trip_is_bitwise(tmp_path, solver, model, rmse):
    path = card.save(tmp_path / "a.json", solver, model=model, rmse=rmse)
    loaded = one_card(path)
    assert all(map(same_bits, solver, loaded.at()))
    assert loaded.model == model and loaded.rmse == rmse


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_damage_is_refused_or_harmless(path, tmp_path, data):
    """Cut, overwritten and deleted bytes never give anything but a whole card."""
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    kind = data.draw(st.sampled_from(["cut", "overwrite", "delete"]))
    if kind == "cut":
        del raw[at:]
    elif kind == "overwrite":
        raw[at] = data.draw(st.integers(0, 255))
    else:
        del raw[at : at + data.draw(st.integers(1, 20))]
    (tmp_path / "damaged.json").write_bytes(raw)
    try:
        loaded = one_card(tmp_path / "damaged.json")
    except ValueError as error:
        assert "damaged.json" in str(error)
    else:
        assert loaded.solver.nfe == 4
        assert all(np.isfinite(leaf).all() for leaf in loaded.at())


def test_provenance_comes_back(path):
    loaded = one_card(path)
    assert loaded.schedule == {"name": "Linear", "beta_min": 0.1, "table": [0.9, 0.5]}
    scores = card.Validation(float(np.float32(0.02)), 0.05, "median", 102)
    assert loaded.validation == scores
    assert loaded.ground_truth == card.Truth(1e-6, 1e-6, 3e-6)
    assert loaded.cost == card.Cost(123_456, 61.5)
    assert (loaded.guidance, loaded.seed) == (2.0, 7)
    assert (loaded.family, loaded.loss) == ("scale_time", "rmse_bound")
    assert loaded.notes == "größer ≥ kleiner"
    assert loaded.created.endswith("+00:00")
    assert loaded.versions is not None
    assert {"bespoke_jax", "jax", "flax", "diffrax", "python"} <= set(loaded.versions)


def test_a_loaded_card_can_be_saved_again(path, tmp_path):
    first = one_card(path)
    again = card.save(
        tmp_path / "again.json", first.at(), schedule=first.schedule, seed=first.seed
    )
    assert one_card(again).schedule == first.schedule


def test_the_file_is_readable(path):
    """One field a line, one row of the solver a line, the size stated."""
    text = path.read_text("utf-8")
    row = '{"t": 0.24975, "a": 0.0, "p": [0.0, 1.0], "q": [0.4995]}'
    assert f"\n      {row},\n" in text
    assert '\n  "model": "digits FM-OT",\n' in text
    assert json.loads(text)["solver"]["nfe"] == 4


def test_stored_dtype_survives(tmp_path):
    path = card.save(tmp_path / "a.json", midpoint_solver(np.float32))
    assert {leaf.dtype for leaf in one_card(path).at()} == {np.dtype(np.float32)}


# Saving


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"t": np.full(4, np.nan)}, "finite"),
        ({"t": np.full(4, 1.5)}, "end"),
        ({"end": np.array(1.5)}, "end"),
        ({"a": np.zeros(3)}, "a"),
        ({"q": np.zeros((4, 1), np.float32)}, "float32"),
        ({"q": np.zeros((4, 1), int)}, "int64"),
    ],
)
def test_invalid_solvers_are_not_written(tmp_path, change, says):
    with pytest.raises(ValueError, match=says):
        card.save(tmp_path / "a.json", midpoint_solver()._replace(**change))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"rmse": np.nan}, "validation.rmse: expected a finite"),
        ({"rmse": True}, "validation.rmse: expected a number, got true"),
        ({"seconds": -1.0}, "cost.seconds: expected a number >= 0"),
        ({"seed": 1.5}, "seed: expected an integer, got 1.5"),
        ({"notes": "\ud800"}, "surrogates"),
        ({"schedule": 3}, "schedule must be"),
        ({"schedule": {"beta": 1.0}}, "schedule.name"),
        ({"schedule": {"name": "a", "beta": object()}}, "object"),
        ({"judge": "best"}, 'judge: expected "mean" or "median"'),
        ({"paths": -1}, "validation.paths: expected a number >= 0"),
        ({"schedule": Linear(table=((1.0, 2.0),))}, r"schedule.table\[0\]: expected a"),
    ],
)
def test_invalid_provenance_is_not_written(tmp_path, fields, says):
    with pytest.raises(ValueError, match=says):
        card.save(tmp_path / "a.json", midpoint_solver(), **fields)
    assert not list(tmp_path.iterdir())


def test_parent_folders_are_made(tmp_path):
    assert card.save(tmp_path / "x" / "y" / "a.json", midpoint_solver()).is_file()


def test_an_interrupted_save_leaves_the_old_card(path, monkeypatch):
    before = path.read_bytes()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        card.save(path, midpoint_solver(np.float32))
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_data_reaches_the_disk_before_the_rename(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), fsync(fd)))
    monkeypatch.setattr(
        os, "replace", lambda a, b: (calls.append("replace"), replace(a, b))
    )
    card.save(tmp_path / "a.json", midpoint_solver())
    assert calls == ["fsync", "replace"]


def test_a_card_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    path = card.save(tmp_path / "a.json", midpoint_solver())
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (path, tmp_path / "plain")]
    assert modes[0] == modes[1]


def test_a_link_keeps_pointing_at_the_card(path, tmp_path):
    link = tmp_path / "latest.json"
    link.symlink_to(path.name)
    card.save(link, midpoint_solver(np.float32))
    assert link.is_symlink()
    assert one_card(path).at().t.dtype == np.float32


def test_unwritable_targets_are_explained(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="is a folder; give a file name"):
        card.save(tmp_path, midpoint_solver())
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="cannot write the card .*a.json: "):
        card.save(tmp_path / "file" / "a.json", midpoint_solver())

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", denied)
    with pytest.raises(ValueError, match="a.json: Permission denied"):
        card.save(tmp_path / "a.json", midpoint_solver())
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


# Loading


def _set(*keys_and_value):
    *keys, last, value = keys_and_value

    def change(data):
        for key in keys:
            data = data[key]
        data[last] = value

    return change


def _drop(*keys):
    def change(data):
        for key in keys[:-1]:
            data = data[key]
        del data[keys[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            _set("format", "a card"),
            'expected "format": "bespoke_jax card", got "a card"',
        ),
        (_set("format_version", 4), "format_version is 4, .* upgrade"),
        (_set("format_version", 0), "format_version: expected 1 to 3, got 0"),
        (_set("format_version", True), "format_version: expected an integer, got true"),
        (_drop("loss"), 'the key "loss" is missing'),
        (_drop("solver", "rows", 1, "q"), r'solver.rows\[1\]: the key "q" is missing'),
        (_set("famly", "x"), 'unknown key "famly"; the nearest is "family"'),
        (_set("validation", "rms", 1.0), 'validation: unknown key "rms".*"rmse"'),
        (_set("format_version", 2), 'the card: unknown key "condition"'),
        (_set("condition", None), "condition: expected text, got null"),
        (_set("condition", "guidance"), '"guidance" names what a conditional solver'),
        (
            _set("validation", "judge", "mode"),
            'judge: expected "mean" or "median", got',
        ),
        (_set("validation", "judge", ["mean"]), 'judge: expected "mean" or "median"'),
        (_set("validation", "paths", 1.5), "paths: expected an integer, got 1.5"),
        (_drop("validation", "paths"), 'validation: the key "paths" is missing'),
        (
            _set("schedule", "inner", {"name": "VP", "beta": [{}]}),
            r"schedule.inner.beta\[0\]: expected a number",
        ),
        (_set("schedule", "inner", {"beta": 1}), "schedule.inner.name: expected text"),
        (_set("cost", []), r"cost: expected an object, got \[\]"),
        (_set("model", 3), "model: expected text, got 3"),
        (_set("seed", False), "seed: expected an integer, got false"),
        (_set("created", "yesterday"), 'created: expected a date.*got "yesterday"'),
        (_set("versions", "jax", 1), "versions.jax: expected text"),
        (
            _set("schedule", "beta_min", [1.0, "x"]),
            r"schedule.beta_min\[1\]: expected a",
        ),
        (_set("schedule", "name", None), "schedule.name: expected text, got null"),
        (_set("cost", "seconds", -1), "cost.seconds: expected a number >= 0, got -1"),
        (_set("validation", "rmse", "0.1"), 'rmse: expected a number, got "0.1"'),
        (_set("solver", "dtype", "float16"), "solver.dtype: expected"),
        (_set("solver", "dtype", ["float32"]), "solver.dtype: expected"),
        (_set("solver", "end", 0), r"solver.end: expected a time in \(0, 1\], got 0"),
        (
            _set("solver", "end", 1.01),
            r"solver.end: expected a time in \(0, 1\], got 1.01",
        ),
        (_set("solver", "nfe", 5), "solver.rows: expected nfe = 5 rows, got 4"),
        (_set("solver", "rows", []), r"solver.rows: expected a list of rows, got \[\]"),
        (
            _set("solver", "rows", 0, "t", -0.1),
            r"rows\[0\].t: expected a time in \[0, end",
        ),
        (_set("solver", "rows", 3, "t", 1.0), r"rows\[3\].t: .*end = 0.999\], got 1.0"),
        (
            _set("solver", "rows", 2, "a", True),
            r"rows\[2\].a: expected a number, got true",
        ),
        (
            _set("solver", "rows", 2, "p", [1.0]),
            r"rows\[2\].p: expected 2 numbers .*got 1",
        ),
        (_set("solver", "rows", 2, "p", 1.0), r"rows\[2\].p: expected a list, got 1.0"),
        (_set("solver", "rows", 0, "p", [1, 1]), "solver.p row 0 has a weight on"),
        (_set("solver", "rows", 1, []), r"rows\[1\]: expected an object"),
        (
            _set("solver", "rows", 1, "a", np.nan),
            r"rows\[1\].a: expected a finite float64",
        ),
        (
            _set("solver", "rows", 1, "q", [np.inf]),
            r"q\[0\]: expected a finite float64",
        ),
        (_set("solver", "rows", 1, "a", 10**400), r"rows\[1\].a: expected a finite"),
    ],
)
def test_damaged_fields_are_named(path, change, says):
    data = json.loads(path.read_text("utf-8"))
    change(data)
    path.write_text(json.dumps(data), "utf-8")
    with pytest.raises(ValueError, match=says) as caught:
        card.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_float32_overflow_is_refused(tmp_path):
    path = card.save(tmp_path / "a.json", midpoint_solver(np.float32))
    path.write_text(path.read_text().replace('"a": 0.0', '"a": 1e39', 1))
    with pytest.raises(ValueError, match="expected a finite float32"):
        card.load(path)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "expected JSON, got a syntax error at line 1"),
        (b"\x80\x04]", "expected JSON in UTF-8"),
        (b"[1, 2]", 'expected "format"'),
        (b"null", 'expected "format"'),
        (b"[" * 200_000, "nested too deeply"),
        (b"1" * 10_000, "a.json: "),
        (b'{"format": "x", "format": "bespoke_jax card"}', '"format" appears twice'),
    ],
)
def test_files_that_are_no_card(tmp_path, raw, says):
    (tmp_path / "a.json").write_bytes(raw)
    with pytest.raises(ValueError, match=says):
        card.load(tmp_path / "a.json")


def test_unreadable_files_are_explained(tmp_path):
    with pytest.raises(ValueError, match="cannot read the card .*none.json: No such"):
        card.load(tmp_path / "none.json")
    with pytest.raises(ValueError, match="cannot read the card"):
        card.load(tmp_path)
