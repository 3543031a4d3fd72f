"""The command line: parse, one library call, write.

Every mistake of the user answers in one line on stderr and exit code 2, a failed
computation in one line and exit code 1; set BESPOKE_TRACEBACK=1 to see where it arose.
Commands import what is slow to import when they run, so that help is quick.
"""

import os
import sys
import warnings
from collections.abc import Sequence

from bespoke_jax._version import __version__
from bespoke_jax.cli import arguments
from bespoke_jax.cli.certify import certify
from bespoke_jax.cli.compare import compare
from bespoke_jax.cli.demo import demo
from bespoke_jax.cli.fit import fit
from bespoke_jax.cli.list_solvers import list_solvers
from bespoke_jax.cli.sample import sample
from bespoke_jax.cli.show import show
from bespoke_jax.cli.tailor import tailor

COMMANDS = {
    "demo": demo,
    "tailor": tailor,
    "fit": fit,
    "sample": sample,
    "compare": compare,
    "certify": certify,
    "show": show,
    "list": list_solvers,
}
_ABOUT = (
    "Fit ODE solvers to a pre-trained flow or diffusion model, so that few network "
    "evaluations (NFE) give the exact solution's samples. Start with: bespoke demo"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the return value is the exit code.

    Args:
        argv: the words after `bespoke`; None takes them from `sys.argv`.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv == ["--version"]:
        print(f"bespoke_jax {__version__}")
        return 0
    if os.environ.get("BESPOKE_TRACEBACK"):
        return _run(argv)
    try:
        return _run(argv)
    except KeyboardInterrupt as stop:
        _say(f"interrupted{f'; {stop}' if str(stop) else ''}")
        return 130
    except BrokenPipeError:
        # The reader (`| head`) has left: nothing more to say, nor at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ValueError as error:
        _say(str(error))
        return 2
    except (RuntimeError, OSError) as error:
        _say(str(error))
        return 1


def _run(argv: list[str]) -> int:
    command = arguments.parse(argv, COMMANDS, about=_ABOUT)
    if command is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = lambda text, *_: _say(f"warning: {text}")
            command()
            sys.stdout.flush()
    return 0


def _say(text: str) -> None:
    print(f"bespoke: {' '.join(text.split())}", file=sys.stderr)
