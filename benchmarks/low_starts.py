"""Runs that start from a picture: what a coarse look costs them, and whether a draft over pixels pays.

`python -m benchmarks.low_starts [--count 16]`, on the trained demo model: pictures of one set of seeds, drawn
on from sigma with other noise. Of each start the plain run of as many steps as a full run has from there (20
in all), plain steps of equal cost, one pass with half of its steps at half size although the picture's detail
shows (what the pack refuses), the same in two passes, and a draft from the encoded half-size picture that
crosses over pixels and is refined from 0.6 of the start. PSNR of the picture and energy of the latent's
finest band, both against the plain run; hidden/noise is what spectrum.TOLERANCE bounds.
"""

from __future__ import annotations

import argparse

import torch
import torch.nn.functional as F
from torch import Tensor

from fresco_core import flow_sigmas, hashed_noise, recompose
from fresco_core.bench.distance import peak_ratio
from fresco_core.canvas.haar import expand, split
from fresco_core.canvas.noise_level import FLOW
from fresco_core.demo.autoencoder import LATENT_CHANNELS, PictureCodec
from fresco_core.demo.subjects import GUIDANCE, SHIFT, PromptedDenoiser
from fresco_core.look.bridge import bridged
from fresco_core.look.dense import Denoiser, dense_look
from fresco_core.look.spectrum import band_powers
from fresco_core.sampling import euler_step

from .quality.pictures import Studio

STEPS = 20
STARTS = (0.97, 0.95, 0.9, 0.8, 0.6)
GIVEN_SEED, DRAWN_SEED = 21, 22


def main() -> None:
    """Measure every start."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=16)
    options = parser.parse_args()
    torch.set_num_threads(1)
    studio = Studio(options.count)
    codec, canvas = PictureCodec(studio.demo.autoencoder), studio.canvas
    size = (options.count, LATENT_CHANNELS, canvas.height, canvas.width)
    given_noise, noise = (hashed_noise(seed, size) for seed in (GIVEN_SEED, DRAWN_SEED))
    denoise = PromptedDenoiser.of(studio.demo, studio.ids, GUIDANCE)
    with torch.no_grad():
        given = run(denoise, given_noise, flow_sigmas(STEPS, SHIFT), 0)
        power = float(band_powers(given, 1)[0])
        heads = f"{'start':>6s} {'hidden/noise':>12s}  {'run':28s}"
        print(f"{heads} {'full steps':>10s} {'PSNR':>6s} {'finest band':>11s}")
        for start in STARTS:
            ratio = (1.0 - start) ** 2 * power / start**2
            rows = drawn_from(start, given, noise, denoise, codec, studio)
            truth, *_ = rows.values()
            for name, (latent, cost) in rows.items():
                pictures = [codec.decode(found) for found in (latent, truth[0])]
                psnr = peak_ratio(*pictures)
                band = float(split(latent)[1].square().mean() / split(truth[0])[1].square().mean())
                print(
                    f"{start:6.2f} {ratio:12.4f}  {name:28s} {cost:10.2f} {psnr:6.2f} {band:11.3f}",
                    flush=True,
                )


def drawn_from(
    start: float, given: Tensor, noise: Tensor, denoise: Denoiser, codec: PictureCodec, studio: Studio
) -> dict[str, tuple[Tensor, float]]:
    """Latents and costs in full steps by name; the plain run first."""
    canvas = studio.canvas
    grid = [start, *(s for s in flow_sigmas(STEPS, SHIFT) if s < start)]
    steps = len(grid) - 1
    half, low = max(steps // 2, 1), 0.25
    x = recompose(given, noise, torch.tensor(start), FLOW)
    coarse_first = [1] * half + [0] * (steps - half)
    fewer = thinned(grid, max(round(half * low + steps - half), 1))
    out = {
        "plain": (run(denoise, x, grid, 0), float(steps)),
        "plain, equal cost": (run(denoise, x, fewer, 0), float(len(fewer) - 1)),
        "half coarse, one pass": (run(denoise, x, grid, coarse_first), half * low + steps - half),
    }
    refine = thinned([0.9 * s for s in grid], max(steps - half, 1))
    draft = run(denoise, x, thinned(grid, half), 1)
    again = recompose(draft, noise, torch.tensor(refine[0]), FLOW)
    out["half coarse, two passes"] = run(denoise, again, refine, 0), half * low + len(refine) - 1
    pixels = F.interpolate(codec.decode(given), scale_factor=0.5, mode="area")
    small = expand(codec.encode(pixels), 1)
    draft = run(denoise, recompose(small, noise, torch.tensor(start), FLOW), thinned(grid, half), 1)
    refine = thinned([0.6 * s for s in grid], max(steps - half, 1))
    over = bridged(draft, 1, 0, codec, canvas)
    again = recompose(over, noise, torch.tensor(refine[0]), FLOW)
    out["half-size picture, bridged"] = run(denoise, again, refine, 0), half * low + len(refine) - 1
    return out


def thinned(grid: list[float], steps: int) -> list[float]:
    """A grid's range in fewer steps, spread as the grid spreads its own."""
    places = torch.linspace(0.0, len(grid) - 1.0, steps + 1)
    low = places.floor().long().clamp_max(len(grid) - 2)
    values = torch.tensor(grid)
    return (values[low] + (places - low) * (values[low + 1] - values[low])).tolist()


def run(denoise: Denoiser, x: Tensor, grid: list[float], levels: int | list[int]) -> Tensor:
    """Euler from the canvas x (B, C, H, W) over a grid, every step at its level."""
    each = [levels] * (len(grid) - 1) if isinstance(levels, int) else levels
    sigmas = torch.tensor(grid)
    for sigma, after, level in zip(sigmas, sigmas[1:], each, strict=False):
        x = euler_step(x, dense_look(denoise, x, sigma.expand(len(x)), level), sigma, after)
    return x


if __name__ == "__main__":
    main()
