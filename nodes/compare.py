"""FrescoCompare: two pictures side by side, their difference, and how alike they are."""

from __future__ import annotations

import math
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ..fresco_core import Trace
from ..fresco_core.view.colours import colour, in_colour
from .engine.gain import compared, seconds_in_words, warm_up_of
from .engine.recording import Recordings, RunTrace
from .host import versions
from .host.core_nodes import decoded
from .inputs import CATEGORY, FrescoTraceType
from .server.run_file import save_pictures
from .view.legend import beside, with_legends
from .view.read_trace import resolved

PALETTE = "inferno"
MOST_PAIRS, MOST_SHOWN = 8, 32  # that the slider on the node shows, and that the node lists
WINDOW = 11  # pixels a side that structural similarity looks at, as in Wang et al. 2004


class FrescoCompare(io.ComfyNode):
    """Two IMAGEs, or two LATENTs and a VAE, in; pictures and numbers of their difference out, and of the time
    that each took, where traces are connected."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        def name(id: str, default: str) -> Any:
            return versions.widget(
                io.String.Input, id, default=default, tooltip="What the caption below the picture says."
            )

        return versions.schema(
            node_id="FrescoCompare",
            display_name="Fresco Compare",
            category=CATEGORY,
            description="Two pictures of the same seed side by side, where they differ, and how much: PSNR "
            "and structural similarity (SSIM). With traces also how long each took. A slider on the node "
            "goes from one to the other.",
            search_aliases=[
                *("fresco", "compare", "difference", "psnr", "ssim", "before after", "slider"),
                *("speed", "faster", "performance"),
            ],
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
            inputs=[
                name("name_a", "plain"),
                name("name_b", "Fresco"),
                versions.widget(
                    io.Float.Input,
                    "brightest",
                    default=0.25,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    tooltip="The difference that is drawn brightest; 1 is black against white.",
                ),
                io.Image.Input("image_a", optional=True, tooltip="The picture to compare with."),
                io.Image.Input("image_b", optional=True, tooltip="The picture to judge."),
                io.Latent.Input(
                    "latent_a", optional=True, tooltip="Decoded with vae where image_a is not connected."
                ),
                io.Latent.Input(
                    "latent_b", optional=True, tooltip="Decoded with vae where image_b is not connected."
                ),
                io.Vae.Input("vae", optional=True, tooltip="Decodes the latents."),
                FrescoTraceType.Input(
                    "trace_a",
                    optional=True,
                    tooltip="The trace of the run that made a, for its seconds: of a Fresco KSampler or "
                    "Fresco Apply, with preset 'off' for a plain run.",
                ),
                FrescoTraceType.Input(
                    "trace_b", optional=True, tooltip="The trace of the run that made b, for its seconds."
                ),
            ],
            outputs=[
                io.Image.Output(display_name="side by side", tooltip="Both pictures, one row per pair."),
                io.Image.Output(
                    display_name="difference",
                    tooltip="Mean difference of the colour channels, with its scale.",
                ),
                io.Float.Output(
                    display_name="psnr", tooltip="Peak signal-to-noise ratio in dB, mean over the pairs."
                ),
                io.Float.Output(
                    display_name="ssim", tooltip="Structural similarity, 1 for equal, mean over the pairs."
                ),
                io.String.Output(display_name="report", tooltip="The numbers of every pair, in words."),
            ],
        )

    @classmethod
    def execute(
        cls,
        name_a: str = "plain",
        name_b: str = "Fresco",
        brightest: float = 0.25,
        image_a: Tensor | None = None,
        image_b: Tensor | None = None,
        latent_a: dict | None = None,
        latent_b: dict | None = None,
        vae: Any = None,
        trace_a: Trace | Recordings | None = None,
        trace_b: Trace | Recordings | None = None,
    ) -> io.NodeOutput:
        a, b = paired(pictures("a", image_a, latent_a, vae), pictures("b", image_b, latent_b, vae))
        psnr, ssim = peak_ratio(a, b), similarity(a, b)
        words = [report(p, s) for p, s in zip(psnr.tolist(), ssim.tolist())]
        row = beside(with_legends([a], [name_a], []), with_legends([b], [name_b], []))
        ticks = [(0.0, "0"), (0.5, f"{brightest / 2:.3g}"), (1.0, f"{brightest:.3g}")]
        error = colour((a - b).abs().mean(dim=-1) / brightest, PALETTE)
        difference = with_legends(error.split(1), words, ticks, PALETTE)
        lines = words if len(words) == 1 else [f"pair {i}: {w}" for i, w in enumerate(words)]
        timings = seconds_of(trace_a, latent_a, image_a), seconds_of(trace_b, latent_b, image_b)
        took = timings[0][0], timings[1][0]
        unsure = [f"{name}: {why}" for name, (_, why) in zip((name_a, name_b), timings) if why]
        text = "\n".join([*timed((name_a, name_b), took), *unsure, *lines])
        compared = ((image_a, latent_a), (image_b, latent_b))
        text += beside_sound(*(latent for image, latent in compared if image is None))
        versions.show_text(cls, text)
        numbers = [{"psnr": finite(p), "ssim": finite(s)} for p, s in zip(psnr.tolist(), ssim.tolist())]
        return io.NodeOutput(
            row,
            difference,
            float(psnr.mean()),
            float(ssim.mean()),
            text,
            ui={
                "images": save_pictures(beside(row[:MOST_SHOWN], difference[:MOST_SHOWN])),
                "pairs": [
                    dict(zip(("a", "b", "difference"), entries))
                    for entries in zip(*(save_pictures(x[:MOST_PAIRS]) for x in (a, b, difference)))
                ],
                "names": (name_a, name_b),
                "text": (text,),
                "comparison": (numbers,),
                "seconds": took,
            },
        )


def seconds_of(
    trace: Trace | Recordings | None, latent: dict | None, image: Tensor | None
) -> tuple[float | None, str | None]:
    """Seconds of sampling in a trace, without what its first step took to warm up, None where they are not
    known; and what to say where the trace may be of another run."""
    if trace is None:
        return None, None
    found, unsure = resolved(trace, latent, image)
    if not isinstance(found, RunTrace) or not found.seconds:
        return None, None
    return round(found.seconds - warm_up_of(found), 3), unsure


def timed(names: tuple[str, str], took: tuple[float | None, float | None]) -> list[str]:
    """A line of the seconds that are known, and how the second compares with the first."""
    known = [f"{name} {seconds_in_words(s)}" for name, s in zip(names, took) if s is not None]
    if not known:
        return []
    line = f"{', '.join(known)} of sampling, without the first step's warming up"
    first, second = took
    if first is not None and second:
        line += f": {names[1]} is {compared(first / second)} {names[0]}"
    return [line]


def pictures(side: str, image: Tensor | None, latent: dict | None, vae: Any) -> Tensor:
    """The pictures (B, H, W, 3) of one side: as they are connected, or decoded."""
    if image is not None:
        return as_seen(image)
    if latent is None:
        raise ValueError(f"nothing is connected for {side}: connect image_{side}, or latent_{side} and vae")
    if vae is None:
        raise ValueError(
            f"latent_{side} is connected without a vae to decode it: connect vae, or image_{side}"
        )
    return as_seen(decoded(vae, latent))


def as_seen(found: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) whose lost numbers are black, and infinite ones white or black."""
    return in_colour(found).float().nan_to_num(0.0, posinf=1.0, neginf=0.0)


