"""The graphs: what people run, with Fresco Apply in front of the sampler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fresco_core import PRESETS

from .builder import Added, File, Graph, Socket
from .files import (
    CLIP_L,
    FLUX_DEPTH_LORA,
    FLUX_DEV,
    FLUX_FILL,
    FLUX_VAE,
    KLEIN,
    KLEIN_VAE,
    QWEN_4B,
    QWEN_EDIT,
    QWEN_LIGHTNING,
    QWEN_VAE,
    QWEN_VL,
    T5,
    UMT5,
    WAN_HIGH,
    WAN_LOW,
    WAN_VAE,
    Z_IMAGE,
)

DISTILLED, BALANCED = PRESETS["distilled"], PRESETS["balanced"]
FRESCO = "Draft small, refine what matters"


def fresco(g: Graph, column: int, model: Socket, schedule: str, title: str = FRESCO) -> Added:
    """Fresco Apply behind a model."""
    return g.add("FrescoApply", column, title, model=model, schedule=schedule)


def loaders(g: Graph, model: File, text: File, kind: str, vae: File) -> tuple[Added, Added, Added]:
    """Diffusion model, one text encoder and autoencoder."""
    return (
        g.add("UNETLoader", 0, "Load diffusion model", unet_name=model, weight_dtype="default"),
        g.add("CLIPLoader", 0, "Load text encoder", clip_name=text, type=kind, device="default"),
        g.add("VAELoader", 0, "Load VAE", vae_name=vae),
    )


def flux_loaders(g: Graph, model: File) -> tuple[Added, Added, Added]:
    """FLUX.1's: two text encoders."""
    return (
        g.add("UNETLoader", 0, "Load diffusion model", unet_name=model, weight_dtype="default"),
        g.add(
            "DualCLIPLoader",
            0,
            "Load text encoders",
            clip_name1=CLIP_L,
            clip_name2=T5,
            type="flux",
            device="default",
        ),
        g.add("VAELoader", 0, "Load VAE", vae_name=FLUX_VAE),
    )


def sampled(
    g: Graph,
    column: int,
    model: Socket,
    positive: Socket,
    negative: Socket,
    latent: Socket,
    steps: int,
    name: str,
    scheduler: str,
    denoise: float = 1.0,
) -> Added:
    """KSampler, without guidance by a negative prompt."""
    return g.add(
        "KSampler",
        column,
        "Sample",
        model=model,
        positive=positive,
        negative=negative,
        latent_image=latent,
        seed=7,
        steps=steps,
        cfg=1.0,
        sampler_name=name,
        scheduler=scheduler,
        denoise=denoise,
    )


def shown(g: Graph, column: int, latent: Socket, vae: Socket) -> None:
    """Decode and save."""
    decoded = g.add("VAEDecode", column, "Decode", samples=latent, vae=vae)
    g.add("SaveImage", column, "Save picture", images=decoded[0], filename_prefix=f"fresco/{g.name[7:]}")


def z_image_turbo(g: Graph) -> None:
    """Z-Image turbo, 8 steps."""
    model, clip, vae = loaders(g, Z_IMAGE, QWEN_4B, "lumina2", FLUX_VAE)
    text = "a lighthouse keeper mending a net by lamplight, oil paint, visible brush strokes"
    positive = g.add("CLIPTextEncode", 1, "Prompt", clip=clip[0], text=text)
    negative = g.add("ConditioningZeroOut", 1, "No negative prompt at cfg 1", conditioning=positive[0])
    latent = g.add("EmptySD3LatentImage", 1, "Canvas", width=1024, height=1024, batch_size=1)
    shifted = g.add("ModelSamplingAuraFlow", 2, "Shift of the sigmas", model=model[0], shift=3.0)
    front = fresco(g, 2, shifted[0], DISTILLED)
    done = sampled(g, 3, front[0], positive[0], negative[0], latent[0], 8, "res_multistep", "simple")
    shown(g, 4, done[0], vae[0])
    g.note(
        2,
        "**Z-Image turbo in 8 steps.** Fresco Apply has the schedule of the preset `distilled`: half of the "
        "steps draw the picture at half resolution, the others, two at least, draw it in full on the same "
        "noise.\n\nThe sampler still shows 8 steps. Bypass Fresco Apply to see the same seed plain.",
    )


