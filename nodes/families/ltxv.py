"""LTX-Video, and what packs audio with its video."""

from __future__ import annotations

from .family import Family, kinds

LTXV = Family(
    "LTX-Video",
    trained=None,
    pixels={"LTXV": 32},
    conditions=kinds(
        UNTOUCHED="frame_rate audio_denoise_mask ref_audio latent_shapes",
        GRID="keyframe_idxs guide_attention_entries generated_keyframes",
    ),
)
