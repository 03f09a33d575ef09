"""What a block starts from where it becomes fine in the middle of a pass.

`python -m benchmarks.mid_run_bridge`. While a block is coarse, its prediction has no detail, so that the
canvas's own detail there is noise alone. Where it becomes fine, that may stay (a copy, as the pack does it),
or the detail of the whole prediction carried over pixels is put in, at the share that the noise level leaves
it: x + a(sigma) (bridged - x0) where the block is new, decoded and encoded once for each growth. Beside both:
dense passes of as many tokens, and plain steps, all on the trained demo model, seed by seed against 50 plain
steps.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from fresco_core import Course, Margin, MixedLook, flow_sigmas, hashed_noise, make_plan, parse, recompose
from fresco_core.canvas.haar import split
from fresco_core.canvas.noise_level import FLOW
from fresco_core.course import ChosenLook
from fresco_core.demo.autoencoder import LATENT_CHANNELS, PictureCodec
from fresco_core.demo.subjects import GUIDANCE, SHIFT, PromptedDenoiser
from fresco_core.look.bridge import bridged
from fresco_core.look.dense import dense_look
from fresco_core.look.mixed import mixed_look
from fresco_core.sampling import euler_step

from .quality.measure import Judge
from .quality.pictures import NOISE_SEED, Studio

CASES = (
    ("full", 50, False),
    ("full", 12, False),
    ("full", 9, False),
    ("full", 6, False),
    ("1/2 40%, mixed 25%..75% low 40%, full 20%", 20, False),
    ("1/2 40%, mixed 25%..75% low 40%, full 20%", 20, True),
    ("1/2 40%, mixed 25%..75% high 40%, full 20%", 20, True),
    ("1/2 60%, full 40%", 20, False),
    ("1/2 60%, full 40%", 20, True),
    ("1/2 80%, full 20%", 20, False),
    ("1/2 80%, full 20%", 20, True),
    ("draft 1/2 x12; refine 0.9 x8", 20, False),
)
"""Schedule, steps, and whether what becomes fine starts from the bridge."""


def main() -> None:
    """Draw and measure every case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=32, help="pictures of a case (default %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    studio, judge = Studio(options.count), Judge()
    reference: tuple[Tensor, float] | None = None
    print(
        f"{'schedule':44s} {'start':7s} {'full steps':>10s} {'LPIPS':>7s} {'PSNR':>6s} {'finest band':>11s}"
    )
    for line, steps, over in CASES:
        latents, tokens = drawn(studio, line, steps, over)
        pictures = torch.cat([studio.demo.autoencoder.decode(some) for some in latents.split(16)]).clamp(0, 1)
        band = float(split(latents)[1].square().mean())
        if reference is None:
            reference = pictures, band
        marks = judge.likeness(pictures, reference[0])
        cost = tokens / studio.canvas.tokens(0)
        start = "bridge" if over else "copy"
        print(
            f"{f'{line} ({steps})':44s} {start:7s} {cost:10.2f} {marks['lpips'].mean():7.4f} "
            f"{marks['psnr'].mean():6.2f} {band / reference[1]:11.3f}",
            flush=True,
        )


@torch.no_grad()
def drawn(studio: Studio, line: str, steps: int, over: bool) -> tuple[Tensor, int]:
    """The latents of all prompts of a studio, and image tokens of one."""
    canvas, codec = studio.canvas, PictureCodec(studio.demo.autoencoder)
    plan = make_plan(parse(line), flow_sigmas(steps, SHIFT), canvas)
    found = []
    for shard in studio.shards:
        ids = studio.ids[shard]
        denoise = PromptedDenoiser.of(studio.demo, ids, GUIDANCE)
        size = (len(ids), LATENT_CHANNELS, canvas.height, canvas.width)
        noise = hashed_noise(NOISE_SEED, size, origin=(shard.start, 0, 0, 0))
        course, margin, x0 = Course(plan, len(ids)), Margin(), torch.zeros_like(noise)
        for index, planned in enumerate(plan.passes):
            sigmas = torch.tensor(planned.sigmas)
            x = recompose(x0, noise, sigmas[0], FLOW)
            course.begin_pass(index, x0)
            fine = torch.zeros_like(noise[:, :1], dtype=torch.bool)
            for step, (sigma, after) in enumerate(zip(sigmas, sigmas[1:], strict=False)):
                seen, at = course.next_look(sigma), sigma.expand(len(x))
                now = pixels_of(seen, x)
                if over and step and bool((now & ~fine).any()) and not bool(fine.all()):
                    detail = bridged(x0, 1, 0, codec, canvas) - x0
                    x = torch.where(now & ~fine, x + (1.0 - sigma) * detail, x)
                fine = fine | now
                if isinstance(seen, MixedLook):
                    x0 = mixed_look(denoise, x, at, seen.layout, canvas, FLOW, margin, x0)
                else:
                    x0 = dense_look(denoise, x, at, seen.level, FLOW, margin, x0)
                course.observe(x0)
                x = euler_step(x, x0, sigma, after)
            x0 = x
        found.append(x0)
    return torch.cat(found), plan.tokens()


def pixels_of(seen: ChosenLook, x: Tensor) -> Tensor:
    """Where a look shows the canvas x (B, C, H, W) in full resolution, (B, 1, H, W)."""
    if isinstance(seen, MixedLook):
        return seen.layout.fine_pixels(2, 1, x)
    return torch.full_like(x[:, :1], seen.level == 0, dtype=torch.bool)


if __name__ == "__main__":
    main()
