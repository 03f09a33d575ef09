"""Held-out prompts: scenes, and what is said of them.

`full` says everything. `open` is many-valued: each prompt keeps a random part of its scene's words, some say
nothing, as in the training of open models. `empty` says nothing at all. The scenes behind the prompts, and
thus the real pictures, are the same for all three.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fresco_core.demo.random_scenes import draw_scene
from fresco_core.demo.scene import scene_ids
from fresco_core.demo.vocabulary import Vocabulary
from fresco_core.demo.weights import FOLDERS
from tools.demo.leaving_out import leave_out

SCENE_SEED = (0, 6_000_000)
"""Of the held-out scenes; training draws its own from other seeds."""
BASIS_SEED = (0, 6_000_001)
"""Of scenes that no setting is measured on; see `statistics.FeatureSpace`."""
WORD_SEED = 6_500_000
"""Of the words that open prompts leave out."""
PROMPTS = ("full", "open", "empty")


def weights_for(prompts: str) -> Path:
    """The folder of the model that a kind of prompts is measured on, if no other is asked for."""
    return FOLDERS["detailed" if prompts == "full" else "short"]


def held_out_scenes(vocabulary: Vocabulary, count: int, seed: tuple[int, int] = SCENE_SEED) -> Tensor:
    """Ids (count, columns) of scenes; a smaller count gives the first of a larger one."""
    random = np.random.default_rng(seed)
    return scene_ids([draw_scene(vocabulary, random) for _ in range(count)], vocabulary)


def said_of(scenes: Tensor, vocabulary: Vocabulary, prompts: str) -> Tensor:
    """What prompts of a kind in PROMPTS say of scenes (N, columns), ids of the same shape. Each prompt draws
    for itself, so that a smaller count gives the first of a larger one. Raises ValueError for other kinds."""
    if prompts == "full":
        return scenes
    if prompts == "empty":
        return torch.zeros_like(scenes)
    if prompts != "open":
        raise ValueError(f"unknown prompts '{prompts}'; expected one of {', '.join(PROMPTS)}")
    parts = [
        leave_out(scene[None], vocabulary, torch.Generator().manual_seed(WORD_SEED + index))
        for index, scene in enumerate(scenes)
    ]
    return torch.cat(parts) if parts else scenes
