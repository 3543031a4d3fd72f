"""Random calls of every public function and command, most of them wrong in one place.

    python tests/helpers/fuzz.py FIRST LAST    # seeds; one line for each bad answer

A call is good if it returns, or if the library itself raises a ValueError, TypeError or
RuntimeError of one sentence: the innermost frame is a `raise` in bespoke_jax. A command
is good if it answers with one line, and leaves the files that were there as they were.
Run in a process of its own, without the tests' strict settings, as a user would.
"""

import contextlib
import inspect
import linecache
import os
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import jax
import numpy as np
from fuzz_calls import VP, calls, solver, x0
from fuzz_commands import MODEL, one_command
from fuzz_making import FIELDS_OF
from fuzz_values import BAD_NUMBERS, CARDS, LONG, POOLS

import bespoke_jax as bj

PACKAGE = str(Path(bj.__file__).parent)


def _good_answer(error: BaseException) -> str:
    """What is wrong with an exception as an answer; "" where nothing is."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split("\n" + "-" * 20)[0].split())
    if not isinstance(error, ValueError | TypeError | RuntimeError | OSError):
        return f"{type(error).__name__}: {text[:160]}"
    ours = last.filename.startswith(PACKAGE)
    raised = (
        linecache.getline(last.filename, last.lineno or 0).strip().startswith("raise")
    )
    if not (ours and raised):
        where = Path(last.filename).name
        return f"{type(error).__name__} from {where}:{last.lineno}: {text[:160]}"
    if not text or len(text) > 1200:
        return f"message of {len(text)} characters"
    return ""


def one_call(rng: np.random.Generator, table: dict) -> tuple[str, str]:
    """(what was called, what is wrong with its answer)."""
    name = str(rng.choice(sorted(table)))
    function, good = table[name]
    arguments = dict(good)
    for _ in range(int(rng.choice([1, 1, 1, 2]))):
        which = str(rng.choice(sorted(arguments)))
        if which == "progress":
            continue
        pool = POOLS.get(which, BAD_NUMBERS[:-1] if which in LONG else BAD_NUMBERS)
        arguments[which] = pool[int(rng.integers(len(pool)))]
    shown = ", ".join(
        f"{k}={_short(v)}" for k, v in arguments.items() if v is not good[k]
    )
    try:
        out = function(**arguments)
        if name in FIELDS_OF:
            bj.sample(out, solver(), x0(), c=x0() if name == "compose" else None)
        jax.block_until_ready([v for v in jax.tree.leaves(out) if hasattr(v, "shape")])
    except Exception as error:
        return f"{name}({shown})", _good_answer(error)
    return f"{name}({shown})", ""


def _short(value) -> str:
    if inspect.isfunction(value):
        return inspect.getsource(value).strip().split("\n")[0][:60]
    return repr(value).replace("\n", " ")[:60]


def main(first: int, last: int) -> int:
    """Print what is badly answered; the number of such seeds."""
    bad = 0
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("m.py").write_text(MODEL)
        Path("broken.py").write_text("def f(:\n")
        Path("broken.json").write_text('{"format": "bespoke_jax card", ')
        Path("binary.json").write_bytes(os.urandom(100))
        Path("kept.json").write_text('{"a": "file that is no card"}\n')
        bj.card.save("good.json", solver(), model="m.py:load")
        scaled = bj.schedules.Scaled(bj.schedules.Shifted(VP, 2.0), 3.0)
        about: dict = {"model": "m.py:load", "judge": "mean", "rmse": 0.1, "paths": 3}
        bj.card.save("nested.json", solver(), schedule=scaled, **about)
        guided = bj.conditional(lambda w: solver(), 0, 6)
        bj.card.save("guided.json", guided, condition="guidance", model="m.py:load")
        several = (solver(), bj.solvers.euler(nfe=7, end=float(solver().end)))
        cards = tuple(bj.card.of(one, model="m.py:load") for one in several)
        bj.card.save("set.json", bj.card.CardSet(cards))
        table = calls()
        for card in CARDS:
            Path(card).write_text(Path("good.json").read_text())
        for seed in range(first, last):
            rng = np.random.default_rng(seed)
            what, wrong = one_command(rng) if seed % 4 == 0 else one_call(rng, table)
            if wrong:
                bad += 1
                print(f"seed {seed}: {what}\n    {wrong}", flush=True)
    print(f"{last - first} seeds, {bad} badly answered")
    return bad


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:]))))
