"""LPIPS, where this machine has it: the package `lpips`, and its network's weights. Nothing is fetched."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

log = logging.getLogger(__name__)

WEIGHTS = "alexnet-owt-7be5be79.pth"  # as torchvision keeps them in torch's folder
LEAST_SIDE = 64  # pixels; AlexNet's last maps vanish below


def lpips() -> Callable[[Tensor, Tensor], float] | None:
    """The mean LPIPS (Zhang et al., arXiv 1801.03924) of pictures (N, H, W, 3) in [0, 1]; None where there is
    none."""
    weights = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
    if importlib.util.find_spec("lpips") is None or not weights.exists():
        return None
    try:
        import lpips as package

        network = package.LPIPS(net="alex", verbose=False).train(False).requires_grad_(False)
    except Exception as error:  # a package of another version, weights that are broken
        log.warning("Fresco does without LPIPS: %s", error)
        return None

    def distance(a: Tensor, b: Tensor) -> float:
        with torch.no_grad():
            pairs = [
                network(*(x.movedim(-1, 0)[None] * 2.0 - 1.0 for x in pair))
                for pair in zip(a.float(), b.float())
            ]
        return float(torch.cat(pairs).mean())

    return distance
