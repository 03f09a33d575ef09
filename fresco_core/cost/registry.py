"""Published models by name: their architectures, how large a canvas a picture or video is for them, and
between which sizes they are at home."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..canvas.size import Canvas
from .families import chroma, flux, hunyuan_video, krea2, lumina, qwen_image, sd3, wan
from .sound_families import PROMPT_MODULATIONS, ltx_2, ltx_video, minimax_h3
from .transformer import Architecture

TRAINED_PIXELS = (220_000, 2_100_000)
"""Fewest and most pixels a frame that a draft may have.

The makers recommend pictures of up to two megapixels (FLUX.2: help.bfl.ai, "Aspect Ratios and Output
Dimensions") and video of 480p and 720p. The lower bound is ours: it admits half of 1024 x 1024 and of 1280 x
720 (640 x 360), three quarters of 832 x 480 (624 x 360), where who runs Wan at changing resolutions
(LightX2V) begins unless told otherwise, three quarters of 768 x 512 (576 x 384), at which Kandinsky 5 Lite
makes video (its card), and no 240p draft of 480p video. What is published of smaller sizes
does not carry one: Wan (arXiv 2503.20314) saw 192p video in the first of three stages of its training, and
480p and 720p in the others, and its code takes those two; HunyuanVideo (arXiv 2412.03603) kept 256 pixels in
the mix for its pictures, and HunyuanVideo 1.5 names 480p and 720p. All were trained on small pictures first;
none of their makers says that the finished model draws them well. Others differ: Spectral Progressive
Diffusion (arXiv 2605.18736) starts Wan 2.1 at half of 832 x 480 and shows samples, while SURF
(openreview.net, BwvJx2JP11) finds that Wan loses layout and motion below the size that it is trained for."""

LTX_VIDEO_PIXELS = (170_000, 921_600)
"""LTX-Video: its card says that it works best below 1280 x 720; the draft of its own two-step example for 832
x 480 is 544 x 320 (diffusers, "LTX-Video": two thirds, rounded to what its autoencoder takes)."""

LTX_2_PIXELS = (225_000, 2_100_000)
"""LTX-2: ComfyUI's templates draft 1280 x 720 at 640 x 352, half of it on the grid of 32 pixels, and its
makers recommend up to 1920 x 1080 (docs.ltx.video)."""

MINIMAX_H3_PIXELS = (220_000, 768 * 1344)
"""MiniMax H3: ComfyUI's nodes bring every size to 768 pixels on the short edge and to this area at the most.
Nobody has told a lower bound; ours is that of other video: half of that area, 672 x 384, and three quarters
of the sides of ComfyUI's templates, 480 x 480 and 648 x 360, are above it."""

U_NET_PIXELS = (250_000, 2_100_000)
"""Stable Diffusion 1 is trained at 512 x 512; SDXL at a megapixel, and draws at half of it still."""

UNKNOWN_PIXELS = (250_000, None)
"""What models of unknown classes are held to: half of 1024 x 1024, which most of them can draw."""


@dataclass(frozen=True)
class Model:
    """A published model.

    pixels: pixels of a picture per latent pixel. patch: latent pixels per token. frames: video frames per
    latent frame behind the first, which stands for one; 0 for models of single pictures. trained: fewest and
    most pixels that it is at home with. latents: latent frames of so many, where they are packed otherwise.
    """

    architecture: Architecture
    pixels: int = 8
    patch: int = 2
    frames: int = 0
    trained: tuple[int, int | None] = TRAINED_PIXELS
    latents: Callable[[int], int] | None = None

    @property
    def name(self) -> str:
        """The name that it is known by here."""
        return self.architecture.name

    def canvas(self, width: int, height: int, frames: int = 1) -> Canvas:
        """The canvas of a picture (or of `frames` of video) of width x height pixels.

        Raises ValueError for several frames of a model of single pictures.
        """
        if frames > 1 and not self.frames:
            raise ValueError(f"{self.name} makes single pictures, not {frames} frames; leave frames at 1")
        packed = self.latents or (lambda count: 1 + (count - 1) // self.frames)
        return Canvas(
            height // self.pixels,
            width // self.pixels,
            1 if frames == 1 else packed(frames),
            self.patch,
            trained=trained_latents(self.trained, self.pixels),
            scale=self.pixels,
            family=self.name,
        )


def minimax_h3_latents(frames: int) -> int:
    """Latent frames of MiniMax H3: five hold seventeen frames, and the last two five."""
    return 2 + max(0, frames - 5) // 17 * 5


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(flux("flux.1-dev")),
        Model(flux("flux.1-schnell", guidance=False, text_tokens=256)),
        Model(flux("flux.1-lite", double=8)),
        Model(
            flux(
                "flux.2-dev",
                width=6144,
                double=8,
                single=48,
                mlp_ratio=3.0,
                gated=True,
                patch_inputs=128,
                patch_outputs=128,
                context=15360,
                pooled=None,
                global_modulation=True,
            ),
            pixels=16,
            patch=1,
        ),
        Model(
            flux(
                "flux.2-klein-9b",
                width=4096,
                double=8,
                single=24,
                mlp_ratio=3.0,
                gated=True,
                patch_inputs=128,
                patch_outputs=128,
                context=12288,
                pooled=None,
                guidance=False,
                global_modulation=True,
            ),
            pixels=16,
            patch=1,
        ),
        Model(
            flux(
                "flux.2-klein-4b",
                width=3072,
                double=5,
                single=20,
                mlp_ratio=3.0,
                gated=True,
                patch_inputs=128,
                patch_outputs=128,
                context=7680,
                pooled=None,
                guidance=False,
                global_modulation=True,
            ),
            pixels=16,
            patch=1,
        ),
        Model(chroma("chroma")),
        Model(hunyuan_video("hunyuan-video"), frames=4),
        Model(
            hunyuan_video(
                "hunyuan-video-1.5",
                width=2048,
                double=54,
                single=0,
                patch_inputs=65,
                patch_outputs=32,
                context=3584,
                pooled=None,
                guidance=False,
                vision=1152,
            ),
            pixels=16,
            patch=1,
            frames=4,
        ),
        Model(qwen_image("qwen-image")),
        Model(wan("wan-14b", width=5120, mlp=13824, layers=40), frames=4),
        Model(wan("wan-i2v-14b", width=5120, mlp=13824, layers=40, patch_inputs=144, vision=1280), frames=4),
        Model(wan("wan-1.3b", width=1536, mlp=8960, layers=30), frames=4),
        Model(
            lumina(
                "lumina-2",
                width=2304,
                mlp=9216,
                layers=26,
                key_width=768,
                context=2304,
                conditioning=1024,
                time_hidden=1024,
            )
        ),
        Model(
            lumina(
                "z-image",
                width=3840,
                mlp=10240,
                layers=30,
                context=2560,
                conditioning=256,
                time_hidden=1024,
                multiple=32,
            )
        ),
        Model(krea2("krea-2")),
        Model(sd3("sd3.5-large", width=2432, layers=38)),
        Model(sd3("sd3.5-medium", width=1536, layers=24, dual_layers=13)),
        Model(ltx_video("ltx-video-2b"), 32, 1, 8, LTX_VIDEO_PIXELS),
        Model(ltx_video("ltx-video-13b", width=4096, layers=48), 32, 1, 8, LTX_VIDEO_PIXELS),
        Model(ltx_2("ltx-2"), 32, 1, 8, LTX_2_PIXELS),
        Model(
            ltx_2("ltx-2.3", caption=None, modulations=PROMPT_MODULATIONS, gates=(32, 32)),
            32,
            1,
            8,
            LTX_2_PIXELS,
        ),
        Model(minimax_h3("minimax-h3"), 16, 2, 4, MINIMAX_H3_PIXELS, minimax_h3_latents),
    )
}
"""Where the figures are from, besides the host's own detection of these models:

- FLUX.1: `transformer/config.json` of black-forest-labs/FLUX.1-dev and FLUX.1-schnell. FLUX.1-lite has 8 of
  the 19 double blocks left: 8.16 G parameters, as many as its 8-bit file has bytes.
- FLUX.2: diffusers' Flux2Transformer2DModel (dev); Klein9BParams and Klein4BParams of
  black-forest-labs/flux2, and `transformer/config.json` of FLUX.2-klein-base-4B in diffusers' format.
- HunyuanVideo 1.5: the defaults of diffusers' HunyuanVideo15Transformer3DModel.
- SD3.5: `transformer/config.json` of stabilityai/stable-diffusion-3.5-medium and -large.
- Krea 2: the defaults of diffusers' Krea2Transformer2DModel.
- LTX-Video, LTX-2 and MiniMax H3: the defaults of ComfyUI's LTXVModel, LTXAVModel and MiniMaxH3Model;
  LTX-Video 13B: 48 layers of 32 heads with 128 channels, as its checkpoint has. LTX-2.3 (22B): modulations
  for the attention to the text, a gate for every head, and a prompt that comes as wide as the network.

Text tokens: 512 for FLUX.1-dev, FLUX.2 and Wan, 256 for FLUX.1-schnell and HunyuanVideo, and twice 77 for SD3
are the lengths that their pipelines pad to, as are LTX-Video's 256 and LTX-2's 1024. MiniMax H3's 512 stand
for a long prompt. Sound: of five seconds. Chroma, HunyuanVideo 1.5, Qwen-Image, Lumina, Z-Image and Krea 2
take a prompt at its own length, of 512 to 1024 at the most; 256 stands for a long one. In nodes the cost of a
run counts the prompt's real length."""


def model(name: str) -> Model:
    """The model of that name; ValueError naming them all otherwise."""
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; expected one of {', '.join(MODELS)}")
    return MODELS[name]


def trained_latents(trained: tuple[int, int | None], pixels: int) -> tuple[int, int | None]:
    """Fewest and most pixels of a picture, of which None is any, in latent pixels of `pixels` x `pixels`."""
    fewest, most = trained
    return -(-fewest // pixels**2), None if most is None else most // pixels**2