def flux2_klein(g: Graph) -> None:
    """FLUX.2 klein, 4 steps, custom sampler."""
    model, clip, vae = loaders(g, KLEIN, QWEN_4B, "flux2", KLEIN_VAE)
    text = "a red kite over wheat fields, seen from a church tower, late summer haze"
    positive = g.add("CLIPTextEncode", 1, "Prompt", clip=clip[0], text=text)
    negative = g.add("ConditioningZeroOut", 1, "No negative prompt at cfg 1", conditioning=positive[0])
    latent = g.add("EmptyFlux2LatentImage", 1, "Canvas", width=1024, height=1024, batch_size=1)
    front = fresco(g, 2, model[0], DISTILLED)
    guider = g.add(
        "CFGGuider", 2, "Guide", model=front[0], positive=positive[0], negative=negative[0], cfg=1.0
    )
    noise = g.add("RandomNoise", 2, "Noise", noise_seed=7)
    sampler = g.add("KSamplerSelect", 2, "Sampler", sampler_name="euler")
    sigmas = g.add("Flux2Scheduler", 2, "Sigmas", steps=4, width=1024, height=1024)
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
    shown(g, 3, done[0], vae[0])
    g.note(
        1,
        "**FLUX.2 klein in 4 steps.** Two steps draw the picture at half resolution, two in full. Fresco "
        "Apply sits between the model and the guider; noise, sampler and sigmas are the stock nodes.\n\nOf "
        "two passes each has its own sigmas, spread as the scheduler spreads the run's.",
    )


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
        "expert about a sigma outside its stage. The low-noise stage starts low and runs plain; the log says "
        "why.\n\nThe size matters: half of 1280x720 is a size that Wan draws well, half of 640x640 is not, "
        "and both stages would be plain.",
        340,
    )


def qwen_edit_two_references(g: Graph) -> None:
    """Qwen-Image-Edit, two pictures, 4 steps by a LoRA."""
    model, clip, vae = loaders(g, QWEN_EDIT, QWEN_VL, "qwen_image", QWEN_VAE)
    lora = g.add(
        "LoraLoaderModelOnly", 0, "Four steps", model=model[0], lora_name=QWEN_LIGHTNING, strength_model=1.0
    )
    first = g.add("LoadImage", 1, "Picture to edit", image="example.png")
    second = g.add("LoadImage", 1, "Second reference", image="example.png")
    scaled = g.add("FluxKontextImageScale", 2, "To a size that the model knows", image=first[0])
    words = "place the object of the second picture into the first, in the same light"
    pictures = {"clip": clip[0], "vae": vae[0], "image1": scaled[0], "image2": second[0]}
    positive = g.add("TextEncodeQwenImageEditPlus", 2, "What to change", prompt=words, **pictures)
    negative = g.add("TextEncodeQwenImageEditPlus", 2, "Negative prompt", prompt="", **pictures)
    latent = g.add("VAEEncode", 2, "Canvas of the first picture's size", pixels=scaled[0], vae=vae[0])
    shifted = g.add("ModelSamplingAuraFlow", 3, "Shift of the sigmas", model=lora[0], shift=3.0)
    front = fresco(g, 3, shifted[0], DISTILLED)
    normed = g.add("CFGNorm", 3, "Norm of the guidance", model=front[0], strength=1.0)
    done = sampled(g, 4, normed[0], positive[0], negative[0], latent[0], 4, "euler", "simple")
    shown(g, 4, done[0], vae[0])
    g.note(
        3,
        "**Qwen-Image-Edit with two references.** In coarse steps the reference latents are brought to the "
        "level too, so that the model sees all pictures at one scale. The text encoder's own view of them "
        "stays as it is.\n\nWithout the LoRA: 20 to 40 steps, cfg 4, and the schedule\n"
        f"`{BALANCED}`.",
    )


