"""What a plan costs: FLOPs and tokens of its steps on a real architecture, from the configuration alone.

Reading order: transformer (the general description and its arithmetic), families (how each model family fills
it in), sound_families (those that make sound with video), registry (the published models), plan_cost (a plan
on one of them).

Counted are matrix products and attention, a multiply-add as 2, as torch.utils.flop_counter counts them.
Norms, activations, rotary positions and the sampler's own arithmetic are not.
"""

from .plan_cost import PlanCost, StepCost, crossings, plan_cost
from .registry import (
    LTX_2_PIXELS,
    LTX_VIDEO_PIXELS,
    MINIMAX_H3_PIXELS,
    MODELS,
    TRAINED_PIXELS,
    U_NET_PIXELS,
    UNKNOWN_PIXELS,
    Model,
    model,
    trained_latents,
)
from .transformer import Architecture, Block, Projection, Sequence, Stream, Tokens

__all__ = [
    "LTX_2_PIXELS",
    "LTX_VIDEO_PIXELS",
    "MINIMAX_H3_PIXELS",
    "MODELS",
    "TRAINED_PIXELS",
    "U_NET_PIXELS",
    "UNKNOWN_PIXELS",
    "Architecture",
    "Block",
    "Model",
    "PlanCost",
    "Projection",
    "Sequence",
    "StepCost",
    "Stream",
    "Tokens",
    "crossings",
    "model",
    "plan_cost",
    "trained_latents",
]
