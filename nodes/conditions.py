"""What each conditioning of a model is, by its name: what a coarse look does to it.

The names are those under which the host's models (`extra_conds` of each class in comfy/model_base.py) give
their networks arguments. A size says nothing: Wan Animate's face video is 512x512 on any canvas. Names that
nobody has told are left as they are, unless the host's own kind of conditioning says that they lie on the
canvas.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .caches import unrestartable

if TYPE_CHECKING:
    from ..fresco_core import Plan

MULTIPLE_OF_AUDIO = 8  # WanDancer attends from this many groups of a frame's tokens to the music


class Kind(Enum):
    """What a coarse look does to a conditioning."""

    MAP = "a map of the canvas, or a whole number of times as fine: merged"
    REFERENCE = "pictures of any size, seen as more tokens: merged on their own grid"
    UNTOUCHED = "text, sounds, numbers, pictures that an encoder of their own sees: as they are"
    GRID = "places or counts of the full grid's tokens: the run is plain"
    REBUILT = "places of the grid's tokens: made anew for the level's"


MAP, REFERENCE, UNTOUCHED, GRID, REBUILT = Kind

KINDS: dict[str, Kind] = {
    # all models
    "c_concat": MAP,
    "c_crossattn": UNTOUCHED,
    "crossattn_controlnet": UNTOUCHED,
    "y": UNTOUCHED,
    "guidance": UNTOUCHED,
    "attention_mask": UNTOUCHED,  # of the text
    "num_tokens": UNTOUCHED,
    "clip_fea": UNTOUCHED,
    "fps": UNTOUCHED,
    "denoise_mask": MAP,
    "ref_latents": REFERENCE,
    "ref_latents_method": UNTOUCHED,
    # Stable Video Diffusion, Stable Cascade, Hunyuan-DiT, PixArt
    "time_context": UNTOUCHED,
    "num_video_frames": UNTOUCHED,
    "clip_text": UNTOUCHED,
    "clip_text_pooled": UNTOUCHED,
    "clip_img": UNTOUCHED,
    "clip": UNTOUCHED,
    "sca": UNTOUCHED,
    "crp": UNTOUCHED,
    "effnet": UNTOUCHED,  # of stage C, of a size of its own: the network brings it to its grid
    "text_embedding_mask": UNTOUCHED,
    "text_embedding_mask_t5": UNTOUCHED,
    "encoder_hidden_states_t5": UNTOUCHED,
    "image_meta_size": UNTOUCHED,
    "c_size": UNTOUCHED,
    "c_ar": UNTOUCHED,
    # FLUX
    "Flux.attention_mask": GRID,  # of text and image tokens together
    # Lumina and its kin, Anima, HiDream
    "siglip_feats": UNTOUCHED,
    "ref_contexts": UNTOUCHED,
    "t5xxl_ids": UNTOUCHED,
    "t5xxl_weights": UNTOUCHED,
    "encoder_hidden_states_llama3": UNTOUCHED,
    "image_cond": MAP,
    # HiDream O1
    "input_ids": UNTOUCHED,
    "position_ids": GRID,
    "token_types": GRID,
    "vinput_mask": GRID,
    "HiDreamO1.position_ids": REBUILT,
    "HiDreamO1.token_types": REBUILT,
    "HiDreamO1.vinput_mask": REBUILT,
    "ar_len": UNTOUCHED,
    "ref_patches": GRID,  # reference pictures behind the grid's tokens, in places that count them
    "ref_pixel_values": UNTOUCHED,
    "ref_image_grid_thw": UNTOUCHED,
    # PiD: brought to its grid by the network
    "lq_latent": UNTOUCHED,
    "degrade_sigma": UNTOUCHED,
    # SeedVR2, HunyuanVideo, Kandinsky 5, CogVideoX
    "condition": MAP,
    "guiding_frame_index": UNTOUCHED,
    "ref_latent": REFERENCE,
    "txt_byt5": UNTOUCHED,
    "disable_time_r": UNTOUCHED,
    "time_dim_replace": MAP,
    "ofs": UNTOUCHED,
    # LTXV
    "frame_rate": UNTOUCHED,
    "keyframe_idxs": GRID,
    "guide_attention_entries": GRID,
    "generated_keyframes": GRID,
    "audio_denoise_mask": UNTOUCHED,
    "ref_audio": UNTOUCHED,
    "latent_shapes": UNTOUCHED,  # of several streams: such runs are plain
    # Wan and what is derived from it
    "time_dim_concat": MAP,  # further frames
    "reference_latent": REFERENCE,
    "context_latents": REFERENCE,
    "vace_context": MAP,
    "vace_strength": UNTOUCHED,
    "camera_conditions": MAP,  # in pixels of the picture
    "audio_embed": UNTOUCHED,
    "face_pixel_values": UNTOUCHED,  # 512x512 on any canvas, for a motion encoder
    "pose_latents": MAP,
    "WAN21_SCAIL.pose_latents": REFERENCE,  # half as fine as the canvas
    "sam_latents": REFERENCE,  # on the grid of the pose
    "ref_mask_latents": MAP,
    "ref_mask_flag": UNTOUCHED,
    "clip_fea_pose": UNTOUCHED,
    "context_pose": UNTOUCHED,
    "pose_strength": UNTOUCHED,
    "reference_strength": UNTOUCHED,
    "reference_motion": REFERENCE,
    "control_video": MAP,
    "clip_fea_ref": UNTOUCHED,
    "audio_inject_scale": UNTOUCHED,
    # MiniMax H3: one value for all that is its own
    "minimax_payload": UNTOUCHED,
    # sounds and solids, which are never looked at coarsely
    "local_add_cond": UNTOUCHED,
    "global_embed": UNTOUCHED,
    "lyric_token_idx": UNTOUCHED,
    "speaker_embeds": UNTOUCHED,
    "lyrics_strength": UNTOUCHED,
    "replace_with_null_embeds": UNTOUCHED,
    "lyric_embed": UNTOUCHED,
    "is_covers": UNTOUCHED,
    "audio_codes": UNTOUCHED,
    "refer_audio": UNTOUCHED,
    "conditioning_scale": UNTOUCHED,
    "embeds": UNTOUCHED,
    "trellis2_coords": UNTOUCHED,
    "trellis2_coord_counts": UNTOUCHED,
    "trellis2_generation_mode": UNTOUCHED,
    "trellis2_shape_slat": UNTOUCHED,
    "trellis2_proj_feats": UNTOUCHED,
    "trellis2_model_frame": UNTOUCHED,
}
"""By the name of the network's argument; with a class of the host's models before it where one of that class,
or derived from it, means something else by the name."""

H3_PLACES = ("layout", "keyframes", "refs")  # of the payload: counted in the full grid's tokens


def kind_of(model: Any, name: str, declared: frozenset[str] = frozenset()) -> Kind:
    """What a model's conditioning of that name is; `declared` are those that the host says are maps."""
    for kind in type(model).__mro__:
        found = KINDS.get(f"{kind.__name__}.{name}")
        if found is not None:
            return found
    return KINDS.get(name, MAP if name in declared else UNTOUCHED)


