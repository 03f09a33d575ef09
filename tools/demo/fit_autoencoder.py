"""Train the autoencoder on rendered scenes; later its decoder alone, on fixed latents."""

from __future__ import annotations

import logging
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fresco_core.demo.autoencoder import DOWNSCALE, TinyAutoencoder

from .budgets import Budget, Code
from .open_render import OpenRenderer
from .render import Renderer, sheet
from .start import start_at_block_code, start_at_shipped_code
from .work import Workplace, downscale, draw_ids, save

log = logging.getLogger(__name__)

EVAL_SALT = 7_000_000
START_SALT = 7_500_000


def picture_loss(got: Tensor, want: Tensor) -> Tensor:
    """L1 of pixels, of pixel differences, and of pictures at 1/2 and 1/4."""
    loss = (got - want).abs().mean()
    for dim in (-1, -2):
        loss = loss + (got.diff(dim=dim) - want.diff(dim=dim)).abs().mean()
    for size in (2, 4):
        loss = loss + 0.5 * (F.avg_pool2d(got, size) - F.avg_pool2d(want, size)).abs().mean()
    return loss


def latent_loss(latents: Tensor, tilted: bool = False) -> Tensor:
    """Distance of every channel from zero mean and unit deviation, and of single values from within 3.

    tilted: the channels' deviations may differ, only their root mean square is to be 1.
    """
    mean, spread = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    if tilted:
        spread = spread.square().mean().sqrt()
    return mean.square().mean() + (spread - 1).square().mean() + F.relu(latents.abs() - 2.5).square().mean()


def pictures_for(
    work: Workplace, renderer: Renderer | OpenRenderer, level: int, count: int, random: torch.Generator
) -> Tensor:
    """Training pictures: crops near objects at full size, whole scenes below."""
    ids = draw_ids(
        work.budget,
        max(1, count // 2) if level == 0 else count,
        int(torch.randint(1 << 30, (1,), generator=random)),
    )
    drawn = renderer.draw(ids, random).to(work.device)
    if level:
        return downscale(drawn, level)
    crops = []
    for slot in (0, 1):
        for one, row in zip(drawn, ids.tolist(), strict=True):
            top, left = crop_corner(row[3 * slot + 1], work.budget, random)
            crops.append(one[:, top : top + work.budget.crop, left : left + work.budget.crop])
    return torch.stack(crops)


def crop_corner(place: int, budget: Budget, random: torch.Generator) -> tuple[int, int]:
    """Top and left of a crop near an object at a place (index from 1), or anywhere for place 0."""
    last = (budget.looks.side - budget.crop) // DOWNSCALE
    if not place:
        top, left = torch.randint(last + 1, (2,), generator=random).tolist()
    else:
        reach = max(1, round(0.25 * last))
        stray = torch.randint(-reach, reach + 1, (2,), generator=random).tolist()
        row, column = divmod(place - 1, 3)
        top, left = (
            min(last, max(0, round(at * last / 2) + by)) for at, by in zip((row, column), stray, strict=True)
        )
    return DOWNSCALE * top, DOWNSCALE * left


def fit_autoencoder(work: Workplace, decoder_only: bool = False) -> None:
    """Train until the stage's budget is spent; goes on from the checkpoint if there is one."""
    name = "decoder" if decoder_only else "autoencoder"
    stage = work.budget.decoder if decoder_only else work.budget.autoencoder
    course, renderer = work.course(stage), work.renderer()
    torch.manual_seed(work.budget.seed)
    model = TinyAutoencoder(work.budget.autoencoder_shape).to(work.device, memory_format=torch.channels_last)
    if not decoder_only:
        pictures = renderer.draw(draw_ids(work.budget, 64, START_SALT), work.generator(START_SALT))
        start = start_at_shipped_code if work.budget.code.shipped else start_at_block_code
        start(model, [pictures, downscale(pictures, 1)], work.budget.code.tilt)
    else:
        model.load_state_dict(torch.load(work.file("autoencoder.pt"), map_location=work.device)["model"])
        model.taesd_encoder.requires_grad_(False)
    adam = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], stage.rate, (0.9, 0.98), weight_decay=0
    )
    random = work.generator(11 if decoder_only else 10)
    checkpoint = work.file(f"{name}.pt")
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=work.device)
        model.load_state_dict(state["model"])
        adam.load_state_dict(state["adam"])
        random.set_state(state["random"].cpu())
        course.load(state["course"])
    if work.compile:
        model.taesd_encoder.compile()
        model.taesd_decoder.compile()

    def keep() -> None:
        save(
            checkpoint,
            {
                "model": model.state_dict(),
                "adam": adam.state_dict(),
                "random": random.get_state(),
                "course": course.state(),
            },
        )

    seen = []
    while course.progress < 1:
        level = course.level(random)
        pictures = pictures_for(work, renderer, level, stage.batch[level], random)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        for group in adam.param_groups:
            group["lr"] = stage.rate * course.rate_factor()
        with work.autocast():
            loss = step_loss(model, pictures, work.budget.code, decoder_only)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        course.step += 1
        seen.append(loss.detach())
        if course.step % 50 == 0:
            log.info(
                "%s step %d (%.0f s): loss %.4f",
                name,
                course.step,
                course.elapsed(),
                torch.stack(seen).mean(),
            )
            seen.clear()
        if course.step % 200 == 0:
            keep()
            report(work, model, renderer, name)
    keep()
    report(work, model, renderer, name)


def step_loss(model: TinyAutoencoder, pictures: Tensor, code: Code, decoder_only: bool) -> Tensor:
    """Reconstruction under slight latent noise, latent statistics, and agreement between scales.

    The last term, where the code wants it, asks that the mean of 2 x 2 latents decodes to the downscaled
    picture, so that the coarse view of a latent is close to the latent of the coarse view.
    """
    latents = model.taesd_encoder(pictures)
    noisy = latents + code.noise * torch.randn_like(latents)
    loss = picture_loss(model.taesd_decoder(noisy).float(), pictures)
    if decoder_only:
        return loss
    loss = loss + 0.1 * latent_loss(latents.float(), code.tilt > 0)
    if code.agreement and pictures.shape[-1] % 16 == 0:
        coarse = model.taesd_decoder(F.avg_pool2d(latents, 2))
        loss = loss + code.agreement * picture_loss(coarse.float(), F.avg_pool2d(pictures, 2))
    return loss


@torch.no_grad()
def report(work: Workplace, model: TinyAutoencoder, renderer: Renderer | OpenRenderer, name: str) -> None:
    """Log the PSNR per picture size and write a sheet of pictures over their reconstructions."""
    drawn = renderer.draw(draw_ids(work.budget, 8, EVAL_SALT), work.generator(EVAL_SALT))
    said = []
    for level in range(3):
        pictures = downscale(drawn, level)
        latents = model.encode(pictures)
        got = model.decode(latents).clamp(0, 1)
        said.append(-10 * math.log10((got - pictures).square().mean()))
        if level == 0:
            stats = latents.mean(), latents.std()
            coarse = model.encode(downscale(drawn, 1))
            away = (F.avg_pool2d(latents, 2) - coarse).square().mean() / coarse.var()
            sheet(torch.cat((pictures, got)), 8, work.file(f"{name}.png"))
    log.info(
        "%s PSNR full %.2f half %.2f quarter %.2f dB; latents mean %.2f deviation %.2f; coarse off by %.3f",
        name,
        *said,
        *stats,
        away,
    )
