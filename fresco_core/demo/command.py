"""`python -m fresco_core demo`."""

from __future__ import annotations

import argparse
import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from torch import Tensor

from ..bench.distance import peak_ratio
from ..canvas.noise_field import hashed_noise
from ..sampling import flow_sigmas, sample
from ..schedule.planning import make_plan
from ..schedule.schedule import Schedule
from ..schedule.wording import ScheduleError
from ..text.grammar import parse
from ..text.presets import PRESETS, preset
from ..trace import Evaluation, Trace
from .scenes import SceneError
from .subjects import PROMPT, landscapes, trained
from .weights import FOLDERS

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the demo."""
    parser.add_argument(
        "--prompt",
        default=PROMPT,
        help="what the small trained model is to draw (default '%(default)s')",
    )
    parser.add_argument(
        "--model",
        choices=FOLDERS,
        default="detailed",
        help="short: a model for prompts that leave much open, as 'a cat', 'three fruits on stripes' and '' "
        "do; its pictures are larger and softer (default %(default)s)",
    )
    parser.add_argument(
        "--landscape",
        action="store_true",
        help="draw a landscape with a closed-form model instead, the exact denoiser of a known process",
    )
    parser.add_argument("--seed", type=int, default=3, help="seed of the noise field (default %(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="steps over all passes (default %(default)s)")
    parser.add_argument(
        "--schedule",
        default="balanced",
        help=f"a schedule in one line or a preset ({', '.join(PRESETS)}); default %(default)s",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/demo"), help="folder for the sheet (default %(default)s)"
    )


def figures(
    rows: dict[str, tuple[Trace, float]], step_flops: Callable[[Evaluation], int] | None
) -> Iterator[str]:
    """The comparison as a table: plain and Fresco, each its trace and seconds, and how many times less."""
    columns = [(f"{'tokens':>10s}", [float(trace.tokens) for trace, _ in rows.values()], "10.0f")]
    if step_flops is not None:
        spent = [sum(map(step_flops, trace.evaluations)) / 1e9 for trace, _ in rows.values()]
        columns.append((f"{'GFLOPs':>10s}", spent, "10.2f"))
    columns.append((f"{'seconds':>10s}", [seconds for _, seconds in rows.values()], "10.2f"))
    yield f"{'':10s}" + "".join(title for title, _, _ in columns)
    for index, name in enumerate(rows):
        yield f"{name:10s}" + "".join(f"{values[index]:{form}}" for _, values, form in columns)
    yield f"{'gain':10s}" + "".join(f"{plain / ours:9.2f}x" for _, (plain, ours), _ in columns)


def equal_steps(plain: Trace, ours: Trace, step_flops: Callable[[Evaluation], int] | None) -> int:
    """As many plain steps as cost at least what `ours` did, by FLOPs where known, else by tokens."""
    cost = step_flops or (lambda evaluation: evaluation.tokens)
    spent, whole = (sum(map(cost, trace.evaluations)) for trace in (ours, plain))
    return math.ceil(len(plain.evaluations) * spent / whole)


def run(options: argparse.Namespace) -> str:
    """Draw one seed twice, write the sheet, return the comparison. Raises as parse and trained do."""
    from .sheet import draw_sheet  # Pillow, which only the sheet needs

    schedule = preset(options.schedule) if options.schedule in PRESETS else parse(options.schedule)
    subject = landscapes() if options.landscape else trained(options.prompt, FOLDERS[options.model])
    canvas = subject.canvas
    noise = hashed_noise(options.seed, (1, subject.channels, canvas.height, canvas.width))

    def draw(schedule: Schedule, steps: int = options.steps) -> tuple[Tensor, Trace, float]:
        plan = make_plan(schedule, flow_sigmas(steps, subject.shift), canvas)
        trace = Trace(1, canvas, subject.block_level, plan)
        start = time.perf_counter()
        result = sample(subject.denoise, noise, plan, trace=trace)
        seconds = time.perf_counter() - start
        return subject.picture(result), trace, seconds

    draw(schedule)  # warm up, so that both are timed alike
    plain, plain_trace, plain_seconds = draw(Schedule())
    ours, trace, seconds = draw(schedule)
    similarity = peak_ratio(plain / 2, ours / 2)  # of pictures in [-1, 1]
    fewer = equal_steps(plain_trace, trace, subject.step_flops)
    beside = peak_ratio(plain / 2, draw(Schedule(), fewer)[0] / 2)
    lines = [
        f"schedule {schedule}, {options.steps} steps, seed {options.seed}",
        f"model: {subject.words}",
        "",
        *figures({"plain": (plain_trace, plain_seconds), "fresco": (trace, seconds)}, subject.step_flops),
        "",
        f"PSNR of fresco to plain, same seed: {similarity:.1f} dB",
        f"PSNR of plain with {fewer} steps, which cost as much: {beside:.1f} dB",
    ]
    path = draw_sheet(
        options.out / f"fresco_demo_{options.seed}.png",
        plain,
        ours,
        trace,
        f"one seed, {options.steps} steps: plain and '{schedule}'",
        (
            f"plain: {plain_trace.tokens} tokens",
            f"fresco: {trace.tokens} tokens, "
            f"{plain_trace.tokens / trace.tokens:.2f}x fewer, {similarity:.1f} dB PSNR to plain",
        ),
    )
    return "\n".join([*lines, f"sheet: {path}"])


def main(options: argparse.Namespace) -> int:
    """Exit status of the command."""
    try:
        print(run(options))  # noqa: T201 - the command's output
    except ModuleNotFoundError as error:
        log.error('%s: the sheet is drawn with Pillow; run "python -m pip install pillow"', error)
        return 2
    except (ScheduleError, SceneError, FileNotFoundError) as error:
        log.error("%s", error)
        return 2
    return 0
