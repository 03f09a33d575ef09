"""What the classes of host_models.py are built of: small `unet_config`s."""

# tiny boots the host, so it comes before comfy
import tiny  # noqa: F401
import torch
from tiny_families import CHROMA, POOLED_DIM, TEXT_DIM, UNET, Z_IMAGE

# isort: split
from comfy.ldm.chroma_radiance.model import ChromaRadianceParams

LTX = {
    "image_model": "ltxv",
    "cross_attention_dim": 64,
    "attention_head_dim": 16,
    "num_attention_heads": 4,
    "caption_channels": 32,
    "num_layers": 2,
}
COSMOS2 = {
    "image_model": "cosmos_predict2",
    "in_channels": 16,
    "out_channels": 16,
    "max_img_h": 240,
    "max_img_w": 240,
    "max_frames": 128,
    "patch_spatial": 2,
    "patch_temporal": 1,
    "model_channels": 64,
    "num_blocks": 2,
    "num_heads": 4,
    "crossattn_emb_channels": TEXT_DIM,
    "pos_emb_cls": "rope3d",
    "pos_emb_learnable": True,
    "pos_emb_interpolation": "crop",
    "use_adaln_lora": True,
    "adaln_lora_dim": 16,
    "rope_h_extrapolation_ratio": 4.0,
    "rope_w_extrapolation_ratio": 4.0,
    "rope_t_extrapolation_ratio": 1.0,
    "extra_per_block_abs_pos_emb": False,
    "concat_padding_mask": True,
}
COSMOS1 = COSMOS2 | {
    "image_model": "cosmos",
    "block_config": "FA-CA-MLP",
    "block_x_format": "THWBD",
    "affline_emb_norm": True,
    "extra_per_block_abs_pos_emb": True,
    "extra_per_block_abs_pos_emb_type": "learnable",
    "extra_h_extrapolation_ratio": 1.0,
    "extra_w_extrapolation_ratio": 1.0,
    "extra_t_extrapolation_ratio": 1.0,
    "rope_h_extrapolation_ratio": 1.0,
    "rope_w_extrapolation_ratio": 1.0,
    "rope_t_extrapolation_ratio": 2.0,
}
OMNIGEN = {
    "image_model": "omnigen2",
    "patch_size": 2,
    "in_channels": 16,
    "hidden_size": 96,
    "num_layers": 2,
    "num_refiner_layers": 1,
    "num_attention_heads": 4,
    "num_kv_heads": 2,
    "multiple_of": 32,
    "axes_dim_rope": (8, 8, 8),
    "axes_lens": (300, 512, 512),
    "text_feat_dim": 32,
}
BOOGU = {name: value for name, value in OMNIGEN.items() if name != "text_feat_dim"} | {
    "image_model": "boogu",
    "num_double_stream_layers": 1,
    "instruction_feat_dim": 32,
}
HIDREAM = {
    "image_model": "hidream",
    "patch_size": 2,
    "in_channels": 16,
    "out_channels": 16,
    "num_layers": 1,
    "num_single_layers": 1,
    "attention_head_dim": 32,
    "num_attention_heads": 4,
    "caption_channels": [32, 32],
    "text_emb_dim": POOLED_DIM,
    "num_routed_experts": 4,
    "num_activated_experts": 2,
    "axes_dims_rope": (16, 8, 8),
    "max_resolution": (64, 64),
    "llama_layers": [0, 1],
}
HIDREAM_O1 = {
    "image_model": "hidream_o1",
    "text_config_overrides": {
        "vocab_size": 152000,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "rope_dims": [4, 2, 2],
    },
    "vision_config_overrides": {
        "hidden_size": 32,
        "num_heads": 2,
        "intermediate_size": 64,
        "depth": 1,
        "deepstack_visual_indexes": [],
    },
}
KANDINSKY = {
    "image_model": "kandinsky5",
    "in_text_dim": 32,
    "in_text_dim2": POOLED_DIM,
    "time_dim": 32,
    "model_dim": 64,
    "ff_dim": 128,
    "visual_embed_dim": 64,
    "num_text_blocks": 1,
    "num_visual_blocks": 2,
    "axes_dims": (4, 6, 6),
}
PIXELDIT = {
    "image_model": "pixeldit_t2i",
    "num_groups": 4,
    "hidden_size": 64,
    "pixel_hidden_size": 8,
    "pixel_attn_hidden_size": 32,
    "pixel_num_groups": 4,
    "patch_depth": 2,
    "pixel_depth": 1,
    "patch_size": 16,
    "txt_embed_dim": 32,
    "txt_max_length": 16,
}
PID = PIXELDIT | {
    "image_model": "pid",
    "lq_hidden_dim": 32,
    "lq_num_res_blocks": 1,
    "lq_interval": 1,
}
RADIANCE = CHROMA | {
    "image_model": "chroma_radiance",
    "in_channels": 3,
    "out_channels": 3,
    "patch_size": 16,
    "nerf_hidden_size": 16,
    "nerf_mlp_ratio": 2,
    "nerf_depth": 1,
    "nerf_max_freqs": 4,
    "nerf_tile_size": 16,
    "nerf_final_head_type": "conv",
    "nerf_embedder_dtype": torch.float32,
    "use_x0": True,
    "use_sequential_txt_ids": False,
}
if "use_sequential_txt_ids" not in ChromaRadianceParams.__dataclass_fields__:  # of older hosts
    del RADIANCE["use_sequential_txt_ids"]
