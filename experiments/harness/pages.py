"""Text of a page: a block between two marks, tables, recurring sentences."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from experiments.harness.setup import Setup

PAGE = "README.md"


def write(folder: Path, name: str, lines: Sequence[str], *, page: str = PAGE) -> None:
    """Replace what a page has between `<!-- name: begin -->` and `<!-- name: end -->`.

    Raises:
        ValueError: the page does not have each of the two marks exactly once.
    """
    path = folder / page
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    text = path.read_text()
    if (text.count(begin), text.count(end)) != (1, 1):
        raise ValueError(f"{path} must have {begin.strip()} and {end} once each")
    head, rest = text.split(begin)
    block = "\n".join(lines)
    path.write_text(f"{head}{begin}{block}\n{end}{rest.split(end)[1]}")


def table(
    corner: str, columns: Sequence[Any], rows: Iterable[tuple[str, Sequence[Any]]]
) -> list[str]:
    """Lines of a Markdown table; numbers to three digits, None as a dash."""
    lines = [f"| {corner} | " + " | ".join(map(str, columns)) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for name, cells in rows:
        lines.append(f"| {name} | " + " | ".join(map(number, cells)) + " |")
    return lines


def number(value: Any) -> str:
    """A cell of a table."""
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def listed(values: Iterable[Any], *, none: str = "none") -> str:
    """Values separated by commas, or `none` without any."""
    return ", ".join(map(str, values)) or none


def span(values: Iterable[float], form: str = ".2f") -> str:
    """The smallest and the largest of some numbers."""
    found = list(values)
    return f"{min(found):{form}} to {max(found):{form}}"


def noises(setup: Setup) -> str:
    """Seed and numbers of paths and noises of a set-up, without a full stop."""
    return (
        f"Seed {setup.seed}; {setup.training} training, {setup.validation} validation "
        f"and {setup.test} test noises"
    )


def fits(setup: Setup, endpoint: float, *, what: str = "") -> str:
    """Sentences on noises, fits and the accuracy of the ground truth.

    Args:
        setup: of the study.
        endpoint: the largest end-point error of the ground truth's certificates.
        what: is fitted, and with which loss; nothing where the table says it.
    """
    return (
        f"{noises(setup)}; {what}Adam, lr {setup.lr} with cosine decay, "
        f"{setup.iterations} iterations of {setup.batch_size} paths. Ground truth: the "
        f"end points of the certificates are within {endpoint:.1g} (RMS, worst sample) "
        "of a ten times tighter solve."
    )
