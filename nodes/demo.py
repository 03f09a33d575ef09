"""FrescoDemoLoader: the trained demo models in the box, through the host's own loaders."""

from __future__ import annotations

import comfy.sd
import comfy.utils
from comfy_api.latest import io

from ..fresco_core.demo.subjects import PROMPT
from ..fresco_core.demo.weights import FOLDERS, TRANSFORMER, VAE, load_prompt_encoder
from .host import versions
from .inputs import CATEGORY


class FrescoDemoLoader(io.ComfyNode):
    """MODEL, VAE and CONDITIONING for a prompt of a demo model's small grammar."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return versions.schema(
            node_id="FrescoDemoLoader",
            display_name="Fresco Demo Loader",
            category=CATEGORY,
            description="Loads a small trained model that comes with this pack, to try Fresco without "
            "a download. Made for 192x192 pictures (256x256 with short prompts), cfg 2.5, the euler sampler "
            "and the simple scheduler.",
            search_aliases=["fresco", "demo", "tiny model", "try", "example", "flux"],
            inputs=[
                versions.widget(
                    io.String.Input,
                    "prompt",
                    default=PROMPT,
                    multiline=True,
                    tooltip="Objects, each with a size and a place if wanted, and a ground: up to three for "
                    "detailed, five for short. A word that the model does not know stops the run, which "
                    "names the nearest that it knows.",
                ),
                versions.widget(
                    io.Combo.Input,
                    "model",
                    options=list(FOLDERS),
                    default="detailed",
                    optional=True,
                    tooltip="detailed: for prompts that say everything, clean pictures of 192x192. "
                    "short: also for prompts that leave much open, 'a cat', 'three fruits on stripes' or "
                    "none at all, which each seed draws otherwise; larger and softer pictures, of 256x256.",
                ),
            ],
            outputs=[
                io.Model.Output(tooltip="A FLUX-layout transformer of 3 or 11 million parameters."),
                io.Vae.Output(tooltip="Its autoencoder."),
                io.Conditioning.Output(display_name="positive", tooltip="The prompt."),
                io.Conditioning.Output(display_name="negative", tooltip="The empty prompt."),
            ],
        )

    @classmethod
    def execute(cls, prompt: str, model: str = "detailed") -> io.NodeOutput:
        folder = FOLDERS[model]
        encoder = load_prompt_encoder(folder)
        conditionings = []
        for words in (prompt, ""):
            context, pooled = encoder.encode([words])
            conditionings.append([[context, {"pooled_output": pooled}]])
        transformer = comfy.sd.load_diffusion_model(str(folder / TRANSFORMER))
        vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(folder / VAE)))
        return io.NodeOutput(transformer, vae, *conditionings)
