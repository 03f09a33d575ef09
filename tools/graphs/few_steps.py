"""The example graphs of pictures in ten steps and fewer."""

from __future__ import annotations

from .builder import Graph
from .files import (
    FLUX_VAE,
    KLEIN,
    KLEIN_VAE,
    KREA2,
    KREA2_VAE,
    QWEN_3_VL_4B,
    QWEN_4B,
    QWEN_EDIT,
    QWEN_LIGHTNING,
    QWEN_VAE,
    QWEN_VL,
    Z_IMAGE,
)
from .parts import BALANCED, fresco, loaders, sampled, shown


def z_image_turbo(g: Graph) -> None:
    """Z-Image turbo, 8 steps."""
    model, clip, vae = loaders(g, Z_IMAGE, QWEN_4B, "lumina2", FLUX_VAE)
    text = "a lighthouse keeper mending a net by lamplight, oil paint, visible brush strokes"
    positive = g.add("CLIPTextEncode", 1, "Prompt", clip=clip[0], text=text)
    negative = g.add("ConditioningZeroOut", 1, "No negative prompt at cfg 1", conditioning=positive[0])
    latent = g.add("EmptySD3LatentImage", 1, "Canvas", width=1024, height=1024, batch_size=1)
    shifted = g.add("ModelSamplingAuraFlow", 2, "Shift of the sigmas", model=model[0], shift=3.0)
    front = fresco(g, 2, shifted[0], BALANCED)
    done = sampled(g, 3, front[0], positive[0], negative[0], latent[0], 8, "res_multistep", "simple")
    shown(g, 4, done[0], vae[0])
    g.note(
        2,
        "**Z-Image turbo in 8 steps.** Fresco Apply has the preset `balanced`: half of the "
        "steps draw the picture at half resolution, the others, two at least, draw it in full on the same "
        "noise.\n\nThe sampler still shows 8 steps. Bypass Fresco Apply to see the same seed plain.",
    )


def krea2_turbo(g: Graph) -> None:
    """Krea 2 turbo, 8 steps."""
    model, clip, vae = loaders(g, KREA2, QWEN_3_VL_4B, "krea2", KREA2_VAE)
    text = "a street market after rain seen from a balcony, gouache on grey paper, long reflections"
    positive = g.add("CLIPTextEncode", 1, "Prompt", clip=clip[0], text=text)
    negative = g.add("ConditioningZeroOut", 1, "No negative prompt at cfg 1", conditioning=positive[0])
    latent = g.add("EmptyLatentImage", 1, "Canvas", width=1024, height=1024, batch_size=1)
    front = fresco(g, 2, model[0], BALANCED)
    done = sampled(g, 3, front[0], positive[0], negative[0], latent[0], 8, "euler", "simple")
    shown(g, 4, done[0], vae[0])
    g.note(
        2,
        "**Krea 2 turbo in 8 steps.** Four steps draw the picture at half resolution, four draw it in full "
        "from a high sigma on the same noise, so that little of the draft but its composition is left.\n\n"
        "A LoRA belongs between the model and Fresco Apply. Bypass Fresco Apply to see the same seed plain.",
        200,
    )


def flux2_klein(g: Graph) -> None:
    """FLUX.2 klein, 4 steps, custom sampler."""
    model, clip, vae = loaders(g, KLEIN, QWEN_4B, "flux2", KLEIN_VAE)
    text = "a red kite over wheat fields, seen from a church tower, late summer haze"
    positive = g.add("CLIPTextEncode", 1, "Prompt", clip=clip[0], text=text)
    negative = g.add("ConditioningZeroOut", 1, "No negative prompt at cfg 1", conditioning=positive[0])
    latent = g.add("EmptyFlux2LatentImage", 1, "Canvas", width=1024, height=1024, batch_size=1)
    front = fresco(g, 2, model[0], BALANCED)
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
    front = fresco(g, 3, shifted[0], BALANCED)
    normed = g.add("CFGNorm", 3, "Norm of the guidance", model=front[0], strength=1.0)
    done = sampled(g, 4, normed[0], positive[0], negative[0], latent[0], 4, "euler", "simple")
    shown(g, 4, done[0], vae[0])
    g.note(
        3,
        "**Qwen-Image-Edit with two references.** In coarse steps the reference latents are brought to the "
        "level too, so that the model sees all pictures at one scale. The text encoder's own view of them "
        "stays as it is.\n\nWithout the LoRA: 20 to 40 steps, cfg 4, and the preset "
        "`balanced`.",
    )
