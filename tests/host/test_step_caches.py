"""Core's EasyCache and LazyCache behind and before Fresco: they keep skipping after a level change and after
a rewind."""

import pytest
import tiny
import torch
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode

STEPS = 24
SCHEDULES = {"one pass": "1/2 until 0.8, full", "two passes": "draft 1/2 x12; refine 0.75 x12"}


def cached(node, patcher, threshold):
    return node.execute(patcher, threshold, 0.0, 1.0, False).args[0]


def skip_pattern(flux, patcher):
    """Per step 'full', 'half' or '-' for a step that the cache skipped, and the result."""
    marks = []
    with tiny.count_image_tokens(flux) as seen:

        def step_done(step, x0, x, total):
            marks.append({64: "F", 16: "h"}[seen[-1][0]] if len(seen) > step_done.before else "-")
            step_done.before = len(seen)

        step_done.before = 0
        result = tiny.sample(patcher, flux, steps=STEPS, callback=step_done)
    return "".join(marks), result


@pytest.mark.parametrize("fresco_first", [True, False])
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize(
    "node,threshold", [(EasyCacheNode, 0.5), (LazyCacheNode, 0.5)], ids=["EasyCache", "LazyCache"]
)
def test_skips_on_both_sides_of_a_level_change(flux, apply, node, threshold, schedule, fresco_first):
    if fresco_first:
        patched = cached(node, apply(flux.patcher, schedule), threshold)
    else:
        patched = apply(cached(node, flux.patcher, threshold), schedule)
    plain_pattern, _ = skip_pattern(flux, cached(node, flux.patcher, threshold))
    pattern, result = skip_pattern(flux, patched)
    print(f"\nplain {plain_pattern}\nours  {pattern}")
    assert torch.isfinite(result).all()
    change = pattern.rindex("h") + 1
    while pattern[change] == "-":  # skipped steps after the last coarse evaluation
        change += 1
    before, after = pattern[:change], pattern[change:]
    assert "-" in plain_pattern and "-" in before.rstrip("-")
    # after the change: evaluated anew at full resolution, then skipping again, and never for good
    assert after.startswith("F") and "-" in after and after.count("F") >= 3
    longest = max(len(run) for run in after.replace("F", " ").split())
    assert longest <= max(len(run) for run in plain_pattern.replace("F", " ").split()) + 2


@pytest.mark.parametrize("node", [EasyCacheNode, LazyCacheNode])
def test_counters_survive_the_restart_and_the_next_run_is_the_same(flux, apply, node, caplog):
    patched = cached(node, apply(flux.patcher, SCHEDULES["two passes"]), 0.5)
    with caplog.at_level("INFO"):
        first_pattern, first = skip_pattern(flux, patched)
    skipped = first_pattern.count("-")
    assert any(f"skipped {skipped}/{STEPS} steps" in r.message for r in caplog.records)
    second_pattern, second = skip_pattern(flux, patched)
    assert first_pattern == second_pattern and torch.equal(first, second)


@pytest.mark.parametrize("fresco_first", [True, False])
@pytest.mark.parametrize("schedule", ["1/2 x16, full x8", "draft 1/2 x16; refine x8", "draft 1/2; refine x2"])
@pytest.mark.parametrize("node", [EasyCacheNode, LazyCacheNode])
def test_a_cache_that_may_skip_to_the_end_leaves_the_last_step(flux, apply, node, schedule, fresco_first):
    """A reuse threshold above all: every step that may be skipped is."""
    if fresco_first:
        patched = cached(node, apply(flux.patcher, schedule), 3.0)
    else:
        patched = apply(cached(node, flux.patcher, 3.0), schedule)
    pattern, result = skip_pattern(flux, patched)
    assert torch.isfinite(result).all() and pattern.endswith("F") and "-" in pattern


@pytest.mark.parametrize("node", [EasyCacheNode, LazyCacheNode])
def test_where_a_draft_ends_is_no_end_for_the_cache_in_the_pass_behind_it(flux, apply, node):
    """A draft that stops at sigma 0.8 makes its last step itself; the refine pass skips as before."""
    patched = node.execute(apply(flux.patcher, "draft 1/2 x4 to 0.8; refine 0.9 x20"), 0.5, 0.0, 0.95, False)
    pattern, _ = skip_pattern(flux, patched.args[0])
    assert pattern[:4].count("h") >= 2 and pattern[4] == "F" and pattern.endswith("F")
    assert pattern[8:].count("-") >= 6, pattern


@pytest.mark.parametrize("fresco_first", [True, False])
@pytest.mark.parametrize("node", [EasyCacheNode, LazyCacheNode])
def test_no_gain_is_told_of_steps_that_a_cache_has_answered_for(flux, apply, node, fresco_first):
    from fresco_pack.nodes.engine.gain import gain_of, result_in_words, summary

    traces, text = [], "draft 1/2 x4; refine x20"
    if fresco_first:
        patched = cached(node, apply(flux.patcher, text, traces), 0.6)
    else:
        patched = apply(cached(node, flux.patcher, 0.6), text, traces)
    pattern, _ = skip_pattern(flux, patched)
    trace, skipped = traces[0], pattern.count("-")
    assert skipped > 2 and gain_of(trace) is None and "faster" not in summary(trace)
    assert f"{skipped} of them were answered by another node" in result_in_words(trace)
    asked = [e for e in trace.evaluations if e.flops]
    assert len(asked) == len(pattern) - skipped, "what was answered elsewhere has cost nothing"


def test_without_the_restart_easycache_would_skip_every_later_step(flux, apply, monkeypatch):
    """The host's behaviour that the restart is for; if this fails the host has changed and the restart may
    go."""
    from fresco_pack.nodes.engine import run

    monkeypatch.setattr(run, "restart_step_cache", lambda *args, **kwargs: None)
    monkeypatch.setattr(run, "end_step_cache_at", lambda *args, **kwargs: None)
    pattern, _ = skip_pattern(flux, cached(EasyCacheNode, apply(flux.patcher, SCHEDULES["one pass"]), 0.5))
    tail = pattern[pattern.rindex("h") + 1 :].lstrip("-")
    assert tail.rstrip("-").count("-") == 0 and tail.endswith("-" * (len(tail) // 2))


@pytest.mark.parametrize("node", [EasyCacheNode, LazyCacheNode])
@pytest.mark.parametrize("text,latent", [("full", 0.0), ("draft 1/2 x12; refine 0.75 x12", 1.0)])
def test_plain_runs_are_cached_as_the_host_caches_them(flux, apply, node, text, latent):
    """Recorded, but with nothing of Fresco's in it: also where the schedule gives way to a given picture."""
    picture = latent * torch.randn(flux.latent["samples"].shape, generator=torch.Generator().manual_seed(1))
    run = {"steps": STEPS, "latent": picture, "denoise": 1.0 - 0.5 * latent}
    plain = tiny.sample(cached(node, flux.patcher, 0.5), flux, **run)
    traces = []
    ours = tiny.sample(apply(cached(node, flux.patcher, 0.5), text, traces=traces), flux, **run)
    assert traces[0].plan.plain and torch.equal(ours, plain)
