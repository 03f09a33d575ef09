"""A mixed evaluation on the host: one call of the network for fine and coarse tokens together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..fresco_core.focus import KeyValues
from ..fresco_core.layout import Layout
from ..fresco_core.mixed import DEFAULT_FRAME, blockwise
from ..fresco_core.transform import merge
from . import compat
from .watching import Watch

MIXED = "fresco_mixed"
Conditions = Mapping[str, list[Any]]
"""Values of the arguments that a run's conditioning gives the network, by their names."""


@dataclass
class MixedCall:
    """What a family's adapter gets beside the network's own arguments, and what it gives back.

    adapter: the family's module. layout: for the call's whole batch. state (B, C, ..., h, w): what coarse
    tokens are read from. timestep (B,): that of coarse tokens, in the network's unit. native: whether it may
    differ from the fine tokens'. key_values: of a focus call, whose layout has level 0 and no coarse tokens.
    frame: of positions, one of `fresco_core.mixed.FRAMES`. watch: who wants to know what the prompt pays
    attention to. output: the network's output at coarse tokens, in state's shape.
    """

    adapter: Any
    layout: Layout
    state: Tensor
    timestep: Tensor
    native: bool
    key_values: KeyValues | None = None
    frame: str = DEFAULT_FRAME
    watch: Watch | None = None
    output: Tensor | None = None


def mixed_prediction(
    executor: Any, run: Any, x: Tensor, sigma: Tensor, conds: dict[str, Any], transformer_options: dict
) -> Tensor:
    """The prediction on the canvas x (B, C, ..., H, W), copied over the blocks that are coarse.

    `executor` is APPLY_MODEL's; `conds` has c_concat, c_crossattn and control besides the network's own.
    """
    sampling, layout = run.model.model_sampling, run.layout.for_batch(x.shape[0])
    canvas, state, state_sigma = run.mixed_states(x, sigma, transformer_options)
    call = MixedCall(
        run.adapter,
        layout,
        sampling.calculate_input(state_sigma, state),
        sampling.timestep(state_sigma).float(),
        run.clock == "native",
        frame=run.frame,
        watch=run.watch,
    )
    concat = run.whole(conds.pop("c_concat", None), x)
    crossattn, control = conds.pop("c_crossattn", None), conds.pop("control", None)
    options = {**transformer_options, MIXED: call}
    prediction = executor(canvas, sigma, concat, crossattn, control, options, **conds)
    if call.output is None:  # a cache of another pack answered in the network's place
        low = merge(run.unpacked(prediction), layout.level)
    else:
        low = run.unpacked(sampling.calculate_denoised(state_sigma, call.output.float(), state))
    pixels = run.fine_pixels(x)
    return run.packed(blockwise(run.unpacked(prediction), low, pixels, layout.level))


def diffusion_model(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Hand a mixed call to the family's adapter. The call is the evaluation's own, found in its options."""
    options = next(
        (value for value in (*args, *kwargs.values()) if isinstance(value, dict) and MIXED in value), None
    )
    if options is None:
        return executor(*args, **kwargs)
    call: MixedCall = options[MIXED]
    x, *others = args
    if call.key_values is not None:
        call.state = compat.whole_tokens(x, executor.class_obj)
        out = call.adapter.evaluate(executor, (call.state, *others), kwargs, call)
        return out[..., : x.shape[-2], : x.shape[-1]]
    beside = x[:, call.state.shape[1] :]  # what the host has concatenated to the latent's channels
    call.state = torch.cat((call.state.to(x.dtype), merge(beside, call.layout.level)), dim=1)
    return call.adapter.evaluate(executor, args, kwargs, call)


def with_options(args: tuple, kwargs: dict, change: Callable[[dict], dict]) -> tuple[tuple, dict]:
    """The network's arguments with its transformer options changed, wherever they are among them."""

    def changed(value: Any) -> Any:
        return change(value) if isinstance(value, dict) and MIXED in value else value

    return tuple(map(changed, args)), {name: changed(value) for name, value in kwargs.items()}
