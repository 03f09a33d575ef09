"""Stages of a longer run: the network is asked about nothing outside their sigmas, whatever the schedule."""

import pytest
import tiny
import torch
from comfy_extras.nodes_model_advanced import ModelSamplingSD3
from recorded import network_calls

SPLITS = {"2 + 2": (4, 2), "4 + 4": (8, 4), "10 + 10": (20, 10), "3 + 5": (8, 3), "15 + 5": (20, 15)}

FEW = [name for name, (steps, _) in SPLITS.items() if steps < 20]  # a U-Net takes its time
CASES = [(family, name) for family in ("wan", "flux") for name in SPLITS] + [("sd15", name) for name in FEW]


def schedules():
    from fresco_pack.fresco_core import PRESETS

    explicit = "draft 1/2 50%; refine 50%", "draft 1/2 x1; refine x1", "1/2 x1, full", "draft 3/4; refine 0.9"
    return [*PRESETS, *explicit]


def shifted(model, shift):
    return ModelSamplingSD3().patch(model.patcher, shift=shift)[0]


def stages_of(family):
    """What both stages run on, each a patcher and its model: two experts of different weights, or one model,
    flow or exploding."""
    if family == "wan":
        high, low = (tiny.build("wan", seed=seed, size=(16, 16), frames=2) for seed in (0, 5))
        return (shifted(high, 5.0), high), (shifted(low, 5.0), low)
    model = tiny.build(family, size=(16, 16))
    return ((model.patcher, model),) * 2


def in_two_stages(pair, steps, split, dressed=lambda patcher: patcher):
    """The latent after each stage, and the timesteps that each stage's network was given."""
    latent, results, asked = pair[0][1].latent["samples"], [], []
    for (patcher, model), begin, end in zip(pair, (0, split), (split, steps)):
        with network_calls(model.model) as calls:
            latent = tiny.sample(
                dressed(patcher),
                model,
                steps=steps,
                cfg=3.0,
                start_step=begin,
                last_step=end,
                disable_noise=begin > 0,
                force_full_denoise=end == steps,
                latent=latent,
                positive=pair[0][1].positive,
                negative=pair[0][1].negative,
            )
        results.append(latent)
        asked.append([timestep for _, timestep in calls])
    return results, asked


@pytest.mark.parametrize("family,split", CASES)
def test_no_network_is_asked_outside_its_stage(apply, family, split):
    from fresco_pack.fresco_core import PRESETS

    pair, (steps, at) = stages_of(family), SPLITS[split]
    sampling = pair[0][0].get_model_object("model_sampling")
    import comfy.samplers

    sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", steps)
    highest, between = (float(sampling.timestep(sigmas[i])) for i in (0, at))
    plain, _ = in_two_stages(pair, steps, at)
    gained = 0
    for text in schedules():
        schedule = PRESETS.get(text, text)
        try:
            results, (first, second) = in_two_stages(pair, steps, at, lambda p, s=schedule: apply(p, s))
        except ValueError as error:
            assert "the sampler has" in str(error), "counts of another run are refused"
            continue
        assert min(first) >= between * (1 - 1e-4) and max(first) <= highest * (1 + 1e-4), text
        assert max(second) <= between * (1 + 1e-4), text
        assert torch.isfinite(results[1]).all()
        if text == "off":
            assert torch.equal(results[0], plain[0]) and torch.equal(results[1], plain[1])
        gained += not torch.equal(results[0], plain[0])
    assert gained or (family, split) not in {("wan", "10 + 10"), ("wan", "2 + 2"), ("flux", "15 + 5")}


def test_the_first_expert_ends_coarse_and_the_second_is_full(apply):
    """The official two-expert graph with two and two steps: what a coarse first stage is for."""
    traces = []
    _, (first, second) = in_two_stages(
        stages_of("wan"), 4, 2, lambda p: apply(p, "draft 1/2 50%; refine 50%", traces=traces)
    )
    assert [[e.level for e in t.evaluations] for t in traces] == [[1, 1], [0, 0]]
    assert first == pytest.approx([1000.0, 1000 * 0.9375 / (2 - 0.9375)], rel=1e-4)
    assert second == pytest.approx([1000 * 5 / 6, 625.0], rel=1e-4)
    assert "shows through" in traces[1].plan.reason


def test_a_stage_is_the_same_in_samplercustom(apply):
    """SplitSigmas in front of two custom samplers."""
    patcher, model = stages_of("flux")[0]
    sigmas = torch.linspace(1.0, 0.0, 13)
    traces = []
    dressed = apply(patcher, "draft 1/2 50%; refine 50%", traces=traces)
    with network_calls(model.model) as calls:
        high = tiny.sample(dressed, model, sigmas=sigmas[:4])
        split = len(calls)
        tiny.sample(dressed, model, sigmas=sigmas[3:], latent=high, disable_noise=True)
    asked = [timestep for _, timestep in calls]
    assert min(asked[:split]) >= 0.75 - 1e-6 and max(asked[split:]) <= 0.75 + 1e-6
    assert any(e.level for e in traces[0].evaluations)
    assert not any(e.level for e in traces[1].evaluations)
