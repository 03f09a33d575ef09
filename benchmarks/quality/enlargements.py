"""How drafts that go via pixels are enlarged: the pack's way, and another to compare it with."""

from __future__ import annotations

import torch
from torch import Tensor

from fresco_core.look.bridge import Enlarge, bicubic


def lanczos(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """An Enlarge: Lanczos with three lobes, one axis after the other (Duchon 1979)."""
    for dim, side in ((-2, size[0]), (-1, size[1])):
        pixels = torch.tensordot(pixels, _lanczos_weights(pixels.shape[dim], side).to(pixels), ([dim], [1]))
        pixels = pixels.movedim(-1, dim)
    return pixels


def _lanczos_weights(source: int, target: int, lobes: int = 3) -> Tensor:
    """(target, source): what each line of the picture is made of; lines beyond the edge are the edge's."""
    centres = (torch.arange(target, dtype=torch.float64) + 0.5) * source / target - 0.5
    near = centres.floor().unsqueeze(1) + torch.arange(1 - lobes, lobes + 1)
    distance = centres.unsqueeze(1) - near
    weights = torch.sinc(distance) * torch.sinc(distance / lobes) * (distance.abs() < lobes)
    weights = weights / weights.sum(dim=1, keepdim=True)
    out = torch.zeros(target, source, dtype=torch.float64)
    return out.scatter_add_(1, near.long().clamp(0, source - 1), weights)


ENLARGE: dict[str, Enlarge] = {"bicubic": bicubic, "lanczos": lanczos}
