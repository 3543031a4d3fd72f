"""Networks with the signatures of public code bases and a known velocity.

The data of a sample are Gaussian, N(mean, SPREAD^2) in every entry, with the mean set
by its conditioning. Every stub writes alpha and sigma in the time of its own code base,
without the schedules of the library, so that a wrong sign, direction or scale of time
on the page shows. `STUBS` maps a heading of docs/bring_your_model.md to a function
that returns the names its lines use, beside `c`, `noise` and the means of the samples.
"""

import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx

SPREAD = 0.6
MEANS = jnp.array([0.5, -0.3, 1.2, 0.1])
LABELS = jnp.array([0, 1, 2, 1])
NOISE = jax.random.normal(jax.random.key(0), (4, 3))
LINEN = {"params": {}}


def ideal(kind, x, alpha, sigma, mean):
    """The ideal prediction at x = alpha data + sigma noise; arguments `(batch,)`."""
    wide = lambda a: jnp.reshape(a, (-1,) + (1,) * (x.ndim - 1))
    alpha, sigma, mean = wide(alpha), wide(sigma), wide(mean)
    rest = (x - alpha * mean) / (alpha**2 * SPREAD**2 + sigma**2)
    data, noise = mean + alpha * SPREAD**2 * rest, sigma * rest
    return {"data": data, "noise": noise, "noise - data": noise - data}[kind]


def straight(x, tau, mean):
    """noise - data on x = (1 - tau) data + tau noise."""
    return ideal("noise - data", x, 1 - tau, tau, mean)


def names(
    means: Any = MEANS[LABELS], noise: Any = NOISE, c: Any = LABELS, **rest: Any
) -> dict[str, Any]:
    return {"means": means, "noise": noise, "c": c, **rest}


# Policies


class PaliGemma(nnx.Module):
    def llm(self, tokens, *, mask, positions, kv_cache, adarms_cond):
        suffix = tokens[1]
        assert mask.shape == (len(suffix), 6, 7 + 6)
        assert positions.shape == (len(suffix), 6)
        keys, values = kv_cache
        assert keys.shape == values.shape == (2, len(suffix), 7)  # layers first
        mean = keys[0, :, 0] + values[1, :, 0]
        return (None, straight(suffix, adarms_cond[1], mean)), None


class Pi0(nnx.Module):
    """Images and prompt give the mean; the suffix holds the state and the actions."""

    action_horizon = 5

    def __init__(self):
        self.PaliGemma = PaliGemma()

    def embed_suffix(self, observation, noisy_actions, timestep):
        tokens = jnp.concatenate([observation["state"][:, None], noisy_actions], axis=1)
        mask = jnp.ones(tokens.shape[:2], bool)
        return tokens, mask, jnp.arange(tokens.shape[1]) < 2, timestep

    def action_out_proj(self, out):
        return out


def openpi():
    mean = MEANS[LABELS]
    cache = jnp.broadcast_to((mean / 2)[None, :, None], (2, 4, 7))
    square = lambda mask, ar_mask: jnp.ones((*mask.shape, mask.shape[1]), bool)
    return names(
        mean,
        jax.random.normal(jax.random.key(1), (4, 5, 3)),
        model=Pi0(),
        observation={"state": jnp.ones((4, 3))},
        prefix_mask=jnp.ones((4, 7), bool),
        kv_cache=(cache, cache),
        make_attn_mask=square,
    )


def fql():
    def select(name):
        assert name == "actor_bc_flow"

        def actor(observations, actions, times):
            assert times.shape == (4, 1)
            return -straight(actions, 1 - times[:, 0], observations.mean(-1))

        return actor

    network = PolicyState(select)
    observations = jnp.repeat(MEANS[LABELS][:, None], 6, axis=1)
    return names(c=observations, agent=types.SimpleNamespace(network=network))


@jax.tree_util.register_pytree_node_class
class PolicyState:
    def __init__(self, select):
        self.select = select

    def tree_flatten(self):
        return (), self.select

    @classmethod
    def tree_unflatten(cls, select, _):
        return cls(select)


# Weather and single cells


def gencast():
    def denoiser(inputs, noisy_targets, noise_levels, forcings):
        mean = inputs + forcings
        ones = jnp.ones_like(noise_levels)
        return {
            name: ideal("data", x, ones, noise_levels, mean)
            for name, x in noisy_targets.items()
        }

    draw = lambda seed, *shape: jax.random.normal(jax.random.key(seed), (4, *shape))
    return names(
        noise={"temperature": draw(0, 2, 3), "wind": draw(1, 2)},
        template={"temperature": np.zeros((2, 3)), "wind": np.zeros(2)},
        c={"inputs": MEANS[LABELS] - 1.0, "forcings": jnp.ones(4)},
        denoiser=denoiser,
    )


