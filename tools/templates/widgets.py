"""The widgets of the nodes that graphs are read from, the host's and ours, in the order of saved workflows.

An unnamed one is what the browser adds behind a seed. tests/host/test_templates.py holds them against the
host's own declarations.
"""

from __future__ import annotations

_LINES = {
    "ARVideoI2V": "width height length batch_size",
    "BasicScheduler": "scheduler steps denoise",
    "BerniniConditioning": "width height length batch_size ref_max_size",
    "BetaSamplingScheduler": "steps alpha beta",
    "CheckpointLoaderSimple": "ckpt_name",
    "ComfySwitchNode": "switch",
    "EmptyChromaRadianceLatentImage": "width height batch_size",
    "EmptyFlux2LatentImage": "width height batch_size",
    "EmptyHiDreamO1LatentImage": "width height batch_size",
    "EmptyHunyuanLatentVideo": "width height length batch_size",
    "EmptyHunyuanVideo15Latent": "width height length batch_size",
    "EmptyImage": "width height batch_size color",
    "EmptyLTXVLatentVideo": "width height length batch_size",
    "EmptyLatentImage": "width height batch_size",
    "EmptyQwenImageLayeredLatentImage": "width height layers batch_size",
    "EmptySD3LatentImage": "width height batch_size",
    "FrescoApply": "preset schedule live_heatmap baseline_steps",
    "Flux2Scheduler": "steps width height",
    "GenerateTracks": (
        "width height start_x start_y end_x end_y num_frames num_tracks track_spread bezier "
        "mid_x mid_y interpolation"
    ),
    "HunyuanVideo15ImageToVideo": "width height length batch_size",
    "HunyuanVideo15LatentUpscaleWithModel": "upscale_method width height crop",
    "Ideogram4Scheduler": "steps width height mu std",
    "ImageFromBatch": "batch_index length",
    "ImageOnlyCheckpointLoader": "ckpt_name",
    "ImagePadForOutpaint": "left top right bottom feathering",
    "ImageScale": "upscale_method width height crop",
    "ImageScaleBy": "upscale_method scale_by",
    "ImageScaleToMaxDimension": "upscale_method largest_size",
    "ImageScaleToTotalPixels": "upscale_method megapixels resolution_steps",
    "KSampler": "seed - steps cfg sampler_name scheduler denoise",
    "KSamplerAdvanced": (
        "add_noise noise_seed - steps cfg sampler_name scheduler start_at_step end_at_step "
        "return_with_leftover_noise"
    ),
    "KSamplerSelect": "sampler_name",
    "Kandinsky5ImageToVideo": "width height length batch_size",
    "LTXVImgToVideo": "width height length batch_size strength",
    "LTXVScheduler": "steps max_shift base_shift stretch terminal",
    "LatentCut": "dim index amount",
    "LatentCutToBatch": "dim slice_size",
    "LatentUpscale": "upscale_method width height crop",
    "LatentUpscaleBy": "upscale_method scale_by",
    "LoraLoader": "lora_name strength_model strength_clip",
    "LoraLoaderModelOnly": "lora_name strength_model",
    "ManualSigmas": "sigmas",
    "MiniMaxH3ImageToVideo": "prompt width height length",
    "MiniMaxH3ReferenceToVideo": "prompt width height length ref_image_size",
    "ModelSamplingAuraFlow": "shift",
    "ModelSamplingFlux": "max_shift base_shift width height",
    "ModelSamplingSD3": "shift",
    "Painter": "mask width height",
    "PrimitiveBoolean": "value",
    "PrimitiveFloat": "value",
    "PrimitiveInt": "value -",
    "RenderSplat": (
        "width height frames splat_scale sharpen headlight_shading opacity_threshold "
        "render_style"
    ),
    "ResizeAndPadImage": "target_width target_height padding_color interpolation",
    "ResizeImagesByLongerEdge": "longer_edge",
    "ResolutionSelector": "aspect_ratio megapixels multiple",
    "SDTurboScheduler": "steps denoise",
    "SVD_img2vid_Conditioning": "width height video_frames motion_bucket_id fps augmentation_level",
    "SamplerCustom": "add_noise noise_seed - cfg",
    "SetFirstSigma": "sigma",
    "SolidMask": "value width height",
    "SplitSigmas": "step",
    "TextEncodeMageFlowEdit": "prompt negative_prompt width height batch_size",
    "TrimVideoLatent": "trim_amount",
    "UNETLoader": "unet_name weight_dtype",
    "VOIDInpaintConditioning": "width height length batch_size",
    "VOIDWarpedNoise": "width height length batch_size",
    "Wan22FunControlToVideo": "width height length batch_size",
    "Wan22ImageToVideoLatent": "width height length batch_size",
    "WanAnimate2ToVideo": (
        "width height length batch_size video_frame_offset pose_strength pose_start_percent "
        "pose_end_percent reference_image_strength"
    ),
    "WanCameraEmbedding": "camera_pose width height length speed fx fy cx cy",
    "WanCameraImageToVideo": "width height length batch_size",
    "WanDancerVideo": "width height length",
    "WanFirstLastFrameToVideo": "width height length batch_size",
    "WanFunControlToVideo": "width height length batch_size",
    "WanFunInpaintToVideo": "width height length batch_size",
    "WanHuMoImageToVideo": "width height length batch_size",
    "WanImageToVideo": "width height length batch_size",
    "WanInfiniteTalkToVideo": "width height length motion_frame_count audio_scale",
    "WanMoveTrackToVideo": "strength width height length batch_size",
    "WanSCAILToVideo": (
        "width height length batch_size pose_strength pose_start pose_end video_frame_offset "
        "previous_frame_count replacement_mode"
    ),
    "WanSoundImageToVideo": "width height length batch_size",
    "WanSoundImageToVideoExtend": "length",
    "WanTrackToVideo": "tracks width height length batch_size temperature topk",
    "WanVaceToVideo": "width height length batch_size strength",
}
WIDGETS: dict[str, list[str]] = {
    kind: ["" if name == "-" else name for name in line.split()] for kind, line in _LINES.items()
}
