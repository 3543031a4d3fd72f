"""Files that appear complete or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of `path` when the block ends without error.

    The data are written to a temporary file in the same folder, flushed to disk and
    renamed, so that a killed process leaves either the old file or the new one.
    Missing parent folders are made; a symbolic link keeps pointing at its target, which
    is replaced.

    Args:
        path: the file to write; an existing one is replaced.

    Raises:
        OSError: the file cannot be written; nothing is left behind.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{secrets.token_hex(6)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def write_text(path: Path, text: str) -> Path:
    """Write text in UTF-8 as `replacing` does, and return the path.

    Raises:
        OSError: as `replacing`.
        UnicodeEncodeError: the text holds surrogates; nothing was written.
    """
    data = text.encode("utf-8")
    with replacing(path) as file:
        file.write(data)
    return path
