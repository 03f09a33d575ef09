"""The example graphs of video."""

from __future__ import annotations

from .builder import Graph
from .files import GEMMA, LTX, UMT5, WAN_HIGH, WAN_LOW, WAN_VAE
from .parts import BALANCED, fresco

LTX_SIGMAS = "1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875, 0.0"
"""Those that LTX-2's distilled models are made for."""
LTX_SCHEDULE = "~1/2 x5, full x3"
"""One pass, which keeps the given sigmas: coarse from 1 to 0.975, where a coarse look hides noise alone."""


def wan22_two_experts(g: Graph) -> None:
    """Wan 2.2, text to video, two samplers."""
    high = g.add("UNETLoader", 0, "High-noise expert", unet_name=WAN_HIGH, weight_dtype="default")
    low = g.add("UNETLoader", 0, "Low-noise expert", unet_name=WAN_LOW, weight_dtype="default")
    clip = g.add("CLIPLoader", 0, "Load text encoder", clip_name=UMT5, type="wan", device="default")
    vae = g.add("VAELoader", 0, "Load VAE", vae_name=WAN_VAE)
    text = "a heron lifts off from a misty river at dawn, the camera follows it slowly"
    positive = g.add("CLIPTextEncode", 1, "Prompt", clip=clip[0], text=text)
    negative = g.add(
        "CLIPTextEncode", 1, "Negative prompt", clip=clip[0], text="static, blurred, overexposed, subtitles"
    )
    latent = g.add(
        "EmptyHunyuanLatentVideo", 1, "Canvas", width=1280, height=720, length=81, batch_size=1
    )
    stages = []
    for model, words in ((high, "high-noise"), (low, "low-noise")):
        shifted = g.add("ModelSamplingSD3", 2, f"Shift, {words}", model=model[0], shift=5.0)
        stages.append(fresco(g, 2, shifted[0], BALANCED, f"Fresco, {words}"))
    shared = {"noise_seed": 7, "steps": 20, "cfg": 3.5, "sampler_name": "euler", "scheduler": "simple"}
    first = g.add(
        "KSamplerAdvanced",
        3,
        "Sample high noise",
        model=stages[0][0],
        positive=positive[0],
        negative=negative[0],
        latent_image=latent[0],
        add_noise="enable",
        start_at_step=0,
        end_at_step=10,
        return_with_leftover_noise="enable",
        **shared,
    )
    second = g.add(
        "KSamplerAdvanced",
        3,
        "Sample low noise",
        model=stages[1][0],
        positive=positive[0],
        negative=negative[0],
        latent_image=first[0],
        add_noise="disable",
        start_at_step=10,
        end_at_step=10000,
        return_with_leftover_noise="disable",
        **shared,
    )
    decoded = g.add("VAEDecode", 4, "Decode", samples=second[0], vae=vae[0])
    g.add(
        "SaveAnimatedWEBP",
        4,
        "Save video",
        images=decoded[0],
        filename_prefix="fresco/wan22",
        fps=16.0,
        lossless=False,
        quality=85,
        method="default",
    )
    g.note(
        4,
        "**Wan 2.2 with two experts.** Fresco Apply stands behind both models. The high-noise stage ends "
        "with noise left, so it has no draft: its steps are as coarse as the noise allows, and none asks the "
        "expert about a sigma outside its stage. The low-noise stage starts low and runs plain; its node "
        "says why.\n\nThe size matters: at 1280x720 the first stage looks at half of the sides; half of "
        "640x640 is too small for Wan, so that it looks at three quarters there and gains less. For a draft "
        "through both models take Fresco Experts and one sampler.",
        340,
    )


def ltx2_with_audio(g: Graph) -> None:
    """LTX-2.3, text to video with its sound, 8 steps."""
    model = g.add("CheckpointLoaderSimple", 0, "Load checkpoint", ckpt_name=LTX)
    clip = g.add(
        "LTXAVTextEncoderLoader",
        0,
        "Load text encoder",
        text_encoder=GEMMA,
        ckpt_name=LTX,
        device="default",
    )
    hearing = g.add("LTXVAudioVAELoader", 0, "Load audio VAE", ckpt_name=LTX)
    text = (
        "A potter shapes a bowl on a turning wheel, close up, wet clay shines in window light. The wheel "
        "hums, water drips, she says quietly: almost there."
    )
    positive = g.add("CLIPTextEncode", 1, "Prompt", clip=clip[0], text=text)
    negative = g.add("CLIPTextEncode", 1, "Negative prompt", clip=clip[0], text="blurred, jittery, subtitles")
    both = g.add(
        "LTXVConditioning",
        1,
        "Frames a second",
        positive=positive[0],
        negative=negative[0],
        frame_rate=25.0,
    )
    frames = {"length": 121, "batch_size": 1}
    video = g.add("EmptyLTXVLatentVideo", 1, "Canvas", width=1280, height=704, **frames)
    sound = g.add(
        "LTXVEmptyLatentAudio",
        1,
        "Sound",
        audio_vae=hearing[0],
        frames_number=121,
        frame_rate=25,
        batch_size=1,
    )
    latent = g.add(
        "LTXVConcatAVLatent", 2, "Video and sound", video_latent=video[0], audio_latent=sound[0]
    )
    words = "Draw the first steps at half size"
    front = g.add("FrescoApply", 2, words, model=model[0], schedule=LTX_SCHEDULE)
    guider = g.add("CFGGuider", 2, "Guide", model=front[0], positive=both[0], negative=both[1], cfg=1.0)
    noise = g.add("RandomNoise", 3, "Noise", noise_seed=7)
    sampler = g.add("KSamplerSelect", 3, "Sampler", sampler_name="euler")
    sigmas = g.add("ManualSigmas", 3, "Sigmas of the distilled model", sigmas=LTX_SIGMAS)
    done = g.add(
        "SamplerCustomAdvanced",
        3,
        "Sample",
        noise=noise[0],
        guider=guider[0],
        sampler=sampler[0],
        sigmas=sigmas[0],
        latent_image=latent[0],
    )
    apart = g.add("LTXVSeparateAVLatent", 4, "Video, sound", av_latent=done[0])
    pictures = g.add(
        "VAEDecodeTiled",
        4,
        "Decode video",
        samples=apart[0],
        vae=model[2],
        tile_size=768,
        overlap=64,
        temporal_size=4096,
        temporal_overlap=4,
    )
    heard = g.add("LTXVAudioVAEDecode", 4, "Decode sound", samples=apart[1], audio_vae=hearing[0])
    made = g.add("CreateVideo", 4, "Video with sound", images=pictures[0], audio=heard[0], fps=25.0)
    g.add(
        "SaveVideo",
        4,
        "Save video",
        video=made[0],
        filename_prefix="fresco/ltx2",
    )
    g.note(
        3,
        "**LTX-2.3 with its sound, 8 steps.** The first five steps see the video at half its size, the last "
        "three in full; the sound goes through all eight at its own noise level, as in the plain run.\n\n"
        "This is one pass, so that the sigmas are the given ones. A draft (`draft`, `refine`) would spread "
        "them anew over two passes.",
        200,
    )
