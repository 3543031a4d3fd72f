"""Headless Chromium, where one is installed, to look at pages as a reader does."""

import shutil
import subprocess
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, _NAMES)), None)
"""Its path, or None."""


def run(page: Path, *arguments: str, profile: Path) -> str:
    """What the browser prints for a page, with a fresh profile and no network.

    Raises:
        RuntimeError: none is installed, or it fails.
    """
    if PROGRAM is None:
        raise RuntimeError(f"no Chromium is installed (looked for {', '.join(_NAMES)})")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
    quiet = "--disable-background-networking --disable-component-update --disable-sync"
    done = subprocess.run(
        [
            PROGRAM,
            *flags.split(),
            *quiet.split(),
            f"--user-data-dir={profile}",
            *arguments,
            page.resolve().as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        raise RuntimeError(f"{PROGRAM} failed: {done.stderr[-300:]}")
    return done.stdout
