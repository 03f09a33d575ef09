"""What several example graphs have in common."""

from __future__ import annotations

from .builder import Added, File, Graph, Socket
from .files import CLIP_L, FLUX_VAE, T5

BALANCED = "balanced"
FRESCO = "Draft small, refine what matters"


def fresco(g: Graph, column: int, model: Socket, preset: str, title: str = FRESCO) -> Added:
    """Fresco Apply behind a model."""
    return g.add("FrescoApply", column, title, model=model, preset=preset)


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
