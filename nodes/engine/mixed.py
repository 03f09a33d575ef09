"""A mixed evaluation on the host: one call of the network for fine and coarse tokens together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...fresco_core import MixedLook, merge
from ...fresco_core.look.mixed import blockwise
from ..families.family import MixedAdapter
from ..mixed.call import MIXED, MixedCall
from .look import CanvasView


def mixed_prediction(
    executor: Any,
    view: CanvasView,
    mixing: tuple[MixedAdapter, bool],
    x: Tensor,
    sigma: Tensor,
    conds: dict[str, Any],
    transformer_options: dict,
) -> Tensor:
    """The prediction on the canvas x (B, C, ..., H, W), copied over the blocks that are coarse.

    `executor` is APPLY_MODEL's; `conds` has c_concat, c_crossattn and control besides the network's own.
    mixing: the family's adapter, and whether coarse tokens have their own clock.
    """
    assert isinstance(view.look, MixedLook)
    (adapter, own_clock), sampling = mixing, view.target.sampling
    layout = view.look.layout.for_batch(x.shape[0])
    canvas, state, state_sigma = view.mixed_states(x, sigma, own_clock, transformer_options)
    call = MixedCall(
        adapter.evaluate,
        layout,
        sampling.calculate_input(state_sigma, state),
        sampling.timestep(state_sigma).float(),
        own_clock,
    )
    concat = view.whole(conds.pop("c_concat", None), x)
    crossattn, control = conds.pop("c_crossattn", None), conds.pop("control", None)
    options = {**transformer_options, MIXED: call}
    prediction = executor(canvas, sigma, concat, crossattn, control, options, **conds)
    if call.output is None:  # a cache of another pack answered in the network's place
        low = merge(view.unpacked(prediction), layout.level)
    else:
        low = view.unpacked(sampling.calculate_denoised(state_sigma, call.output.float(), state))
    pixels = view.fine_pixels(x)
    return view.packed(blockwise(view.unpacked(prediction), low, pixels, layout.level))


def diffusion_model(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Hand a mixed call to the family's adapter. The call is the evaluation's own, found in its options."""
    options = next(
        (value for value in (*args, *kwargs.values()) if isinstance(value, dict) and MIXED in value), None
    )
    if options is None:
        return executor(*args, **kwargs)
    call: MixedCall = options[MIXED]
    x = args[0]
    beside = x[:, call.state.shape[1] :]  # what the host has concatenated to the latent's channels
    call.state = torch.cat((call.state.to(x.dtype), merge(beside, call.layout.level)), dim=1)
    return call.evaluate(executor, args, kwargs, call)
