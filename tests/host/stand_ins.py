"""Nodes that stand in for the loaders of real files, so that whole graphs run on tiny models of the host's
own classes: the models, their text and picture encoders, pictures, videos, and where results are kept.

`stood_in` puts them into a prompt, and `smaller` divides its sizes by SCALE. Sizes that models are trained
for have to be divided alike (`trained_for_less`), so that what is planned stays what it is at full size.
"""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from copy import deepcopy
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

# it boots the host, so it comes before comfy
import tiny_control
import tiny_streams
import torch
import torch.nn.functional as F
from host_models import ROWS
from test_all_models import built

# isort: split
import comfy.clip_vision
import comfy.nested_tensor
import pytest

SCALE = 4  # by which sides of pictures are smaller than a graph says
MOST = 512  # pixels a side, above which a picture is encoded SCALE times smaller
MODELS: dict[tuple[str, str], Any] = {}
KEPT: dict[str, Any] = {}
"""What the output nodes of the last run got, by node."""


def model_of(kind: str, file: str) -> Any:
    """The tiny model patcher that stands for a file of a class of the host's models."""
    if (kind, file) not in MODELS:
        streams = kind in tiny_streams.SPECS
        MODELS[kind, file] = tiny_streams.build(kind).patcher if streams else built(kind)
    return MODELS[kind, file]


class Text:
    """A text encoder: words draw a conditioning of the shape that the model is made for."""

    def __init__(self, kind: str):
        streams = tiny_streams.SPECS.get(kind)
        self.shape = streams.text if streams else ROWS[kind].text
        self.pooled = None if streams else ROWS[kind].pooled

    def tokenize(self, text: str, *_: Any, **__: Any) -> str:
        return text

    def clone(self, *_: Any, **__: Any) -> Text:
        return self

    def encode_from_tokens(self, tokens: str, *_: Any, **__: Any) -> tuple[torch.Tensor, Any]:
        generator = torch.Generator().manual_seed(zlib.crc32(str(tokens).encode()))
        drawn = torch.randn(1, *self.shape, generator=generator)
        return drawn, None if self.pooled is None else torch.randn(1, self.pooled, generator=generator)

    def encode_from_tokens_scheduled(self, tokens: str, *_: Any, **extra: Any) -> list:
        drawn, pooled = self.encode_from_tokens(tokens)
        return [[drawn, {"pooled_output": pooled, **extra.get("add_dict", {})}]]


class Pictures:
    """An autoencoder by block means: each latent channel is one of the three colours."""

    def __init__(self, kind: str):
        from tools.templates.models import CLASSES

        self.known = CLASSES[kind]
        form = model_of(kind, "any").model.latent_format
        self.latent_channels, self.video = form.latent_channels, form.latent_dimensions == 3
        if kind in tiny_streams.SPECS:
            self.latent_channels, self.video = tiny_streams.SPECS[kind].video[1], True
        pixels, frames = self.known.pixels, self.known.frames
        self.downscale_index_formula = (frames, pixels, pixels)
        self.first_stage_model = SimpleNamespace()

    def spacial_compression_decode(self) -> int:
        return self.known.pixels

    spacial_compression_encode = spacial_compression_decode

    def temporal_compression_decode(self) -> int | None:
        return self.known.frames if self.video else None

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, H, W, 3) to (N, C, h, w), or of a video to (1, C, t, h, w)."""
        n, height, width = pixels.shape[:3]
        side = self.known.pixels * (SCALE if max(height, width) > MOST else 1)
        small = F.adaptive_avg_pool2d(pixels[..., :3].movedim(-1, 1), (height // side, width // side)) - 0.5
        latent = small.repeat(1, -(-self.latent_channels // 3), 1, 1)[:, : self.latent_channels]
        if not self.video:
            return latent
        kept = latent[: 1 + (n - 1) // self.known.frames * self.known.frames : self.known.frames]
        return kept.movedim(0, 1).unsqueeze(0)

    def decode(self, latent: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """(..., C, h, w) to pixels of full size, with the frames that a video's latent stands for."""
        times = self.known.pixels
        colours = latent[:, :3] + 0.5
        if colours.ndim == 5:
            frames = [0] + [t for t in range(1, colours.shape[2]) for _ in range(self.known.frames)]
            colours = colours[:, :, frames].movedim(1, -1)
            return colours.repeat_interleave(times, 2).repeat_interleave(times, 3)
        return colours.movedim(1, -1).repeat_interleave(times, 1).repeat_interleave(times, 2)

    def decode_tiled(self, latent: torch.Tensor, **_: Any) -> torch.Tensor:
        return self.decode(latent)


