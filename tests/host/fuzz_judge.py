"""What a fuzzed run is judged by. The right value is the host's own run, a closed form, or a count."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import tiny
import torch
from fuzz_cases import DEMO, STEADY, Case, mask_of
from fuzz_runs import STOPS, Record, cached, dressed, model_of, run, sampled, source_of
from test_lifecycle import state_of

SHOWS_THROUGH = 0.02
"""Power of a given latent's finest band over that of its noise, from which on it must not be hidden; at
0.0096 the demo model's pictures lose 14 dB."""
MOST_DECIBELS = 1.0
LOW = 0.89  # the first sigma of denoise 0.7 on the demo model; above, a draft may compose anew
KEPT = 2e-3  # of what a hard mask keeps, beside what the plain run itself loses
REFERENCES = ("flux_kontext", "qwen_edit", "krea2_edit", "z_image")  # more tokens than the canvas has


@dataclass
class Verdict:
    """How a case ended: `right` (coarse somewhere), `plain`, `refused` in words, `host` where the plain run
    fails as well; and what is wrong with it."""

    outcome: str
    failures: list[str] = field(default_factory=list)


def judge(case: Case) -> Verdict:
    """Run the case plain, through Fresco, stopped, and both again."""
    from fresco_pack.fresco_core import ScheduleError

    model = model_of(case)
    base, before = model.patcher, state_of(model.patcher)
    try:
        latent = source_of(case, model)
    except Exception as error:
        return Verdict("host", _leftovers(base, before, f"after {error!r}"))
    plain = run(case, model, cached(case, base), latent)
    before = state_of(base)  # the host's own first run may leave something
    try:
        patched = dressed(case, base)
    except ScheduleError as error:
        return Verdict("refused", [] if str(error) else ["refused without words"])
    except Exception as error:
        return Verdict("refused", [f"parse raises {error!r}"])
    patched_before = state_of(patched)
    ours = run(case, model, patched, latent)
    failures = _compared(case, model, latent, plain, ours)
    failures += _stopped(case, model, patched, latent, ours)
    again = run(case, model, patched, latent)
    if not same(ours, again):
        failures.append(f"the same run twice differs: {_difference(ours, again)}")
    failures += _leftovers(patched, patched_before, "of the patched model")
    failures += _leftovers(base, before, "of the incoming model")
    after = run(case, model, cached(case, base), latent)
    if not same(plain, after):
        failures.append(f"the plain run differs after ours: {_difference(plain, after)}")
    return Verdict(_outcome(plain, ours), failures)


def _outcome(plain: Record, ours: Record) -> str:
    if plain.error is not None:
        return "host"
    if ours.error is not None:
        return "refused"
    plan = None if ours.trace is None else ours.trace.plan
    return "plain" if plan is None or plan.plain else "right"


def _compared(case: Case, model: tiny.Tiny, latent: torch.Tensor, plain: Record, ours: Record) -> list[str]:
    if ours.error is not None:
        if plain.error is not None:
            return []
        early = isinstance(ours.error, ValueError) and not ours.loaded and not ours.calls and str(ours.error)
        return [] if early else [f"raises {ours.error!r} after {len(ours.calls)} calls"]
    if plain.error is not None:
        return []
    assert plain.samples is not None and ours.samples is not None
    if ours.samples.shape != plain.samples.shape or ours.samples.dtype != plain.samples.dtype:
        return [f"is {ours.samples.dtype} {tuple(ours.samples.shape)}, plain {tuple(plain.samples.shape)}"]
    if plain.finite and not ours.finite:
        return ["is not finite where plain is"]
    if _outcome(plain, ours) == "plain":
        same_result = torch.equal(ours.samples, plain.samples) or not plain.finite
        return [] if same_result else [f"runs plain, but differs: {_difference(plain, ours)}"]
    checks = (_range, _last_look, _hidden, _cost, _kept, _decibels)
    return [word for check in checks for word in check(case, model, latent, plain, ours)]


