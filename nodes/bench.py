"""FrescoBench: which preset to use for a model, measured."""

from __future__ import annotations

import functools
import json
from typing import Any

import comfy.samplers
import numpy as np
import torch
from comfy.model_management import get_torch_device, get_torch_device_name
from comfy_api.latest import io, ui
from PIL import Image
from torch import Tensor

from ..fresco_core import ScheduleError, parse
from ..fresco_core.bench import Bench, Recommendation, Setting, recommend
from ..fresco_core.bench.grid import grid
from ..fresco_core.bench.plot import plot
from ..fresco_core.bench.table import as_fields, as_text
from ..fresco_core.bench.verdict import NEAR_ENOUGH
from ..fresco_core.text.presets import USUAL
from .engine.target import unsupported
from .families import architecture_of
from .host import versions
from .host.core_nodes import as_sampled
from .host.kept_presets import meanings
from .host.model import shapes_of
from .inputs import (
    CATEGORY,
    FrescoScheduleType,
    cfg_input,
    denoise_input,
    sampler_input,
    scheduler_input,
    steps_input,
    to_clean_schedule,
)
from .trials.pictures import bench_of, compared, pictures_of
from .trials.progress import Progress
from .trials.runs import OFF, Runs, Sampling
from .view.font import font_for

MOST_SEEDS, MOST_PRESETS = 64, 16
GUESS = 3.0  # runs of a preset and of the plain ones beside it, in its steps


