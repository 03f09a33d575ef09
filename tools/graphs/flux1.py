"""The example graphs of FLUX.1-dev and its kin, 20 steps."""

from __future__ import annotations

from .builder import Graph
from .files import FLUX_ART_LORA, FLUX_CANNY, FLUX_DEPTH_LORA, FLUX_DEV, FLUX_FILL
from .parts import BALANCED, flux_loaders, fresco, sampled, shown


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


def flux_lora_controlnet(g: Graph) -> None:
    """FLUX.1-dev, 20 steps, with a LoRA and a ControlNet."""
    model, clip, vae = flux_loaders(g, FLUX_DEV)
    lora = g.add(
        "LoraLoaderModelOnly", 0, "Style LoRA", model=model[0], lora_name=FLUX_ART_LORA, strength_model=0.8
    )
    control = g.add("ControlNetLoader", 0, "Load ControlNet", control_net_name=FLUX_CANNY)
    text = "art, a harbour town in the evening, lit windows, thick strokes of oil paint"
    positive = g.add("CLIPTextEncode", 1, "Prompt", clip=clip[0], text=text)
    guided = g.add("FluxGuidance", 1, "Guidance", conditioning=positive[0], guidance=3.5)
    negative = g.add("ConditioningZeroOut", 1, "No negative prompt at cfg 1", conditioning=positive[0])
    picture = g.add("LoadImage", 1, "Picture whose outlines are kept", image="example.png")
    scaled = g.add("FluxKontextImageScale", 2, "To a size that the model knows", image=picture[0])
    edges = g.add("Canny", 2, "Outlines", image=scaled[0], low_threshold=0.2, high_threshold=0.5)
    size = g.add("GetImageSize", 2, "Size of the picture", image=scaled[0])
    both = g.add(
        "ControlNetApplyAdvanced",
        3,
        "Hold to the outlines",
        positive=guided[0],
        negative=negative[0],
        control_net=control[0],
        image=edges[0],
        vae=vae[0],
        strength=0.7,
        start_percent=0.0,
        end_percent=0.8,
    )
    latent = g.add(
        "EmptySD3LatentImage", 3, "Canvas of the same size", width=size[0], height=size[1], batch_size=1
    )
    front = fresco(g, 2, lora[0], BALANCED)
    done = sampled(g, 4, front[0], both[0], both[1], latent[0], 20, "euler", "simple")
    shown(g, 5, done[0], vae[0])
    g.note(
        3,
        "**FLUX.1-dev with a LoRA and a ControlNet, 20 steps.** Fresco Apply stands behind the LoRA. The "
        "ControlNet sees the picture at the level of each step, with its hint brought to that level; its "
        "start and end are told by the run's own sigmas, so that both passes are held alike.",
        180,
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
        "brings. Fresco Apply says which it is.",
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
        "so: below 0.88 megapixels FLUX drafts at three quarters of the sides and gains less, below 0.39 the "
        "run is plain.",
    )
