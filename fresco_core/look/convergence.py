"""Where the prediction has settled: temporal variance of the clean prediction, block by block."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

from ..canvas.haar import merge


class ConvergenceTracker:
    """Blockwise variance of the last `window` clean predictions, relative to the prediction's spatial
    variance.

    A block is 2^block_level latent pixels a side. Memory is constant: `window` merged predictions. Nothing
    here synchronises with the device.
    """

    def __init__(self, block_level: int = 2, window: int = 3):
        if window < 2:
            raise ValueError(f"window is {window}; a variance needs at least 2 predictions")
        self.block_level = block_level
        self.window = window
        self._history: deque[Tensor] = deque(maxlen=window)

    def reset(self) -> None:
        """Forget everything: the next prediction is the first."""
        self._history.clear()

    def update(self, prediction: Tensor) -> Tensor | None:
        """Add a prediction (B, C, H, W) or (B, C, T, H, W); returns (B, T, h, w) values, or None for the
        first.

        v = mean over channels of the variance over the window / spatial variance of the prediction,
        dimensionless.
        """
        blocks = merge(prediction.float(), self.block_level)
        if blocks.ndim == 4:
            blocks = blocks.unsqueeze(2)
        if self._history and self._history[-1].shape != blocks.shape:
            self.reset()
        self._history.append(blocks)
        if len(self._history) < 2:
            return None
        temporal = torch.stack(tuple(self._history)).var(dim=0, unbiased=False).mean(dim=1)
        spatial = blocks.flatten(2).var(dim=2, unbiased=False).mean(dim=1)
        return temporal / spatial.clamp_min(1e-12).reshape(-1, 1, 1, 1)
