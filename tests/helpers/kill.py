"""Kill a program at random moments with SIGKILL and start it again until it is done."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np


def killed_until_done(
    argv: Sequence[str],
    env: Mapping[str, str],
    rng: np.random.Generator,
    kills: int,
    *,
    ready: Callable[[], bool] = lambda: True,
    within: float = 5.0,
) -> int:
    """Run `argv` until it succeeds, killed up to `kills` times on the way.

    Args:
        argv: the program; it must go on where it was killed.
        env: its variables.
        rng: decides on the moments.
        kills: how often to kill it, then it may finish.
        ready: the clock of a moment starts when this is true.
        within: each moment is uniform in so many seconds.

    Returns:
        How often it was killed; fewer times than `kills` if it was done before.

    Raises:
        AssertionError: it failed by itself.
    """
    for number in range(kills):
        process = subprocess.Popen(argv, env=env)
        while process.poll() is None and not ready():
            time.sleep(0.005)
        end = time.monotonic() + rng.uniform(0.0, within)
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        if (code := process.wait()) != -signal.SIGKILL:
            assert code == 0, f"exit {code} after {number} kills"
            return number
    assert subprocess.run(argv, env=env).returncode == 0
    return kills
