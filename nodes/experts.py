"""FrescoExperts: two models that divide the sigmas of a run, as one MODEL."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .engine.experts import join
from .host import versions
from .inputs import CATEGORY


class FrescoExperts(io.ComfyNode):
    """Two MODELs and a boundary in, one MODEL out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return versions.schema(
            node_id="FrescoExperts",
            display_name="Fresco Experts",
            category=CATEGORY,
            description="Joins a high-noise and a low-noise model (Wan 2.2) to one that a single sampler "
            "runs, so that a draft can go through both. Put Fresco Apply behind it. The incoming models are "
            "not changed.",
            search_aliases=["fresco", "wan 2.2", "high noise", "low noise", "moe", "boundary"],
            inputs=[
                io.Model.Input("high_noise", tooltip="The model for sigmas from the boundary up."),
                io.Model.Input("low_noise", tooltip="The model for sigmas below the boundary."),
                versions.widget(
                    io.Float.Input,
                    "boundary",
                    default=0.875,
                    min=0.0,
                    max=1.0,
                    step=0.005,
                    round=0.0001,
                    tooltip="The sigma at which the models change. Wan 2.2: 0.875 for text to video, 0.9 for "
                    "image to video. A coarse step counts with the sigma that its model is given.",
                ),
            ],
            outputs=[
                io.Model.Output(tooltip="One model; connect it to Fresco Apply, any sampler or guider.")
            ],
        )

    @classmethod
    def execute(cls, high_noise: Any, low_noise: Any, boundary: float = 0.875) -> io.NodeOutput:
        return io.NodeOutput(join(high_noise, low_noise, boundary))
