"""The survey as a table, as JSON, and in a few lines."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .sampler import Sampler
from .survey import GOOD, LOW, Row, fair, good
from .verdict import BELOW, FASTER, PLAIN, PRESET, REFUSED, UNKNOWN, Verdict

NOT_KNOWN = (
    "What a graph does not tell is assumed, and marked: an input picture is taken as 1024x1024, an input "
    "video as 1280x720 with 81 frames; a number that comes from elsewhere is the one saved beside its link. "
    "Switches stand as they were saved, and bypassed or muted nodes do not run. Whether a given picture has "
    "so much detail that a run from nearly pure noise must begin finer, and what a model or another pack's "
    "node refuses in the run, no graph tells. Gains are image tokens, over as many full steps."
)


def summary(rows: list[Row], without: int) -> str:
    """Counts, and the causes of what is not faster."""
    kinds = Counter(row.kind for row in rows)
    uses = sum(row.usage for row in rows) or 1
    used = sum(row.usage for row in rows if row.kind == FASTER)
    lines = [
        f"{len(rows)} graphs with a sampler in use ({without} without: API nodes, tools, or none that runs)",
        f"{kinds[FASTER]} faster ({used / uses:.0%} of the use), {kinds[PLAIN]} plain, "
        f"{kinds[REFUSED]} refused, {kinds[UNKNOWN]} unknown",
        f"{sum(map(good, rows))} faster, or plain for {', '.join(GOOD)}; "
        f"{sum(map(fair, rows))} with runs that start low, or are draft and refine already",
    ]
    causes: Counter[str] = Counter()
    for row in rows:
        if row.kind != FASTER:
            causes[" and ".join(row.causes)] += 1
    lines += [f"  {count} not faster: {cause}" for cause, count in causes.most_common()]
    below = sum(row.kind != FASTER and any(v.below > 1.0 for _, v in row.samplers) for row in rows)
    lines.append(f"'{BELOW}', written by the user, would speed up {below} of them")
    paired = [row for row in rows if row.experts]
    one = [row for row in paired if any(v.kind == FASTER for _, v in row.experts)]
    apart = sum(row.kind == FASTER for row in paired)
    lines.append(
        f"{len(paired)} graphs of two experts: {apart} faster with Fresco Apply behind each, {len(one)} with "
        "Fresco Experts in front of it"
    )
    return "\n".join(lines)


def as_markdown(rows: list[Row], without: int) -> str:
    """A line for each sampler of each graph."""
    lines = [
        "# Official graphs with Fresco Apply in front of every sampler",
        "",
        NOT_KNOWN,
        "",
        "```",
        summary(rows, without),
        "```",
        "",
        "| graph | model | run | size | Fresco | tokens | why, or how | assumed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda r: (-r.usage, r.name)):
        for index, (sampler, verdict) in enumerate(row.samplers):
            assumed = "; ".join(row.assumed) if index == 0 else ""
            cells = (row.name if index == 0 else "", *_cells(sampler, verdict), assumed)
            lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _cells(sampler: Sampler, verdict: Verdict) -> tuple[str, ...]:
    sigmas, size = sampler.sigmas or (), sampler.size
    span = f", sigma {sigmas[0]:.3g} to {sigmas[-1]:.3g}" if sigmas else ""
    frames = f"x{size.frames}" if size.frames > 1 else ""
    how = f"{verdict.kind}, `{PRESET}`" if verdict.kind == FASTER else verdict.kind
    gain = f"{'up to ' * verdict.open}{verdict.gain:.2f}x" if verdict.kind == FASTER else ""
    words = verdict.words + ("; the given sigmas are spread anew" if verdict.thinned else "")
    words += f": {verdict.below:.2f}x" if verdict.below > 1.0 else ""
    return (
        sampler.model.file,
        f"{sampler.steps} {sampler.name}, {sampler.scheduler}{span}",
        f"{size.width}x{size.height}{frames}",
        how,
        gain,
        words,
    )


def as_json(rows: list[Row], without: int) -> dict[str, Any]:
    """The same for programs."""
    return {
        "graphs": len(rows),
        "without_sampler": without,
        "counts": dict(Counter(row.kind for row in rows)),
        "good": sum(map(good, rows)),
        "fair": sum(map(fair, rows)),
        "good_causes": [*GOOD],
        "low": LOW,
        "rows": [
            {
                "name": row.name,
                "kind": row.kind,
                "causes": [*row.causes],
                "gain": round(row.gain, 3),
                "usage": row.usage,
                "fronted": row.fronted,
                "assumed": [*row.assumed],
                "samplers": [_entry(*found) for found in row.samplers],
                "experts": [_entry(*found) for found in row.experts],
            }
            for row in rows
        ],
    }


def _entry(sampler: Sampler, verdict: Verdict) -> dict[str, Any]:
    known = sampler.model.known
    return {
        "node": sampler.node.id,
        "kind": sampler.node.kind,
        "file": sampler.model.file,
        "class": None if known is None else known.name,
        "through": [*sampler.model.through],
        "sampler": sampler.name,
        "scheduler": sampler.scheduler,
        "sigmas": None if sampler.sigmas is None else [round(s, 4) for s in sampler.sigmas],
        "size": [sampler.size.width, sampler.size.height, sampler.size.frames],
        "verdict": verdict.kind,
        "preset": PRESET,
        "cause": verdict.cause,
        "words": verdict.words,
        "tokens": verdict.tokens,
        "full_tokens": verdict.full,
        "open": verdict.open,
        "given_sigmas_spread_anew": verdict.thinned,
        "below": round(verdict.below, 3),
    }
