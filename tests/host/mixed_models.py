"""The tiny models that mixed sequences are tested on, and layouts and canvases for them."""

import functools
import math
from contextlib import contextmanager

import comfyui_version
import pytest
import tiny
import torch
from tiny_families import SPECS

FAMILIES = (
    "flux",
    "flux_kontext",
    "flux_inpaint",
    "flux2",
    "chroma",
    "krea2",
    "krea2_edit",
    "qwen_image",
    "qwen_edit",
    "hunyuan_video",
    "hunyuan_image",
    "hunyuan_video15",
    "wan",
    "wan_i2v",
    "lumina2",
    "z_image",
)
# a coarse look sees the mean of their reference's blocks, coarse tokens one token of each
EDITS = ("flux_kontext", "krea2_edit", "qwen_edit")
BY_HAND = ("flux", "chroma", "krea2", "qwen_image", "hunyuan_video", "wan", "lumina2", "z_image")
FROM = dict.fromkeys(  # the first host here that gives them positions as their adapters need them
    ("hunyuan_video", "hunyuan_image", "hunyuan_video15", "lumina2", "z_image"), (0, 18)
)
PADDED = {"z_image": 32}  # the host pads its image sequence to multiples of it
WITHOUT = ("sd3", "sdxl")
HOST = tuple(int(n) for n in comfyui_version.__version__.split(".")[:2])


def built(family, batch=2, size=(16, 16)):
    """`size` is for patches of 2 latent pixels: as many tokens for all families."""
    size = tuple(side * SPECS[family].patch // 2 for side in size)
    return tiny.build(family, batch=batch, size=size)


def model_of(family, **shape):
    """A family's tiny model; tests leave it as they found it."""
    if family not in tiny.available() or FROM.get(family, HOST) > HOST:
        pytest.skip(f"ComfyUI {comfyui_version.__version__} has no {family} that takes mixed sequences")
    return built(family, **shape)


def demo_model(batch=2):
    """The demo model on the host with one prompt and a latent of `batch` pictures, and its own code with
    it; tests leave it as they found it."""
    from fresco_pack.fresco_core.demo.subjects import PromptedDenoiser

    demo, patcher = _demo()
    context, pooled = demo.prompt.encode(["a frog top left, a robot right, on blue dots"])
    latent = {"samples": torch.zeros(batch, 16, 24, 24)}
    model = tiny.Tiny("flux", patcher.clone(), latent, 2, [[context, {"pooled_output": pooled}]])
    model.negative = model.positive
    return model, PromptedDenoiser(demo.transformer, context, pooled)


@functools.cache
def _demo():
    import comfy.sd
    from fresco_pack.fresco_core.demo.weights import FOLDER, TRANSFORMER, load_demo

    return load_demo(), comfy.sd.load_diffusion_model(str(FOLDER / TRANSFORMER), {"dtype": torch.float32})


@contextmanager
def one_clock():
    """Coarse tokens share the clock of fine ones in all families, while this lasts."""
    from fresco_pack.nodes.engine.run import Run

    prepare = Run.prepare

    def prepared(self, *given):
        plan = prepare(self, *given)
        if self.mixing is not None:
            self.mixing = (self.mixing[0], False)
        return plan

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "prepare", prepared)
        yield


def grid_of(model):
    """Frames, rows and columns of blocks."""
    shape = model.latent["samples"].shape
    rows, columns = (-(-n // (2 * model.patch)) for n in shape[-2:])
    return shape[2] if len(shape) == 5 else 1, rows, columns


def random_layout(model, share, seed=0):
    """A layout with `share` of the blocks fine, other ones in every sample and frame."""
    from fresco_pack.fresco_core import mixed_layout

    batch, grid = len(model.latent["samples"]), grid_of(model)
    score = torch.rand(batch, math.prod(grid), generator=torch.Generator().manual_seed(seed))
    count = round(share * score.shape[1])
    mask = torch.zeros_like(score, dtype=torch.bool).scatter(1, score.argsort(1)[:, :count], True)
    return mixed_layout(mask.reshape(batch, *grid), count)


def random_canvas(model, seed=3):
    return torch.randn(model.latent["samples"].shape, generator=torch.Generator().manual_seed(seed))