def beside_sound(*latents: dict | None) -> str:
    """What to say of latents that hold a sound beside their video; nothing where there are none."""
    nested = [getattr(latent["samples"], "is_nested", False) for latent in latents if latent is not None]
    return "\nthe videos are compared, without their sound" if any(nested) else ""


def paired(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both batches, of one length; a single picture is compared with each of the other side."""
    if a.shape[1:3] != b.shape[1:3]:
        sizes = [f"{x.shape[2]}x{x.shape[1]}" for x in (a, b)]
        raise ValueError(f"a is {sizes[0]} and b is {sizes[1]} pixels; compare pictures of one size")
    if not len(a) or not len(b):
        raise ValueError(f"a holds {len(a)} pictures and b {len(b)}; expected one at least")
    if a.shape[0] != b.shape[0] and 1 not in (a.shape[0], b.shape[0]):
        raise ValueError(
            f"a holds {a.shape[0]} pictures and b {b.shape[0]}; compare batches of one length, or one "
            "picture with a batch"
        )
    count = max(a.shape[0], b.shape[0])
    return a.expand(count, -1, -1, -1), b.expand(count, -1, -1, -1)


def peak_ratio(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio (B,) in dB of pictures (B, H, W, 3) in [0, 1]; infinite where equal."""
    return -10.0 * (a - b).square().flatten(1).mean(dim=1).log10()


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity (B,) of pictures (B, H, W, 3) in [0, 1], mean over whole windows and
    channels, as Fresco Bench has it."""
    try:
        from kornia.metrics import ssim
    except ImportError as error:
        raise RuntimeError(
            "Fresco Compare needs kornia, which ComfyUI's own requirements list: run 'python -m pip install "
            "-r requirements.txt' in this pack's folder, with the Python that runs ComfyUI"
        ) from error
    if min(a.shape[1:3]) < WINDOW:
        raise ValueError(
            f"the pictures are {a.shape[2]}x{a.shape[1]} pixels; structural similarity needs at least "
            f"{WINDOW} a side"
        )
    pairs = zip(a.movedim(-1, 1).split(1), b.movedim(-1, 1).split(1))  # one by one, as memory is short
    found = [ssim(x, y, WINDOW, padding="valid") for x, y in pairs]
    return torch.cat([windows.flatten(1).mean(dim=1) for windows in found])


def report(psnr: float, ssim: float) -> str:
    """The numbers of one pair."""
    if psnr == math.inf:
        return "equal"
    if not math.isfinite(psnr + ssim):
        return "no figures, as values are far from 0 to 1"
    return f"PSNR {psnr:.2f} dB   SSIM {ssim:.4f}"


def finite(value: float) -> float | None:
    """None for what JSON cannot say."""
    return value if math.isfinite(value) else None
