"""Dynamic Video Generation's stages and shifts, as far as a picture has them (arXiv 2605.21042).

Four stages end after 28, 50, 72 and 100 % of the steps. Each has a flow shift of its own, 7, 9, 11 and 11 for
a model whose shift is 7: a stage begins by noising the last clean prediction, enlarged by copying, at the
sigma that its shift gives for the step, which is a rewind. That noise is one field of a constant seed, bound
to coordinates, the same for all pictures. Its time axis (fewer frames early on) a picture does not have; of
the sizes that the model is trained for the first two stages take the half.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fresco_core.canvas.noise_field import hashed_noise
from fresco_core.sampling import euler_step

from .painter import Painter, copied, noised, shifted

ENDS = (0.28, 0.50, 0.72, 1.0)
SHIFTS = (7.0, 9.0, 11.0, 11.0)
LEVELS = (1, 1, 0, 0)
NOISE_SEED = 42


def dvg(painter: Painter, sigmas: Sequence[float], shift: float = 7.0) -> Tensor:
    """Euler through the stages; shift: of the first, the others in the paper's ratios to it. Stages that get
    no step are left out; the last step is full."""
    steps = len(sigmas) - 1
    stages = [_stage(step, steps) for step in range(steps)]
    channels, height, width = painter.noise.shape[1:]
    clean = state = painter.fresh_noise(level=LEVELS[stages[0]])
    for step, stage in enumerate(stages):
        here, there = (shifted(1.0 - i / steps, shift * SHIFTS[stage] / SHIFTS[0]) for i in (step, step + 1))
        if step and stage != stages[step - 1]:
            level = LEVELS[stage]
            clean = copied(clean) if clean.shape[-1] < width >> level else clean
            field = hashed_noise(NOISE_SEED, (1, channels, height >> level, width >> level))
            state = noised(clean, field, here)
        clean = painter.clean(state, here)
        state = euler_step(state, clean, torch.tensor(here), torch.tensor(there))
    return state


def _stage(step: int, steps: int) -> int:
    """The stage of a step, the last one for the last step."""
    if step == steps - 1:
        return len(ENDS) - 1
    return next(i for i, end in enumerate(ENDS) if step < max(int(end * steps), i == 0))