class Sound:
    """An audio autoencoder that hears silence."""

    audio_sample_rate = sample_rate = output_sample_rate = 16000

    def __init__(self, kind: str):
        self.latent_channels = tiny_streams.SPECS[kind].audio[1]
        self.last = self.latent_frequency_bins = tiny_streams.SPECS[kind].audio[-1]
        self.first_stage_model = self  # older hosts ask the autoencoder itself

    def num_of_latents_from_frames(self, frames: int, rate: float) -> int:
        return round(frames / float(rate) * 25)

    def decode(self, latent: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return torch.zeros(latent.shape[0], 640 * latent.shape[2], 2)


class Vision:
    """A vision encoder that sees nothing."""

    def encode_image(self, image: torch.Tensor, crop: Any = True) -> comfy.clip_vision.Output:
        seen = comfy.clip_vision.Output()
        seen.penultimate_hidden_states = torch.zeros(1, 257, 1280)
        seen.last_hidden_state = seen.image_embeds = seen.penultimate_hidden_states
        return seen


def picture(width: int, height: int, frames: int = 1) -> torch.Tensor:
    """Smooth pictures (N, H, W, 3), the same for the same numbers."""
    generator = torch.Generator().manual_seed(width + height)
    drawn = torch.rand(1, 3, 3, 4, generator=generator)
    small = F.interpolate(drawn, size=(height, width), mode="bicubic", align_corners=True).clamp(0, 1)
    return small.movedim(1, -1).repeat(frames, 1, 1, 1)


def node(returns: tuple[str, ...], body: Any, inputs: dict[str, Any], output: bool = False) -> type:
    """A node class of the host's first kind around a function."""
    required = {name: spec if isinstance(spec, tuple) else (spec,) for name, spec in inputs.items()}
    return type(
        "StandIn",
        (),
        {
            "INPUT_TYPES": classmethod(lambda cls: {"required": required, "hidden": {"me": "UNIQUE_ID"}}),
            "RETURN_TYPES": returns,
            "FUNCTION": "run",
            "CATEGORY": "tests",
            "OUTPUT_NODE": output,
            "run": lambda self, me=None, **given: body(me=me, **given),
        },
    )


def _video(me: str, **_: Any) -> tuple:
    from comfy_api.latest import InputImpl, Types

    frames = picture(1280 // SCALE, 720 // SCALE, 81)
    parts = Types.VideoComponents(images=frames, audio=None, frame_rate=Fraction(16))
    return (InputImpl.VideoFromComponents(parts),)


def _keep(me: str, value: Any) -> tuple:
    KEPT[me] = value
    return (value,)


FILE = {"kind": "STRING", "file": "STRING"}
NODES = {
    "StandInModel": node(
        ("MODEL", "CLIP", "VAE"),
        lambda me, kind, file: (model_of(kind, file), Text(kind), Pictures(kind)),
        FILE,
    ),
    "StandInText": node(("CLIP",), lambda me, kind, file: (Text(kind),), FILE),
    "StandInPictures": node(("VAE",), lambda me, kind, file: (Pictures(kind),), FILE),
    "StandInSound": node(("VAE",), lambda me, kind, file: (Sound(kind),), FILE),
    "StandInVision": node(("CLIP_VISION",), lambda me, kind, file: (Vision(),), FILE),
    "StandInControl": node(
        ("CONTROL_NET",), lambda me, kind, file: (tiny_control.flux_controlnet(),), FILE
    ),
    "StandInPicture": node(
        ("IMAGE", "MASK"),
        lambda me: (picture(1024 // SCALE, 1024 // SCALE), _half_masked(1024 // SCALE)),
        {},
    ),
    "StandInVideo": node(("VIDEO",), _video, {}),
    "StandInScaled": node(
        ("IMAGE",), lambda me, image: (picture(1024 // SCALE, 1024 // SCALE),), {"image": "IMAGE"}
    ),
    "StandInSize": node(
        ("INT", "INT"), lambda me, width, height: (width, height), {"width": "INT", "height": "INT"}
    ),
    "StandInWords": node(("STRING",), lambda me, prompt: (prompt,), {"prompt": "STRING"}),
    "StandInKept": node(("*",), _keep, {"value": "*"}, output=True),
}


def _half_masked(side: int) -> torch.Tensor:
    mask = torch.zeros(1, side, side)
    mask[:, :, side // 2 :] = 1.0
    return mask


LOADERS = {
    "UNETLoader": ("StandInModel", "unet_name"),
    "CheckpointLoaderSimple": ("StandInModel", "ckpt_name"),
    "CLIPLoader": ("StandInText", "clip_name"),
    "DualCLIPLoader": ("StandInText", "clip_name1"),
    "LTXAVTextEncoderLoader": ("StandInText", "text_encoder"),
    "VAELoader": ("StandInPictures", "vae_name"),
    "LTXVAudioVAELoader": ("StandInSound", "ckpt_name"),
    "CLIPVisionLoader": ("StandInVision", "clip_name"),
    "ControlNetLoader": ("StandInControl", "control_net_name"),
}
KEEPERS = ("SaveImage", "SaveImageAdvanced", "SaveVideo", "SaveAnimatedWEBP")
THROUGH = {"LoraLoaderModelOnly": ("model",), "LoraLoader": ("model", "clip")}
"""Nodes that are left out: which input stands for each output."""


def stood_in(prompt: dict[str, Any]) -> dict[str, Any]:
    """The prompt with stand-ins for what loads files, and keepers for what saves them."""
    from tools.templates.models import class_of

    made = deepcopy(prompt)
    files = [str(v) for n in made.values() for v in n["inputs"].values() if str(v).endswith(".safetensors")]
    first = next(n["inputs"][LOADERS[n["class_type"]][1]] for n in made.values() if _makes_a_model(n))
    kind = class_of(first).name
    assert files
    for entry in made.values():
        name, inputs = entry["class_type"], entry["inputs"]
        if name in LOADERS:
            stand_in, key = LOADERS[name]
            file = inputs[key]
            own = class_of(file).name if stand_in == "StandInModel" else kind
            sound = stand_in == "StandInPictures" and "audio" in file
            entry["class_type"] = "StandInSound" if sound else stand_in
            entry["inputs"] = {"kind": own, "file": file}
        elif name in KEEPERS:
            value = next(v for v in inputs.values() if isinstance(v, list))
            entry.update(class_type="StandInKept", inputs={"value": value})
        elif name in ("LoadImage", "LoadVideo"):
            entry.update(class_type=name.replace("LoadImage", "StandInPicture"), inputs={})
            entry["class_type"] = entry["class_type"].replace("LoadVideo", "StandInVideo")
        elif name == "FluxKontextImageScale":
            entry["class_type"] = "StandInScaled"
        elif name in ("TextGenerate", "TextGenerateLTX2Prompt"):
            entry.update(class_type="StandInWords", inputs={"prompt": inputs["prompt"]})
        elif name == "LTXVLatentUpsampler":
            taken = {"samples": inputs["samples"], "upscale_method": "nearest-exact", "scale_by": 2.0}
            entry.update(class_type="LatentUpscaleBy", inputs=taken)
    return {k: _led_through(n, made) for k, n in made.items() if n["class_type"] not in _UNUSED}


_UNUSED = (*THROUGH, "LatentUpscaleModelLoader")


def _makes_a_model(entry: dict[str, Any]) -> bool:
    return LOADERS.get(entry["class_type"], ("",))[0] == "StandInModel"


def _led_through(entry: dict[str, Any], prompt: dict[str, Any]) -> dict[str, Any]:
    """The node with its links led past those that are left out."""

    def origin(value: Any) -> Any:
        while isinstance(value, list) and prompt[value[0]]["class_type"] in THROUGH:
            before = prompt[value[0]]
            value = before["inputs"][THROUGH[before["class_type"]][value[1]]]
        return value

    return {**entry, "inputs": {name: origin(value) for name, value in entry["inputs"].items()}}


SIDES = ("width", "height", "longer_edge", "longer_size", "largest_size")
AREAS = ("megapixels",)


def smaller(prompt: dict[str, Any]) -> dict[str, Any]:
    """The prompt with the sides of all pictures divided by SCALE; frames and steps stay."""
    from tools.templates.arithmetic import selected

    made = deepcopy(prompt)
    for entry in made.values():
        inputs = entry["inputs"]
        if entry["class_type"] == "ResolutionSelector":
            chosen = selected(inputs["aspect_ratio"], inputs["megapixels"], inputs["multiple"])
            sides = dict(zip(("width", "height"), (side // SCALE for side in chosen)))
            entry.update(class_type="StandInSize", inputs=sides)
            continue
        number = entry["class_type"] == "PrimitiveInt" and inputs["value"]
        if isinstance(number, int) and number > MOST // 2:
            inputs["value"] = _side(number)
        for name, value in inputs.items():
            last = name.rpartition(".")[2]
            if last in SIDES and isinstance(value, int):
                inputs[name] = _side(value)
            elif last in AREAS and isinstance(value, (int, float)):
                inputs[name] = value / SCALE**2
    return made


def _side(pixels: int) -> int:
    return pixels // SCALE if pixels > MOST // 2 else pixels


@contextmanager
def trained_for_less():
    """All models are trained for pictures SCALE times smaller each way, while this lasts."""
    from fresco_pack.nodes import families

    latents = families.trained_latents

    def divided(trained: tuple[int, int | None], pixels: int) -> tuple[int, int | None]:
        fewest, most = trained
        return latents((fewest // SCALE**2, None if most is None else most // SCALE**2), pixels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(families, "trained_latents", divided)
        yield