def flux_depth_lora(g: Graph) -> None:
    """FLUX.1-dev, 20 steps, with a LoRA."""
    model, clip, vae = flux_loaders(g, FLUX_DEV)
    lora = g.add(
        "LoraLoaderModelOnly", 0, "Depth LoRA", model=model[0], lora_name=FLUX_DEPTH_LORA, strength_model=1.0
    )
    text = "a paper-cut theatre of a mountain village, layered card, soft side light"
    positive = g.add("CLIPTextEncode", 1, "Prompt", clip=clip[0], text=text)
    guided = g.add("FluxGuidance", 1, "Guidance", conditioning=positive[0], guidance=10.0)
    negative = g.add("ConditioningZeroOut", 1, "No negative prompt at cfg 1", conditioning=positive[0])
    depth = g.add("LoadImage", 1, "Depth map, near is bright", image="example.png")
    scaled = g.add("FluxKontextImageScale", 2, "To a size that the model knows", image=depth[0])
    both = g.add(
        "InstructPixToPixConditioning",
        2,
        "Depth beside the canvas",
        positive=guided[0],
        negative=negative[0],
        vae=vae[0],
        pixels=scaled[0],
    )
    front = fresco(g, 2, lora[0], BALANCED)
    done = sampled(g, 3, front[0], both[0], both[1], both[2], 20, "euler", "normal")
    shown(g, 4, done[0], vae[0])
    g.note(
        2,
        "**FLUX.1-dev with a LoRA, 20 steps.** Fresco Apply stands behind the LoRA. The depth map lies "
        "beside the canvas, and is merged with it to the level of each step.",
        200,
    )


def image_to_image(g: Graph) -> None:
    """FLUX.1-dev from a picture, denoise 0.95."""
    model, clip, vae = flux_loaders(g, FLUX_DEV)
    text = "the same scene as a charcoal drawing on rough paper"
    positive = g.add("CLIPTextEncode", 1, "Prompt", clip=clip[0], text=text)
    guided = g.add("FluxGuidance", 1, "Guidance", conditioning=positive[0], guidance=3.5)
    negative = g.add("ConditioningZeroOut", 1, "No negative prompt at cfg 1", conditioning=positive[0])
    picture = g.add("LoadImage", 1, "Picture to start from", image="example.png")
    scaled = g.add("FluxKontextImageScale", 2, "To a size that the model knows", image=picture[0])
    latent = g.add("VAEEncode", 2, "Canvas", pixels=scaled[0], vae=vae[0])
    front = fresco(g, 2, model[0], BALANCED)
    done = sampled(
        g, 3, front[0], guided[0], negative[0], latent[0], 20, "euler", "simple", denoise=0.95
    )
    shown(g, 4, done[0], vae[0])
    g.note(
        3,
        "**Image to image.** A coarse look may hide only what is noise. At denoise 0.95 this run starts at a "
        "noise share of 0.98, and Fresco drafts unless the picture's detail shows through it. Where the "
        "start is below 0.95 (denoise 0.8 and less) the run is plain: a draft would lose what the picture "
        "brings. The log says which it is.",
    )


def inpainting(g: Graph) -> None:
    """FLUX.1 Fill, masked."""
    model, clip, vae = flux_loaders(g, FLUX_FILL)
    text = "a round window of stained glass"
    positive = g.add("CLIPTextEncode", 1, "What to paint", clip=clip[0], text=text)
    guided = g.add("FluxGuidance", 1, "Guidance", conditioning=positive[0], guidance=30.0)
    negative = g.add("ConditioningZeroOut", 1, "No negative prompt at cfg 1", conditioning=positive[0])
    picture = g.add("LoadImage", 1, "Picture with a mask (right-click: mask editor)", image="example.png")
    soft = g.add("DifferentialDiffusion", 2, "Soft mask", model=model[0], strength=1.0)
    front = fresco(g, 2, soft[0], BALANCED)
    both = g.add(
        "InpaintModelConditioning",
        2,
        "Masked canvas",
        positive=guided[0],
        negative=negative[0],
        vae=vae[0],
        pixels=picture[0],
        mask=picture[1],
        noise_mask=True,
    )
    done = sampled(g, 3, front[0], both[0], both[1], both[2], 20, "euler", "normal")
    shown(g, 4, done[0], vae[0])
    g.note(
        3,
        "**Inpainting.** The mask and the masked picture are merged to the level of each coarse step; what "
        "the mask keeps is kept on the full canvas, as in the plain run. Take a picture of a megapixel or "
        "so: half of a much smaller one is below what FLUX draws well, and the run is then plain.",
    )


EXAMPLES: Mapping[str, Callable[[Graph], None]] = {
    "fresco_z_image_turbo": z_image_turbo,
    "fresco_flux2_klein": flux2_klein,
    "fresco_wan22_two_experts": wan22_two_experts,
    "fresco_qwen_edit_two_references": qwen_edit_two_references,
    "fresco_flux_depth_lora": flux_depth_lora,
    "fresco_image_to_image": image_to_image,
    "fresco_inpainting": inpainting,
}


def build(name: str, info: Mapping[str, Any]) -> Graph:
    """The graph of that name."""
    graph = Graph(name, info)
    EXAMPLES[name](graph)
    return graph
