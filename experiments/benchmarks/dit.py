"""A diffusion transformer (DiT) with random weights, to time.

    uv run python -m experiments.benchmarks.dit

Patches of the latents become tokens; every block is attention and a perceptron, each on
a layer norm whose scale and shift, and with a gate on its output, come from the time
embedding (adaLN). The published network starts with all gates and its last layer at
zero, so that untrained it is the zero field; here they are drawn like the other
weights, and the field is not trivial. Prints the number of parameters.

Reference: Peebles and Xie (2022), Scalable Diffusion Models with Transformers, arXiv
2212.09748, section 3.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import bespoke_jax as bj


def sinusoids(x: jax.Array, width: int, slowest: float) -> jax.Array:
    """(n,) numbers to (n, width) sines and cosines of periods 2 pi .. slowest."""
    omega = jnp.asarray(slowest ** -np.linspace(0, 1, width // 2), x.dtype)
    phase = x[:, None] * omega[None]
    return jnp.concatenate([jnp.sin(phase), jnp.cos(phase)], axis=-1)


def positions(side: int, width: int) -> jax.Array:
    """(side^2, width): half of it tells the row, half the column."""
    row, column = np.divmod(np.arange(side**2, dtype=np.float32), side)
    halves = [sinusoids(jnp.asarray(i), width // 2, 1e4) for i in (row, column)]
    return jnp.concatenate(halves, axis=-1)


class Modulation(nn.Module):
    """`count` vectors (batch, 1, width) from the time embedding."""

    count: int

    @nn.compact
    def __call__(self, e: jax.Array) -> list[jax.Array]:
        out = nn.Dense(self.count * e.shape[-1])(nn.swish(e))[:, None]
        return jnp.split(out, self.count, axis=-1)


def modulated(h: jax.Array, scale: jax.Array, shift: jax.Array) -> jax.Array:
    """A layer norm whose scale and shift are given."""
    return nn.LayerNorm(use_scale=False, use_bias=False)(h) * (1 + scale) + shift


class Block(nn.Module):
    """Attention, then a perceptron four times as wide."""

    heads: int

    @nn.compact
    def __call__(self, h: jax.Array, e: jax.Array) -> jax.Array:
        width = h.shape[-1]
        scale, shift, gate, scale_mlp, shift_mlp, gate_mlp = Modulation(6)(e)
        attention = nn.MultiHeadDotProductAttention(self.heads)
        h = h + gate * attention(modulated(h, scale, shift))
        hidden = nn.Dense(4 * width)(modulated(h, scale_mlp, shift_mlp))
        return h + gate_mlp * nn.Dense(width)(nn.gelu(hidden))


class DiT(nn.Module):
    """A network `module(x, t)` for square latents (batch, side, side, channels)."""

    depth: int = 12
    width: int = 384
    heads: int = 6
    patch: int = 2

    @nn.compact
    def __call__(self, x: jax.Array, t: jax.Array) -> jax.Array:
        """Maps x and t (batch,) in [0, 1] to the shape of x."""
        batch, side, _, channels = x.shape
        p, n = self.patch, side // self.patch
        h = x.reshape(batch, n, p, n, p, channels).transpose(0, 1, 3, 2, 4, 5)
        h = nn.Dense(self.width)(h.reshape(batch, n * n, p * p * channels))
        h = h + positions(n, self.width)[None]
        # The published frequencies are meant for times 0 .. 1000.
        e = nn.Dense(self.width)(sinusoids(1000 * t, 256, 1e4))
        e = nn.Dense(self.width)(nn.swish(e))
        for _ in range(self.depth):
            h = Block(self.heads)(h, e)
        scale, shift = Modulation(2)(e)
        h = nn.Dense(p * p * channels)(modulated(h, scale, shift))
        h = h.reshape(batch, n, n, p, p, channels).transpose(0, 1, 3, 2, 4, 5)
        return h.reshape(x.shape)


def model(module: DiT | None = None, side: int = 32, channels: int = 4) -> bj.Model:
    """A DiT on latents, weights drawn with key 0; the size of S/2 without a module."""
    module = DiT() if module is None else module
    shape = (side, side, channels)
    variables = jax.jit(module.init)(
        jax.random.key(0), jnp.zeros((1, *shape)), jnp.zeros(1)
    )
    field = bj.fields.from_flax(module, variables)
    return bj.Model(field, shape, schedule=bj.schedules.CondOT(), name="DiT")


def parameters(model: bj.Model) -> int:
    """Number of the network's weights."""
    return sum(leaf.size for leaf in jax.tree.leaves(model.field))


if __name__ == "__main__":
    print(f"DiT: {parameters(model()):,} parameters")
