"""Words to a command ready to run, or one sentence about what is wrong with them.

tyro parses and prints help. Its errors are boxes of several lines, so names are checked
before it sees them, and what it still finds is reduced to the box's first sentence.
"""

import contextlib
import functools
import inspect
import io
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import tyro

from bespoke_jax.core import checks

Command = Callable[..., None]


def parse(
    argv: list[str], commands: dict[str, Command], *, about: str
) -> Callable[[], None] | None:
    """The chosen command with its arguments bound; None after help was printed.

    Raises:
        ValueError: an unknown or missing command, flag or value.
    """
    _check_names(argv, commands)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.extras.subcommand_cli_from_dict(
                {name: _deferred(command) for name, command in commands.items()},
                prog="bespoke",
                description=about,
                args=argv,
            )
    except SystemExit as stop:
        if not stop.code:
            return None
        hint = f"; see bespoke {argv[0]} --help"
        raise ValueError(_first_sentence(complaint.getvalue()) + hint) from None


def nearest(name: str, known: Iterable[str], *, n: int = 1) -> str:
    """The known names most like `name`, joined by commas, however unlike."""
    return ", ".join(checks.nearest(name, known, count=n, cutoff=0.0))


def choice(kind: str, name: str, known: Iterable[str], *, plural: str = "") -> str:
    """One of the known names of a kind of thing.

    Raises:
        ValueError: another one, with the nearest and all that are known.
    """
    known = list(known)
    if name not in known:
        raise ValueError(
            f"no {kind} {name!r}; the nearest is {nearest(name, known)} "
            f"({plural or kind + 's'}: {', '.join(known)})"
        )
    return name


def at_least(flag: str, value: int, least: int) -> None:
    """Refuse a number below `least`.

    Raises:
        ValueError: it is.
    """
    if value < least:
        raise ValueError(f"--{flag} must be at least {least}; got {value}")


def between(flag: str, value: int, least: int, most: int) -> None:
    """Refuse a number that is not in least .. most.

    Raises:
        ValueError: it is not.
    """
    if not least <= value <= most:
        raise ValueError(f"--{flag} must be from {least} to {most}; got {value}")


def not_negative(**flags: float | int) -> None:
    """Refuse negative numbers, and what is not a number.

    Raises:
        ValueError: naming the first flag that has one.
    """
    for flag, value in flags.items():
        if not value >= 0:
            raise ValueError(f"--{flag} must not be negative; got {value}")


def existing(path: str) -> str:
    """The path of a file that is there.

    Raises:
        ValueError: it is not; with the nearest one of the same folder and suffix.
    """
    file = Path(path)
    if file.is_file():
        return path
    others = [str(p) for p in file.parent.glob(f"*{file.suffix}") if p.is_file()]
    hint = f"; the nearest is {nearest(path, others)}" if others else ""
    raise ValueError(f"no file {path}{hint}")


def _deferred(command: Command) -> Callable[..., Callable[[], None]]:
    """Same signature and docstring, but calling it only binds the arguments.

    tyro would otherwise run the command while its errors are being collected.
    """

    @functools.wraps(command)
    def bind(*args: object, **options: object) -> Callable[[], None]:
        return functools.partial(command, *args, **options)

    return bind


def _check_names(argv: list[str], commands: dict[str, Command]) -> None:
    known = ", ".join(commands)
    if not argv:
        raise ValueError(f"expected a command: {known}; see bespoke --help")
    if argv[0] in ("-h", "--help"):
        return
    choice("command", argv[0], commands)
    flags = {"--help", "-h"}
    for name, parameter in inspect.signature(commands[argv[0]]).parameters.items():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            flag = name.replace("_", "-")
            flags.add(f"--{flag}")
            if parameter.annotation is bool:
                flags.add(f"--no-{flag}")
    for word in argv[1:]:
        flag = word.split("=")[0].replace("_", "-")
        if re.match(r"-[A-Za-z-]", flag) and flag not in flags:
            raise ValueError(
                f"bespoke {argv[0]} has no flag {word.split('=')[0]}; the nearest is "
                f"{nearest(flag, flags - {'-h'})} (flags: {', '.join(sorted(flags))})"
            )


def _first_sentence(box: str) -> str:
    """The message of a tyro error: what stands between the title and the next rule.

    The title is in the box's upper edge or, where there is no Unicode, a line above
    the first rule.
    """
    parts: list[list[str]] = [[]]
    for line in box.splitlines():
        text = line.strip("│ ")
        if not text.strip("─-") or text[0] in "╭╰":
            parts.append([])
        else:
            parts[-1].append(text)
    parts = [part for part in parts if part]
    message = parts[0] if "╭" in box or len(parts) == 1 else parts[1]
    return " ".join(message).rstrip(".")