AURA = {
    "cond_seq_dim": 32,
    "dim": 64,
    "n_layers": 2,
    "n_double_layers": 1,
    "n_heads": 4,
    "global_conddim": 64,
    "max_seq": 1024,
}
PIXART = {
    "hidden_size": 64,
    "depth": 2,
    "num_heads": 4,
    "caption_channels": 32,
    "input_size": 64,
    "pe_interpolation": 1,
    "model_max_length": 8,
    "micro_condition": False,
}
HYDIT = {
    "hidden_size": 64,
    "depth": 4,
    "num_heads": 4,
    "text_states_dim": 32,
    "text_states_dim_t5": 24,
    "text_len": 8,
    "text_len_t5": 6,
}
COGVIDEO = {
    "image_model": "cogvideox",
    "num_attention_heads": 4,
    "attention_head_dim": 16,
    "in_channels": 16,
    "out_channels": 16,
    "text_embed_dim": 32,
    "num_layers": 2,
    "time_embed_dim": 32,
    "use_rotary_positional_embeddings": True,
    "max_text_seq_length": 8,
}
SVD = UNET | {
    "in_channels": 8,
    "use_temporal_attention": True,
    "use_temporal_resblock": True,
    "num_classes": "sequential",
    "adm_in_channels": 768,
    "extra_ff_mix_layer": True,
    "use_spatial_context": True,
    "merge_strategy": "learned_with_images",
    "merge_factor": 0.0,
    "video_kernel_size": [3, 1, 1],
}
UPSCALER = UNET | {
    "in_channels": 7,
    "num_classes": 1000,
    "num_res_blocks": [1] * 4,
    "channel_mult": [1, 2, 2, 2],
    "transformer_depth": [0, 1, 1, 0],
    "transformer_depth_output": [0, 0, 1, 1, 1, 1, 0, 0],
}
CASCADE_C = {
    "stable_cascade_stage": "c",
    "c_cond": 64,
    "c_hidden": [64, 64],
    "nhead": [4, 4],
    "blocks": [[1, 1], [1, 1]],
    "c_clip_text": TEXT_DIM,
    "c_clip_text_pooled": POOLED_DIM,
    "c_clip_img": 768,
}
CASCADE_B = {
    "stable_cascade_stage": "b",
    "c_cond": 64,
    "c_hidden": [32, 32, 64, 64],
    "nhead": [-1, -1, 4, 4],
    "blocks": [[1, 1, 1, 1], [1, 1, 1, 1]],
    "block_repeat": [[1, 1, 1, 1], [1, 1, 1, 1]],
    "c_clip": POOLED_DIM,
}
ERNIE = {
    "image_model": "ernie",
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_layers": 2,
    "ffn_hidden_size": 128,
    "in_channels": 128,
    "out_channels": 128,
    "patch_size": 1,
    "text_in_dim": 32,
    "rope_axes_dim": (4, 6, 6),
}
LENS = {
    "image_model": "lens",
    "patch_size": 2,
    "in_channels": 128,
    "out_channels": 32,
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 4,
    "enc_hidden_dim": 32,
    "axes_dims_rope": (4, 6, 6),
}
MAGE = {
    "image_model": "mage_flow",
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 4,
    "joint_attention_dim": 32,
    "axes_dims_rope": (4, 6, 6),
}
IDEOGRAM = {
    "image_model": "ideogram4",
    "in_channels": 128,
    "num_layers": 2,
    "num_attention_heads": 4,
    "attention_head_dim": 32,
    "intermediate_size": 64,
    "adaln_dim": 32,
    "llm_features_dim": TEXT_DIM,
    "mrope_section": (6, 5, 5),
}
JOY = {
    "image_model": "joyimage",
    "hidden_size": 256,
    "num_attention_heads": 2,
    "text_dim": 32,
    "num_layers": 2,
}
SEEDVR = {
    "image_model": "seedvr2",
    "norm_eps": 1e-5,
    "num_layers": 2,
    "mlp_type": "normal",
    "vid_dim": 128,
    "heads": 1,
    "head_dim": 128,
    "mm_layers": 2,
    "rope_type": "rope3d",
    "rope_dim": 64,
    "txt_in_dim": 32,
    "vid_out_norm": None,
}
MOCHI = {  # its class asks for 12,288 units in the feed-forward layer, whatever the width
    "image_model": "mochi_preview",
    "depth": 2,
    "patch_size": 2,
    "num_heads": 4,
    "hidden_size_x": 64,
    "hidden_size_y": 32,
    "mlp_ratio_x": 192.0,
    "mlp_ratio_y": 4.0,
    "learn_sigma": False,
    "in_channels": 12,
    "qk_norm": True,
    "qkv_bias": False,
    "out_bias": True,
    "attn_drop": 0.0,
    "posenc_preserve_area": True,
    "timestep_scale": 1000.0,
    "use_t5": True,
    "t5_feat_dim": 32,
}
Z_IMAGE_PIXELS = Z_IMAGE | {
    "image_model": "zimage_pixel",
    "patch_size": 8,
    "in_channels": 3,
    "decoder_in_channels": 192,
    "decoder_hidden_size": 64,
    "decoder_num_res_blocks": 1,
}
UNCLIP = UNET | {"num_classes": "sequential", "use_linear_in_transformer": True}
VACE = {"model_type": "vace", "vace_layers": 1, "vace_in_dim": 96}
ANIMATE = {"model_type": "animate", "in_dim": 36, "motion_encoder_dim": 32, "num_layers": 5}
DANCER = {
    "model_type": "wandancer",
    "in_dim": 36,
    "audio_inject_layers": [0],
    "music_dim": 16,
    "music_heads": 2,
    "music_latent_dim": 16,
}