class FrescoBench(io.ComfyNode):
    """KSampler's inputs and a VAE in; pictures, plot, recommendation and figures out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return versions.schema(
            node_id="FrescoBench",
            display_name="Fresco Bench",
            category=CATEGORY,
            description="Which preset should I use for my model? Samples plain, plain with fewer steps and "
            "by each preset, with the same seeds, times them side by side, and says which to use and how "
            "sure that is.",
            search_aliases=[
                "fresco",
                "bench",
                "benchmark",
                "which preset",
                "compare presets",
                "measure",
                "speed test",
                "faster",
                "optimize",
            ],
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Model.Input("model", tooltip="The model to measure. It is not changed."),
                io.Conditioning.Input("positive", tooltip="What to include in the pictures."),
                io.Conditioning.Input("negative", tooltip="What to keep out of the pictures."),
                io.Latent.Input("latent_image", tooltip="The latent to denoise, at the size that you use."),
                io.Vae.Input("vae", tooltip="Decodes the pictures, which are compared."),
                *sampling_inputs(),
                *choice_inputs(),
            ],
            outputs=[
                io.Image.Output(
                    display_name="pictures",
                    tooltip="A row for each way of sampling, a column for each seed, with seconds, gain and "
                    "distance to plain.",
                ),
                io.Image.Output(
                    display_name="plot",
                    tooltip="Seconds and nearness of each, beside the line of plain steps.",
                ),
                io.String.Output(
                    display_name="recommendation", tooltip="What to use, why, and how sure that is."
                ),
                io.String.Output(display_name="table", tooltip="All figures, in columns."),
                io.String.Output(display_name="json", tooltip="All figures and words as JSON."),
                FrescoScheduleType.Output(
                    display_name="schedule",
                    tooltip="The schedule that is recommended, 'full' where that is plain; connect to Fresco "
                    "Apply.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, presets: str | None = None) -> bool | str:
        if presets is None:  # connected, and not known yet
            return True
        try:
            chosen(presets, 1)
        except ScheduleError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, presets: Any = None, **others: Any) -> str:
        return meanings(*str(presets).splitlines())

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: Any,
        negative: Any,
        latent_image: dict,
        vae: Any,
        first_seed: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        denoise: float,
        seeds: int,
        presets: str,
        near_enough: float = NEAR_ENOUGH,
    ) -> io.NodeOutput:
        settings = chosen(presets, steps)
        shapes = shapes_of(as_sampled(model, latent_image))
        reason = unsupported(model, shapes[0], shapes, comfy.samplers.sampler_object(sampler_name))
        if reason is not None:
            raise ValueError(f"there is nothing to compare, as Fresco would run plain: {reason}")
        drawn = [(first_seed + i) % (1 << 64) for i in range(seeds)]
        progress = Progress(
            round(steps * seeds * (1 + GUESS * len(settings))), lambda words: versions.show_text(cls, words)
        )
        sampling = Sampling(
            model, positive, negative, latent_image, vae, cfg, sampler_name, scheduler, denoise
        )
        runs = Runs(sampling, steps, settings, drawn, progress)
        first: list[Tensor] = []
        runs.warm_up(lambda latent: first.append(pictures_of(vae, latent)))
        runs.all_rounds()
        progress.begin("decoding and comparing")
        album = compared(runs, vae)
        bench = bench_of(runs, album, model_name(model), size_of(first[0], shapes[0]), device_name())
        return cls.told(bench, recommend(bench, near_enough), album.shown)

    @classmethod
    def told(cls, bench: Bench, found: Recommendation, shown: dict[str, list[Image.Image]]) -> io.NodeOutput:
        """The outputs, and what the node shows."""
        fonts = functools.partial(font_for, "".join(f"{t.setting.label}{t.note}" for t in bench.trials))
        pictures, drawing = as_tensor(grid(bench, found, shown, fonts)), as_tensor(plot(bench, found, fonts))
        table, fields = as_text(bench, found), as_fields(bench, found)
        versions.show_text(cls, found.words)
        images = [ui.PreviewImage(image, cls=cls).as_dict()["images"][0] for image in (drawing, pictures)]
        return io.NodeOutput(
            pictures,
            drawing,
            found.words,
            table,
            json.dumps(fields, allow_nan=False, indent=1),
            parse(found.schedule or OFF),
            ui={"images": images, "text": (found.words,), "fresco_bench": (fields,)},
        )


def sampling_inputs() -> list[Any]:
    """KSampler's widgets. The browser lets a `seed` change with every job, which would measure all anew: this
    one is called otherwise."""
    return [
        versions.widget(
            io.Int.Input,
            "first_seed",
            default=0,
            min=0,
            max=0xFFFFFFFFFFFFFFFF,
            tooltip="The first seed; the others follow it.",
        ),
        steps_input("The steps that you use: what plain and the presets are given."),
        cfg_input(),
        sampler_input("The sampling algorithm."),
        scheduler_input("How the steps are spread over the noise levels."),
        denoise_input(),
    ]


def choice_inputs() -> list[Any]:
    """How many seeds, and what to try."""
    return [
        versions.widget(
            io.Int.Input,
            "seeds",
            default=3,
            min=1,
            max=MOST_SEEDS,
            tooltip="How many seeds each is sampled with. One takes about as long as a plain run and two "
            "more for each preset. Few leave wide intervals, and one says nothing about other pictures.",
        ),
        versions.widget(
            io.String.Input,
            "presets",
            default="\n".join(USUAL),
            multiline=True,
            tooltip="What to try: a preset's name or a schedule on each line.",
        ),
        versions.widget(
            io.Float.Input,
            "near_enough",
            default=NEAR_ENOUGH,
            min=0.0,
            max=60.0,
            step=0.5,
            optional=True,
            tooltip="PSNR to the plain picture, in dB, from which on the fastest is recommended.",
        ),
    ]


def chosen(presets: str, steps: int) -> list[Setting]:
    """The settings that the lines of `presets` mean. Raises ScheduleError."""
    lines = list(dict.fromkeys(filter(None, map(str.strip, presets.splitlines()))))
    if not 1 <= len(lines) <= MOST_PRESETS:
        raise ScheduleError(
            f"presets has {len(lines)} lines; expected 1 to {MOST_PRESETS}, each a preset's name or a "
            "schedule"
        )
    return [Setting(line, steps, str(to_clean_schedule(line))) for line in lines]


def model_name(patcher: Any) -> str:
    """A model in a word."""
    architecture = architecture_of(patcher.model)
    return type(patcher.model).__name__ if architecture is None else architecture.name


def size_of(pictures: Tensor, shape: tuple[int, ...]) -> str:
    """The size of pictures (N, H, W, 3), and how many frames a video has."""
    frames = len(pictures) // shape[0]
    return f"{pictures.shape[2]}x{pictures.shape[1]}" + (f", {frames} frames" if frames > 1 else "")


def device_name() -> str:
    """The device that samples, as the host calls it."""
    return str(get_torch_device_name(get_torch_device())).split(" :")[0]


def as_tensor(image: Image.Image) -> Tensor:
    """A picture as the host's nodes hand it on, (1, H, W, 3) in [0, 1]."""
    return torch.from_numpy(np.array(image.convert("RGB"))).float()[None] / 255.0
