"""The other programs, each called as its documentation says, on one exact field.

Needs the `peers` dependency group. `prepare` gives a sampler's levels as times of the
straight path, and a function from noise to its samples on that path.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import diffusers
import flow_matching.solver
import numpy as np
import torch
import torchdiffeq
from azula import denoise, sample
from azula.noise import VESchedule

from experiments.benchmarks.peers.pairs import Pair

SIGMAS = 0.002, 80.0  # azula's levels


class Prepared(NamedTuple):
    """One sampler at one NFE."""

    times: np.ndarray
    """CondOT times t = 1 / (1 + sigma / alpha) of its levels."""
    start: float
    """Its first state over the noise."""
    first: float
    """CondOT's first state over the noise."""
    last: float
    """CondOT's sample over its own."""
    solve: Callable[[torch.Tensor], torch.Tensor]
    """From its first state to its sample."""
    reset: Callable[[], Any] = lambda: None
    """Before every solve, where a program keeps state; not timed."""


class Field:
    """Exact posterior means of a Gaussian mixture, by the formulas of the JAX field."""

    counting = False

    def __init__(self, mixture: Any, dtype: torch.dtype = torch.float32):
        w, self.mu, s = (torch.as_tensor(leaf, dtype=dtype) for leaf in mixture)
        self.log_w, self.s2, self.calls = torch.log(w), s**2, 0

    def _posterior(self, x, alpha, sigma):
        if self.counting:
            self.calls += 1
        v = alpha**2 * self.s2 + sigma**2
        centred = x[:, None, :] - alpha * self.mu
        log_r = self.log_w - 0.5 * x.shape[-1] * torch.log(v)
        log_r = log_r - 0.5 * torch.sum(centred**2, -1) / v
        return torch.softmax(log_r, -1)[..., None], v[:, None], centred

    def _data(self, r, v, centred, alpha):
        return torch.sum(r * (self.mu + alpha * self.s2[:, None] / v * centred), 1)

    def noise(self, x, alpha, sigma):
        """E[x_0 | x]."""
        r, v, centred = self._posterior(x, alpha, sigma)
        return torch.sum(r * (sigma / v) * centred, 1)

    def data(self, x, alpha, sigma):
        """E[x_1 | x]."""
        r, v, centred = self._posterior(x, alpha, sigma)
        return self._data(r, v, centred, alpha)

    def velocity(self, t, x):
        """On the straight path, x_t = t x_1 + (1 - t) x_0."""
        r, v, centred = self._posterior(x, t, 1 - t)
        return self._data(r, v, centred, t) - torch.sum(r * ((1 - t) / v) * centred, 1)


def compiled(mixture: Any) -> Field:
    """The field as one kernel a call; the samplers around it stay as they are."""
    field = Field(mixture)
    for name in ("noise", "data", "velocity"):
        setattr(field, name, torch.compile(getattr(field, name)))
    return field


def prepare(pair: Pair, field: Field, nfe: int) -> Prepared:
    """The pair's sampler on a field, spending an NFE."""
    make = {
        "diffusers": _diffusers,
        "torchdiffeq": _torchdiffeq,
        "flow_matching": _flow_matching,
        "azula": _azula,
    }[pair.program]
    return make(pair, field, pair.steps(nfe))


def _diffusers(pair: Pair, field: Field, steps: int) -> Prepared:
    scheduler = getattr(diffusers, pair.sampler)(**pair.options)
    # State of the last solve stays in it otherwise.
    reset = lambda: scheduler.set_timesteps(steps)
    reset()
    flow = pair.sampler.startswith("FlowMatch")
    exploding = pair.sampler in (
        "EulerDiscreteScheduler", "HeunDiscreteScheduler", "LMSDiscreteScheduler",
    )  # fmt: skip
    if pair.sampler == "DDIMScheduler":
        alphas = scheduler.alphas_cumprod[scheduler.timesteps]
        alphas = torch.cat([alphas, scheduler.final_alpha_cumprod[None]])
        listed = torch.sqrt((1 - alphas) / alphas)
    else:
        listed = scheduler.sigmas
    # A network would take the timestep; the field takes the level that it stands for.
    levels = [float(level) for level in listed]

    def solve(x):
        for t, level in zip(scheduler.timesteps, levels, strict=False):
            if flow:
                out = -field.velocity(1 - level, x)
            else:
                alpha = (1 + level**2) ** -0.5
                scaled = scheduler.scale_model_input(x, t)
                out = field.noise(scaled, alpha, level * alpha)
            x = scheduler.step(out, t, x, return_dict=False)[0]
        return x

    # Heun's lists every level but the first and the last two twice, DEIS with Karras
    # levels the last one: a step of no length.
    nodes = np.array(list(dict.fromkeys(levels)))
    if flow:
        return Prepared(1 - nodes, 1.0, 1.0, 1.0, solve, reset)
    times = 1 / (1 + nodes)
    if exploding:
        first = nodes[0] * times[0]
        return Prepared(times, nodes[0], first, times[-1], solve, reset)
    r = nodes[[0, -1]]
    first, last = np.sqrt(1 + r**2) / (1 + r)  # 1 / (alpha + sigma)
    return Prepared(times, 1.0, first, last, solve, reset)


def _torchdiffeq(pair: Pair, field: Field, steps: int) -> Prepared:
    grid = torch.linspace(0.0, 1.0, steps + 1)
    options = {"method": pair.sampler}
    solve = lambda x: torchdiffeq.odeint(field.velocity, x, grid, **options)[-1]
    return Prepared(np.linspace(0, 1, steps + 1), 1.0, 1.0, 1.0, solve)


def _flow_matching(pair: Pair, field: Field, steps: int) -> Prepared:
    solver = flow_matching.solver.ODESolver(lambda x, t: field.velocity(t, x))
    options = {"step_size": 1 / steps, "method": pair.sampler}
    solve = lambda x: solver.sample(x, **options)
    return Prepared(np.linspace(0, 1, steps + 1), 1.0, 1.0, 1.0, solve)


class _Denoiser(denoise.Denoiser):
    def __init__(self, field: Field):
        super().__init__()
        self.field, self.schedule = field, VESchedule(*SIGMAS)

    def forward(self, x_t, t, **kwargs):
        alpha, sigma = self.schedule(t)
        return denoise.DiracPosterior(self.field.data(x_t, alpha, sigma))


def _azula(pair: Pair, field: Field, steps: int) -> Prepared:
    constructor = getattr(sample, pair.sampler)
    solve = constructor(_Denoiser(field), steps=steps, silent=True, **pair.options)
    nodes = solve.denoiser.schedule.sigma(solve.timesteps).double().numpy()
    times = 1 / (1 + nodes)
    return Prepared(times, nodes[0], nodes[0] * times[0], times[-1], solve)
