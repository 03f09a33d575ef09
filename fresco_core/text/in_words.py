"""What a plan will do, and what a run did, in words for the user."""

from __future__ import annotations

from collections.abc import Iterator

from ..canvas.frames import frames_at
from ..canvas.size import Canvas
from ..schedule.looks import FEWER_FRAMES, level_name
from ..schedule.plan import Plan, PlannedPass
from ..trace import Trace


def plan_sentence(plan: Plan) -> str:
    """What a plan will do, in one sentence without an end: its steps by level, or why they are all full."""
    if plan.plain:
        return f"runs plain: {plan.reason}" if plan.reason else f"{plan.steps} full steps, as without Fresco"
    looks = [(step.level, step.halvings, step.fine is not None) for p in plan.passes for step in p.looks]
    parts = []
    for look in dict.fromkeys(looks):
        level, halvings, mixed = look
        where = "of fine and coarse tokens" if mixed else f"at {level_name(level)}" if level else "in full"
        parts.append(f"{looks.count(look)} {where}{_with_frames(halvings)}")
    bound = ", or finer" if plan.open else ""
    return f"{plan.steps} steps: {', then '.join(parts)}{bound}"


def plan_in_words(plan: Plan) -> str:
    """The plan in a few lines: a line for each pass, then its tokens."""
    if plan.plain:
        return f"{plan.steps} steps at full resolution" + (f" ({plan.reason})" if plan.reason else "")
    lines = [
        f"pass {index}: {'over pixels, ' * p.via_pixels}{'keeping the sound, ' * given.keeps_sound}"
        f"sigma {p.sigmas[0]:.4g} to {p.sigmas[-1]:.4g}, {', '.join(_looks(plan, p))}"
        for index, (p, given) in enumerate(zip(plan.passes, plan.schedule.passes), start=1)
    ]
    if len(plan.passes) > 1:
        lines.append("each pass spreads the sampler's sigmas over its own steps")
    lines += [plan.note] if plan.note else []
    least, up_to = ("at least ", "up to ") if plan.open else ("", "")
    lines.append(
        f"{least}{plan.tokens()} image tokens instead of {plan.full_tokens()} for {plan.steps} steps "
        f"({up_to}{plan.full_tokens() / plan.tokens():.2f}x fewer)"
    )
    return "\n".join(lines)


def _looks(plan: Plan, p: PlannedPass) -> Iterator[str]:
    kinds = [(step.level, step.halvings, step.fine is not None) for step in p.looks]
    tokens = p.tokens(plan.canvas)
    for level, halvings, mixed in dict.fromkeys(kinds):
        seen = [n for n, kind in zip(tokens, kinds) if kind == (level, halvings, mixed)]
        counted = f"{min(seen)} to {max(seen)}" if min(seen) < max(seen) else f"{seen[0]}"
        what = f"mixed of full and {level_name(level)}" if mixed else f"at {level_name(level)}"
        if p.tolerance is not None and level:
            what += " or finer"
            counted += f" to {plan.canvas.tokens(0, halvings)}"
        yield f"{len(seen)} {what} resolution{_of_frames(plan.canvas, halvings)} ({counted} tokens)"


def _with_frames(halvings: int) -> str:
    """How much of the frames a look has, where these are not all."""
    return f" with {FEWER_FRAMES[halvings]} of the frames" if halvings else ""


def _of_frames(canvas: Canvas, halvings: int) -> str:
    """What a look says of the latent frames that it has, where these are not all."""
    if not halvings:
        return ""
    few = frames_at(canvas.frames, halvings)
    return f" and {FEWER_FRAMES[halvings]} of the frames, {few} of {canvas.frames}"


def trace_in_words(trace: Trace, baseline_steps: int = 0) -> str:
    """One line: evaluations per level, tokens and, where known, FLOPs saved; unless 0, `baseline_steps` full
    steps are compared with too, at this run's evaluations per step."""
    if not trace.evaluations:
        return "no evaluation recorded"
    dense = [(e.level, e.halvings) for e in trace.evaluations if e.fine is None]
    mixed = len(trace.evaluations) - len(dense)
    counts = [
        f"{dense.count(seen)} at {level_name(seen[0])}{_with_frames(seen[1])}"
        for seen in sorted(set(dense), reverse=True)
    ]
    counts[-1:-1] = [f"{mixed} mixed"] if mixed else []
    full_tokens = len(trace.evaluations) * trace.canvas.tokens(0)
    words = (
        f"{len(trace.evaluations)} evaluations ({', '.join(counts)}), {trace.tokens} image tokens instead of "
        f"{full_tokens} ({full_tokens / trace.tokens:.2f}x fewer)"
    )
    if trace.crossings:
        words += f", {sum(trace.crossings.values()):.2g} s over pixels"
    flops, full = spent(trace)
    if not flops:
        return words
    gain = full / flops
    words += f", {flops_in_words(flops)} instead of {flops_in_words(full)} ({gain:.2f}x less"
    if baseline_steps and trace.plan is not None:
        words += f"; {gain * baseline_steps / trace.plan.steps:.2f}x less than {baseline_steps} full steps"
    return words + ")"


def spent(trace: Trace) -> tuple[int, int]:
    """FLOPs of a run, and those of as many evaluations at full resolution; 0 where the architecture is not
    known."""
    return sum(e.flops for e in trace.evaluations), sum(e.full_flops for e in trace.evaluations)


def flops_in_words(flops: int) -> str:
    """FLOPs in the unit that suits them."""
    return f"{flops / 1e12:.4g} TFLOPs" if flops >= 1e12 else f"{flops / 1e9:.4g} GFLOPs"
