"""Plain and Fresco runs of the host's sampling loop, in turn, timed as a whole and inside the model."""

from __future__ import annotations

import gc
import resource
import time
from dataclasses import dataclass
from typing import Any

import torch

from .cases import Case

LEAST_STEPS = 5  # below, a plan says little about its preset


class Clock:
    """Seconds inside a module, without holding the device up: events on a GPU, processor time on a CPU."""

    def __init__(self, module: torch.nn.Module, cuda: bool):
        self._cuda = cuda
        self._marks: list[Any] = []
        self._handles = (
            module.register_forward_pre_hook(lambda *_: self._mark()),
            module.register_forward_hook(lambda *_: self._mark()),
        )

    def _mark(self) -> None:
        if not self._cuda:
            self._marks.append(time.process_time())
            return
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        self._marks.append(event)

    def take(self) -> float:
        """Seconds since the last call of this; the device must have finished."""
        marks, self._marks = self._marks, []
        pairs = zip(marks[::2], marks[1::2])
        return sum(a.elapsed_time(b) / 1e3 if self._cuda else b - a for a, b in pairs)

    def remove(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()


@dataclass(frozen=True)
class Timing:
    """A run: seconds in all and in the model, and the peak of memory in bytes (on a CPU the process's).

    Seconds of the processor on a CPU, which other programs on the machine do not change; else by the clock.
    """

    seconds: float
    model_seconds: float
    peak_bytes: int

    @property
    def own(self) -> float:
        """Seconds outside of the model."""
        return self.seconds - self.model_seconds


@dataclass(frozen=True)
class Result:
    """Fresco against plain, in one case under one schedule.

    gain: FLOPs of plain over Fresco's, by the cost model. speed_up: seconds of plain over Fresco's.
    own_seconds: of a step, what Fresco spends outside of the model and plain does not; own_share: of a full
    step in the model.
    """

    case: str
    size: str
    parameters: int
    tokens: int
    steps: int
    schedule: str
    plain_seconds: float
    fresco_seconds: float
    gain: float
    speed_up: float
    own_seconds: float
    own_share: float
    plain_peak_bytes: int
    fresco_peak_bytes: int

    @property
    def realised(self) -> float:
        """The part of the predicted gain that became wall-clock."""
        return self.speed_up / self.gain


def build(case: Case, cuda: bool) -> Any:
    """A ModelPatcher of the case's model, bfloat16 on a GPU and float32 on a CPU, random weights."""
    import comfy.model_patcher
    import comfy.supported_models

    device, dtype = (torch.device("cuda"), torch.bfloat16) if cuda else (torch.device("cpu"), torch.float32)
    config = getattr(comfy.supported_models, case.config)(dict(case.unet))
    config.set_inference_dtype(dtype, None)
    model = config.get_model({}, device=device)
    for module in model.diffusion_model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            parameter.requires_grad_(False)
            if parameter.ndim > 1:
                parameter.data.normal_(0.0, 0.75 / parameter[0].numel() ** 0.5)
            else:
                parameter.data.fill_(0.0 if name == "bias" else 1.0)
    return comfy.model_patcher.ModelPatcher(model, load_device=device, offload_device=device)


def drop_models(cuda: bool) -> None:
    """Free what the host holds of earlier cases."""
    import comfy.model_management

    comfy.model_management.unload_all_models()
    gc.collect()
    if cuda:
        torch.cuda.empty_cache()


class Runner:
    """The host's KSampler loop, Euler on noise of a case's size, timed in all and inside the model."""

    def __init__(self, case: Case, frames: int, patcher: Any, clock: Clock, cuda: bool):
        shape = case.latent_shape(frames)
        generator = torch.Generator().manual_seed(0)
        text = torch.randn(1, case.text_tokens, case.unet["context_in_dim"], generator=generator)
        pooled = torch.randn(1, case.unet["vec_in_dim"], generator=generator)
        conditioning = [[text, {"pooled_output": pooled, "guidance": 3.5}]]
        self._inputs = (torch.randn(shape, generator=generator), conditioning, torch.zeros(shape))
        self.patcher, self._clock, self._cuda = patcher, clock, cuda
        self.size = f"{case.width}x{case.height}" + (f"x{frames}" if frames > 1 else "")

    def __call__(self, patcher: Any, steps: int) -> Timing:
        """One run."""
        import comfy.sample

        noise, conditioning, latent = self._inputs
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
        self._clock.take()
        now = time.perf_counter if self._cuda else time.process_time
        start = now()
        inputs = (patcher, noise, steps, 1.0, "euler", "simple", conditioning, conditioning, latent)
        with torch.inference_mode():
            comfy.sample.sample(*inputs, disable_pbar=True, seed=0)
        if self._cuda:
            torch.cuda.synchronize()
        seconds = now() - start
        if self._cuda:
            peak = torch.cuda.max_memory_allocated()
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        return Timing(seconds, self._clock.take(), peak)


def measure(
    case: Case, schedules: list[str], repeats: int, cuda: bool, until: float
) -> tuple[list[Result], list[str]]:
    """The case under every schedule (preset or line), done by time.monotonic() `until`; and notes on what had
    to be left out.

    A step in full tells how many steps there is time for, plain and Fresco together.
    """
    notes: list[str] = []
    patcher = build(case, cuda)
    clock = Clock(patcher.model.diffusion_model, cuda)
    try:
        for frames in case.frames:
            run = Runner(case, frames, patcher, clock, cuda)
            try:
                run(patcher, 1)
                start = time.monotonic()
                run(patcher, 1)
                step = time.monotonic() - start
            except torch.cuda.OutOfMemoryError:
                notes.append(f"{case.name} {run.size}: more memory than there is")
                torch.cuda.empty_cache()
                continue
            runs = repeats * (1 + len(schedules)) + len(schedules)
            steps = min(case.steps, int((until - time.monotonic()) / (step * runs)))
            if steps >= LEAST_STEPS:
                return side_by_side(case, run, schedules, steps, repeats), notes
            notes.append(f"{case.name} {run.size}: no time for {LEAST_STEPS} steps of {step:.1f} s each")
        return [], notes
    finally:
        clock.remove()


def _gain(trace: Any) -> float:
    """FLOPs of as many full evaluations over those of a run."""
    from fresco_pack.fresco_core.text.in_words import spent

    flops, full = spent(trace)
    return full / flops


def side_by_side(case: Case, run: Runner, schedules: list[str], steps: int, repeats: int) -> list[Result]:
    """Plain and every schedule in turn, `repeats` times, the fastest run of each compared.

    A run with a trace before them warms up every length of sequence and tells the FLOPs; a trace costs some
    work of its own, so the timed ones have none.
    """
    from fresco_pack.fresco_core import PRESETS, Trace, parse
    from fresco_pack.nodes.engine.wrappers import apply_fresco

    kinds, traces = {"plain": run.patcher}, []
    for line in schedules:
        schedule = parse(PRESETS.get(line, line))
        found: list[Trace] = []
        run(apply_fresco(run.patcher, schedule, traces=found), steps)
        traces.append(found[-1])
        kinds[line] = apply_fresco(run.patcher, schedule)
    best: dict[str, Timing] = {}
    for _ in range(repeats):
        for name, patcher in kinds.items():
            timing = run(patcher, steps)
            best[name] = min(best.get(name, timing), timing, key=lambda t: t.seconds)
    plain = best["plain"]
    return [
        Result(
            case=case.name,
            size=run.size,
            parameters=sum(p.numel() for p in run.patcher.model.diffusion_model.parameters()),
            tokens=trace.canvas.tokens(0),
            steps=steps,
            schedule=line,
            plain_seconds=plain.seconds,
            fresco_seconds=best[line].seconds,
            gain=_gain(trace),
            speed_up=plain.seconds / best[line].seconds,
            own_seconds=(best[line].own - plain.own) / steps,
            own_share=(best[line].own - plain.own) / plain.model_seconds,
            plain_peak_bytes=plain.peak_bytes,
            fresco_peak_bytes=best[line].peak_bytes,
        )
        for line, trace in zip(schedules, traces)
    ]
