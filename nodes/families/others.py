"""What the host's models without a file of their own give their networks."""

from __future__ import annotations

from .family import Family, kinds

OTHERS = Family(
    "others",
    trained=None,
    conditions=kinds(
        MAP="condition image_cond",  # SeedVR2, Lumina's kin
        UNTOUCHED=(
            # Stable Cascade; effnet of stage C: of a size of its own, the network brings it to its grid
            "clip_text clip_text_pooled clip_img clip sca crp effnet "
            # Hunyuan-DiT, PixArt
            "text_embedding_mask text_embedding_mask_t5 encoder_hidden_states_t5 image_meta_size c_size c_ar "
            # Anima, HiDream
            "t5xxl_ids t5xxl_weights encoder_hidden_states_llama3 "
            # PiD: brought to its grid by the network
            "lq_latent degrade_sigma "
            # CogVideoX
            "ofs "
            # sounds and solids, which are never looked at coarsely
            "local_add_cond global_embed lyric_token_idx speaker_embeds lyrics_strength "
            "replace_with_null_embeds lyric_embed is_covers audio_codes refer_audio conditioning_scale "
            "embeds "
            "trellis2_coords trellis2_coord_counts trellis2_generation_mode trellis2_shape_slat "
            "trellis2_proj_feats trellis2_model_frame"
        ),
    ),
)
