"""Files and folders that a command will write, refused before anything is computed."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bespoke_jax.core import checks


def writable(path: str, *, suffix: str) -> Path:
    """The file to write later.

    Raises:
        ValueError: a folder, another suffix, or a folder that cannot be written.
    """
    file = checks.path("--out", path)
    if file.is_dir() or file.suffix != suffix:
        raise ValueError(f"--out must be a {suffix} file; got {path}")
    folder(str(file.parent))
    return file


def folder(path: str) -> Path:
    """A folder to write into, made if missing.

    Raises:
        ValueError: it cannot be made or written.
    """
    place = checks.path("--out", path)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot make the folder {path}: {error.strerror}") from None
    if not os.access(place, os.W_OK):
        raise ValueError(f"the folder {path} is not writable")
    return place


@contextlib.contextmanager
def resumable(directory: str) -> Iterator[Path | None]:
    """The folder of checkpoints, or None for ""; an interruption says how to resume.

    Raises:
        KeyboardInterrupt: with what becomes of the work that was done.
    """
    try:
        yield checks.path("--directory", directory) if directory else None
    except KeyboardInterrupt:
        hint = f"run the same command again to resume from {directory}"
        raise KeyboardInterrupt(hint if directory else "nothing was saved") from None
