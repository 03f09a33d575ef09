"""Tiny models of the host's classes that make sound with their video, and what to sample them with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.model_patcher
import comfy.nested_tensor
import comfy.supported_models
import comfy.utils
import tiny
import torch

LTXAV = {
    "image_model": "ltxav",
    "cross_attention_dim": 64,
    "attention_head_dim": 16,
    "num_attention_heads": 4,
    "audio_cross_attention_dim": 32,
    "audio_attention_head_dim": 8,
    "audio_num_attention_heads": 4,
    "caption_channels": 32,
    "num_layers": 2,
    "connector_attention_head_dim": 16,
    "connector_num_attention_heads": 2,
    "connector_num_layers": 1,
}
MINIMAX_H3 = {
    "image_model": "minimax_h3",
    "hidden_size": 64,
    "num_layers": 2,
    "token_refiner_num_layers": 1,
    "num_attention_heads": 2,
    "attention_head_dim": 32,
    "ffn_hidden_size": 128,
    "text_dim": 32,
    "timestep_input_dim": 16,
    "time_embed_hidden_size": 64,
    "time_embed_dim": 32,
    "rope_inv_freq_len": 5,
}


def _frequencies(model: torch.nn.Module) -> None:
    """MiniMax H3's checkpoints bring these."""
    table = model.diffusion_model.rope.inv_freq
    table.copy_(10000.0 ** -(torch.arange(len(table)) / len(table)))


@dataclass(frozen=True)
class Spec:
    """config: the class in comfy.supported_models. video, audio: shapes of the latents. text: of its
    conditioning. fix: what checkpoints bring besides weights."""

    unet: dict[str, Any]
    video: tuple[int, ...]
    audio: tuple[int, ...]
    text: tuple[int, int]
    fix: Callable[[torch.nn.Module], None] = lambda model: None


SPECS = {
    "LTXAV": Spec(LTXAV, (1, 128, 3, 8, 12), (1, 8, 11, 16), (6, 64)),
    "MiniMaxH3": Spec(MINIMAX_H3, (1, 24, 2, 8, 16), (1, 32, 2, 8), (6, 32), _frequencies),
}
AVAILABLE = [name for name in SPECS if hasattr(comfy.supported_models, name)]


def nested(*parts: torch.Tensor) -> comfy.nested_tensor.NestedTensor:
    return comfy.nested_tensor.NestedTensor(parts)


def build(name: str) -> tiny.Tiny:
    """A model of its own with an empty video and empty sound."""
    spec = SPECS[name]
    torch.manual_seed(0)
    config = getattr(comfy.supported_models, name)(dict(spec.unet))
    config.set_inference_dtype(torch.float32, None)
    cpu = torch.device("cpu")
    with torch.no_grad():
        model = config.get_model({}, device=cpu)
        tiny.fill(model.diffusion_model, 0)
        spec.fix(model)
    patcher = comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)
    latent = nested(torch.zeros(spec.video), torch.zeros(spec.audio))
    patch = 1 if name == "LTXAV" else 2
    positive, negative = (text(spec, seed) for seed in (1, 2))
    return tiny.Tiny(name, patcher, {"samples": latent}, patch, positive, negative)


def text(spec: Spec, seed: int, **extra: Any) -> list:
    """A prompt's conditioning."""
    drawn = torch.randn(1, *spec.text, generator=torch.Generator().manual_seed(seed))
    return [[drawn, {"frame_rate": 25, **extra}]]


class Seen:
    """What a run's network was called with, and what its sampler got, read off the host's own modules.

    calls: (x, timestep, context) of the network. clocks: per call, the noise levels that enter the embeddings
    of video and sound. steps: (x, x0) of every step, each of both latents.
    """

    def __init__(self, model: tiny.Tiny):
        self.calls: list[tuple[list[torch.Tensor], Any, torch.Tensor]] = []
        self.clocks: list[dict[str, torch.Tensor]] = []
        self.steps: list[tuple[list[torch.Tensor], list[torch.Tensor]]] = []
        self._network = model.model.diffusion_model
        self._shapes = [SPECS[model.name].video, SPECS[model.name].audio]

    def callback(self, step: int, x0: Any, x: Any, total: int) -> None:
        self.steps.append((self._parts(x), self._parts(x0)))

    def __enter__(self) -> Seen:
        network = self._network
        self._handles = [network.register_forward_pre_hook(self._call, with_kwargs=True)]
        if hasattr(network, "time_embedder"):
            self._handles.append(network.time_embedder.register_forward_pre_hook(self._times))
        else:
            for name, part in (("video", "adaln_single"), ("audio", "audio_adaln_single")):
                self._handles.append(network.get_submodule(part).register_forward_pre_hook(self._clock(name)))
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _call(self, network: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        x, timestep, *_ = args
        self.calls.append((x, timestep, kwargs.get("context")))
        self.clocks.append({})

    def _clock(self, name: str) -> Callable:
        """LTX-2 embeds a thousand times the noise level of each, or of each token."""

        def note(part: torch.nn.Module, args: tuple) -> None:
            self.clocks[-1][name] = args[0] / 1000.0

        return note

    def _times(self, part: torch.nn.Module, args: tuple) -> None:
        """MiniMax H3 embeds 1 - sigma of all that it has, in order: the video's is the least."""
        self.clocks[-1] |= {"video": 1.0 - args[0][:1], "audio": 1.0 - args[0][1:2]}

    def _parts(self, x: Any) -> list[torch.Tensor]:
        if getattr(x, "is_nested", False):
            return [part.clone() for part in x.unbind()]
        return [part.clone() for part in comfy.utils.unpack_latents(x, self._shapes)]  # hosts before 0.33
