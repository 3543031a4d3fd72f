"""The digits U-Net in torch, with the weights of the Flax one.

Needs torch (the `peers` dependency group). What is one matrix product a window there is
torch's own convolution here, the fast form of each library; `ground_truth` checks that
both give the same numbers.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

GROUPS, EPSILON = 8, 1e-6  # of Flax's group norm
FREQUENCIES, HIGHEST = 12, 2 * np.pi * 4


def _tensor(leaf: Any) -> nn.Parameter:
    return nn.Parameter(torch.tensor(np.asarray(leaf)), requires_grad=False)


def dense(params: dict) -> nn.Linear:
    """y = x W + b, W as Flax has it: (in, out)."""
    kernel = np.asarray(params["kernel"])
    layer = nn.Linear(*kernel.shape)
    layer.weight, layer.bias = _tensor(kernel.T.copy()), _tensor(params["bias"])
    return layer


def pointwise(params: dict) -> nn.Conv2d:
    """The same at every pixel."""
    kernel = np.asarray(params["kernel"])
    layer = nn.Conv2d(*kernel.shape, 1)
    layer.weight = _tensor(kernel.T[:, :, None, None].copy())
    layer.bias = _tensor(params["bias"])
    return layer


def conv3(params: dict) -> nn.Conv2d:
    """A 3x3 convolution; Flax's kernel is (9 * in, out), window first."""
    kernel = np.asarray(params["Dense_0"]["kernel"])
    inputs, outputs = kernel.shape[0] // 9, kernel.shape[1]
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    kernel = kernel.reshape(3, 3, inputs, outputs).transpose(3, 2, 0, 1)
    layer.weight = _tensor(kernel.copy())
    layer.bias = _tensor(params["Dense_0"]["bias"])
    return layer


def norm(params: dict) -> nn.GroupNorm:
    scale = np.asarray(params["scale"])
    layer = nn.GroupNorm(GROUPS, len(scale), eps=EPSILON)
    layer.weight, layer.bias = _tensor(scale), _tensor(params["bias"])
    return layer


class ResidualBlock(nn.Module):
    def __init__(self, params: dict):
        super().__init__()
        self.norms = nn.ModuleList(norm(params[f"GroupNorm_{i}"]) for i in (0, 1))
        self.convs = nn.ModuleList(conv3(params[f"Conv3_{i}"]) for i in (0, 1))
        self.modulation = dense(params["Dense_0"])
        known = "Dense_1" in params
        self.skip = pointwise(params["Dense_1"]) if known else nn.Identity()

    def forward(self, x, e):
        h = self.convs[0](F.silu(self.norms[0](x)))
        scale, shift = self.modulation(e)[:, :, None, None].chunk(2, dim=1)
        h = self.norms[1](h) * (1 + scale) + shift
        return self.skip(x) + self.convs[1](F.silu(h))


class UNet(nn.Module):
    """network(t, x), t () and x (batch, 8, 8, 1), as the Flax module lays it out."""

    def __init__(self, params: dict):
        super().__init__()
        omega = np.geomspace(np.pi / 2, HIGHEST, FREQUENCIES)
        self.register_buffer("omega", torch.tensor(omega, dtype=torch.float32))
        time = params["TimeEmbedding_0"]
        self.time = nn.ModuleList(dense(time[f"Dense_{i}"]) for i in (1, 0))
        self.first, self.last = conv3(params["Conv3_0"]), conv3(params["Conv3_1"])
        self.blocks = nn.ModuleList(
            ResidualBlock(params[f"ResidualBlock_{i}"]) for i in range(4)
        )
        self.down, self.up = pointwise(params["Dense_0"]), pointwise(params["Dense_1"])
        self.norm = norm(params["GroupNorm_0"])

    def forward(self, t, x):
        batch, height, breadth, _ = x.shape
        phase = (t * self.omega).expand(batch, -1)
        e = torch.cat([torch.sin(phase), torch.cos(phase)], dim=-1)
        for layer in self.time:
            e = F.silu(layer(e))
        skip = h = self.blocks[0](self.first(x.permute(0, 3, 1, 2)), e)
        # 2x2 pixels become the channels of one, window first as in Flax, and back.
        h = h.reshape(batch, -1, height // 2, 2, breadth // 2, 2)
        h = h.permute(0, 3, 5, 1, 2, 4).flatten(1, 3)
        h = self.blocks[2](self.blocks[1](self.down(h), e), e)
        h = self.up(h).reshape(batch, 2, 2, -1, height // 2, breadth // 2)
        h = h.permute(0, 3, 4, 1, 5, 2).reshape(batch, -1, height, breadth)
        h = self.blocks[3](torch.cat([h, skip], dim=1), e)
        return self.last(F.silu(self.norm(h))).permute(0, 2, 3, 1)


def load(field: Any, dtype: torch.dtype = torch.float32) -> UNet:
    """The network of a digits velocity field; its weights ride in the field."""
    (variables,) = field.args
    return UNet(variables["params"]).to(dtype).eval()
