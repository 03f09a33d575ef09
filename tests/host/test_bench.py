"""Fresco Bench called directly, on the demo model."""


import pytest
import torch


@pytest.fixture(scope="module")
def demo():
    from fresco_pack.nodes.demo import FrescoDemoLoader

    return FrescoDemoLoader.execute("a frog top left, a robot right, on blue dots").args


def bench(model, latent=None, vae=None, **inputs):
    from fresco_pack.nodes.bench import FrescoBench

    patcher, found, positive, negative = model
    given = {
        "seed": 5,
        "steps": 8,
        "cfg": 2.5,
        "sampler_name": "euler",
        "scheduler": "simple",
        "denoise": 1.0,
        "seeds": 2,
        "presets": "balanced\nturbo",
    }
    latent = {"samples": torch.zeros(1, 16, 24, 24)} if latent is None else latent
    return FrescoBench.execute(patcher, positive, negative, latent, vae or found, **given | inputs)


def test_a(demo):
    out = bench(demo)
    print(out.args[2]); print(out.args[3])
    from PIL import Image
    for i, name in ((0, "grid"), (1, "plot")):
        Image.fromarray((out.args[i][0].numpy() * 255).astype("uint8")).save(f"/tmp/b_{name}.png")
