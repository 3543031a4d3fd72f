"""Random lines of the command line, and what is wrong with their answers."""

import contextlib
import hashlib
import io
import json
from pathlib import Path

import numpy as np
from fuzz_values import CARDS

from bespoke_jax import cli

MODEL = """
import jax.numpy as jnp
import bespoke_jax as bj
def load(): return bj.Model(lambda t, x: 2 * t[:, None] - x, (2,), end=0.999)
def nan(): return bj.Model(lambda t, x: x * jnp.nan, (2,))
def late():
    return bj.Model(lambda t, x: x * jnp.where(t > .5, jnp.nan, 1.)[:, None], (2,))
def narrow(): return bj.Model(lambda t, x: x[:, :1], (2,))
def raises(): raise KeyError("x")
def returns(): return 3
def shape(): return bj.Model(lambda t, x: x, ("a",))
def empty(): return bj.Model(lambda t, x: x, ())
def ends(): return bj.Model(lambda t, x: x, (2,), end=7)
def schedule(): return bj.Model(lambda t, x: x, (2,), schedule="VP")
def range_(): return bj.Model(lambda t, x: x, (2,), data_range="wide")
def coupled(): return bj.Model(lambda t, x: x - x.mean(0), (2,))
"""
GOOD = "good.json", "nested.json", "set.json", "guided.json"
FLAGS = {
    "--model": [
        "m.py:load", "m.py:load", "m.py:load", "m.py:nan", "m.py:late", "m.py:narrow",
        "m.py:raises", "m.py:returns", "m.py:shape", "m.py:empty", "m.py:ends",
        "m.py:schedule", "m.py:range_", "m.py:coupled", "m.py:no", "no.py:load",
        "nothing", "broken.py:f", "json:loads", "a:b:c", ":", "",
    ],
    "--nfe": ["2", "4", "0", "-1", "x", "1.5", "nan", "1000000000000", ""],
    "--n": ["2", "3", "0", "-1", "x", "1e3"],
    "--paths": ["12", "12", "3", "0", "-5", "x"],
    "--condition": ["3.5", "0", "7", "-1", "x", "nan", "inf", ""],
    "--seed": ["0", "-1", "4294967296", "x"],
    "--out": ["new.json", "new.npz", "newdir", "", ".", "kept.json", "no/x.json",
              "kept.json/x", "\0"],
    "--judge": ["mean", "median", "best", ""],
    "--loss": ["rmse", "lte", "x"],
    "--base": ["midpoint", "euler", "rk5", ""],
    "--iterations": ["2", "0", "-1", "x"],
    "--lr": ["0.01", "0", "-1", "nan", "inf", "x"],
    "--batch-size": ["4", "0", "-1", "999", "x"],
    "--evaluations": ["3000", "5", "-1", "nan", "x", "inf"],
    "--seconds": ["20", "-1", "nan", "x"],
    "--directory": ["run", "kept.json", "\0"],
    "--improve": [*CARDS, *GOOD, "kept.json", "no.json", ""],
    "--schedule": ["VP", "CondOT", "vp", "x"],
    "--end": ["0.9", "0", "1", "2", "nan", "x"],
    "--start": ["0", "0.5", "-3", "2", "nan", "x"],
    "--solvers": [*CARDS, *GOOD, "euler", "unipc:quadratic", "unipc:x",
                  "euler:optimal", "eulr", "no.json", "kept.json", "x.json:y", ""],
}  # fmt: skip
COMMANDS = {
    "tailor": ("--model", "--nfe", "--paths", "--evaluations", "--seconds", "--out",
               "--seed", "--judge", "--improve", "--directory", "--start"),
    "fit": ("--model", "--nfe", "--paths", "--iterations", "--lr", "--batch-size",
            "--loss", "--base", "--out", "--seed", "--directory", "--start"),
    "sample": ("--model", "--nfe", "--n", "--seed", "--out", "--start", "--condition"),
    "compare": ("--model", "--nfe", "--n", "--seed", "--out", "--solvers",
                "--batch-size", "--start", "--condition"),
    "certify": ("--schedule", "--end", "--nfe", "--condition"),
    "show": ("--nfe", "--condition"),
    "list": (),
}  # fmt: skip
SAFE = {
    "tailor": "--model m.py:load --nfe 2 --paths 12 --evaluations 3000",
    "fit": "--model m.py:load --nfe 2 --paths 12 --iterations 2 --batch-size 4",
    "sample": "--model m.py:load --nfe 2 --n 3",
    "compare": "--model m.py:load --nfe 2 --n 3 --solvers euler",
}


DEFAULT_OUT = {"tailor": "tailored.json", "fit": "solver.json", "sample": "samples.npz"}


def mutated_card(rng: np.random.Generator, text: str) -> str:
    """A valid card with one place of its JSON changed."""
    data = json.loads(text)
    place: list | dict = data
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            break
        key = keys[int(rng.integers(len(keys)))]
        inside = place[key]
        if isinstance(inside, dict | list) and inside and rng.random() < 0.8:
            place = inside
            continue
        junk = [None, "x", -1, 0, 1e30, 2, [], {}, True, [1.0], {"name": "VP"}, "nan"]
        if rng.random() < 0.2:
            del place[key]
        else:
            place[key] = junk[int(rng.integers(len(junk)))]
        break
    text = json.dumps(data)
    return text[: int(rng.integers(len(text)))] if rng.random() < 0.1 else text


def one_command(rng: np.random.Generator) -> tuple[str, str]:
    """(the line, what is wrong with its answer)."""
    name = str(rng.choice(sorted(COMMANDS)))
    words = dict(zip(*[iter(SAFE.get(name, "").split())] * 2, strict=True))
    for _ in range(int(rng.integers(1, 3))):
        if COMMANDS[name]:
            flag = str(rng.choice(COMMANDS[name]))
            words[flag] = str(rng.choice(FLAGS[flag]))
    argv = [name]
    if name in ("sample", "certify", "show"):
        pool = CARDS if rng.random() < 0.4 else FLAGS["--solvers"]
        argv.append(str(rng.choice(pool)))
    argv += [word for pair in words.items() for word in pair]
    if name in ("tailor", "fit", "sample", "compare"):
        argv.append("--no-progress")
    if rng.random() < 0.1:
        argv.append(str(rng.choice(["--nope", "extra", "--nfe", "-x", "--help"])))
    good = Path(str(rng.choice(GOOD))).read_text()
    for card in CARDS:
        Path(card).write_text(mutated_card(rng, good))
    before = _state()
    out, err = io.StringIO(), io.StringIO()
    line = "bespoke " + " ".join(repr(w) if not w.isprintable() else w for w in argv)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(argv)
    except BaseException as error:
        return line, f"{type(error).__name__}: {str(error)[:200]}"
    said = [text for text in err.getvalue().splitlines() if text.strip()]
    after = _state()
    lost = [file for file, mark in before.items() if after.get(file) != mark]
    out_file = words.get("--out", DEFAULT_OUT.get(name, ""))
    written = {out_file}
    if name == "compare":  # its three files are in a folder
        written |= {"report.html", "table.csv", "table.json"}
    lost = [file for file in lost if file not in written or code]
    if lost:
        return line, f"changed {lost} (code {code})"
    if code not in (0, 1, 2):
        return line, f"exit code {code}"
    errors = [text for text in said if not text.startswith("bespoke: warning: ")]
    if len(errors) != bool(code) or not all(e.startswith("bespoke: ") for e in errors):
        return line, f"code {code}, said {said[:3]}"
    return line, ""


def _state() -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(".").glob("*.*")
        if path.is_file()
    }