def _range(case: Case, model: tiny.Tiny, latent: torch.Tensor, plain: Record, ours: Record) -> list[str]:
    """No call of the network outside the stage's own sigmas, or what the plain sampler itself asks for."""
    sampling = model.patcher.get_model_object("model_sampling")
    sigmas, asked = plain.sigmas, [timestep for _, timestep in plain.calls]
    assert sigmas is not None
    highest = max([float(sampling.timestep(sigmas[0])), *asked])
    lowest = min([float(sampling.timestep(sigmas[-1])), *asked]) if sigmas[-1] > 0.0 else -math.inf
    slack = 1e-4 if case.dtype == "float32" else 1e-2
    ours_asked = [timestep for _, timestep in ours.calls]
    if min(ours_asked) < lowest * (1.0 - slack) or max(ours_asked) > highest * (1.0 + slack):
        found = f"{min(ours_asked):.5g} to {max(ours_asked):.5g}"
        return [f"asks at timesteps {found}, outside {lowest:.5g} to {highest:.5g}"]
    return []


def _last_look(case: Case, model: tiny.Tiny, latent: torch.Tensor, plain: Record, ours: Record) -> list[str]:
    """A run that ends at sigma 0 ends with an evaluation of as many tokens as the plain run's."""
    assert plain.sigmas is not None
    if plain.sigmas[-1] > 0.0 or not plain.tokens:
        return []
    if not ours.tokens or ours.tokens[-1][0] != plain.tokens[-1][0]:
        return [f"ends with {ours.tokens[-1:]} image tokens, plain with {plain.tokens[-1]}"]
    return []


def _hidden(case: Case, model: tiny.Tiny, latent: torch.Tensor, plain: Record, ours: Record) -> list[str]:
    """No coarse call where the given latent's finest band stands out of the noise of the first sigma."""
    assert plain.sigmas is not None and plain.samples is not None
    if not case.low or (case.noisy and case.source == "empty") or not plain.tokens:
        return []
    if not case.noisy and plain.sigmas[-1] > 0.0:
        return []  # the clean picture in its latent is not known
    clean = model.model.process_latent_in(latent if case.noisy else plain.samples)
    sigma, one = plain.sigmas[:1], torch.ones(1, 1, 1, 1)
    scaling = model.patcher.get_model_object("model_sampling").noise_scaling
    signal = float(scaling(sigma, torch.zeros_like(one), one)) * _finest_power(clean, mask_of(case)) ** 0.5
    ratio = (signal / float(scaling(sigma, one, torch.zeros_like(one)))) ** 2
    limit = SHOWS_THROUGH if case.noisy else 10.0 * SHOWS_THROUGH
    full = max(count for count, _ in plain.tokens)
    coarse = sum(count < full for count, _ in ours.tokens)
    if ratio > limit and coarse:
        found = f"{ratio:.3g} of the noise's power at sigma {float(sigma):.3g}"
        return [f"{coarse} coarse calls over detail of {found}"]
    return []