def alphafold():
    def denoising_step(positions, t_hat):
        assert positions.shape == (2, 3, 3) and t_hat.shape == ()
        one = lambda value: jnp.reshape(value, 1)
        return ideal("data", positions[None], one(1.0), one(t_hat), one(0.4))[0]

    noise = jax.random.normal(jax.random.key(2), (4, 2, 3, 3))
    return names(FIXED, noise, c=None, denoising_step=denoising_step)


def diffrax_users():
    def vf(t, y, args):
        assert jnp.ndim(t) == 0 and y.shape == (3,)
        return -straight(y[None], 1 - t, MEANS[args])[0]

    return names(vf=vf)


class GenSBIWrapper(nnx.Module):
    def get_vector_field(self, **kwargs):
        def vf(t, x, args):
            return -straight(x, 1 - t, self.model(**args))

        return vf

    def model(self, cond):
        return MEANS[cond]


# Images and latents


class Sit(nnx.Module):
    def __init__(self):
        self.dropout = nnx.Dropout(0.5, rngs=nnx.Rngs(0))

    def __call__(self, x, t, y):
        return self.dropout(straight(x, t, MEANS[y])), [x]


class MeanFlow(linen.Module):
    def __call__(self, x, t, h, y):
        # The average velocity over h > 0 is another function.
        return jnp.where((h == 0)[:, None], straight(x, t, MEANS[y]), jnp.nan)


class ImprovedMeanFlow(linen.Module):
    def __call__(self, x, t, h, omega, t_min, t_max, y):
        assert omega.shape == y.shape == t.shape
        wrong = ((h == 0) & (t_min == 0) & (t_max == 1))[:, None]
        v = straight(x, t, omega * MEANS[y])
        return jnp.full_like(x, jnp.nan), jnp.where(wrong, v, jnp.nan)


def improved_meanflow():
    omega = jnp.array([1.0, 2.0, 1.5, 3.0])
    c = {"y": LABELS, "omega": omega}
    return names(omega * MEANS[LABELS], c=c, net=ImprovedMeanFlow(), variables=LINEN)


class Shortcut(linen.Module):
    def __call__(self, x, t, dt_base, labels, train):
        assert not train
        v = -straight(x, 1 - t, MEANS[labels])
        return jnp.where((dt_base == 7)[:, None], v, jnp.nan)


def levels(count, scale, index, log_between=True):
    """(alpha, sigma) of a DDPM at a level index, log(alpha) linear between levels."""
    bar = np.cumprod(1 - scale * np.linspace(1e-4, 0.02, count))
    log_alpha = jnp.interp(index, jnp.arange(count), jnp.asarray(np.log(bar) / 2))
    return jnp.exp(log_alpha), jnp.sqrt(-jnp.expm1(2 * log_alpha))


class Dit(linen.Module):
    def __call__(self, x, t, y, train, force_drop_ids):
        assert not train and not force_drop_ids
        return ideal("noise", x, *levels(500, 2.0, t), MEANS[y])


def dit():
    # Guidance of Gaussians of one spread moves their means.
    mean = MEANS[3] + 2.5 * (MEANS[LABELS] - MEANS[3])
    return names(mean, model=Dit(), variables=LINEN, num_classes=3, cfg_scale=2.5)


class Adm(linen.Module):
    def __call__(self, x, timesteps, y):
        assert jnp.issubdtype(timesteps.dtype, jnp.integer)
        noise = ideal("noise", x, *levels(1000, 1.0, timesteps), MEANS[y])
        return jnp.concatenate([noise, jnp.full_like(x, 7.0)], axis=-1)


class ScoreSdeVp(linen.Module):
    def __call__(self, x, labels, train):
        assert not train
        t = labels / 999
        log_alpha = -0.25 * t**2 * (20.0 - 0.1) - 0.5 * t * 0.1
        alpha, std = jnp.exp(log_alpha), jnp.sqrt(1 - jnp.exp(2 * log_alpha))
        return ideal("noise", x, alpha, std, jnp.full_like(t, 0.4))


class ScoreSdeVe(linen.Module):
    def __call__(self, x, sigmas, train):
        assert not train
        ones = jnp.ones_like(sigmas)
        noise = ideal("noise", x, ones, sigmas, 0.4 * ones)
        return -noise / sigmas[:, None]


