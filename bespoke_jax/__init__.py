"""Custom-fitted ODE samplers for pre-trained flow and diffusion models."""

__version__ = "0.1.0"