def _finest_power(clean: torch.Tensor, mask: torch.Tensor | None) -> float:
    """Mean power of the finest Haar bands' coefficients over whole 2x2 blocks, all of them painted."""
    height, width = (side // 2 * 2 for side in clean.shape[-2:])
    if not height or not width:
        return 0.0
    blocks = clean.float()[..., :height, :width].unflatten(-2, (-1, 2)).unflatten(-1, (-1, 2))
    detail = (blocks - blocks.mean(dim=(-3, -1), keepdim=True)).square().sum(dim=(-3, -1)) / 3.0
    if mask is not None and mask.shape[-2:] == clean.shape[-2:]:
        seen = mask[..., :height, :width].unflatten(-2, (-1, 2)).unflatten(-1, (-1, 2))
        painted = (seen.amin(dim=(-3, -1)) > 0.0).expand(detail.shape)
        return float(detail[painted].mean()) if painted.any() else 0.0
    return float(detail.mean())


def _cost(case: Case, model: tiny.Tiny, latent: torch.Tensor, plain: Record, ours: Record) -> list[str]:
    """Tokens told are tokens seen: the trace's always, the plan's for samplers of one evaluation a step; at
    least those where the run has a say (`spectral`, coarse looks at what an earlier pass has made)."""
    if case.cache is not None or case.family in REFERENCES or not plain.tokens:
        return []
    trace = ours.trace
    full, each = plain.tokens[0][0], sum(batch for _, batch in plain.tokens) / plain.evaluations
    counted = sum(count * batch for count, batch in ours.tokens) / each
    failures = [] if counted == trace.tokens else [f"the trace tells {trace.tokens} tokens, seen {counted:g}"]
    assert plain.sigmas is not None
    once = plain.evaluations == len(plain.sigmas) - 1
    told = trace.plan.tokens()
    least = trace.plan.open or any(any(p.levels) for p in trace.plan.passes[1:])
    if once and case.sampler in STEADY and not (counted == told or (least and counted > told)):
        failures.append(f"the plan tells {told} tokens, seen {counted:g} (full: {full})")
    return failures


def _kept(case: Case, model: tiny.Tiny, latent: torch.Tensor, plain: Record, ours: Record) -> list[str]:
    """What a hard mask keeps is as near to the given latent as the plain run leaves it."""
    assert plain.sigmas is not None and plain.samples is not None and ours.samples is not None
    mask = mask_of(case)
    if case.mask not in ("hard", "zeros") or mask is None or plain.sigmas[-1] > 0.0 or not plain.finite:
        return []
    kept = (mask == 0.0).expand(ours.samples.shape)
    scale = max(float(latent.abs().max()), 1.0)
    lost, ours_lost = (float((r.samples - latent)[kept].abs().max()) for r in (plain, ours))  # type: ignore[operator]
    if ours_lost > 1.1 * lost + KEPT * scale:
        return [f"the kept area moves by {ours_lost:.3g}, in the plain run by {lost:.3g}"]
    return []


def _decibels(case: Case, model: tiny.Tiny, latent: torch.Tensor, plain: Record, ours: Record) -> list[str]:
    """On the trained model a low start is as near to plain as plain steps of equal cost are."""
    assert plain.sigmas is not None and plain.samples is not None and ours.samples is not None
    if case.family != DEMO or not case.low or case.cache or len(plain.sigmas) < 3 or not plain.tokens:
        return []
    if plain.sigmas[0] > LOW:
        return []
    cost = sum(n * b for n, b in ours.tokens) / sum(n * b for n, b in plain.tokens)
    steps = max(1, math.floor(cost * (len(plain.sigmas) - 1)))
    places = torch.linspace(0.0, len(plain.sigmas) - 1.0, steps + 1)
    low = places.floor().long().clamp_max(len(plain.sigmas) - 2)
    sigmas = plain.sigmas.cpu().lerp(plain.sigmas.cpu().roll(-1), 0.0)[low]
    sigmas = sigmas + (places - low) * (plain.sigmas.cpu()[low + 1] - sigmas)
    given = {"noise": torch.zeros_like(latent)} if not case.noisy else {}
    fewer = sampled(replace(case, sigmas="dense"), model, model.patcher, latent, sigmas=sigmas, **given)
    found, allowed = (_psnr(samples, plain.samples) for samples in (ours.samples, fewer))
    if found < allowed - MOST_DECIBELS:
        return [f"{found:.1f} dB to plain, {steps} plain steps of equal cost {allowed:.1f} dB"]
    return []


def _psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    error = float((a - b).square().mean())
    return math.inf if error == 0.0 else -10.0 * math.log10(error)


def _stopped(case: Case, model: tiny.Tiny, patched: Any, latent: torch.Tensor, ours: Record) -> list[str]:
    """A failure inside the network comes out as it is; an error of a run that was to have coarse looks may be
    answered at full resolution instead."""
    if case.stop is None or ours.error is not None or not ours.calls:
        return []
    kind, where = case.stop
    stop = kind, 1 + int(where * len(ours.calls))
    stopped = run(case, model, patched, latent, stop)
    answered = kind == "error" and stopped.error is None and _outcome(ours, ours) == "right"
    if type(stopped.error) is not STOPS[kind] and not (answered and (stopped.finite or not ours.finite)):
        return [f"{kind} at call {stop[1]} of {len(ours.calls)} comes out as {stopped.error!r}"]
    return []


def same(a: Record, b: Record) -> bool:
    """Whether two runs ended alike: equal results, NaN for NaN, or errors of one kind."""
    if a.samples is None or b.samples is None:
        return type(a.error) is type(b.error)
    return torch.equal(a.samples.nan_to_num(0.1), b.samples.nan_to_num(0.1))


def _difference(a: Record, b: Record) -> str:
    if a.samples is None or b.samples is None:
        return f"{a.error!r} and {b.error!r}"
    return f"by up to {float((a.samples - b.samples).abs().max()):.3g}"


def _leftovers(patcher: Any, before: tuple, of_what: str) -> list[str]:
    now = state_of(patcher)
    return [] if now == before else [f"state {of_what}: {before} became {now}"]