class Vdm(linen.Module):
    def score_model(self, z, g_t, conditioning, deterministic):
        assert deterministic
        alpha, sigma = jnp.sqrt(jax.nn.sigmoid(-g_t)), jnp.sqrt(jax.nn.sigmoid(g_t))
        return ideal("noise", z, alpha, sigma, MEANS[conditioning])


def vdm():
    return names(vdm=Vdm(), variables=LINEN, gamma_min=-13.3, gamma_max=5.0)


class Flux(linen.Module):
    def __call__(
        self,
        hidden_states,
        encoder_hidden_states,
        pooled_projections,
        timestep,
        img_ids,
        txt_ids,
        guidance,
    ):
        mean = encoder_hidden_states[:, 0, 0] + pooled_projections[:, 0] + guidance
        out = straight(hidden_states, timestep, mean)
        return types.SimpleNamespace(sample=out)


def flux():
    zero = jnp.zeros((4, 2))
    c = {
        "text": MEANS[LABELS][:, None, None] - 2.0,
        "pooled": jnp.full((4, 1), -1.5),
        "guidance": jnp.full(4, 3.5),
        "txt_ids": zero,
        "img_ids": zero,
    }
    return names(c=c, transformer=Flux(), variables=LINEN)


class Wan(nnx.Module):
    def __init__(self, offset):
        self.offset = nnx.Param(jnp.asarray(offset))

    def __call__(self, hidden_states, timestep, encoder_hidden_states):
        mean = encoder_hidden_states[:, 0, 0] + self.offset
        return straight(hidden_states, timestep / 1000, mean)


def wan():
    text, negative = MEANS[LABELS], 0.2 * MEANS[LABELS] - 0.1
    high, low = 3.0, 4.0
    parts = [
        (0.125, negative + high * (text - negative) + 0.3),
        (1.0, negative + low * (text - negative) - 0.2),
    ]
    shape = lambda a: a[:, None, None]
    return names(
        parts,
        c={"text": shape(text), "negative": shape(negative)},
        high_noise=Wan(0.3),
        low_noise=Wan(-0.2),
        guidance_scale_high=high,
        guidance_scale_low=low,
    )


def hackable(key):
    def inference_fn(*, time, xt, conditioning):
        mean = MEANS[conditioning]
        angle = jnp.pi * time / 2
        return {
            "velocity": straight(xt, time, mean),
            "x0": ideal("data", xt, jnp.cos(angle), jnp.sin(angle), mean),
        }[key]

    return names(
        inference_fn=lambda **inputs: {key: inference_fn(**inputs), "aux": None}
    )


class Edm(linen.Module):
    def __call__(self, x, noise_labels, class_labels):
        # F of D = c_skip y + c_out F(c_in y), solved for the ideal D.
        sigma, sd = jnp.exp(4 * noise_labels), 0.5
        size = jnp.sqrt(sigma**2 + sd**2)[:, None]
        y = x * size
        d = ideal("data", y, jnp.ones_like(sigma), sigma, MEANS[class_labels])
        c_out = sigma[:, None] * sd / size
        return (d - sd**2 / size**2 * y) / c_out


FIXED = jnp.full(4, 0.4)
STUBS = {
    "openpi (pi0, pi0.5)": openpi,
    "GenCast": gencast,
    "AlphaFold 3": alphafold,
    "DiffuseNNX (SiT)": lambda: names(net=Sit()),
    "MeanFlow": lambda: names(net=MeanFlow(), variables=LINEN),
    "Improved MeanFlow": improved_meanflow,
    "Shortcut models": lambda: names(model=Shortcut(), variables=LINEN),
    "jax-diffusion-transformer": dit,
    "score_sde, variance preserving": lambda: names(
        FIXED, c=None, model=ScoreSdeVp(), variables=LINEN
    ),
    "score_sde, variance exploding": lambda: names(
        FIXED, c=None, model=ScoreSdeVe(), variables=LINEN
    ),
    "VDM": vdm,
    "maxdiffusion: Flux": flux,
    "maxdiffusion: Wan 2.2": wan,
    "hackable_diffusion": lambda: hackable("velocity"),
    "hackable_diffusion, other predictions": lambda: hackable("x0"),
    "GenSBI": lambda: names(c={"cond": LABELS}, wrapper=GenSBIWrapper()),
    "CellFlow and other users of diffrax": diffrax_users,
    "fql and other flow policies": fql,
    "EDM preconditioned networks": lambda: names(model=Edm(), variables=LINEN),
    "ADM and guided-diffusion": lambda: names(model=Adm(), variables=LINEN),
}
