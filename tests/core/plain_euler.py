"""Euler's method without Fresco, to compare with."""

import torch

from fresco_core.sampling import euler_step


@torch.no_grad()
def sample_euler(denoise, x, sigmas):
    """Over sigmas (steps + 1,), falling, from the state x (B, C, ..., H, W) at sigmas[0]."""
    for sigma, sigma_next in zip(sigmas, sigmas[1:], strict=False):
        x = euler_step(x, denoise(x, sigma.expand(x.shape[0])), sigma, sigma_next)
    return x
