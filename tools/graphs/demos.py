"""The graphs of the demo model: they run on any machine, without a download."""

from __future__ import annotations

from fresco_core.demo.subjects import PROMPT

from .builder import Added, Graph


def start(g: Graph, batch: int) -> tuple[Added, Added]:
    """The demo model and its canvas."""
    model = g.add("FrescoDemoLoader", 0, "Small model in the box", prompt=PROMPT, model="detailed")
    return model, g.add("EmptySD3LatentImage", 0, "Canvas", width=192, height=192, batch_size=batch)


def sampled(g: Graph, column: int, title: str, model: Added, latent: Added, preset: str, live: bool) -> Added:
    """Fresco KSampler with the demo model's settings."""
    return g.add(
        "FrescoKSampler",
        column,
        title,
        model=model[0],
        positive=model[2],
        negative=model[3],
        latent_image=latent[0],
        seed=5,
        steps=20,
        cfg=2.5,
        sampler_name="euler",
        scheduler="simple",
        denoise=1.0,
        preset=preset,
        live_heatmap=live,
    )


def demo(g: Graph) -> None:
    """Four pictures, and where each settles."""
    model, latent = start(g, 4)
    done = sampled(g, 1, "Draft small, refine what matters", model, latent, "balanced", True)
    decoded = g.add("VAEDecode", 2, "Decode", samples=done[0], vae=model[1])
    g.add("SaveImage", 2, "Pictures", images=decoded[0], filename_prefix="fresco_demo")
    g.add(
        "FrescoConvergence",
        3,
        "Where the picture settles",
        trace=done[1],
        samples=done[0],
        image=decoded[0],
    )


def compare(g: Graph) -> None:
    """Plain against Fresco, with one seed."""
    model, latent = start(g, 1)
    pictures, runs = [], []
    for title, preset in (("With Fresco", "balanced"), ("Plain", "off")):
        done = sampled(g, 1, title, model, latent, preset, False)
        runs.append(done)
        pictures.append(g.add("VAEDecode", 2, f"Decode, {title.lower()}", samples=done[0], vae=model[1]))
    g.add(
        "FrescoCompare",
        3,
        "Plain against Fresco",
        image_a=pictures[1][0],
        image_b=pictures[0][0],
        trace_a=runs[1][1],
        trace_b=runs[0][1],
    )
