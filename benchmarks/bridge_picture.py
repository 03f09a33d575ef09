"""One seed drawn plain, from a copied draft and from a draft over pixels.

`python -m benchmarks.bridge_picture`. Both drafts are refined from the same sigma with the same steps; beside
them stands the plain sampler with as many steps as they cost, rounded down. Below each picture the part in
which the copy is furthest from the plain one, enlarged, with its distance to the plain picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from fresco_core import flow_sigmas, hashed_noise, make_plan, parse, sample
from fresco_core.bench.distance import peak_ratio
from fresco_core.demo.autoencoder import PictureCodec
from fresco_core.demo.subjects import PROMPT, trained
from fresco_core.demo.weights import load_demo

DRAFT, SIGMA, REFINE = 10, 0.6, 2
PLAIN_STEPS = 50
EQUAL_STEPS = DRAFT // 4 + REFINE  # a step at half resolution has a quarter of the tokens
CROP, TIMES, GAP, LINE = 56, 4, 12, 26
PAPER, INK = (250, 248, 244), (40, 38, 36)


def main() -> None:
    """Draw, and write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompt", default=PROMPT)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path("docs/bridge.png"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    pictures = drawn(options.prompt, options.seed)
    args = (pictures, place_of(pictures["plain"], pictures["copied"]))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet(*args).save(options.out)
    for name, picture in pictures.items():
        print(f"{name:18s} {peak_ratio(picture, pictures['plain']):6.2f} dB to plain")


@torch.no_grad()
def drawn(prompt: str, seed: int) -> dict[str, Tensor]:
    """Pictures (3, H, W) in [0, 1] by name."""
    subject = trained(prompt)
    codec, canvas = PictureCodec(load_demo().autoencoder), subject.canvas
    noise = hashed_noise(seed, (1, subject.channels, canvas.height, canvas.width))
    lines = {
        "plain": ("full", PLAIN_STEPS),
        "plain, equal cost": ("full", EQUAL_STEPS),
        "copied": (f"draft 1/2 x{DRAFT}; refine {SIGMA} x{REFINE}", DRAFT + REFINE),
        "over pixels": (f"draft 1/2 x{DRAFT}; refine {SIGMA} via pixels x{REFINE}", DRAFT + REFINE),
    }
    found = {}
    for name, (line, steps) in lines.items():
        plan = make_plan(parse(line), flow_sigmas(steps, subject.shift), canvas, autoencoder=True)
        latent = sample(subject.denoise, noise, plan, autoencoder=codec)
        found[name] = codec.decode(latent)[0]
    return found


def place_of(plain: Tensor, copied: Tensor) -> tuple[int, int]:
    """Row and column of the crop in which two pictures differ most."""
    error = (plain - copied).square().mean(dim=0)[None, None]
    sums = F.avg_pool2d(error, CROP, stride=4)[0, 0]
    row, column = divmod(int(sums.argmax()), sums.shape[1])
    return 4 * row, 4 * column


def sheet(pictures: dict[str, Tensor], place: tuple[int, int]) -> Image.Image:
    """The pictures side by side, their crops below them."""
    row, column = place
    side = CROP * TIMES
    width, height = len(pictures) * (side + GAP) + GAP, LINE + 2 * side + 3 * GAP
    out = Image.new("RGB", (width, height), PAPER)
    draw, font = ImageDraw.Draw(out), ImageFont.load_default(size=15)
    for index, (name, picture) in enumerate(pictures.items()):
        x, y = GAP + index * (side + GAP), LINE + GAP
        whole = as_image(picture).resize((side, side), Image.Resampling.LANCZOS)
        scale = side / picture.shape[-1]
        box = [round(v * scale) for v in (column, row, column + CROP, row + CROP)]
        ImageDraw.Draw(whole).rectangle(box, outline=(255, 255, 255), width=2)
        out.paste(whole, (x, y))
        crop = as_image(picture[:, row : row + CROP, column : column + CROP])
        out.paste(crop.resize((side, side), Image.Resampling.NEAREST), (x, y + side + GAP))
        near = f"{peak_ratio(picture, pictures['plain']):.1f} dB"
        steps = f"{PLAIN_STEPS} steps" if name == "plain" else near
        draw.text((x, GAP), f"{name}, {steps}", INK, font)
    return out


def as_image(picture: Tensor) -> Image.Image:
    """A picture (3, H, W) in [0, 1]."""
    return Image.fromarray((picture.clamp(0, 1) * 255.0).round().byte().permute(1, 2, 0).numpy())


if __name__ == "__main__":
    main()
