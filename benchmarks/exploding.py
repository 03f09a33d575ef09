"""The rewind of variance-exploding models, SD's and SDXL's kind, on the demo model told as one.

`python -m benchmarks.exploding`. The same denoiser in SD 1.5's sigmas (14.6 to 0.03, Karras' spacing, rho 7):
presets against plain steps of equal cost, rounded, with the noise that the run's first state holds beside the
draft, and with the whole of its noise. PSNR of latents to 50 plain steps of the same noise, their mean square
as the peak.
"""

from __future__ import annotations

import argparse
import logging
import math

from torch import Tensor

from fresco_core import VE, hashed_noise, make_plan, preset, recompose, sample
from fresco_core.demo.subjects import PROMPT, Subject, trained
from fresco_core.schedule.schedule import Schedule

log = logging.getLogger(__name__)

HIGHEST, LOWEST, RHO = 14.6146, 0.0292, 7.0  # SD 1.5's sigmas; arXiv 2206.00364, equation 5
STEPS, NAMES, REFERENCE = (8, 12, 20), ("quality", "balanced", "fast"), 50


def karras_sigmas(steps: int) -> list[float]:
    """steps + 1 sigmas from HIGHEST to LOWEST, then 0."""
    top, end = HIGHEST ** (1.0 / RHO), LOWEST ** (1.0 / RHO)
    return [(top + i / max(steps - 1, 1) * (end - top)) ** RHO for i in range(steps)] + [0.0]


def drawn(subject: Subject, noise: Tensor, schedule: Schedule, steps: int, whole: bool = False) -> Tensor:
    """The clean canvas by Euler's method; `whole` rewinds on all of the noise."""

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        share = sigma / (1.0 + sigma)
        return subject.denoise(x * (1.0 - share).reshape(-1, 1, 1, 1), share)

    def on_all(x0: Tensor, _: Tensor, sigma: Tensor, at: object) -> Tensor:
        return recompose(x0, noise, sigma, VE)

    plan = make_plan(schedule, karras_sigmas(steps), subject.canvas, VE, HIGHEST)
    return sample(denoise, noise, plan, VE, rewind=on_all if whole else recompose)


def nearness(found: Tensor, reference: Tensor) -> float:
    """PSNR in dB, the reference's mean square as the peak."""
    return -10.0 * math.log10(float((found - reference).square().mean() / reference.square().mean()))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompt", default=PROMPT)
    parser.add_argument("--count", type=int, default=8, help="pictures (default %(default)s)")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    subject = trained(options.prompt)
    size = subject.canvas.height, subject.canvas.width
    noise = hashed_noise(0, (options.count, subject.channels, *size))
    reference = drawn(subject, noise, Schedule(), REFERENCE)
    log.info(
        "| steps | preset | plain at equal cost | noise beside the draft | all of the noise |\n|%s",
        "---|" * 5,
    )
    for steps in STEPS:
        for name in NAMES:
            schedule = preset(name)
            plan = make_plan(schedule, karras_sigmas(steps), subject.canvas, VE, HIGHEST)
            cost = round(plan.tokens() / subject.canvas.tokens(0))
            rows = (
                drawn(subject, noise, Schedule(), cost),
                drawn(subject, noise, schedule, steps),
                drawn(subject, noise, schedule, steps, whole=True),
            )
            values = " | ".join(f"{nearness(row, reference):.1f}" for row in rows)
            log.info("| %d | `%s` | %d: %s |", steps, name, cost, values)


if __name__ == "__main__":
    main()