def declared_maps(conds: dict[str, list[dict]]) -> frozenset[str]:
    """Names of the conditionings that the host cuts to areas as it cuts the canvas (CONDNoiseShape)."""
    from comfy.conds import CONDNoiseShape

    given = (cond.get("model_conds", {}) for group in conds.values() for cond in group)
    return frozenset(
        name for found in given for name, value in found.items() if isinstance(value, CONDNoiseShape)
    )


def unmergeable(model: Any, plan: Plan, conds: dict[str, list[dict]], model_options: dict) -> str | None:
    """Why a run with this conditioning and these patches can have none of the plan's coarse levels, if so."""
    given = {
        name: getattr(value, "cond", None)
        for group in conds.values()
        for cond in group
        for name, value in cond.get("model_conds", {}).items()
    }
    bound = sorted(name for name in given if kind_of(model, name) is GRID)
    payload = given.get("minimax_payload")
    if isinstance(payload, dict) and any(payload.get(name) for name in H3_PLACES):
        bound.append("minimax_payload")
    if (reason := unrestartable(model_options)) is not None:
        return reason
    if bound:
        return f"the conditioning '{bound[0]}' is bound to the full grid"
    levels = {level for planned in plan.passes for level in planned.levels if level}
    if "audio_embed" in given and hasattr(model.diffusion_model, "music_injector"):
        for level in sorted(levels):
            rows, columns = plan.canvas.blocks(level)
            if rows * columns % MULTIPLE_OF_AUDIO:
                return (
                    f"this model hears its music in groups of {MULTIPLE_OF_AUDIO} tokens a frame, and a look "
                    f"of {plan.canvas.size(level)} has {rows * columns}"
                )
    return None


def rebuilt(conds: dict[str, Any], shape: tuple[int, ...]) -> dict[str, Tensor]:
    """HiDream O1's places of its tokens for a state of `shape` (B, 3, h, w), as the host makes them.

    conds: its arguments for the full canvas. Runs with reference pictures never come here.
    """
    from comfy.ldm.hidream_o1.conditioning import build_extra_conds

    like = conds["input_ids"]
    state = torch.empty(shape, device=like.device)
    made = build_extra_conds(like, state, None, target_patch_size=32)
    return {name: made[name] for name in ("position_ids", "token_types", "vinput_mask") if name in conds}
