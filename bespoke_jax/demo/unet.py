"""The U-Net of the digits models: small in FLOPs, smooth in time.

Two resolutions, with the parameters at 4x4: there a 3x3 convolution between 64 channels
costs a quarter of what it would at 8x8. An evaluation is 4.4 million multiply-adds per
sample. Everything is differentiable to all orders (swish, group norm, sinusoids of at
most four periods on [0, 1]): an ODE solver shows its order only on a smooth field.
"""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from bespoke_jax.core.types import Arr, BatchTime

GROUPS = 8

Image = Float[Arr, "batch _ _ _"]
Labels = Int[Arr, " batch"]


class Conv3(nn.Module):
    """A 3x3 convolution of stride 1 with zero padding, as one matrix product.

    XLA's CPU compiler runs the gradients of its own convolution many times slower
    inside a `lax.scan` than outside (jax 0.10.1); those of a matrix product are as fast
    in both, and training and fitting differentiate this network inside a scan.
    """

    features: int
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Image) -> Image:
        """Maps `(batch, h, w, in)` to `(batch, h, w, features)`."""
        _, h, w, _ = x.shape
        x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        window = [x[:, i : i + h, j : j + w] for i in range(3) for j in range(3)]
        return nn.Dense(self.features, kernel_init=self.kernel_init)(
            jnp.concatenate(window, axis=-1)
        )


class ResidualBlock(nn.Module):
    """x + conv(swish((1 + scale) norm(conv(swish(norm(x)))) + shift)), from time."""

    channels: int

    @nn.compact
    def __call__(self, x: Image, e: Float[Arr, "batch width"]) -> Image:
        """Maps `(batch, h, w, in)` to `(batch, h, w, channels)`, e `(batch, width)`."""
        h = Conv3(self.channels)(nn.swish(nn.GroupNorm(GROUPS)(x)))
        modulation = nn.Dense(2 * self.channels)(e)[:, None, None, :]
        scale, shift = jnp.split(modulation, 2, axis=-1)
        h = nn.GroupNorm(GROUPS)(h) * (1 + scale) + shift
        # A block starts as the identity, so depth costs nothing early in training.
        h = Conv3(self.channels, kernel_init=nn.initializers.zeros)(nn.swish(h))
        if x.shape[-1] != self.channels:
            x = nn.Dense(self.channels)(x)
        return x + h


class TimeEmbedding(nn.Module):
    """Sinusoids of t at geometric frequencies, then a two-layer perceptron."""

    width: int
    frequencies: int = 12
    highest: float = 2 * np.pi * 4  # radians per unit of t

    @nn.compact
    def __call__(self, t: Float[Arr, " batch"]) -> Float[Arr, "batch width"]:
        """Maps times `(batch,)` in [0, 1] to `(batch, width)`."""
        omega = np.geomspace(np.pi / 2, self.highest, self.frequencies)
        phase = t[:, None] * jnp.asarray(omega, t.dtype)[None, :]
        e = jnp.concatenate([jnp.sin(phase), jnp.cos(phase)], axis=-1)
        return nn.swish(nn.Dense(self.width)(nn.swish(nn.Dense(self.width)(e))))


class UNet(nn.Module):
    """A network `module(x, t)` for images `(batch, 8, 8, 1)`; any even size works.

    `fine` channels at full resolution, `coarse` at half. The output has the shape of
    x and is a velocity or a noise prediction, whichever it was trained for. With
    `classes` > 0 it is `module(x, t, c)`, c the labels `(batch,)` in 0 .. classes,
    where `classes` itself stands for no label.
    """

    fine: int = 24
    coarse: int = 64
    width: int = 96
    classes: int = 0

    @nn.compact
    def __call__(self, x: Image, t: BatchTime, c: Labels | None = None) -> Image:
        """Maps x `(batch, h, w, channels)`, t scalar or `(batch,)`, to x's shape."""
        batch, height, breadth, channels = x.shape
        t = jnp.broadcast_to(jnp.asarray(t, x.dtype), (batch,))
        e = TimeEmbedding(self.width)(t)
        if self.classes:
            if c is None:
                raise ValueError(f"this U-Net needs labels c in 0 .. {self.classes}")
            e = e + nn.Embed(self.classes + 1, self.width)(c)
        h = ResidualBlock(self.fine)(Conv3(self.fine)(x), e)
        skip = h
        # Down and up by rearranging: 2x2 pixels become the channels of one, and back.
        h = h.reshape(batch, height // 2, 2, breadth // 2, 2, self.fine)
        h = h.transpose(0, 1, 3, 2, 4, 5)
        h = nn.Dense(self.coarse)(
            h.reshape(batch, height // 2, breadth // 2, 4 * self.fine)
        )
        h = ResidualBlock(self.coarse)(h, e)
        h = ResidualBlock(self.coarse)(h, e)
        h = nn.Dense(4 * self.fine)(h)
        h = h.reshape(batch, height // 2, breadth // 2, 2, 2, self.fine)
        h = h.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height, breadth, self.fine)
        h = ResidualBlock(self.fine)(jnp.concatenate([h, skip], axis=-1), e)
        h = nn.swish(nn.GroupNorm(GROUPS)(h))
        return Conv3(channels, kernel_init=nn.initializers.zeros)(h)
