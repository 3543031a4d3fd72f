"""The figures of a comparison as JSON and CSV, one solver in a line."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from bespoke_jax.cards import atomic
from bespoke_jax.metrics import Point


def write_json(path: Path, points: Sequence[Point]) -> Path:
    """Write the points as a JSON list of objects, and return the path."""
    lines = ",\n".join(f"  {json.dumps(point.row())}" for point in points)
    return atomic.write_text(path, f"[\n{lines}\n]\n")


def write_csv(path: Path, points: Sequence[Point]) -> Path:
    """Write the points as CSV under a line of names, and return the path."""
    rows, text = [point.row() for point in points], io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return atomic.write_text(path, text.getvalue())
