"""FrescoDemoLoader: the trained demo model in the box, through the host's own loaders."""

from __future__ import annotations

from pathlib import Path

import comfy.sd
import comfy.utils
from comfy_api.latest import io

from ..fresco_core.demo.weights import FOLDER, TRANSFORMER, VAE, load_prompt_encoder
from .host import versions
from .inputs import CATEGORY


class FrescoDemoLoader(io.ComfyNode):
    """MODEL, VAE and CONDITIONING for a prompt of the demo model's small grammar."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return versions.schema(
            node_id="FrescoDemoLoader",
            display_name="Fresco Demo Loader",
            category=CATEGORY,
            description="Loads the small trained model that comes with this pack, to try Fresco without "
            "a download. "
            "Made for 192x192 pictures, cfg 2.5, the euler sampler and the simple scheduler.",
            search_aliases=["fresco", "demo", "tiny model", "try", "example", "flux"],
            inputs=[
                versions.widget(
                    io.String.Input,
                    "prompt",
                    default="a frog top left, a robot right, on blue dots",
                    multiline=True,
                    tooltip="One to three objects with places, and a ground. A word that the model does "
                    "not know stops the run, which names the nearest that it knows.",
                ),
            ],
            outputs=[
                io.Model.Output(tooltip="A FLUX-layout transformer of 3 million parameters."),
                io.Vae.Output(tooltip="Its autoencoder."),
                io.Conditioning.Output(display_name="positive", tooltip="The prompt."),
                io.Conditioning.Output(display_name="negative", tooltip="The empty prompt."),
            ],
        )

    @classmethod
    def execute(cls, prompt: str) -> io.NodeOutput:
        encoder = load_prompt_encoder()
        conditionings = []
        for words in (prompt, ""):
            context, pooled = encoder.encode([words])
            conditionings.append([[context, {"pooled_output": pooled}]])
        model = comfy.sd.load_diffusion_model(str(Path(FOLDER) / TRANSFORMER))
        vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(Path(FOLDER) / VAE)))
        return io.NodeOutput(model, vae, *conditionings)
