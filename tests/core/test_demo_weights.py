"""The weights in the tree: they load, they fit together, and they draw what the prompt says."""

import itertools

import pytest
import torch

from fresco_core.demo.classifier import fidelity
from fresco_core.demo.random_scenes import draw_scene
from fresco_core.demo.scene import Scene, scene_ids
from fresco_core.demo.weights import FOLDER, TRANSFORMER, load_classifier, load_demo

pytestmark = pytest.mark.skipif(not (FOLDER / TRANSFORMER).is_file(), reason="no demo weights in this tree")


@pytest.fixture(scope="module")
def demo():
    """The demo model."""
    return load_demo()


def test_all_parts_speak_of_the_same_words(demo):
    assert load_classifier().vocabulary == demo.vocabulary


def test_files_together_stay_small():
    assert sum(file.stat().st_size for file in FOLDER.glob("*.safetensors")) < 15e6


def test_encoder_and_decoder_agree(demo):
    images = torch.full((1, 3, 64, 64), 0.5)
    images[:, 0, :, :32] = 0.8
    latents = demo.autoencoder.encode(images)
    assert latents.shape == (1, 16, 8, 8)
    assert (demo.autoencoder.decode(latents) - images).abs().mean() < 0.06


def test_pictures_show_their_prompts(demo):
    import numpy as np

    random = np.random.default_rng(5)
    scenes: list[Scene] = [draw_scene(demo.vocabulary, random) for _ in range(8)]
    context, pooled = demo.prompt.encode([scene.prompt() for scene in scenes])
    x = torch.randn(8, 16, 24, 24, generator=torch.Generator().manual_seed(0))
    sigmas = torch.linspace(1, 0, 11)
    for here, there in itertools.pairwise(sigmas):
        x = x + (there - here) * demo.transformer(x, here.expand(8), context, pooled)
    pictures = demo.autoencoder.decode(x).clamp(0, 1)
    seen = fidelity(load_classifier()(pictures), scene_ids(scenes, demo.vocabulary))
    assert seen.objects >= 0.6 and seen.places >= 0.8 and seen.kinds >= 0.8 and seen.colours >= 0.8
